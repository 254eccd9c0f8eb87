//! Whatever route takes a body: what cannot be read, is too large, says that it is something else, or has a field that
//! nobody knows.

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::auth::access::Access;
use switchyard::http::routes::{Route, Shared, table};

use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// A request of somebody who may, of something that is there.
async fn ask<'a>(server: &'a Server, route: &Route<Shared>) -> Ask<'a> {
    let path = route.path().strip_prefix("/api/v1").unwrap();
    let id = match path {
        path if path.starts_with("/extensions/{id}") => server.extension("1001").await,
        path if path.starts_with("/platform/tenants/{id}") => server.acme.clone(),
        path if path.starts_with("/platform/pbx-instances/{id}") => server.instance().await,
        path if path.starts_with("/org-users/{id}") || path.starts_with("/platform/users/{id}") => {
            server.person("ann", &server.acme, "agent").await.id
        }
        path if path.starts_with("/roles/{id}") => {
            let role = json!({"name": "porter", "permissions": ["users.list"]});
            let made = server.post("/roles", &role).send().await;
            made.data(201)["id"].as_str().unwrap().to_owned()
        }
        path if path.starts_with("/tickets/{id}") => {
            let ticket = json!({"subject": "No dial tone", "text": "Since noon."});
            let made = server.post("/tickets", &ticket).send().await;
            made.data(201)["id"].as_str().unwrap().to_owned()
        }
        path if path.starts_with("/webhooks/{id}") => {
            let hook = json!({"url": "https://hooks.example.com/", "events": ["call.ended"]});
            let made = server.post("/webhooks", &hook).send().await;
            made.data(201)["id"].as_str().unwrap().to_owned()
        }
        path => {
            assert!(!path.contains("{id}"), "{path}: which id is it?");
            String::new()
        }
    };
    let path = path.replace("{id}", &id);
    let owners = path.starts_with("/api-keys") || path.starts_with("/org-users/me");
    let ask = if owners {
        let owner = server.person("owner", &server.acme, "owner").await;
        server.of(&owner.token, route.method().clone(), &path)
    } else if matches!(route.access(), Access::Tenant(_) | Access::Member) {
        server.ask(route.method().clone(), &path)
    } else {
        server.platform(route.method().clone(), &path)
    };
    ask.with("content-type", "application/json")
}

/// How many tests the routes are shared among.
const PARTS: usize = 4;

#[rstest]
#[tokio::test]
async fn every_route_with_a_body_says_what_is_wrong_with_it(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(0, 1, 2, 3)] part: usize,
) {
    let table = table();
    let with_body = table.iter().filter(|route| !route.shape().body.is_empty());
    let mut seen = 0;
    for route in with_body.skip(part).step_by(PARTS) {
        let server = Server::start(backend).await;
        let ask = ask(&server, route).await;
        let entries = server.audit_actions().await;
        let sent = async |ask: Ask<'_>| {
            let answer = ask.send().await;
            let (status, code) = answer.code();
            (status, code.to_owned())
        };
        let expected = |status: u16, code: &str| (status, code.to_owned());
        let bytes = |bytes: &[u8]| ask.clone().bytes(bytes);
        for malformed in [&b"{"[..], b"", b"{\"a\":\xff}", b"{} {}"] {
            let answer = sent(bytes(malformed)).await;
            assert_eq!(answer, expected(400, "malformed_json"), "{}", route.id());
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024));
        let answer = sent(bytes(large.as_bytes())).await;
        assert_eq!(answer, expected(413, "body_too_large"), "{}", route.id());
        for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let other = bytes(b"{}").with("content-type", media_type);
            let answer = sent(other).await;
            assert_eq!(answer, expected(415, "unsupported_media_type"), "{}", route.id());
        }
        for wrong in [json!("text"), json!(7), Value::Null] {
            let answer = ask.clone().json(&wrong).send().await;
            assert_eq!(answer.status, 422, "{}: {}", route.id(), answer.text);
        }
        // A list is what an import takes.
        let takes_list = route.id() == "extensions_import";
        let unknown = json!({"a_field_that_nobody_knows": 1});
        let unknown = if takes_list { json!([unknown]) } else { unknown };
        let answer = ask.clone().json(&unknown).send().await;
        let fields = answer.fields();
        assert!(
            fields
                .iter()
                .any(|field| field.contains("a_field_that_nobody_knows")),
            "{}: {fields:?}",
            route.id()
        );
        assert_eq!(server.audit_actions().await, entries, "{}", route.id());
        server.end().await;
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}
