//! `Idempotency-Key`: a request that is sent again has its effect once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::daemon::forgetting;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::client::{Answer, Ask};
use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

fn deploy<'a>(server: &'a Server, query: &str) -> Ask<'a> {
    server.ask(Method::POST, &format!("/config/deploy{query}"))
}

fn rows(names: &[&str]) -> Value {
    (1001..)
        .zip(names)
        .map(|(number, name)| json!({"number": number.to_string(), "name": name}))
        .collect()
}

fn import<'a>(server: &'a Server, query: &str, rows: &Value) -> Ask<'a> {
    server.post(&format!("/extensions/import{query}"), rows)
}

fn is_replayed(answer: &Answer) -> bool {
    match answer.header("idempotency-replayed") {
        "true" => true,
        "" => false,
        other => panic!("{other}"),
    }
}

async fn deployments(server: &Server) -> i64 {
    let list = server.get("/config/deployments").send().await;
    list.body["meta"]["total"].as_i64().unwrap()
}

#[rstest]
#[tokio::test]
async fn a_deploy_that_is_asked_for_again_is_the_same_one(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let first = deploy(&server, "").with("idempotency-key", "a").send().await;
    assert!(!is_replayed(&first));
    let id = first.data(202)["id"].clone();
    let again = deploy(&server, "").with("idempotency-key", "a").send().await;
    assert!(is_replayed(&again));
    assert_eq!(again.data(202)["id"], id);
    // It is shown as it stands now, and may be waited for.
    let waited = deploy(&server, "?wait=true").with("idempotency-key", "a");
    let waited = waited.bytes("{}").send().await;
    assert!(is_replayed(&waited));
    let shown = server
        .get(&format!("/config/deployments/{}", id.as_str().unwrap()))
        .send()
        .await;
    assert_eq!(waited.data(200), shown.data(200));
    assert_eq!(server.audit_actions().await, ["config.deploy"]);

    let other = deploy(&server, "").with("idempotency-key", "b").send().await;
    assert!(!is_replayed(&other));
    assert_ne!(other.data(202)["id"], id);
    let without = deploy(&server, "").send().await;
    assert!(!is_replayed(&without));
    assert_eq!(deployments(&server).await, 3);
}

#[rstest]
#[tokio::test]
async fn an_import_that_is_sent_again_answers_as_it_did(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let file = json!([
        {"number": "1001", "name": "Ann", "secret": "Correct9Horse8Battery"},
        {"number": "1002", "name": "日本 \"x\""},
    ]);
    let dry = import(&server, "?dry_run", &file).with("idempotency-key", "a");
    dry.send().await.data(200);
    let first = import(&server, "", &file)
        .with("idempotency-key", "a")
        .send()
        .await;
    assert!(!is_replayed(&first), "a dry run has no effect to be repeated");
    first.data(201);
    let again = import(&server, "", &file)
        .with("idempotency-key", "a")
        .send()
        .await;
    assert!(is_replayed(&again));
    assert_eq!((again.status, &again.text), (201, &first.text), "byte by byte");
    assert!(!again.text.contains("Correct9Horse8Battery"));
    // By itself it is refused, since the numbers are taken.
    let other = import(&server, "", &file)
        .with("idempotency-key", "b")
        .send()
        .await;
    assert_eq!(other.fields(), ["row 1: number", "row 2: number"]);
    // A dry run still looks at what there is now.
    let dry = import(&server, "?dry_run", &file)
        .with("idempotency-key", "a")
        .send()
        .await;
    assert_eq!((is_replayed(&dry), &dry.data(200)["bad"]), (false, &json!(2)));
    assert_eq!(server.audit_actions().await, ["extension.import"]);

    let table = |key: &str| {
        import(&server, "", &json!([]))
            .with("content-type", "text/csv")
            .bytes("number,name\n2001,Bob\n")
            .with("idempotency-key", key)
    };
    let first = table("c").send().await;
    let again = table("c").send().await;
    assert_eq!((first.status, is_replayed(&first)), (201, false));
    assert_eq!((&again.text, is_replayed(&again)), (&first.text, true));
}

