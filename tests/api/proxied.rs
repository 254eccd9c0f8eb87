//! Behind a reverse proxy: whose address counts, and who may say so.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::{Answer, Ask};
use super::people::{PASSWORD, each};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const TRUSTED: (&str, &str) = ("SWITCHYARD_HTTP_TRUSTED_PROXIES", "127.0.0.1 10.0.0.0/8");
const FEW: (&str, &str) = ("SWITCHYARD_AUTH_ADDRESS_FAILURES", "3");

/// Signs in as whoever the header names does.
async fn sign_in(server: &Server, email: &str, password: &str, forwarded_for: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    let ask = Ask::new(server, Method::POST, "/auth/user-login").json(&body);
    ask.with("x-forwarded-for", forwarded_for).send().await
}

/// Where the newest sign-in came from, as the list of own sessions and the audit log tell.
async fn seen(server: &Server, login: &Answer) -> [Value; 2] {
    assert_eq!(login.status, 200, "{}", login.text);
    let token = login.body["token"].as_str().unwrap();
    let sessions = server.of(token, Method::GET, "/auth/sessions").send().await;
    let current = each(&sessions, "current")
        .iter()
        .position(|is| **is == json!(true));
    let session = each(&sessions, "address")[current.unwrap()].clone();
    let log = server
        .platform(Method::GET, "/platform/audit-log?action=session.begin&per_page=1")
        .send()
        .await;
    [session, log.data(200)[0]["address"].clone()]
}

#[rstest]
#[tokio::test]
async fn o66_of_a_trusted_proxy_the_clients_address_is_throttled_and_audited(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::with(backend, &[TRUSTED, FEW]).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    for (header, client) in [
        ("203.0.113.7", "203.0.113.7"),
        // What the client wrote itself stands before.
        ("192.0.2.1, 203.0.113.8", "203.0.113.8"),
        ("192.0.2.1, 203.0.113.8, 10.0.0.2", "203.0.113.8"),
        ("2001:db8::7", "2001:db8::7"),
        ("unknown", "127.0.0.1"),
        ("203.0.113.7, <script>", "127.0.0.1"),
    ] {
        let login = sign_in(&server, &ann.email, PASSWORD, header).await;
        assert_eq!(
            seen(&server, &login).await,
            [json!(client), json!(client)],
            "{header}"
        );
    }
    // Each client has a count of its own, whatever it writes before.
    for n in 0..3 {
        let forged = format!("198.51.100.{n}, 203.0.113.7");
        let failed = sign_in(&server, &format!("nobody{n}@example.com"), "wrong", &forged).await;
        assert_eq!(failed.status, 401);
    }
    let refused = sign_in(&server, &ann.email, PASSWORD, "198.51.100.9, 203.0.113.7").await;
    assert_eq!(refused.code(), (429, "too_many_failures"));
    let other = sign_in(&server, &ann.email, PASSWORD, "203.0.113.8").await;
    assert_eq!(other.status, 200);
}

#[rstest]
#[case::nobody_is_trusted(&[FEW])]
#[case::somebody_else_is(&[FEW, ("SWITCHYARD_HTTP_TRUSTED_PROXIES", "10.0.0.0/8 ::1")])]
#[tokio::test]
async fn o66_what_anybody_else_says_of_themselves_does_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] config: &[(&str, &str)],
) {
    let server = Server::with(backend, config).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let login = sign_in(&server, &ann.email, PASSWORD, "203.0.113.7").await;
    assert_eq!(
        seen(&server, &login).await,
        [json!("127.0.0.1"), json!("127.0.0.1")]
    );
    for n in 0..3 {
        let forged = format!("203.0.113.{n}");
        let failed = sign_in(&server, &format!("nobody{n}@example.com"), "wrong", &forged).await;
        assert_eq!(failed.status, 401);
    }
    let refused = sign_in(&server, &ann.email, PASSWORD, "203.0.113.9").await;
    assert_eq!(refused.code(), (429, "too_many_failures"));
}
