//! Instances of kind `fusionpbx` over HTTP: their own fields, none of another kind's, and neither secret ever shown.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const SECRETS: [&str; 3] = ["socket-secret", "database-secret", "another-secret"];

/// One that nothing listens for.
fn fusionpbx(name: &str) -> Value {
    json!({"name": name, "kind": "fusionpbx", "database_port": 1, "database_username": "switchyard",
        "database_password": "database-secret", "event_socket_port": 1, "event_socket_password": "socket-secret"})
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
async fn an_instance_of_a_fusionpbx_is_added_tested_and_changed_and_shows_neither_secret(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let made = ask(&server, Method::POST, "", fusionpbx("pbx2")).await;
    let made = made.data(201).clone();
    for (field, value) in [
        ("kind", json!("fusionpbx")),
        ("database_host", json!("127.0.0.1")),
        ("database_name", json!("fusionpbx")),
        ("event_socket_host", json!("127.0.0.1")),
        ("event_socket_port", json!(1)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made.get("ami_host").is_none() && made.get("config_dir").is_none());
    let id = made["id"].as_str().unwrap();

    let tested = ask(&server, Method::POST, &format!("/{id}/test"), json!({})).await;
    let checks = tested.data(200)["checks"].as_array().unwrap().clone();
    let failed = checks.iter().filter(|check| check["ok"] == false);
    let failed: Vec<&str> = failed.map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(failed, ["database", "event_socket"]);
    assert!(
        checks
            .iter()
            .all(|check| check["ok"] == true || check["mend"].is_string())
    );

    let one = format!("/{id}");
    let patch = json!({"database_host": "10.0.0.5", "database_password": "another-secret"});
    let changed = ask(&server, Method::PATCH, &one, patch).await;
    let changed = changed.data(200);
    assert_eq!(changed["database_host"], "10.0.0.5");
    assert_eq!(changed["event_socket_port"], 1);
    let refused = ask(&server, Method::PATCH, &one, json!({"ami_port": 5038})).await;
    assert_eq!(refused.fields(), ["ami_port"]);
    let refused = ask(&server, Method::PATCH, &one, json!({"kind": "asterisk"})).await;
    assert_eq!(refused.fields(), ["kind"]);
    let shared = json!({"name": "pbx3", "database_host": "10.0.0.5"});
    let mut other = fusionpbx("pbx3");
    other
        .as_object_mut()
        .unwrap()
        .extend(shared.as_object().unwrap().clone());
    let shared = ask(&server, Method::POST, "", other).await;
    assert_eq!(shared.code(), (409, "database_taken"));
    let log = server.platform(Method::GET, "/platform/audit-log").send().await;
    let log = log.data(200).to_string();
    assert!(log.contains("instance.change"));
    assert!(SECRETS.iter().all(|secret| !log.contains(secret)), "{log}");
}

#[rstest]
#[case::nothing(json!({}), &["database_password", "database_username", "event_socket_password"])]
#[case::fields_of_an_asterisk(
    json!({"ami_host": "a", "ami_port": 1, "ami_username": "a", "ami_secret": "a", "ami_tls": {"mode": "off"},
        "config_dir": "/a", "log_file": "/a", "database_username": "a", "database_password": "a",
        "event_socket_password": "a"}),
    &["ami_host", "ami_port", "ami_secret", "ami_tls", "ami_username", "config_dir", "log_file"]
)]
#[case::an_asterisks_field_cleared(
    json!({"ami_tls": null, "log_file": null, "database_username": "a", "database_password": "a",
        "event_socket_password": "a"}),
    &["ami_tls", "log_file"]
)]
#[case::tls_by_whichever_certificate(
    json!({"database_tls": {"mode": "on"}, "database_username": "a", "database_password": "a",
        "event_socket_password": "a"}),
    &["database_tls"]
)]
#[case::wrong_values(
    json!({"database_host": "a b", "database_port": 0, "database_name": "", "database_username": "a\n",
        "database_password": "", "event_socket_host": "", "event_socket_port": 70_000, "event_socket_password": "a\n"}),
    &["database_host", "database_name", "database_password", "database_port", "database_username",
        "event_socket_host", "event_socket_password", "event_socket_port"]
)]
#[tokio::test]
async fn each_field_that_lacks_or_is_wrong_or_another_kinds_is_named(
    #[case] body: Value,
    #[case] named: &[&str],
) {
    let server = Server::start(Sqlite).await;
    let mut given = json!({"name": "pbx2", "kind": "fusionpbx"});
    given
        .as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    let refused = ask(&server, Method::POST, "", given).await;
    let mut fields = refused.fields();
    fields.sort_unstable();
    assert_eq!(fields, named);
}

/// Each host has its own loopback, under any of its names.
#[tokio::test]
async fn a_database_on_its_own_host_is_another_one_on_each_host() {
    let server = Server::start(Sqlite).await;
    let mut there = fusionpbx("pbx2");
    there["node"] = json!("another");
    ask(&server, Method::POST, "", there).await.data(201);
    let mut here = fusionpbx("pbx3");
    here["database_host"] = json!("localhost");
    ask(&server, Method::POST, "", here).await.data(201);
    let mut same = fusionpbx("pbx4");
    same["database_host"] = json!("::1");
    let refused = ask(&server, Method::POST, "", same).await;
    assert_eq!(refused.code(), (409, "database_taken"));
}

#[tokio::test]
async fn an_asterisk_has_no_field_of_a_fusionpbx() {
    let server = Server::start(Sqlite).await;
    let mut given = fusionpbx("pbx2");
    given["kind"] = json!("asterisk");
    let refused = ask(&server, Method::POST, "", given).await;
    let fields = refused.fields();
    for field in [
        "database_port",
        "database_username",
        "database_password",
        "event_socket_port",
        "event_socket_password",
    ] {
        assert!(fields.contains(&field), "{fields:?}");
    }
}
