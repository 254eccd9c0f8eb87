//! Audit entries: what they say, and that a change and its entry are made together or not at all.

use jiff::Timestamp;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::clock::{Clock as _, SystemClock};

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

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
        .with_bytes("user-agent", b"Console/1.0 (\xff)")
        .send()
        .await;
    assert_eq!(answer.header("x-request-id"), "my-request_1.a");
    let manager = server.platform(Method::GET, "/org-users/me/profile").send().await;
    let manager = manager.data(200)["id"].clone();
    let shown = server.get("/audit-log?action=extension.change").send().await;
    let mut entry = shown.data(200)[0].clone();
    let at: Timestamp = serde_json::from_value(entry["at"].take()).unwrap();
    let age = SystemClock.now().duration_since(at).as_secs();
    assert!((0..60).contains(&age), "{age}");
    let (before, after) = (entry["before"].take(), entry["after"].take());
    assert_eq!(before["forward"]["busy"], Value::Null);
    assert_eq!(after["forward"]["busy"], "1002");
    assert!(entry["id"].take().is_string());
    assert_eq!(
        entry,
        json!({
            "id": null, "at": null, "before": null, "after": null,
            "actor": {"kind": "manager", "id": manager, "name": "manager@example.com"},
            "operating_as": true,
            "action": "extension.change",
            "resource": "extension",
            "target_id": id,
            "tenant_id": server.acme,
            "reason": "Ticket 4711: Zoë",
            "request_id": "my-request_1.a",
            "address": "127.0.0.1",
            "agent": "Console/1.0 (\u{FFFD})",
            "blanked_by": null,
        })
    );
    // What the host's command line does on the platform is nobody's tenant.
    let made = server
        .get("/platform/audit-log?action=instance.create")
        .send()
        .await;
    let made = &made.data(200)[0];
    assert_eq!(
        made["actor"],
        json!({"kind": "system", "id": null, "name": "system:cli"})
    );
    assert_eq!(
        (&made["tenant_id"], &made["operating_as"]),
        (&Value::Null, &json!(false))
    );
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
