//! Signing in by password, going on, signing out: what is answered, and what ends a session.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Ask;
use super::people::{PASSWORD, each};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn a23_a_login_says_who_it_is_and_what_they_may(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let agent = server.person("ann", &server.acme, "agent").await;
    let login = server.sign_in(" ANN@Example.com".trim(), PASSWORD).await;
    assert_eq!(login.status, 200);
    assert!(login.body["expires_at"].is_string());
    let user = &login.body["user"];
    assert_eq!(user["id"], agent.id.as_str());
    assert_eq!(
        (
            &user["email"],
            &user["role"],
            &user["orgId"],
            &user["platform_manager"]
        ),
        (
            &json!("ann@example.com"),
            &json!("agent"),
            &json!(server.acme),
            &json!(false)
        )
    );
    assert_eq!(user["permissions"].as_array().unwrap().len(), 7);
    // The claims are the same, for whoever reads the token.
    let payload = login.body["token"]
        .as_str()
        .unwrap()
        .split('.')
        .nth(1)
        .unwrap()
        .to_owned();
    let claims = claims(&payload);
    assert_eq!(claims["orgId"], user["orgId"]);
    assert_eq!(claims["userId"], user["id"]);
    assert_eq!(claims["role"], "agent");
    assert_eq!(claims["permissions"], user["permissions"]);
    // And the sign-in is noted.
    let seen = server
        .platform(Method::GET, &format!("/platform/users/{}", agent.id))
        .send()
        .await;
    assert!(seen.data(200)["last_login_at"].is_string());
}

/// Unpadded base64url, as tokens have it.
fn claims(payload: &str) -> Value {
    let digit = |byte: u8| {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        u32::try_from(alphabet.iter().position(|letter| *letter == byte).unwrap()).unwrap()
    };
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for byte in payload.bytes() {
        bits = bits << 6 | digit(byte);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[rstest]
#[tokio::test]
async fn o52_an_unknown_address_and_a_wrong_password_get_the_same_answer(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let wrong = server.sign_in(&ann.email, "not the password").await;
    let unknown = server.sign_in("nobody@example.com", PASSWORD).await;
    assert_eq!(wrong.code(), (401, "credentials_invalid"));
    assert_eq!((unknown.status, &unknown.text), (wrong.status, &wrong.text));
    for (body, field) in [
        (json!({"email": "ann", "password": "x"}), "email"),
        (json!({"email": "ann@example.com"}), "password"),
        (json!({"email": "ann@example.com", "password": 1}), "password"),
        (
            json!({"email": "ann@example.com", "password": "x", "remember": true}),
            "remember",
        ),
    ] {
        let answer = server.post("/auth/user-login", &body).send().await;
        assert_eq!(answer.fields(), [field]);
    }
}

#[rstest]
#[tokio::test]
async fn c12_failures_are_counted_and_successes_are_not(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let bob = server.person("bob", &server.acme, "agent").await;
    for _ in 0..15 {
        assert_eq!(server.sign_in(&ann.email, PASSWORD).await.status, 200);
    }
    for _ in 0..10 {
        assert_eq!(server.sign_in(&ann.email, "not the password").await.status, 401);
    }
    let refused = server.sign_in(&ann.email, PASSWORD).await;
    assert_eq!(refused.code(), (429, "too_many_failures"));
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&seconds), "{seconds}");
    // Another account from the same address is not concerned, and who is signed in stays so.
    assert_eq!(server.sign_in(&bob.email, PASSWORD).await.status, 200);
    assert_eq!(server.standing(&ann.token).await.0, 200);
}

