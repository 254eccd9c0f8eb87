//! Random requests, good ones and bad ones, against a running daemon, by those who together may ask for everything.

use std::path::Path;

use super::service::Service;
use super::tools::{program, succeed};

/// Draws requests with these headers; nothing is found, and some of them did these things.
async fn find_nothing(service: &Service, token: &str, further: &[&str], things: &[&str]) {
    let mut tool = program("SWITCHYARD_TEST_SCHEMATHESIS");
    tool.current_dir(service.host.temporary());
    tool.arg("--config-file")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz_api/schemathesis.toml"));
    tool.args(["run", "--no-color"])
        .arg(format!("{}/api/openapi.json", service.api));
    let authorization = format!("Authorization: Bearer {token}");
    for header in further.iter().chain([&authorization.as_str()]) {
        tool.args(["--header", header]);
    }
    let said = succeed(&mut tool);
    assert!(said.contains("No issues found"), "{said}");
    // Otherwise most answers were the same one.
    let profile = reqwest::Client::new().get(format!("{}/api/v1/org-users/me/profile", service.api));
    let still = profile.bearer_auth(token).send().await.unwrap();
    assert_eq!(still.status().as_u16(), 200, "the session that asked is over");
    let done = service.done().await;
    for thing in things {
        assert!(done.contains(*thing), "{thing} is not among {done:?}");
    }
}

#[tokio::test]
async fn no_request_of_a_platform_manager_gets_an_answer_that_the_document_does_not_tell() {
    let service = Service::start().await;
    let token = service.manager().await;
    let tenant = format!("X-Operate-As-Tenant: {}", service.tenant());
    let headers = [&tenant, "X-Reason: random requests"];
    find_nothing(&service, &token, &headers, &["extension.create", "config.deploy"]).await;
    service.assert_runs();
}

/// Who may what a platform manager may not: API keys are a tenant's own.
#[tokio::test]
async fn no_request_of_a_tenants_owner_gets_an_answer_that_the_document_does_not_tell() {
    let service = Service::start().await;
    let token = service.owner().await;
    let things = ["extension.create", "api_key.create"];
    find_nothing(&service, &token, &[], &things).await;
    service.assert_runs();
}
