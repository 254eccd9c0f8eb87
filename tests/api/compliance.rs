//! Retention and purges over HTTP: said, counted beforehand, asked for of the policy that was seen, and told.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::clock::{Clock as _, SystemClock};

use super::client::Answer;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const RETENTION: &str = "/compliance/retention";

impl Server {
    async fn keep(&self, policy: &Value) -> Answer {
        self.ask(Method::PUT, RETENTION).json(policy).send().await
    }

    /// What the daemon has noted of the host's clock, once it has looked.
    async fn clock(&self) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let read = self.get(RETENTION).send().await;
            let clock = read.data(200)["clock"].clone();
            let time: Timestamp = clock["time"].as_str().unwrap().parse().unwrap();
            if time != Timestamp::UNIX_EPOCH {
                return clock;
            }
            assert!(Instant::now() < deadline, "no daemon looks at the clock");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The purge once it has ended.
    async fn ended(&self, id: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self.get(&format!("/compliance/purges/{id}")).send().await;
            let purge = found.data(200).clone();
            if purge["status"] != "running" {
                return purge;
            }
            assert!(Instant::now() < deadline, "{purge}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[rstest]
#[tokio::test]
async fn a20_what_is_kept_is_said_of_all_kinds_and_refused_by_the_field_that_is_wrong(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let kinds = [
        "call_records",
        "recordings",
        "audit_payloads",
        "deployments",
        "tickets",
        "voicemail",
    ];
    let read = server.get(RETENTION).send().await;
    for kind in kinds {
        assert_eq!(read.data(200)[kind], "forever", "{kind}");
    }
    let clock = server.clock().await;
    let time: Timestamp = clock["time"].as_str().unwrap().parse().unwrap();
    assert!(SystemClock.now().duration_since(time).as_hours() == 0, "{clock}");
    assert_eq!(clock["held_back_until"], Value::Null);
    assert_eq!(clock["needs_confirmation"], false);
    let kept = server.keep(&json!({"call_records": 90, "recordings": 30})).await;
    assert_eq!(kept.data(200)["call_records"], 90);
    assert_ne!(kept.header("etag"), read.header("etag"));
    let kept = server.keep(&json!({"recordings": 30})).await;
    assert_eq!(
        kept.data(200)["call_records"],
        "forever",
        "what is not named is kept forever"
    );
    for (body, fields) in [
        (
            json!({"call_records": 0, "recordings": "30"}),
            vec!["call_records", "recordings"],
        ),
        (json!({"deployments": null}), vec!["deployments"]),
        (json!({"audit_payloads": 36_501}), vec!["audit_payloads"]),
        (json!({"voices": 30}), vec!["voices"]),
        (json!({"clock": {}}), vec!["clock"]),
    ] {
        assert_eq!(server.keep(&body).await.fields(), fields, "{body}");
    }
    let again = server.get(RETENTION).send().await;
    assert_eq!(again.header("etag"), kept.header("etag"));
    let audited = "select action from audit_entries where resource = 'retention'";
    assert_eq!(server.database.ask(audited.to_owned()).await.len(), 2);
    let agent = server.person("bob", &server.acme, "agent").await;
    let denied = server.of(&agent.token, Method::GET, RETENTION).send().await;
    assert_eq!(denied.code(), (403, "permission_denied"));
}

#[rstest]
#[tokio::test]
async fn a20_a_purge_removes_what_its_dry_run_counted_of_the_policy_that_was_seen(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    for (tenant, domain) in [
        (&server.acme, "acme.example.com"),
        (&server.globex, "globex.example.com"),
    ] {
        for second in 0..3 {
            server.call(tenant, domain, second, "1001", "1002").await;
        }
    }
    let old = "update call_records set started_at = started_at - 400 * 86400000000 where call like '%.1' returning call";
    assert_eq!(server.database.ask(old.to_owned()).await.len(), 2);
    server.clock().await;
    let kept = server.keep(&json!({"call_records": 365})).await;
    let tag = kept.header("etag").to_owned();
    let purge = |query: &str| server.ask(Method::POST, &format!("/compliance/purge{query}"));
    let dry = purge("?dry_run").send().await;
    assert_eq!(dry.header("etag"), tag);
    let part = &dry.data(200)["parts"][0];
    assert_eq!(
        (&part["kind"], &part["found"]),
        (&json!("call_records"), &json!(1))
    );
    let calls = async |tenant: &str| {
        let listed = server.get("/calls").in_tenant(tenant).send().await;
        listed.data(200).as_array().unwrap().len()
    };
    assert_eq!(calls(&server.acme).await, 3, "nothing has gone");
    assert_eq!(
        server.get("/compliance/purges").send().await.data(200),
        &json!([])
    );
    // Somebody keeps them longer meanwhile.
    server.keep(&json!({"call_records": 366})).await;
    for query in ["", "?dry_run"] {
        let refused = purge(query).with("if-match", &tag).send().await;
        assert_eq!(refused.code(), (412, "precondition_failed"));
    }
    let seen = purge("?dry_run").send().await.header("etag").to_owned();
    let asked = purge("").with("if-match", &seen).send().await;
    let id = asked.data(202)["id"].as_str().unwrap();
    let ended = server.ended(id).await;
    assert_eq!(ended["status"], "done", "{ended}");
    let part = &ended["parts"][0];
    assert_eq!(
        (&part["found"], &part["removed"], &part["kept"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(calls(&server.acme).await, 2);
    assert_eq!(calls(&server.globex).await, 3);
    let listed = server.get("/compliance/purges").send().await;
    assert_eq!(listed.data(200).as_array().unwrap().len(), 1);
    let theirs = server
        .get(&format!("/compliance/purges/{id}"))
        .in_tenant(&server.globex);
    assert_eq!(theirs.send().await.code(), (404, "not_found"));
}

#[rstest]
#[tokio::test]
async fn a20_while_a_purge_runs_another_one_is_refused_and_names_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    let old = "update recordings set written_at = 1 returning path";
    server.database.ask(old.to_owned()).await;
    // Another host has it, and does not come.
    server
        .database
        .ask("update instances set node = 'another' returning name".to_owned())
        .await;
    server.clock().await;
    server.keep(&json!({"recordings": 30})).await;
    let first = server.ask(Method::POST, "/compliance/purge").send().await;
    let id = &first.data(202)["id"];
    let second = server.ask(Method::POST, "/compliance/purge").send().await;
    assert_eq!(second.code(), (409, "in_use"));
    assert_eq!(second.body["references"], json!([{"kind": "purge", "id": id}]));
    let theirs = server
        .ask(Method::POST, "/compliance/purge")
        .in_tenant(&server.globex);
    assert_eq!(theirs.send().await.status, 202);
}
