//! `Idempotency-Key` on every route that makes something: it is made once, or a key is refused where a secret is shown.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::http::routes::{Route, Shared, table};

use super::audited::changes;
use super::audited_platform::instance;
use super::audited_users::ticket;
use super::client::{Answer, Ask};
use super::people::PASSWORD;
use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// A POST that makes something, which is no matter of sessions.
fn makes(route: &Route<Shared>) -> bool {
    let replies = &route.shape().replies;
    route.method() == Method::POST && replies.iter().any(|reply| matches!(reply.status, 201 | 202))
}

#[rstest]
#[tokio::test]
async fn every_route_that_makes_something_makes_it_once_or_refuses_a_key(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (mut once, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for route in table().iter().filter(|route| makes(route)) {
        // It answers everybody alike, and has its own throttle.
        if route.path().ends_with("/password-reset") {
            continue;
        }
        // There is no PBX that could ring a phone: that is asked of a real one.
        if route.path() == "/api/v1/calls" {
            continue;
        }
        let server = Server::start(backend).await;
        server.hold_deploys().await;
        let ask = changes(&server, route).await.remove(0);
        let ask = ask.with("idempotency-key", "a");
        let (first, again) = (ask.clone().send().await, ask.send().await);
        if route.shape().reads_header("Idempotency-Key") {
            assert!(
                matches!(first.status, 201 | 202),
                "{}: {}",
                route.id(),
                first.text
            );
            assert_eq!(first.header("idempotency-replayed"), "", "{}", route.id());
            assert_eq!(again.header("idempotency-replayed"), "true", "{}", route.id());
            assert_eq!(again.status, first.status);
            if route.id() == "erasures_run" {
                // It goes on meanwhile.
                assert_eq!(again.body["data"]["id"], first.body["data"]["id"]);
            } else {
                assert_eq!(again.body, first.body);
            }
            once.insert(route.id());
        } else {
            for answer in [first, again] {
                assert_eq!(answer.fields(), ["Idempotency-Key"], "{}", route.id());
            }
            refused.insert(route.id());
        }
    }
    let names = |ids: &BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&once),
        [
            "compliance_purge",
            "deployments_deploy",
            "deployments_roll_back",
            "erasures_request",
            "erasures_run",
            "extensions_import",
            "instances_create",
            "instances_deploy",
            "platform_users_create",
            "roles_create",
            "tickets_comment",
            "tickets_create",
        ]
    );
    assert_eq!(
        names(&refused),
        [
            "api_keys_create",
            "extensions_create",
            "invitations_again",
            "invitations_invite",
            "tenants_create",
            "webhooks_create",
        ]
    );
}

/// A request that makes a `kind` of something, and another of the same kind.
async fn making<'a>(server: &'a Server, kind: &str) -> (Ask<'a>, Ask<'a>) {
    let user = |name: &str| json!({"tenant_id": server.acme, "name": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    let role = |name: &str| json!({"name": name, "permissions": ["users.list"]});
    let platform = |path: &str, body: &Value| server.platform(Method::POST, path).json(body);
    match kind {
        "user" => (
            platform("/platform/users", &user("bob")),
            platform("/platform/users", &user("eve")),
        ),
        "role" => (
            server.post("/roles", &role("keeper")),
            server.post("/roles", &role("porter")),
        ),
        "ticket" => (
            server.post("/tickets", &ticket()),
            server.post("/tickets", &json!({"subject": "Another", "text": "x"})),
        ),
        "comment" => {
            let made = server.post("/tickets", &ticket()).send().await;
            let path = format!("/tickets/{}/comments", made.data(201)["id"].as_str().unwrap());
            (
                server.post(&path, &json!({"text": "x"})),
                server.post(&path, &json!({"text": "y"})),
            )
        }
        "instance" => (
            platform("/platform/pbx-instances", &instance("second")),
            platform("/platform/pbx-instances", &instance("third")),
        ),
        "deployment" => {
            let path = format!("/platform/pbx-instances/{}/deploy", server.instance().await);
            let other = server.post("/platform/users", &user("bob"));
            (server.platform(Method::POST, &path), other)
        }
        other => panic!("{other}"),
    }
}

#[rstest]
#[tokio::test]
async fn of_many_equal_requests_at_once_one_makes_it(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("user", "role", "instance", "deployment", "ticket", "comment")] kind: &str,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let (ask, other) = making(&server, kind).await;
    let before = server.audit_actions().await.len();
    let asks = (0..MANY).map(|_| ask.clone().with("idempotency-key", "a").send());
    let answers = join_all(asks).await;
    let texts: BTreeSet<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let now = |answer: &&Answer| answer.header("idempotency-replayed").is_empty();
    assert_eq!(answers.iter().filter(now).count(), 1);
    assert_eq!(server.audit_actions().await.len(), before + 1);
    // The key is this request's, and nobody else's.
    let reused = other.with("idempotency-key", "a").send().await;
    assert_eq!(reused.code(), (422, "idempotency_key_reused"));
    let malformed = ask.with("idempotency-key", "a b").send().await;
    assert_eq!(malformed.code(), (400, "idempotency_key_malformed"));
}

#[rstest]
#[tokio::test]
async fn what_was_made_and_is_gone_is_not_made_again(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    for (kind, path) in [
        ("user", "/platform/users"),
        ("role", "/roles"),
        ("instance", "/platform/pbx-instances"),
    ] {
        let (ask, _) = making(&server, kind).await;
        let ask = ask.with("idempotency-key", kind);
        let made = ask.clone().send().await;
        let path = format!("{path}/{}", made.data(201)["id"].as_str().unwrap());
        let gone = if kind == "role" {
            server.delete(&path).send().await
        } else {
            server.platform(Method::DELETE, &path).send().await
        };
        assert_eq!(gone.status, 204, "{}", gone.text);
        assert_eq!(ask.send().await.code(), (404, "not_found"), "{kind}");
    }
}

#[rstest]
#[tokio::test]
async fn a_key_is_refused_where_an_invitation_would_show_its_link_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let body = json!({"tenant_id": server.acme, "name": "Bob", "email": "bob@example.com", "invite": true});
    let ask = server.platform(Method::POST, "/platform/users").json(&body);
    let refused = ask.clone().with("idempotency-key", "a").send().await;
    assert_eq!(refused.fields(), ["Idempotency-Key"]);
    ask.send().await.data(201);
}
