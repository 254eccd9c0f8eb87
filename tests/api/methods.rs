//! Methods and paths that are not in the table, HEAD and OPTIONS.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::server::Server;
use super::support::database::Backend::Sqlite;

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let server = Server::start(Sqlite).await;
    let id = server.extension("1001").await;
    for path in [
        "/extensions".to_owned(),
        format!("/extensions/{id}"),
        "/config/deployments".to_owned(),
    ] {
        let get = server.get(&path).send().await;
        let head = server.ask(Method::HEAD, &path).send().await;
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(
            head.header("content-length"),
            get.text.len().to_string(),
            "{path}"
        );
    }
    let head = server.ask(Method::HEAD, "/extensions").without("authorization");
    assert_eq!(head.send().await.status, 401);
}

#[rstest]
#[case("PUT", "/extensions", &["GET", "HEAD", "POST"])]
#[case("DELETE", "/extensions", &["GET", "HEAD", "POST"])]
#[case("OPTIONS", "/extensions", &["GET", "HEAD", "POST"])]
#[case("POST", "/extensions/0198c0de-0000-7000-8000-000000000001", &["DELETE", "GET", "HEAD", "PATCH"])]
#[case("GET", "/extensions/import", &["POST"])]
#[case("GET", "/config/deploy", &["POST"])]
#[case("POST", "/config/plan", &["GET", "HEAD"])]
#[case("TRACE", "/config/plan", &["GET", "HEAD"])]
#[case("BREW", "/config/plan", &["GET", "HEAD"])]
#[tokio::test]
async fn another_method_is_told_the_ones_there_are(
    #[case] method: &str,
    #[case] path: &str,
    #[case] allowed: &[&str],
) {
    let server = Server::start(Sqlite).await;
    let answer = server.ask(method.parse().unwrap(), path).send().await;
    assert_eq!(answer.code(), (405, "method_not_allowed"));
    let mut allow: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
    allow.sort_unstable();
    assert_eq!(allow, allowed);
}

#[rstest]
#[case("/api/v1")]
#[case("/api/v1/")]
#[case("/api/v1/extensions/")]
#[case("/api/v1//extensions")]
#[case("/api/v2/extensions")]
#[case("/API/v1/extensions")]
#[case("/api/v1/extensions/a/b/c")]
#[case("/api/v1/config")]
#[case("/%00")]
#[tokio::test]
async fn a_path_that_is_not_there_is_not_found(#[case] path: &str) {
    let server = Server::start(Sqlite).await;
    let answer = server.get("").at(path).send().await;
    assert_eq!(answer.code(), (404, "not_found"));
}

#[tokio::test]
async fn a_body_where_none_belongs_is_not_read() {
    let server = Server::start(Sqlite).await;
    let id = server.extension("1001").await;
    server
        .get("/extensions")
        .json(&json!({"x": 1}))
        .send()
        .await
        .data(200);
    let deleted = server
        .delete(&format!("/extensions/{id}"))
        .bytes("{")
        .send()
        .await;
    assert_eq!(deleted.status, 204);
}
