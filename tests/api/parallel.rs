//! Many requests at once: each is answered well, and no rule gives way.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn of_many_that_want_a_number_one_gets_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let body = json!({"number": "1001", "name": "Ann"});
    let asks = (0..MANY).map(|_| server.post("/extensions", &body).send());
    let answers = join_all(asks).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.code(), (409, "taken"));
    }
    assert_eq!(server.audit_actions().await, ["extension.create"]);
}

#[rstest]
#[tokio::test]
async fn many_different_changes_are_all_made(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let made = join_all((0..MANY).map(|n| {
        let body = json!({"number": (1000 + n).to_string(), "name": "Ann"});
        server.post("/extensions", &body).send()
    }))
    .await;
    let ids: Vec<&str> = made
        .iter()
        .map(|answer| answer.data(201)["id"].as_str().unwrap())
        .collect();
    let changed = join_all(ids.iter().map(|id| {
        server
            .patch(&format!("/extensions/{id}"), &json!({"ring_time": 60}))
            .send()
    }))
    .await;
    for answer in &changed {
        assert_eq!(answer.data(200)["ring_time"], 60);
    }
    assert_eq!(server.audit_actions().await.len(), 2 * MANY);
}

#[rstest]
#[tokio::test]
async fn changes_of_one_extension_at_once_are_all_kept(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let path = format!("/extensions/{id}");
    let patches = [
        json!({"ring_time": 60}),
        json!({"forward": {"busy": "1002"}}),
        json!({"forward": {"no_answer": "1003"}}),
        json!({"voicemail": {"enabled": true}}),
        json!({"name": "Eve"}),
        json!({"recording": "always"}),
        json!({"transport": "tls"}),
        json!({"max_contacts": 5}),
    ];
    for answer in join_all(patches.iter().map(|patch| server.patch(&path, patch).send())).await {
        answer.data(200);
    }
    let read = server.get(&path).send().await;
    let data = read.data(200);
    assert_eq!(
        data["forward"],
        json!({"always": null, "busy": "1002", "no_answer": "1003"}),
        "an update was lost"
    );
    assert_eq!(
        (&data["name"], &data["ring_time"], &data["max_contacts"]),
        (&json!("Eve"), &json!(60), &json!(5))
    );
    assert_eq!(
        (&data["recording"], &data["transport"]),
        (&json!("always"), &json!("tls"))
    );
    assert_eq!(data["voicemail"]["enabled"], true);
}

#[rstest]
#[tokio::test]
async fn of_many_that_delete_one_does(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let path = format!("/extensions/{}", server.extension("1001").await);
    let answers = join_all((0..MANY).map(|_| server.ask(Method::DELETE, &path).send())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 204) {
        assert_eq!(answer.code(), (404, "not_found"));
    }
    assert_eq!(
        server.audit_actions().await,
        ["extension.create", "extension.delete"]
    );
}
