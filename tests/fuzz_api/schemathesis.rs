//! Random requests, good ones and bad ones, against a running demo.

use std::path::Path;

use super::support::demo::{Place, sign_in};
use super::tools::{program, succeed};

#[tokio::test]
async fn no_request_gets_an_answer_that_the_document_does_not_tell() {
    let place = Place::new();
    let running = place.ready();
    let record = place.record();
    let api = record["api"].as_str().unwrap();
    let tenant = record["tenants"][0]["id"].as_str().unwrap();
    let mut tool = program("SWITCHYARD_TEST_SCHEMATHESIS");
    tool.current_dir(place.path("tmp"));
    tool.arg("--config-file")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz_api/schemathesis.toml"));
    tool.args(["run", "--no-color"])
        .arg(format!("{api}/api/openapi.json"));
    // Who may do everything in every tenant.
    let token = sign_in(&record, &record["users"][0]).await;
    tool.env("API_TOKEN", &token).env("API_TENANT", tenant);
    let said = succeed(&mut tool);
    assert!(said.contains("No issues found"), "{said}");
    // Otherwise most answers were the same one.
    let profile = reqwest::Client::new().get(format!("{api}/api/v1/org-users/me/profile"));
    let still = profile.bearer_auth(&token).send().await.unwrap();
    assert_eq!(still.status().as_u16(), 200, "the session that asked is over");
    assert_eq!(running.terminate().code(), Some(0));
}
