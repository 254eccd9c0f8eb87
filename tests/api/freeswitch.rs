//! Instances of kind `freeswitch` over HTTP: their own fields, none of another kind's, and their secret never shown.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const SECRETS: [&str; 2] = ["socket-secret", "another-secret"];

/// One that nothing listens for.
fn freeswitch(name: &str, directory: &str) -> Value {
    json!({"name": name, "kind": "freeswitch", "config_dir": directory, "event_socket_port": 1,
        "event_socket_password": "socket-secret"})
}

async fn ask(server: &Server, method: Method, path: &str, body: Value) -> Answer {
    let path = format!("/platform/pbx-instances{path}");
    let answer = server.platform(method, &path).json(&body).send().await;
    for secret in SECRETS {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    answer
}

#[rstest]
#[tokio::test]
async fn an_instance_of_a_freeswitch_is_added_tested_and_changed_and_shows_no_secret(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let made = ask(&server, Method::POST, "", freeswitch("pbx3", directory)).await;
    let made = made.data(201).clone();
    for (field, value) in [
        ("kind", json!("freeswitch")),
        ("config_dir", json!(directory)),
        ("event_socket_host", json!("127.0.0.1")),
        ("event_socket_port", json!(1)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made.get("ami_host").is_none() && made.get("database_host").is_none());
    let id = made["id"].as_str().unwrap();

    let tested = ask(&server, Method::POST, &format!("/{id}/test"), json!({})).await;
    let checks = tested.data(200)["checks"].as_array().unwrap().clone();
    let failed: Vec<&Value> = checks.iter().filter(|check| check["ok"] == false).collect();
    assert_eq!(failed.len(), 1, "{checks:?}");
    assert_eq!(failed[0]["name"], "event_socket");
    assert!(failed[0]["mend"].is_string());

    let one = format!("/{id}");
    let patch = json!({"event_socket_port": 2, "event_socket_password": "another-secret"});
    let changed = ask(&server, Method::PATCH, &one, patch).await;
    let changed = changed.data(200);
    assert_eq!(
        (&changed["event_socket_port"], &changed["config_dir"]),
        (&json!(2), &json!(directory))
    );
    let refused = ask(&server, Method::PATCH, &one, json!({"database_port": 5432})).await;
    assert_eq!(refused.fields(), ["database_port"]);
    let shared = ask(&server, Method::POST, "", freeswitch("pbx4", directory)).await;
    assert_eq!(shared.code(), (409, "config_dir_taken"));
}

#[rstest]
#[case::nothing(json!({}), &["config_dir", "event_socket_password"])]
#[case::fields_of_others(
    json!({"ami_host": "a", "ami_secret": "a", "log_file": "/a", "database_host": "a", "database_password": "a",
        "config_dir": "/a", "event_socket_password": "a"}),
    &["ami_host", "ami_secret", "database_host", "database_password", "log_file"]
)]
#[case::wrong_values(
    json!({"config_dir": "a", "event_socket_host": "", "event_socket_port": 0, "event_socket_password": "a\n"}),
    &["config_dir", "event_socket_host", "event_socket_password", "event_socket_port"]
)]
#[tokio::test]
async fn each_field_that_lacks_or_is_wrong_or_another_kinds_is_named(
    #[case] body: Value,
    #[case] named: &[&str],
) {
    let server = Server::start(Sqlite).await;
    let mut given = json!({"name": "pbx3", "kind": "freeswitch"});
    given
        .as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    let refused = ask(&server, Method::POST, "", given).await;
    let mut fields = refused.fields();
    fields.sort_unstable();
    assert_eq!(fields, named);
}