#[rstest]
#[tokio::test]
async fn c12_a_user_sees_and_ends_the_own_sessions(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let bob = server.person("bob", &server.acme, "agent").await;
    let second = server.sign_in(&ann.email, PASSWORD).await.body["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let third = Ask::new(&server, Method::POST, "/auth/user-login")
        .with("user-agent", "desk/1.0 (hall)")
        .json(&json!({"email": ann.email, "password": PASSWORD}));
    let third = third.send().await.body["token"].as_str().unwrap().to_owned();
    let list = server.of(&ann.token, Method::GET, "/auth/sessions").send().await;
    assert_eq!(
        each(&list, "current"),
        [&json!(false), &json!(false), &json!(true)]
    );
    assert_eq!(each(&list, "address")[0], "127.0.0.1");
    assert_eq!(
        each(&list, "agent"),
        [&json!("desk/1.0 (hall)"), &Value::Null, &Value::Null]
    );
    let id = |index: usize| format!("/auth/sessions/{}", each(&list, "id")[index].as_str().unwrap());
    // Nobody else's.
    let foreign = server.of(&bob.token, Method::DELETE, &id(0)).send().await;
    assert_eq!(foreign.code(), (404, "not_found"));
    server.of(&ann.token, Method::DELETE, &id(0)).send().await;
    assert_eq!(
        server.standing(&third).await,
        (401, "credentials_invalid".to_owned())
    );
    assert_eq!(server.standing(&second).await.0, 200);
    server
        .of(&ann.token, Method::DELETE, "/auth/sessions")
        .send()
        .await;
    assert_eq!(server.standing(&second).await.0, 401);
    let out = server.of(&ann.token, Method::POST, "/auth/logout").send().await;
    assert_eq!(out.status, 204);
    assert_eq!(server.standing(&ann.token).await.0, 401);
    assert_eq!(server.standing(&bob.token).await.0, 200);
}

#[rstest]
#[tokio::test]
async fn c12_a_session_ends_by_rest_and_at_its_end(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    for (name, change) in [
        (
            "ann",
            "update sessions set last_used_at = last_used_at - 3600000000 \
             where user_id = (select id from users where email = 'ann@example.com')",
        ),
        (
            "bob",
            "update sessions set expires_at = created_at \
             where user_id = (select id from users where email = 'bob@example.com')",
        ),
    ] {
        let person = server.person(name, &server.acme, "agent").await;
        assert_eq!(server.standing(&person.token).await.0, 200);
        server.database.sql(change).await;
        assert_eq!(server.standing(&person.token).await.0, 401, "{name}");
        let refreshed = server
            .of(&person.token, Method::POST, "/auth/refresh")
            .send()
            .await;
        assert_eq!(refreshed.status, 401);
    }
}

#[rstest]
#[tokio::test]
async fn a01_a_refreshed_token_has_the_rights_of_now(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let body = json!({"name": "receptionist", "permissions": ["users.view_self", "config.read"]});
    let role = server.post("/roles", &body).send().await.data(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ann = server.person("ann", &server.acme, "receptionist").await;
    assert_eq!(
        server
            .of(&ann.token, Method::GET, "/org-users")
            .send()
            .await
            .status,
        403
    );
    let more = json!({"permissions": ["users.view_self", "config.read", "users.list"]});
    server
        .patch(&format!("/roles/{role}"), &more)
        .send()
        .await
        .data(200);
    // At once, with the token of before.
    assert_eq!(
        server
            .of(&ann.token, Method::GET, "/org-users")
            .send()
            .await
            .status,
        200
    );
    let refreshed = server.of(&ann.token, Method::POST, "/auth/refresh").send().await;
    assert_eq!(refreshed.body["user"]["permissions"].as_array().unwrap().len(), 3);
    let token = refreshed.body["token"].as_str().unwrap();
    assert_eq!(server.standing(token).await.0, 200);
}

#[rstest]
#[tokio::test]
async fn a29_who_changes_the_password_stays_signed_in_there_alone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let elsewhere = server.sign_in(&ann.email, PASSWORD).await.body["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let change = async |present: &str, new: &str| {
        let body = json!({"current_password": present, "new_password": new});
        server
            .of(&ann.token, Method::PUT, "/org-users/me/password")
            .json(&body)
            .send()
            .await
    };
    assert_eq!(
        change("not the password", "another good one").await.fields(),
        ["current_password"]
    );
    assert_eq!(change(PASSWORD, "short").await.fields(), ["new_password"]);
    assert_eq!(change(PASSWORD, "another good one").await.status, 204);
    assert_eq!(server.standing(&ann.token).await.0, 200);
    assert_eq!(server.standing(&elsewhere).await.0, 401);
    assert_eq!(server.sign_in(&ann.email, PASSWORD).await.status, 401);
    assert_eq!(server.sign_in(&ann.email, "another good one").await.status, 200);
}

#[rstest]
#[tokio::test]
async fn o29_of_a_suspended_tenant_nobody_gets_in_and_nobody_goes_on(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    server.suspend(&server.acme).await;
    for (method, path) in [
        (Method::GET, "/org-users/me/profile"),
        (Method::POST, "/auth/refresh"),
        (Method::GET, "/extensions"),
        (Method::GET, "/roles"),
        (Method::GET, "/platform/users"),
    ] {
        let answer = server.of(&ann.token, method, path).send().await;
        assert_eq!(answer.code(), (403, "tenant_suspended"), "{path}");
    }
    let login = server.sign_in(&ann.email, PASSWORD).await;
    assert_eq!(login.code(), (403, "tenant_suspended"));
    assert_eq!(server.sign_in(&ann.email, "not the password").await.status, 401);
}

/// O56: each cause ends every session of the user, from the next request on.
#[rstest]
#[case::role(Method::PUT, "/org-users/{id}/role", json!({"role": "manager"}))]
#[case::suspension(Method::POST, "/org-users/{id}/suspend", json!({}))]
#[case::deletion(Method::DELETE, "/org-users/{id}", json!({}))]
#[case::password(Method::PUT, "/platform/users/{id}/password", json!({"password": "yet another one"}))]
#[tokio::test]
async fn o56_the_very_next_request_is_refused(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] method: Method,
    #[case] path: &str,
    #[case] body: Value,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let again = server.sign_in(&ann.email, PASSWORD).await.body["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(server.standing(&ann.token).await.0, 200);
    let ask = server.ask(method, &path.replace("{id}", &ann.id)).json(&body);
    let done = ask.send().await;
    assert!(done.status < 300, "{}", done.text);
    for token in [&ann.token, &again] {
        assert_eq!(
            server.standing(token).await,
            (401, "credentials_invalid".to_owned())
        );
        let refreshed = server.of(token, Method::POST, "/auth/refresh").send().await;
        assert_eq!(refreshed.status, 401);
    }
}

