//! Random requests, good ones and bad ones, against a running demo.

use std::path::Path;

use serde_json::Value;

use super::support::demo::Place;
use super::tools::{program, succeed};

/// What opens the API of a demo.
fn token(record: &Value) -> String {
    record["token"].as_str().unwrap().to_owned()
}

#[test]
fn no_request_gets_an_answer_that_the_document_does_not_tell() {
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
    tool.env("API_TOKEN", token(&record)).env("API_TENANT", tenant);
    let said = succeed(&mut tool);
    assert!(said.contains("No issues found"), "{said}");
    assert_eq!(running.terminate().code(), Some(0));
}