#[rstest]
#[tokio::test]
async fn a_key_of_another_request_is_refused(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let first = import(&server, "", &rows(&["Ann"])).with("idempotency-key", "a");
    first.send().await.data(201);
    let deployment = server.deployment_in(&server.acme).await;
    let rollback = format!("/config/deployments/{deployment}/rollback");
    let others = [
        import(&server, "", &rows(&["Eve"])),
        import(&server, "", &rows(&["Ann", "Bob"])),
        deploy(&server, ""),
        server.ask(Method::POST, &rollback),
    ];
    for ask in others {
        let answer = ask.with("idempotency-key", "a").send().await;
        assert_eq!(answer.code(), (422, "idempotency_key_reused"));
    }
    assert_eq!(
        server.audit_actions().await,
        ["extension.import", "config.deploy"]
    );
}

#[rstest]
#[tokio::test]
async fn of_many_equal_requests_at_once_one_has_an_effect(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let file = rows(&["Ann", "Bob"]);
    let imports = (0..MANY).map(|_| import(&server, "", &file).with("idempotency-key", "a").send());
    let deploys = (0..MANY).map(|_| deploy(&server, "").with("idempotency-key", "b").send());
    let (imports, deploys) = tokio::join!(join_all(imports), join_all(deploys));
    for answers in [&imports, &deploys] {
        let by_itself = answers.iter().filter(|answer| !is_replayed(answer)).count();
        assert_eq!(by_itself, 1);
    }
    let texts: BTreeSet<_> = imports.iter().map(|answer| &answer.text).collect();
    assert_eq!((texts.len(), imports[0].status), (1, 201));
    let ids: BTreeSet<_> = deploys
        .iter()
        .map(|answer| answer.data(202)["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(server.get("/extensions").send().await.body["meta"]["total"], 2);
    assert_eq!(deployments(&server).await, 1);
    assert_eq!(server.audit_actions().await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn what_was_refused_may_be_mended_under_the_same_key(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ask = |rows: &Value| import(&server, "", rows).with("idempotency-key", "a");
    let wrong = json!([{"number": "112", "name": "Help"}]);
    for _ in 0..2 {
        assert_eq!(ask(&wrong).send().await.fields(), ["row 1: number"]);
    }
    ask(&rows(&["Ann"])).send().await.data(201);
    let deployment = server.deployment_in(&server.acme).await;
    let path = format!("/config/deployments/{deployment}/rollback");
    for _ in 0..2 {
        let never = server.ask(Method::POST, &path).with("idempotency-key", "b");
        let never = never.send().await;
        assert_eq!((never.code(), is_replayed(&never)), ((409, "never_live"), false));
    }
}

#[rstest]
#[tokio::test]
async fn c02_a_key_is_one_tenants_own(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ask = |tenant: &str| {
        let ask = import(&server, "", &rows(&["Ann"])).with("idempotency-key", "a");
        ask.in_tenant(tenant).send()
    };
    for tenant in [&server.acme, &server.globex] {
        let (first, again) = (ask(tenant).await, ask(tenant).await);
        assert_eq!((first.status, is_replayed(&first)), (201, false));
        assert_eq!((again.status, is_replayed(&again)), (201, true));
    }
    // Even with another body, nothing tells that the other tenant has used the key.
    let other = deploy(&server, "").with("idempotency-key", "b").send().await;
    other.data(202);
    let theirs = import(&server, "?", &rows(&["a,b"])).in_tenant(&server.globex);
    let theirs = theirs.with("idempotency-key", "b").send().await;
    assert!(theirs.fields().contains(&"row 1: name"), "{}", theirs.text);
}

#[rstest]
#[tokio::test]
async fn a_key_is_forgotten_after_a_day(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let first = deploy(&server, "").with("idempotency-key", "a").send().await;
    let age = async |sql| server.database.sql(sql).await;
    age("update idempotency_keys set created_at = created_at - 86340000000").await;
    let within = deploy(&server, "").with("idempotency-key", "a").send().await;
    assert!(is_replayed(&within), "one minute is left");
    age("update idempotency_keys set created_at = created_at - 60000000").await;
    let after = deploy(&server, "").with("idempotency-key", "a").send().await;
    assert!(!is_replayed(&after));
    assert_ne!(after.data(202)["id"], first.data(202)["id"]);
}

/// The answer cannot be kept: so nothing else may be, either.
#[rstest]
#[tokio::test]
async fn without_its_answer_the_effect_is_not_kept(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server
        .database
        .sql("alter table idempotency_keys rename column answer to answer_away")
        .await;
    let asks = [deploy(&server, ""), import(&server, "", &rows(&["Ann"]))];
    for ask in asks {
        let broken = ask.with("idempotency-key", "a").send_to_broken().await;
        assert_eq!(broken.code(), (500, "internal_error"));
    }
    assert_eq!(deployments(&server).await, 0);
    assert_eq!(server.get("/extensions").send().await.body["meta"]["total"], 0);
    assert_eq!(server.audit_actions().await, [""; 0]);
    // Who brings no key needs no table.
    deploy(&server, "").send().await.data(202);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_nothing_is_done() {
    let server = Server::start(Sqlite).await;
    let long = "x".repeat(256);
    for key in ["", "a b", "a\tb", &long] {
        for ask in [
            deploy(&server, ""),
            // 400 before 422.
            deploy(&server, "?colour"),
            import(&server, "", &rows(&["a,b"])),
        ] {
            let answer = ask.with("idempotency-key", key).send().await;
            assert_eq!(answer.code(), (400, "idempotency_key_malformed"), "{key}");
        }
        let unreasoned = deploy(&server, "").with("idempotency-key", key);
        let unreasoned = unreasoned.without("x-reason").send().await;
        assert_eq!(unreasoned.code(), (400, "reason_required"));
    }
    let bytes = deploy(&server, "").with_bytes("idempotency-key", b"\xff");
    assert_eq!(bytes.send().await.code(), (400, "idempotency_key_malformed"));
    assert_eq!(deployments(&server).await, 0);
    let longest = "x".repeat(255);
    deploy(&server, "")
        .with("idempotency-key", &longest)
        .send()
        .await
        .data(202);
}

/// Waits until the answers to these keys, and no others, are kept.
async fn kept(server: &Server, keys: &[&str]) {
    let sql = "select key from idempotency_keys order by key";
    for _ in 0..1500 {
        if server.database.ask(sql.to_owned()).await == keys {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("not these are kept: {keys:?}");
}

#[rstest]
#[tokio::test]
async fn what_is_too_old_is_removed_also_where_nobody_sends_a_key_any_more(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut server = Server::start(backend).await;
    let age = "update idempotency_keys set created_at = created_at - 86400000000 where key <> 'young'";
    let ask = async |server: &Server, key: &str| {
        deploy(server, "")
            .with("idempotency-key", key)
            .send()
            .await
            .data(202);
    };
    for key in ["young", "a"] {
        ask(&server, key).await;
    }
    server.database.sql(age).await;
    // A service removes it when it starts, and from then on again and again.
    let key = server.key.clone();
    server.restart(Some(&key)).await;
    kept(&server, &["young"]).await;
    let mut tasks = JoinSet::new();
    let (app, stop) = (server.app.clone(), CancellationToken::new());
    tasks.spawn(forgetting::run(app, Duration::from_millis(50), stop.clone()));
    for key in ["b", "c"] {
        ask(&server, key).await;
        server.database.sql(age).await;
        kept(&server, &["young"]).await;
    }
    stop.cancel();
    tasks.join_all().await;
}

#[rstest]
#[tokio::test]
async fn o29_a_suspended_tenant_hears_nothing_of_what_it_asked_before(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    deploy(&server, "")
        .with("idempotency-key", "a")
        .send()
        .await
        .data(202);
    server.suspend(&server.acme).await;
    let again = deploy(&server, "").with("idempotency-key", "a").send().await;
    assert_eq!(again.code(), (403, "tenant_suspended"));
}
