//! Webhooks over HTTP: who may, what is wrong by its field, and a secret that is shown once.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::people::each;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const URL: &str = "https://hooks.example.com/T0ken/in/the/path";

fn hook() -> Value {
    json!({"url": URL, "events": ["tenant.reactivated", "call.ended"]})
}

#[rstest]
#[tokio::test]
async fn a_webhook_is_made_looked_at_changed_and_deleted_and_its_secret_is_shown_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let made = server.post("/webhooks", &hook()).send().await;
    let made = made.data(201);
    let (id, secret) = (
        made["id"].as_str().unwrap(),
        made["secret"].as_str().unwrap().to_owned(),
    );
    assert!(secret.starts_with("whs_") && secret.len() == 47);
    assert_eq!((&made["active"], &made["note"]), (&true.into(), &Value::Null));
    let path = format!("/webhooks/{id}");
    let shown = server.get(&path).send().await;
    assert_eq!(shown.data(200)["url"], URL);
    assert_eq!(
        shown.data(200)["events"],
        json!(["call.ended", "tenant.reactivated"])
    );
    let list = server.get("/webhooks").send().await;
    assert_eq!(each(&list, "id"), [&json!(id)]);

    let off = server.patch(&path, &json!({"active": false})).send().await;
    assert_eq!(off.data(200)["active"], false);
    let again = server.patch(&path, &json!({"active": false})).send().await;
    assert_eq!(again.data(200)["updated_at"], off.data(200)["updated_at"]);
    let rotate = format!("{path}/rotate-secret");
    let rotated = server.ask(Method::POST, &rotate).send().await;
    assert_ne!(rotated.data(200)["secret"], secret.as_str());
    let once = server.post("/webhooks", &hook()).with("idempotency-key", "once");
    assert_eq!(once.send().await.fields(), ["Idempotency-Key"]);
    assert_eq!(server.delete(&path).send().await.status, 204);
    assert_eq!(server.get(&path).send().await.code(), (404, "not_found"));

    let actions = server.audit_actions().await;
    let of_webhooks: Vec<_> = actions
        .iter()
        .filter(|action| action.starts_with("webhook."))
        .collect();
    assert_eq!(
        of_webhooks,
        [
            "webhook.create",
            "webhook.change",
            "webhook.rotate_secret",
            "webhook.delete"
        ]
    );
    // Readers of the log may not read webhooks, and a path may hold a secret.
    let log = server.get("/audit-log").send().await;
    assert!(log.text.contains("https://hooks.example.com") && !log.text.contains("T0ken"));
    assert!(!log.text.contains("whs_"));
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_with_a_webhook_is_said_by_field(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let with = |name: &str, value: Value| {
        let mut hook = hook();
        hook[name] = value;
        hook
    };
    for (body, fields) in [
        (json!({}), &["events", "url"][..]),
        (with("events", json!([])), &["events"]),
        (with("events", json!(["user.create"])), &["events"]),
        (with("url", json!("http://hooks.example.com/")), &["url"]),
        (with("url", json!("https://ann:x@hooks.example.com/")), &["url"]),
        (with("url", json!("https://127.0.0.1/")), &["url"]),
        (with("url", json!("https://localhost/")), &["url"]),
        (with("url", json!("https://[::ffff:10.0.0.1]/")), &["url"]),
        (
            with("url", json!("https://169.254.169.254/latest/meta-data")),
            &["url"],
        ),
        (with("secret", json!("mine")), &["secret"]),
    ] {
        let refused = server.post("/webhooks", &body).send().await;
        assert_eq!(refused.fields(), fields, "{body}");
    }
    let made = server.post("/webhooks", &hook()).send().await;
    let path = format!("/webhooks/{}", made.data(201)["id"].as_str().unwrap());
    let refused = server
        .patch(&path, &json!({"url": "https://10.0.0.1/"}))
        .send()
        .await;
    assert_eq!(refused.fields(), ["url"]);
    assert_eq!(server.get(&path).send().await.data(200)["url"], URL);
}

#[rstest]
#[tokio::test]
async fn c06_another_tenants_webhook_is_one_that_is_not_there(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let foreign = server.post("/webhooks", &hook()).in_tenant(&server.globex);
    let foreign = foreign.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let none = "0198c0de-0000-7000-8000-000000000001";
    for (method, behind, body) in [
        (Method::GET, "", Value::Null),
        (Method::PATCH, "", json!({"active": false})),
        (Method::POST, "/rotate-secret", Value::Null),
        (Method::DELETE, "", Value::Null),
    ] {
        let ask = |id: &str| {
            let ask = server.ask(method.clone(), &format!("/webhooks/{id}{behind}"));
            if body.is_null() { ask } else { ask.json(&body) }
        };
        let (there, nowhere) = (ask(&foreign).send().await, ask(none).send().await);
        assert_eq!((there.code(), there.code()), ((404, "not_found"), nowhere.code()));
    }
    assert_eq!(server.get("/webhooks").send().await.data(200), &json!([]));
}

#[rstest]
#[tokio::test]
async fn a_tenant_has_so_many_webhooks_and_no_more(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    for _ in 0..20 {
        server.post("/webhooks", &hook()).send().await.data(201);
    }
    let more = server.post("/webhooks", &hook()).send().await;
    assert_eq!(more.code(), (409, "max_webhooks_reached"));
}

#[rstest]
#[tokio::test]
async fn a01_owners_and_admins_manage_webhooks_and_nobody_else(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    for (role, made) in [("owner", 201), ("admin", 201), ("manager", 403), ("agent", 403)] {
        let name = format!("an.{role}");
        let person = server.person(&name, &server.acme, role).await;
        let ask = server.of(&person.token, Method::POST, "/webhooks").json(&hook());
        assert_eq!(ask.send().await.status, made, "{role}");
    }
}
