//! `/config`: plan, deploy, records, rollback and verify, on a PBX that does not answer.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn a42_a_plan_says_what_would_change(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    server.extension_in(&server.globex, "2001").await;
    let plan = server.get("/config/plan").send().await;
    let data = plan.data(200);
    assert_eq!(data["unchanged"], false);
    assert_eq!(data["live_generation"], Value::Null);
    let objects: Vec<&str> = data["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|change| change["object"].as_str())
        .collect();
    assert!(objects.contains(&"extension 1001"), "{objects:?}");
    assert!(!plan.text.contains("2001"), "another tenant's change is in it");
    let diff = data["files"].to_string();
    assert!(diff.contains("1001@acme.example.com"), "{diff}");
    // It only looks.
    assert_eq!(
        server.get("/config/deployments").send().await.body["meta"]["total"],
        0
    );
    assert_eq!(
        server.audit_actions().await,
        ["extension.create", "extension.create"]
    );
}

#[rstest]
#[tokio::test]
async fn a10_a_deploy_is_accepted_at_once_and_ends_truthfully(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    let asked = server.ask(Method::POST, "/config/deploy").send().await;
    let accepted = asked.data(202);
    let members = [
        "changes",
        "created_at",
        "ended_at",
        "findings",
        "generation",
        "id",
        "requested_by",
        "revision_id",
        "scope",
        "stages",
        "status",
        "tenant_id",
    ];
    let mut found: Vec<&str> = accepted.as_object().unwrap().keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, members);
    assert_eq!(
        (&accepted["tenant_id"], &accepted["scope"]),
        (&json!(server.acme), &json!("tenant"))
    );

    let waited = server.ask(Method::POST, "/config/deploy?wait=true").send().await;
    let ended = waited.data(200);
    assert_eq!(ended["status"], "failed", "{}", waited.text);
    let stages: Vec<_> = ended["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["stage"].clone())
        .collect();
    assert_eq!(stages.first(), Some(&json!("planning")));
    assert!(!ended["findings"].as_array().unwrap().is_empty());
    assert!(ended["ended_at"].is_string());

    let path = format!("/config/deployments/{}", ended["id"].as_str().unwrap());
    assert_eq!(server.get(&path).send().await.data(200), ended);
    let list = server.get("/config/deployments?per_page=1").send().await;
    assert_eq!(list.data(200)[0]["id"], ended["id"], "newest first");
    assert_eq!(
        list.body["meta"],
        json!({"page": 1, "per_page": 1, "total": 2, "last_page": 2})
    );
    let first = server.get(&format!(
        "/config/deployments/{}",
        accepted["id"].as_str().unwrap()
    ));
    let first = first.send().await;
    let first = first.data(200);
    assert!(
        ["failed", "superseded"].contains(&first["status"].as_str().unwrap()),
        "{first}"
    );
}

#[rstest]
#[tokio::test]
async fn nothing_goes_back_to_what_was_never_live(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.deployment_in(&server.acme).await;
    let path = format!("/config/deployments/{id}/rollback");
    let refused = server.ask(Method::POST, &path).send().await;
    assert_eq!(refused.code(), (409, "never_live"));
    let refused = server.ask(Method::POST, &format!("{path}?wait")).send().await;
    assert_eq!(refused.code(), (409, "never_live"));
    assert_eq!(server.audit_actions().await, ["config.deploy"]);
}

#[rstest]
#[tokio::test]
async fn verify_says_that_the_pbx_did_not_answer(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let verified = server.get("/config/verify").send().await;
    let data = verified.data(200);
    assert_eq!((&data["ok"], &data["generation"]), (&json!(false), &Value::Null));
    let codes: Vec<_> = data["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].clone())
        .collect();
    assert_eq!(codes, ["never_deployed", "pbx_not_asked"]);
}

#[rstest]
#[case("?wait=perhaps", "wait")]
#[case("?wait=1", "wait")]
#[case("?wait=true&wait=true", "wait")]
#[case("?force=true", "force")]
#[tokio::test]
async fn a_wrong_parameter_deploys_nothing(#[case] query: &str, #[case] field: &str) {
    let server = Server::start(Sqlite).await;
    let refused = server
        .ask(Method::POST, &format!("/config/deploy{query}"))
        .send()
        .await;
    assert_eq!(refused.fields(), [field]);
    assert_eq!(
        server.get("/config/deployments").send().await.body["meta"]["total"],
        0
    );
}

#[rstest]
#[case("?page=0", "page")]
#[case("?per_page=101", "per_page")]
#[case("?sort=status", "sort")]
#[tokio::test]
async fn o20_a_bad_parameter_of_the_list_is_refused(#[case] query: &str, #[case] field: &str) {
    let server = Server::start(Sqlite).await;
    let refused = server.get(&format!("/config/deployments{query}")).send().await;
    assert_eq!(refused.fields(), [field]);
}
