//! What every answer has, whatever it says.

use async_trait::async_trait;
use axum::http::Request;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::auth::access::Access;
use crate::auth::directory::fake::token;
use crate::domain::parsed::word_enum;
use crate::http::body::{Body, LARGEST, LARGEST_OF_ANYBODY};
use crate::http::health::{self, Check, Readiness};
use crate::http::id::Id;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

word_enum! {
    /// What the list is sorted by.
    Sort { Name = "name", CreatedAt = "created_at" }
}

/// Finds nothing but the first tenant.
async fn find(Id(id): Id<TenantId>) -> Result<String, Problem> {
    (id == ACTIVE)
        .then(|| "found".to_owned())
        .ok_or_else(Problem::not_found)
}

async fn echo(body: Body<Value>) -> Result<axum::Json<Value>, Problem> {
    body.read().await.map(axum::Json)
}

struct Search(Value);

impl Parameters for Search {
    fn read(given: &mut Given) -> Self {
        let page = given.page();
        let sort = given.sort::<Sort>();
        Self(json!({
            "page": page.page(), "per_page": page.per_page(), "search": given.text("search", ""),
            "wait": given.flag("wait", ""), "sort": sort.map(|(by, descending)| (by.as_str(), descending)),
        }))
    }
}

async fn search(query: Query<Search>) -> Result<axum::Json<Value>, Problem> {
    let Search(read) = query.read()?;
    Ok(axum::Json(read))
}

async fn panics() -> String {
    let nothing = std::env::var("SWITCHYARD_TEST_NO_SUCH_VARIABLE");
    nothing.expect("a fault, made on purpose")
}

fn open() -> Router {
    let routes = vec![
        Route::get("/things/{id}", Access::Public, "", find),
        Route::post("/echo", Access::Public, UNAUDITED, "", echo),
        Route::post("/own/echo", Access::Own, UNAUDITED, "", echo),
        Route::get("/search", Access::Public, "", search),
        Route::get("/panics", Access::Public, "", panics),
    ];
    serve(routes, ())
}

fn json_post() -> Builder {
    Request::post("/echo").header("content-type", "application/json")
}

#[tokio::test]
async fn an_unknown_path_is_a_problem() {
    let answer = ask(&open(), get("/nothing"), "").await;
    assert_eq!(answer.problem(), (404, "not_found"));
    assert_eq!(answer.body["title"], "Not Found");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let answer = ask(&open(), Request::delete("/echo"), "").await;
    assert_eq!(answer.problem(), (405, "method_not_allowed"));
    assert_eq!(answer.header("allow"), "POST");
}

#[rstest]
#[case("/things/00000000-0000-0000-0000-000000000001")]
#[case("/nothing")]
#[case("/panics")]
#[tokio::test]
async fn every_answer_is_kept_from_browsers(#[case] path: &str) {
    let answer = ask(&open(), get(path), "").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        answer.header("content-security-policy"),
        "default-src 'none'; frame-ancestors 'none'"
    );
    assert!(answer.header("x-request-id").parse::<Uuid>().is_ok());
}

#[rstest]
#[case("trace-4711", true)]
#[case("two words", false)]
#[case("", false)]
#[case(&"x".repeat(65), false)]
#[tokio::test]
async fn a_request_may_bring_its_id(#[case] id: &str, #[case] kept: bool) {
    let answer = ask(&open(), get("/nothing").header("x-request-id", id), "").await;
    assert_eq!(answer.header("x-request-id") == id, kept);
    assert!(!answer.header("x-request-id").is_empty());
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let answer = ask(&open(), get("/panics"), "").await;
    assert_eq!(answer.problem(), (500, "internal_error"));
    assert!(!answer.body.to_string().contains("on purpose"));
}

#[rstest]
#[case("acme")]
#[case("1")]
#[case("%FF")]
#[case("00000000-0000-0000-0000-00000000000z")]
#[tokio::test]
async fn an_id_that_can_be_none_is_answered_like_one_that_does_not_exist(#[case] id: &str) {
    let router = open();
    assert_eq!(
        ask(&router, get(&format!("/things/{ACTIVE}")), "").await.status,
        200
    );
    let absent = ask(&router, get(&format!("/things/{UNKNOWN}")), "").await;
    let malformed = ask(&router, get(&format!("/things/{id}")), "").await;
    assert_eq!(malformed.problem(), (404, "not_found"));
    assert_eq!(malformed.body, absent.body);
}

#[tokio::test]
async fn a_body_may_have_a_mebibyte() {
    may_have("/own/echo", LARGEST).await;
}

#[tokio::test]
async fn o52_a_body_of_anybody_may_have_a_thirty_second_of_that() {
    may_have("/echo", LARGEST_OF_ANYBODY).await;
}

