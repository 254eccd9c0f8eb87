//! A sealing key that is missing, or another one: what needs it says so, and everything else works.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::crypto::SealingKey;

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::operator;

fn check(name: &str, ok: bool) -> Value {
    json!({"name": name, "ok": ok})
}

async fn ready(server: &Server) -> (u16, Value) {
    let ready = server.get("").at("/readyz").open().await;
    let status = ready.status().as_u16();
    let body: Value = ready.json().await.unwrap();
    (status, body["data"].clone())
}

/// Without the key nobody can be told from a stranger, and with another one nobody is known.
#[rstest]
#[case::missing(false, "sealing_key_missing", (503, "sealing_key_missing"))]
#[case::wrong(true, "sealing_key_wrong", (401, "credentials_invalid"))]
#[tokio::test]
async fn without_the_databases_key_nobody_signs_in_and_that_is_said(
    #[case] another: bool,
    #[case] code: &str,
    #[case] signed_in: (u16, &str),
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let before = server.audit_actions().await;
    let key = another.then(|| SealingKey::generate().unwrap());
    server.restart(key.as_ref()).await;
    let login = json!({"email": operator::EMAIL, "password": operator::PASSWORD});
    let login = server.post("/auth/user-login", &login).send_to_broken().await;
    assert_eq!(login.code(), (503, code), "{}", login.text);
    assert!(
        login.body["detail"]
            .as_str()
            .unwrap()
            .contains("`sealing.key_file`")
    );
    for ask in [
        server.get("/extensions"),
        server.post("/extensions", &json!({"number": "1002", "name": "Bob"})),
        server.ask(Method::POST, &format!("/extensions/{id}/reveal-secret")),
    ] {
        let answer = ask.send_to_broken().await;
        assert_eq!(answer.code(), signed_in, "{}", answer.text);
    }
    assert_eq!(server.audit_actions().await, before, "nothing of it was kept");
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