#[rstest]
#[tokio::test]
async fn o58_who_manages_the_platform_no_longer_has_to_sign_in_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let path = format!("/platform/users/{}/platform-manager", ann.id);
    let set = async |manages: bool| {
        let body = json!({"platform_manager": manages});
        server.platform(Method::PUT, &path).json(&body).send().await
    };
    assert_eq!(
        server
            .of(&ann.token, Method::GET, "/platform/users")
            .send()
            .await
            .status,
        403
    );
    set(true).await.data(200);
    assert_eq!(
        server
            .of(&ann.token, Method::GET, "/platform/users")
            .send()
            .await
            .status,
        200
    );
    set(false).await.data(200);
    assert_eq!(server.standing(&ann.token).await.0, 401);
    let login = server.sign_in(&ann.email, PASSWORD).await;
    assert_eq!(login.body["user"]["platform_manager"], false);
}

/// A06: an agent sees whom to call, and nothing else of an extension.
#[rstest]
#[tokio::test]
async fn a06_an_agent_sees_the_directory_only(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let id = server.extension("1001").await;
    let agent = server.person("ann", &server.acme, "agent").await;
    let manager = server.person("bob", &server.acme, "manager").await;
    let path = format!("/extensions/{id}");
    let one = server.of(&agent.token, Method::GET, &path).send().await;
    assert_eq!(
        one.data(200),
        &json!({"id": id, "number": "1001", "name": "Phone 1001"})
    );
    let list = server.of(&agent.token, Method::GET, "/extensions").send().await;
    assert_eq!(list.data(200), &json!([one.data(200)]));
    let whole = server.of(&manager.token, Method::GET, &path).send().await;
    assert_eq!(whole.data(200)["ring_time"], 30);
}
