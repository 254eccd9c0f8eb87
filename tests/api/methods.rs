//! Methods and paths that are not in the table, HEAD and OPTIONS.

use reqwest::Method;
use rstest::rstest;

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

/// The changes that take no body.
fn without_body(extension: &str, deployment: &str) -> [(Method, String); 5] {
    [
        (Method::POST, format!("/extensions/{extension}/reveal-secret")),
        (Method::POST, format!("/extensions/{extension}/rotate-secret")),
        (Method::POST, "/config/deploy".to_owned()),
        (Method::POST, format!("/config/deployments/{deployment}/rollback")),
        (Method::DELETE, format!("/extensions/{extension}")),
    ]
}

#[tokio::test]
async fn a_body_where_none_belongs_is_refused_and_nothing_is_done() {
    let server = Server::start(Sqlite).await;
    let (id, deployment) = (
        server.extension("1001").await,
        server.deployment_in(&server.acme).await,
    );
    let before = server.audit_actions().await;
    for (method, path) in without_body(&id, &deployment) {
        let with = async |body: &str| server.ask(method.clone(), &path).bytes(body).send().await;
        let refused = with(r#"{"wait":true}"#).await;
        assert_eq!(refused.fields(), ["wait"], "{path}");
        for wrong in ["[]", "null", "1", "\"x\""] {
            assert_eq!(with(wrong).await.fields(), ["body"], "{path} {wrong}");
        }
        for wrong in ["{", "wait=true", " "] {
            assert_eq!(
                with(wrong).await.code(),
                (400, "malformed_json"),
                "{path} {wrong}"
            );
        }
        let large = "x".repeat(1024 * 1024 + 1);
        assert_eq!(with(&large).await.code(), (413, "body_too_large"), "{path}");
        // The body is looked at before the parameters.
        let both = server.ask(method.clone(), &format!("{path}?x")).bytes("{");
        assert_eq!(both.send().await.code(), (400, "malformed_json"), "{path}");
    }
    assert_eq!(server.audit_actions().await, before);
}

#[tokio::test]
async fn no_body_and_an_object_without_fields_are_alike() {
    let server = Server::start(Sqlite).await;
    for body in [None, Some(""), Some("{}"), Some(" { } ")] {
        let id = server.extension("1001").await;
        let deployment = server.deployment_in(&server.acme).await;
        for (method, path) in without_body(&id, &deployment) {
            let ask = server.ask(method, &path);
            let answer = match body {
                Some(body) => ask.bytes(body).send().await,
                None => ask.send().await,
            };
            let expected = match path.rsplit('/').next().unwrap() {
                // What was never live cannot come back.
                "rollback" => 409,
                "deploy" => 202,
                "reveal-secret" | "rotate-secret" => 200,
                _ => 204,
            };
            assert_eq!(answer.status, expected, "{path} {body:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_body_of_what_is_only_read_is_not_looked_at() {
    let server = Server::start(Sqlite).await;
    server.extension("1001").await;
    for body in ["{", r#"{"x":1}"#] {
        let list = server.get("/extensions").bytes(body).send().await;
        assert_eq!(list.data(200)[0]["number"], "1001");
    }
}
