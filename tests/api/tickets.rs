//! Tickets over HTTP: the shapes of answers and refusals, pages, and what people write.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::audited_users::ticket;
use super::people::each;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

impl Server {
    async fn open_ticket(&self, subject: &str) -> Value {
        let body = json!({"subject": subject, "text": "x"});
        self.post("/tickets", &body).send().await.data(201).clone()
    }
}

fn path_of(ticket: &Value) -> String {
    format!("/tickets/{}", ticket["id"].as_str().unwrap())
}

#[rstest]
#[tokio::test]
async fn a16_a_ticket_is_opened_talked_about_and_read_with_all_that_was_said(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let extension = server.extension("1001").await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let body =
        json!({"subject": "No dial tone", "text": "Since noon.\r\n<b>Help</b>", "extension_id": extension});
    let opened = server
        .of(&ann.token, Method::POST, "/tickets")
        .json(&body)
        .send()
        .await;
    let shown = opened.data(201);
    let author = json!({"kind": "user", "id": ann.id, "name": "ann", "has_left": false});
    assert_eq!(shown["opened_by"], author);
    assert_eq!(
        [
            "state",
            "text",
            "extension_id",
            "extension_number",
            "assignee",
            "comments",
            "archived_at"
        ]
        .map(|field| &shown[field]),
        [
            &json!("open"),
            &json!("Since noon.\n<b>Help</b>"),
            &json!(extension),
            &json!("1001"),
            &Value::Null,
            &json!([]),
            &Value::Null
        ]
    );
    let path = path_of(shown);
    let said = server.post(
        &format!("{path}/comments"),
        &json!({"text": "Try the other phone"}),
    );
    let said = said.send().await;
    // The next change can be made of the version that it left behind.
    let read = server.get(&path).send().await;
    assert_eq!(said.header("etag"), read.header("etag"));
    let said = said.data(201).clone();
    // X-Operate-As-Tenant: somebody of the operator's said it.
    assert_eq!(said["author"]["kind"], "manager");
    let given = server.patch(&path, &json!({"assignee_id": ann.id, "state": "pending"}));
    let given = given.send().await;
    assert_eq!(
        given.data(200)["assignee"],
        json!({"id": ann.id, "name": "ann", "has_left": false})
    );
    // Who may change a ticket is not told by that what was said.
    assert!(given.data(200).get("comments").is_none() && given.data(200).get("text").is_none());
    let read = server.of(&ann.token, Method::GET, &path).send().await;
    assert_eq!(read.data(200)["comments"], json!([said]));
    assert_eq!(read.data(200)["comment_count"], 1);
    assert_eq!(read.header("etag"), given.header("etag"));
    // An extension that goes stays named.
    let gone = server.delete(&format!("/extensions/{extension}")).send().await;
    assert_eq!(gone.status, 204);
    let read = server.get(&path).send().await;
    assert_eq!(read.data(200)["extension_number"], "1001");
}

#[rstest]
#[tokio::test]
async fn a16_what_is_wrong_with_a_ticket_is_named_field_by_field(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let path = path_of(&server.open_ticket("x").await);
    let comments = format!("{path}/comments");
    let long = "x".repeat(10_001);
    let absent = "0198c0de-0000-7000-8000-000000000001";
    for (ask, fields) in [
        (server.post("/tickets", &json!({})), vec!["subject", "text"]),
        (
            server.post("/tickets", &json!({"subject": "a\nb", "text": "\u{202e}"})),
            vec!["subject", "text"],
        ),
        (
            server.post("/tickets", &json!({"subject": "x", "text": long})),
            vec!["text"],
        ),
        (
            server.post(
                "/tickets",
                &json!({"subject": "x", "text": "x", "state": "closed"}),
            ),
            vec!["state"],
        ),
        (
            server.post(
                "/tickets",
                &json!({"subject": "x", "text": "x", "extension_id": absent}),
            ),
            vec!["extension_id"],
        ),
        (server.patch(&path, &json!({"text": "another"})), vec!["text"]),
        (
            server.patch(&path, &json!({"subject": " x", "state": "reopened"})),
            vec!["state", "subject"],
        ),
        (
            server.patch(&path, &json!({"assignee_id": absent})),
            vec!["assignee_id"],
        ),
        (server.patch(&path, &json!({"subject": null})), vec!["subject"]),
        (server.post(&comments, &json!({"text": " \n"})), vec!["text"]),
        (server.post(&comments, &json!({})), vec!["text"]),
    ] {
        let refused = ask.send().await;
        assert_eq!(
            (refused.status, refused.fields()),
            (422, fields),
            "{}",
            refused.text
        );
    }
    // A comment has no route of its own: it cannot be changed, nor taken away.
    let said = server.post(&comments, &json!({"text": "x"})).send().await;
    let one = format!("{comments}/{}", said.data(201)["id"].as_str().unwrap());
    for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
        assert_eq!(server.ask(method, &one).send().await.code(), (404, "not_found"));
    }
}