async fn may_have(path: &str, largest: usize) {
    let router = open();
    let post = || {
        let post = Request::post(path).header("content-type", "application/json");
        post.header("authorization", format!("Bearer {}", token()))
    };
    let sized = |length: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(length - 8));
    assert_eq!(ask(&router, post(), sized(largest)).await.status, 200);
    let announced = post().header("content-length", largest + 1);
    let answer = ask(&router, announced, sized(largest + 1)).await;
    assert_eq!(answer.problem(), (413, "body_too_large"));

    let chunks = (0..=largest / 1024).map(|_| Ok::<_, std::io::Error>("x".repeat(1024)));
    let streamed = Bytes::from_stream(futures_util::stream::iter(chunks));
    let answer = ask(&router, post(), streamed).await;
    assert_eq!(answer.problem(), (413, "body_too_large"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_problem() {
    let broken = [Ok("{".to_owned()), Err(std::io::Error::other("gone"))];
    let streamed = Bytes::from_stream(futures_util::stream::iter(broken));
    assert_eq!(
        ask(&open(), json_post(), streamed).await.problem(),
        (400, "body_incomplete")
    );
}

#[tokio::test]
async fn a_body_of_another_type_is_refused_unread() {
    let answer = ask(&open(), Request::post("/echo"), "x".repeat(2 * LARGEST)).await;
    assert_eq!(answer.problem(), (415, "unsupported_media_type"));
}

#[rstest]
#[case("page=2&per_page=50&sort=-name&search=a%20b&wait", json!({
    "page": 2, "per_page": 50, "search": "a b", "wait": true, "sort": ["name", true]
}))]
#[case("", json!({"page": 1, "per_page": 25, "search": null, "wait": false, "sort": null}))]
#[tokio::test]
async fn o20_good_parameters_are_read(#[case] query: &str, #[case] read: Value) {
    let answer = ask(&open(), get(&format!("/search?{query}")), "").await;
    assert_eq!((answer.status, answer.body), (200, read));
}

#[rstest]
#[case("sort=colour", json!({"sort": ["must be one of: `name` `created_at`"]}))]
#[case("page=0", json!({"page": ["must be 1 or more"]}))]
#[case("page=x&per_page=101", json!({"page": ["must be a whole number"], "per_page": ["must be 1 to 100"]}))]
#[case("page=99999999999999999999", json!({"page": ["must be a whole number"]}))]
#[case("search=", json!({"search": ["must have 1 to 200 characters"]}))]
#[case("wait=maybe", json!({"wait": ["must be `true` or `false`"]}))]
#[case("page=1&page=2", json!({"page": ["must be given once"]}))]
#[case("filter=x", json!({"filter": ["is not a parameter of this route"]}))]
#[tokio::test]
async fn o20_a_bad_parameter_is_refused(#[case] query: &str, #[case] errors: Value) {
    let answer = ask(&open(), get(&format!("/search?{query}")), "").await;
    assert_eq!(answer.problem(), (422, "invalid"));
    assert_eq!(answer.body["errors"], errors);
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let answer = ask(&open(), Request::head(format!("/things/{ACTIVE}")), "").await;
    assert_eq!((answer.status, answer.body), (200, Value::Null));
}

struct Needs(bool);

#[async_trait]
impl Readiness for Needs {
    async fn checks(&self) -> Vec<Check> {
        let check = |name, ok| Check { name, ok };
        vec![check("database", true), check("templates", self.0)]
    }
}

#[tokio::test]
async fn health_is_answered_to_everybody() {
    for (good, status) in [(true, 200), (false, 503)] {
        let readiness: Arc<dyn Readiness> = Arc::new(Needs(good));
        let health = vec![
            Route::get("/healthz", Access::Public, "", health::live),
            Route::get("/readyz", Access::Public, "", health::ready),
        ];
        let router = serve(health, readiness);
        let live = ask(&router, get("/healthz"), "").await;
        assert_eq!((live.status, live.body), (200, json!({"data": {"status": "ok"}})));
        let ready = ask(&router, get("/readyz"), "").await;
        let checks = json!([{"name": "database", "ok": true}, {"name": "templates", "ok": good}]);
        assert_eq!(
            (ready.status, ready.body),
            (status, json!({"data": {"ready": good, "checks": checks}}))
        );
    }
}

#[test]
fn a_problem_has_members_of_its_own() {
    let problem = Problem::new(axum::http::StatusCode::CONFLICT, "in_use", "x").with("references", vec!["a"]);
    assert_eq!((problem.status().as_u16(), problem.code()), (409, "in_use"));
}
