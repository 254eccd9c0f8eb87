//! Invitations over HTTP: the link, what takes it, and what is refused.

use std::time::{Duration, Instant};

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::{Answer, Ask};
use super::people::{PASSWORD, Person};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

fn token(answer: &Answer, status: u16) -> String {
    let link = answer.data(status)["invitation"]["link"].as_str().unwrap();
    link.split_once("/invitation#token=").unwrap().1.to_owned()
}

impl Server {
    async fn invite(&self, who: &Person, email: &str, role: &str) -> Answer {
        let body = json!({"email": email, "name": "New", "role": role});
        let ask = self.of(&who.token, Method::POST, "/org-users/invite");
        ask.json(&body).send().await
    }

    async fn accept(&self, body: &Value) -> Answer {
        let ask = Ask::new(self, Method::POST, "/auth/invitations/accept");
        ask.json(body).send().await
    }
}

#[rstest]
#[tokio::test]
async fn a24_who_is_invited_accepts_by_the_link_and_is_signed_in(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "admin").await;
    let invited = server.invite(&ann, "bob@example.com", "manager").await;
    let first = token(&invited, 201);
    let bob = invited.data(201)["id"].as_str().unwrap();
    assert_eq!(
        (
            &invited.data(201)["status"],
            &invited.data(201)["invitation"]["mailed"]
        ),
        (&json!("invited"), &json!(false))
    );
    let path = format!("/org-users/{bob}/invitation");
    let again = server.of(&ann.token, Method::POST, &path).send().await;
    let second = token(&again, 202);
    let accept = |token: &str| json!({"token": token, "password": PASSWORD});
    assert_eq!(server.accept(&accept(&first)).await.fields(), ["token"]);
    let login = server.accept(&accept(&second)).await;
    assert_eq!(login.status, 200);
    let user = &login.body["user"];
    assert_eq!(
        (&user["id"], &user["role"], &user["orgId"]),
        (&json!(bob), &json!("manager"), &json!(server.acme))
    );
    assert_eq!(
        server.standing(login.body["token"].as_str().unwrap()).await.0,
        200
    );
    assert_eq!(server.accept(&accept(&second)).await.fields(), ["token"]);
    for method in [Method::POST, Method::DELETE] {
        let late = server.of(&ann.token, method, &path).send().await;
        assert_eq!(late.code(), (409, "bad_transition"));
    }
}

#[rstest]
#[tokio::test]
async fn a24_an_invitation_that_is_taken_back_is_gone(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let invited = server.invite(&ann, "bob@example.com", "agent").await;
    let token = token(&invited, 201);
    let path = format!(
        "/org-users/{}/invitation",
        invited.data(201)["id"].as_str().unwrap()
    );
    let stranger = server.person("eve", &server.globex, "owner").await;
    for method in [Method::POST, Method::DELETE] {
        let foreign = server.of(&stranger.token, method, &path).send().await;
        assert_eq!(foreign.code(), (404, "not_found"));
    }
    assert_eq!(
        server.of(&ann.token, Method::DELETE, &path).send().await.status,
        204
    );
    let gone = server.of(&ann.token, Method::DELETE, &path).send().await;
    assert_eq!(gone.code(), (404, "not_found"));
    let late = json!({"token": token, "password": PASSWORD});
    assert_eq!(server.accept(&late).await.fields(), ["token"]);
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_with_an_invitation_or_its_acceptance_is_said_by_field(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "admin").await;
    for (body, field) in [
        (json!({"password": PASSWORD}), "token"),
        (json!({"token": "x"}), "password"),
        (
            json!({"token": "x", "password": PASSWORD, "firebase_token": "a.b.c"}),
            "firebase_token",
        ),
        (json!({"token": "x", "password": PASSWORD}), "token"),
        (
            json!({"token": "x", "password": PASSWORD, "role": "owner"}),
            "role",
        ),
    ] {
        assert_eq!(server.accept(&body).await.fields(), [field]);
    }
    assert_eq!(
        server.invite(&ann, "bob@example.com", "emperor").await.fields(),
        ["role"]
    );
    assert_eq!(
        server.invite(&ann, "bob@example.com", "owner").await.code(),
        (409, "rank")
    );
    assert_eq!(
        server.invite(&ann, "ann@example.com", "agent").await.code(),
        (409, "taken")
    );
    // An answer that shows a link cannot be given again.
    let body = json!({"email": "bob@example.com", "name": "Bob"});
    let ask = server
        .of(&ann.token, Method::POST, "/org-users/invite")
        .json(&body);
    let refused = ask.with("idempotency-key", "once").send().await;
    assert_eq!(refused.fields(), ["Idempotency-Key"]);
}

#[rstest]
#[tokio::test]
async fn o28_with_a_mail_server_no_link_is_shown_and_a_forgotten_password_is_asked_for_in_vain_by_nobody(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::with_mail(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let invited = server.invite(&ann, "bob@example.com", "agent").await;
    assert_eq!(invited.data(201)["invitation"]["mailed"], true);
    assert!(invited.data(201)["invitation"].get("link").is_none());
    let mut answers = Vec::new();
    for email in ["ann@example.com", "nobody@example.com"] {
        let ask = Ask::new(&server, Method::POST, "/auth/password-reset");
        let answer = ask.json(&json!({"email": email})).send().await;
        answers.push((answer.status, answer.text));
    }
    assert_eq!(answers, [(202, String::new()), (202, String::new())]);
    // The invitation, and the link that comes after the answer.
    let waiting = async || {
        let all = "select subject from outbox order by created_at";
        server.database.ask(all.to_owned()).await.len()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while waiting().await < 2 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(waiting().await, 2);
}

#[rstest]
#[tokio::test]
async fn o49_the_platform_invites_in_place_of_a_password(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let body = json!({"tenant_id": server.acme, "name": "Bob", "email": "bob@example.com", "role": "owner",
        "invite": true});
    let made = server.platform(Method::POST, "/platform/users").json(&body);
    let made = made.send().await;
    let accept = json!({"token": token(&made, 201), "password": PASSWORD});
    assert_eq!(server.accept(&accept).await.body["user"]["role"], "owner");
}