#[rstest]
#[tokio::test]
async fn a16_a_refused_way_names_those_that_there_are(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let path = path_of(&server.open_ticket("x").await);
    server
        .patch(&path, &json!({"state": "closed"}))
        .send()
        .await
        .data(200);
    let refused = server.patch(&path, &json!({"state": "pending"})).send().await;
    assert_eq!(refused.code(), (409, "bad_transition"));
    assert_eq!(refused.body["allowed_transitions"], json!(["open"]));
    let refused = server
        .post(&format!("{path}/comments"), &json!({"text": "x"}))
        .send()
        .await;
    assert_eq!(refused.code(), (409, "ticket_closed"));
    let gone = server.delete(&path).send().await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let refused = server.patch(&path, &json!({"state": "open"})).send().await;
    assert_eq!(refused.code(), (409, "archived"));
    assert!(server.get(&path).send().await.data(200)["archived_at"].is_string());
}

#[rstest]
#[tokio::test]
async fn a16_tickets_are_listed_page_by_page_as_they_are_asked_for(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let mut paths = Vec::new();
    for subject in ["one", "two", "three", "four"] {
        paths.push(path_of(&server.open_ticket(subject).await));
    }
    let change = json!({"state": "pending", "assignee_id": ann.id});
    server.patch(&paths[1], &change).send().await.data(200);
    server.delete(&paths[2]).send().await;
    for (query, expected) in [
        ("", vec!["four", "two", "one"]),
        ("?state=open", vec!["four", "one"]),
        ("?assignee=none", vec!["four", "one"]),
        ("?archived", vec!["three"]),
        ("?archived=true&state=pending", vec![]),
        ("?assignee=left", vec![]),
    ] {
        let list = server.get(&format!("/tickets{query}")).send().await;
        assert_eq!(each(&list, "subject"), expected, "{query}");
        assert_eq!(list.body["meta"], json!({"next_cursor": null}), "{query}");
        assert!(!list.text.contains("\"text\""), "{query}");
    }
    let of_ann = server.get(&format!("/tickets?assignee={}", ann.id)).send().await;
    assert_eq!(each(&of_ann, "subject"), ["two"]);
    let of_ann = server.of(&ann.token, Method::GET, "/tickets").send().await;
    assert_eq!(each(&of_ann, "subject"), ["two"]);

    let first = server.get("/tickets?per_page=2").send().await;
    assert_eq!(each(&first, "subject"), ["four", "two"]);
    let cursor = first.body["meta"]["next_cursor"].as_str().unwrap();
    // What is opened meanwhile moves no page.
    server.open_ticket("five").await;
    let second = server
        .get(&format!("/tickets?per_page=2&cursor={cursor}"))
        .send()
        .await;
    assert_eq!(each(&second, "subject"), ["one"]);
    assert_eq!(second.body["meta"]["next_cursor"], Value::Null);
    // Of who has left, it waits for somebody else.
    let left = server.delete(&format!("/org-users/{}", ann.id)).send().await;
    assert_eq!(left.status, 204, "{}", left.text);
    let of_ann = server.get("/tickets?assignee=left").send().await;
    assert_eq!(each(&of_ann, "subject"), ["two"]);
}

#[rstest]
#[tokio::test]
async fn a16_who_opens_too_many_tickets_is_told_for_how_long_to_wait(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let ask = || server.of(&ann.token, Method::POST, "/tickets").json(&ticket());
    let first = ask().with("idempotency-key", "a").send().await;
    for _ in 1..60 {
        ask().send().await.data(201);
    }
    let refused = ask().send().await;
    assert_eq!(refused.code(), (429, "too_many_tickets"));
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=3601).contains(&seconds), "{seconds}");
    // One that was opened is told again all the same.
    let again = ask().with("idempotency-key", "a").send().await;
    assert_eq!((again.status, &again.body), (201, &first.body));
}
