//! The order of checks: each case breaks two neighbours at once, and the earlier one answers.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::ids::{SystemIds, TenantId};

use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// The changes that a path names something for, with a body where they take one.
const CHANGES: [(Method, &str); 5] = [
    (Method::PATCH, "/extensions/{id}"),
    (Method::DELETE, "/extensions/{id}"),
    (Method::POST, "/extensions/{id}/reveal-secret"),
    (Method::POST, "/extensions/{id}/rotate-secret"),
    (Method::POST, "/config/deployments/{id}/rollback"),
];

fn absent() -> String {
    TenantId::fresh(&SystemIds).to_string()
}

/// Each change, of something that is not there.
fn changes_of_nothing(server: &Server) -> Vec<Ask<'_>> {
    let ask = |(method, path): &(Method, &str)| {
        let path = path.replace("{id}", &absent());
        server.ask(method.clone(), &path).json(&json!({"name": "Eve"}))
    };
    CHANGES.iter().map(ask).collect()
}

#[rstest]
#[tokio::test]
async fn credentials_come_first(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.suspend(&server.acme).await;
    let wrong = [
        None,
        Some("Bearer x"),
        Some("Bearer "),
        Some("Basic YTpi"),
        Some("Bearer"),
    ];
    for authorization in wrong {
        for ask in changes_of_nothing(&server) {
            let ask = match authorization {
                Some(value) => ask.with("authorization", value),
                None => ask.without("authorization"),
            };
            let answer = ask.send().await;
            assert_eq!(answer.code(), (401, "credentials_invalid"));
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
}

#[rstest]
#[tokio::test]
async fn o29_a_suspended_tenant_comes_before_what_is_not_there_and_before_what_is_wrong(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.suspend(&server.acme).await;
    for ask in changes_of_nothing(&server) {
        assert_eq!(ask.send().await.code(), (403, "tenant_suspended"));
    }
    let wrong = [
        server.post("/extensions", &json!({})).without("x-reason"),
        server
            .post("/extensions", &json!({}))
            .with("content-type", "text/plain"),
        server.post("/extensions", &Value::Null),
        server.post("/extensions?x", &json!({"number": "1"})),
        server.ask(Method::POST, "/config/deploy?wait=x"),
    ];
    for ask in wrong {
        assert_eq!(ask.send().await.code(), (403, "tenant_suspended"));
    }
    server.get("/extensions").send().await.data(200);
}

#[rstest]
#[tokio::test]
async fn what_is_not_there_comes_before_what_is_wrong(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    for ask in changes_of_nothing(&server) {
        assert_eq!(ask.without("x-reason").send().await.code(), (404, "not_found"));
    }
    let path = format!("/extensions/{}", absent());
    let wrong = [
        server.patch(&path, &json!({})).bytes("{"),
        server.patch(&path, &json!({})).bytes(vec![b' '; 2_000_000]),
        server.patch(&path, &json!({})).with("content-type", "text/plain"),
        server.patch(&path, &json!({"colour": 1})),
        server.patch(&path, &json!({"number": "9999"})),
        server.patch(&format!("{path}?x"), &json!({})),
        server.get(&format!("{path}?x")),
        server.delete(&format!("{path}?x")),
        server.ask(
            Method::POST,
            &format!("/config/deployments/{}/rollback?wait=x", absent()),
        ),
        server.get(&format!("/config/deployments/{}?x", absent())),
        server.get(&format!("/config/deployments/{}/events?x", absent())),
        server.patch(&path, &json!({})).with("if-match", "x"),
        server.delete(&path).with("if-match", "\"1\"").bytes("{"),
        server
            .ask(
                Method::POST,
                &format!("/config/deployments/{}/rollback", absent()),
            )
            .with("idempotency-key", "a b")
            .bytes("{"),
    ];
    for ask in wrong {
        assert_eq!(ask.send().await.code(), (404, "not_found"));
    }
    // The tenant that is entered is looked for as well.
    for tenant in [absent(), "x".to_owned(), "' or 1=1".to_owned(), String::new()] {
        let wrong = [
            server.get("/extensions?sort=x"),
            server
                .post("/extensions", &json!({"number": 1}))
                .without("x-reason"),
            server.post("/extensions", &json!({})).bytes("{"),
            server.ask(Method::POST, "/config/deploy?wait=x"),
            server
                .ask(Method::POST, "/config/deploy")
                .with("idempotency-key", "a b"),
        ];
        for ask in wrong {
            assert_eq!(
                ask.in_tenant(&tenant).send().await.code(),
                (404, "not_found"),
                "{tenant}"
            );
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_missing_tenant_or_reason_comes_before_the_body(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let deployment = server.deployment_in(&server.acme).await;
    let there = |path: &str| {
        let id = if path.contains("deployments") {
            &deployment
        } else {
            &id
        };
        path.replace("{id}", id)
    };
    let mut wrong: Vec<(Method, String)> = CHANGES
        .iter()
        .map(|(method, path)| (method.clone(), there(path)))
        .collect();
    for path in ["/extensions", "/extensions/import", "/config/deploy"] {
        wrong.push((Method::POST, path.to_owned()));
    }
    for (method, path) in wrong {
        for reason in [
            None,
            Some(""),
            Some("  "),
            Some("a\u{202e}b"),
            Some(&*"x".repeat(501)),
        ] {
            let ask = server
                .ask(method.clone(), &format!("{path}?colour=red"))
                .bytes("{");
            let ask = ask.with("idempotency-key", "a b").with("if-match", "x");
            let ask = match reason {
                Some(text) => ask.with("x-reason", text),
                None => ask.without("x-reason"),
            };
            let answer = ask.with("content-type", "text/plain").send().await;
            assert_eq!(
                answer.code(),
                (400, "reason_required"),
                "{method} {path} {reason:?}"
            );
        }
        let outside = server
            .ask(method, &path)
            .without("x-operate-as-tenant")
            .bytes("{");
        assert_eq!(outside.send().await.code(), (400, "tenant_required"), "{path}");
    }
    let list = server.get("/extensions?sort=x").without("x-operate-as-tenant");
    assert_eq!(list.send().await.code(), (400, "tenant_required"));
}

#[rstest]
#[tokio::test]
async fn a_body_that_cannot_be_read_comes_before_what_it_says(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let path = format!("/extensions/{id}");
    for (method, path) in [
        (Method::POST, "/extensions"),
        (Method::POST, "/extensions/import"),
        (Method::PATCH, path.as_str()),
    ] {
        let ask = || {
            let ask = server.ask(method.clone(), &format!("{path}?colour=red"));
            ask.json(&json!({})).with("idempotency-key", "a")
        };
        let cases = [
            (ask().bytes(r#"{"colour":1"#), (400, "malformed_json")),
            (ask().bytes(""), (400, "malformed_json")),
            (ask().bytes(vec![b' '; 1024 * 1024 + 1]), (413, "body_too_large")),
            (ask().without("content-type"), (415, "unsupported_media_type")),
            (
                ask().with("content-type", "text/plain").bytes("{"),
                (415, "unsupported_media_type"),
            ),
            (
                ask().with("content-encoding", "gzip"),
                (415, "unsupported_media_type"),
            ),
        ];
        for (ask, expected) in cases {
            assert_eq!(ask.send().await.code(), expected, "{method} {path}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_comes_before_what_is_in_the_way(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    let taken = |extra: Value| {
        let mut body = json!({"number": "1001", "name": "Ann"});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        server.post("/extensions", &body)
    };
    assert_eq!(taken(json!({})).send().await.code(), (409, "taken"));
    assert_eq!(
        taken(json!({"ring_time": 0})).send().await.fields(),
        ["ring_time"]
    );
    assert_eq!(taken(json!({"colour": 0})).send().await.fields(), ["colour"]);

    let deployment = server.deployment_in(&server.acme).await;
    let path = format!("/config/deployments/{deployment}/rollback");
    let never = server.ask(Method::POST, &path).send().await;
    assert_eq!(never.code(), (409, "never_live"));
    let both = server
        .ask(Method::POST, &format!("{path}?wait=perhaps"))
        .send()
        .await;
    assert_eq!(both.fields(), ["wait"]);
}
