//! A sealing key that is missing, or another one: what needs it says so, and everything else works.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::crypto::SealingKey;

use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

fn check(name: &str, ok: bool) -> Value {
    json!({"name": name, "ok": ok})
}

async fn ready(server: &Server) -> (u16, Value) {
    let ready = server.get("").at("/readyz").open().await;
    let status = ready.status().as_u16();
    let body: Value = ready.json().await.unwrap();
    (status, body["data"].clone())
}

/// What shows or makes a secret, or speaks to the PBX.
fn needs<'a>(server: &'a Server, id: &str) -> Vec<Ask<'a>> {
    let extension = format!("/extensions/{id}");
    vec![
        server.post("/extensions", &json!({"number": "1002", "name": "Bob"})),
        server.post("/extensions/import", &json!([{"number": "1002", "name": "Bob"}])),
        server
            .post("/extensions/import", &json!([{"number": "1002", "name": "Bob"}]))
            .with("idempotency-key", "a"),
        server.patch(&extension, &json!({"voicemail": {"pin": "5544332211"}})),
        server.ask(Method::POST, &format!("{extension}/reveal-secret")),
        server.ask(Method::POST, &format!("{extension}/rotate-secret")),
        server.get("/config/plan"),
        server.get("/config/verify"),
    ]
}

#[rstest]
#[case::missing(false, "sealing_key_missing", "sealing.key_file")]
#[case::wrong(true, "sealing_key_wrong", "sealing.key_file")]
#[tokio::test]
async fn what_needs_the_key_says_what_is_wrong_with_it(
    #[case] another: bool,
    #[case] code: &str,
    #[case] setting: &str,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let before = server.audit_actions().await;
    let key = another.then(|| SealingKey::generate().unwrap());
    server.restart(key.as_ref()).await;
    for ask in needs(&server, &id) {
        let answer = ask.send_to_broken().await;
        assert_eq!(answer.code(), (503, code), "{}", answer.text);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("`{setting}`")), "{detail}");
        assert!(
            !detail.contains(&id) && !detail.contains(&server.acme),
            "{detail}"
        );
    }
    assert_eq!(server.audit_actions().await, before, "nothing of it was kept");
    // A number that is wrong is told first, and what needs no secret works.
    let wrong = server.post("/extensions", &json!({"number": "1", "name": "Bob"}));
    assert_eq!(wrong.send().await.fields(), ["number"]);
    let changed = server.patch(&format!("/extensions/{id}"), &json!({"name": "Eve"}));
    assert_eq!(changed.send().await.data(200)["name"], "Eve");
    server.get("/extensions").send().await.data(200);

    let deployed = server.ask(Method::POST, "/config/deploy?wait").send().await;
    let data = deployed.data(200);
    assert_eq!(data["status"], "failed");
    assert_eq!(data["findings"][0]["code"], code, "{}", deployed.text);
    let told = format!("{}{}", data["findings"], data["stages"]);
    assert!(
        told.contains("`sealing.key") && !told.contains("extension_secrets"),
        "{told}"
    );
    assert!(!told.contains(&id), "{told}");
}

#[rstest]
#[tokio::test]
async fn readiness_looks_at_the_key(#[values(Sqlite, Postgres)] backend: Backend) {
    let mut server = Server::start(backend).await;
    let state = |key_ok: bool| {
        let checks = [check("database", true), check("sealing_key", key_ok)];
        json!({"ready": key_ok, "checks": checks})
    };
    assert_eq!(ready(&server).await, (200, state(true)));
    let other = SealingKey::generate().unwrap();
    for key in [Some(&other), None] {
        server.restart(key).await;
        assert_eq!(ready(&server).await, (503, state(false)));
    }
}

#[rstest]
#[tokio::test]
async fn readiness_looks_at_the_database(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server
        .database
        .sql("alter table sealing_keys rename to sealing_keys_away")
        .await;
    let (status, data) = ready(&server).await;
    assert_eq!((status, &data["ready"]), (503, &json!(false)));
}
