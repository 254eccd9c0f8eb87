//! Every change writes exactly one audit entry, in its own transaction; what is refused or only looked at writes none.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::clock::{Clock as _, SystemClock};

use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn o61_each_change_is_one_entry(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let path = format!("/extensions/{id}");
    let mut expected = vec!["extension.create"];
    let changes: [(&str, u16, Ask<'_>); 7] = [
        (
            "extension.change",
            200,
            server.patch(&path, &json!({"name": "Eve"})),
        ),
        (
            "extension.reveal_secret",
            200,
            server.ask(Method::POST, &format!("{path}/reveal-secret")),
        ),
        (
            "extension.rotate_secret",
            200,
            server.ask(Method::POST, &format!("{path}/rotate-secret")),
        ),
        (
            "extension.import",
            201,
            server.post("/extensions/import", &json!([{"number": "1002", "name": "Bob"}])),
        ),
        ("config.deploy", 202, server.ask(Method::POST, "/config/deploy")),
        ("extension.delete", 204, server.delete(&path)),
        (
            "extension.create",
            201,
            server.post("/extensions", &json!({"number": "1001", "name": "Ann"})),
        ),
    ];
    for (action, status, ask) in changes {
        let answer = ask.send().await;
        assert_eq!(answer.status, status, "{}", answer.text);
        expected.push(action);
        assert_eq!(server.audit_actions().await, expected);
    }
}

#[rstest]
#[tokio::test]
async fn o61_what_is_refused_or_looked_at_is_no_entry(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let path = format!("/extensions/{id}");
    let taken = json!({"number": "1001", "name": "Ann"});
    let asked = [
        server.post("/extensions", &taken),
        server.post("/extensions", &json!({})),
        server
            .post("/extensions", &json!({"number": "1002", "name": "Bob"}))
            .without("x-reason"),
        server.post("/extensions/import", &json!([taken])),
        server.post(
            "/extensions/import?dry_run",
            &json!([{"number": "1002", "name": "Bob"}]),
        ),
        server.patch(&path, &json!({"number": "1002"})),
        server.patch(&path, &json!({"name": "Phone 1001"})),
        server
            .patch(&path, &json!({"name": "Eve"}))
            .in_tenant(&server.globex),
        server.delete(&path).in_tenant(&server.globex),
        server.delete(&path).without("authorization"),
        server.get("/extensions"),
        server.get(&path),
        server.get("/config/plan"),
        server.get("/config/verify"),
        server.get("/config/deployments"),
    ];
    for ask in asked {
        ask.send().await;
        assert_eq!(server.audit_actions().await, ["extension.create"]);
    }
}

#[rstest]
#[tokio::test]
async fn o61_an_entry_says_who_what_when_why_and_where_from(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let ask = server.patch(
        &format!("/extensions/{id}"),
        &json!({"forward": {"busy": "1002"}}),
    );
    let answer = ask
        .with("x-reason", "  Ticket 4711: Zoë ")
        .with("x-request-id", "my-request_1.a")
        .send()
        .await;
    assert_eq!(answer.header("x-request-id"), "my-request_1.a");
    let text = async |column: &str| {
        let sql =
            format!("select cast({column} as text) from audit_entries where action = 'extension.change'");
        server.database.ask(sql).await.concat()
    };
    for (column, expected) in [
        ("actor", "bootstrap"),
        ("resource", "extension"),
        ("target_id", id.as_str()),
        ("reason", "Ticket 4711: Zoë"),
        ("request_id", "my-request_1.a"),
        ("address", "127.0.0.1"),
    ] {
        assert_eq!(text(column).await, expected, "{column}");
    }
    let json = async |column: &str| -> Value { serde_json::from_str(&text(column).await).unwrap() };
    let (before, after) = (json("before").await, json("after").await);
    assert_eq!(before["forward"]["busy"], Value::Null);
    assert_eq!(after["forward"]["busy"], "1002");
    let at = text("at").await.parse::<i64>().unwrap();
    let age = SystemClock.now().as_microsecond() - at;
    assert!((0..60_000_000).contains(&age), "{age}");
}

/// The audit log cannot be written: so nothing else may be, either.
#[rstest]
#[tokio::test]
async fn o61_without_its_entry_a_change_is_not_made(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let path = format!("/extensions/{id}");
    let before = server.get("/extensions").send().await.text;
    server
        .database
        .sql("alter table audit_entries rename to audit_entries_away")
        .await;
    let changes = [
        server.post("/extensions", &json!({"number": "1002", "name": "Bob"})),
        server.post("/extensions/import", &json!([{"number": "1002", "name": "Bob"}])),
        server.patch(&path, &json!({"name": "Eve"})),
        server.ask(Method::POST, &format!("{path}/reveal-secret")),
        server.ask(Method::POST, &format!("{path}/rotate-secret")),
        server.delete(&path),
        server.ask(Method::POST, "/config/deploy"),
    ];
    for ask in changes {
        assert_eq!(ask.send_to_broken().await.code(), (500, "internal_error"));
    }
    server
        .database
        .sql("alter table audit_entries_away rename to audit_entries")
        .await;
    assert_eq!(server.get("/extensions").send().await.text, before);
    assert_eq!(
        server.get("/config/deployments").send().await.body["meta"]["total"],
        0
    );
    assert_eq!(server.audit_actions().await, ["extension.create"]);
}
