//! Whoever is refused everything while the body of their request is still on its way changes nothing by it.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// A request that lacks its last byte.
struct Pending {
    stream: TcpStream,
    last: u8,
}

impl Pending {
    async fn send(server: &Server, token: &str, method: Method, path: &str, body: &Value) -> Self {
        let mut body = body.to_string().into_bytes();
        let head = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let last = body.pop().unwrap();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        // Whoever is asked now has been let in by then.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        Self { stream, last }
    }

    /// The answer's status and code.
    async fn end(mut self) -> (u16, String) {
        self.stream.write_all(&[self.last]).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let code = serde_json::from_str::<Value>(body).unwrap_or_default()["code"].clone();
        (status, code.as_str().unwrap_or_default().to_owned())
    }
}

/// What happens meanwhile.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Nothing,
    SignedOut,
    Suspended,
    Deleted,
    Demoted,
    PasswordReset,
    TenantSuspended,
}

#[rstest]
#[case(Cause::Nothing, (201, ""))]
#[case(Cause::SignedOut, (401, "credentials_invalid"))]
#[case(Cause::Suspended, (401, "credentials_invalid"))]
#[case(Cause::Deleted, (401, "credentials_invalid"))]
#[case(Cause::Demoted, (401, "credentials_invalid"))]
#[case(Cause::PasswordReset, (401, "credentials_invalid"))]
#[case(Cause::TenantSuspended, (403, "tenant_suspended"))]
#[tokio::test]
async fn o67_who_is_refused_while_a_body_arrives_changes_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] cause: Cause,
    #[case] expected: (u16, &str),
) {
    let server = Server::start(backend).await;
    server.person("owner", &server.acme, "owner").await;
    let ann = server.person("ann", &server.acme, "admin").await;
    let body = json!({"email": "way-back@example.com", "name": "Way Back", "role": "manager"});
    let pending = Pending::send(&server, &ann.token, Method::POST, "/org-users/invite", &body).await;
    let user = format!("/platform/users/{}", ann.id);
    let ask = |method: Method, path: &str, body: Value| server.ask(method, path).json(&body);
    let done = match cause {
        Cause::Nothing => server.get("/org-users").send().await,
        Cause::SignedOut => server.of(&ann.token, Method::POST, "/auth/logout").send().await,
        Cause::Suspended => {
            let path = format!("/org-users/{}/suspend", ann.id);
            ask(Method::POST, &path, json!({})).send().await
        }
        Cause::Deleted => server.delete(&user).send().await,
        Cause::Demoted => {
            let path = format!("/org-users/{}/role", ann.id);
            ask(Method::PUT, &path, json!({"role": "agent"})).send().await
        }
        Cause::PasswordReset => {
            let password = json!({"password": "plum damson greengage"});
            ask(Method::PUT, &format!("{user}/password"), password)
                .send()
                .await
        }
        Cause::TenantSuspended => {
            let path = format!("/platform/tenants/{}/suspend", server.acme);
            server
                .platform(Method::POST, &path)
                .json(&json!({"category": "pause"}))
                .send()
                .await
        }
    };
    assert!(done.status < 300, "{}", done.text);
    let (status, code) = pending.end().await;
    assert_eq!((status, code.as_str()), expected);
    let made = "select count(*) || '' from users where email = 'way-back@example.com'";
    let count = if status == 201 { "1" } else { "0" };
    assert_eq!(server.database.ask(made.to_owned()).await, [count]);
}

/// A manager whose flag is taken, or who is deleted, leaves no other behind.
#[rstest]
#[tokio::test]
async fn o67_a_platform_manager_that_was_makes_no_other(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(true, false)] deleted: bool,
) {
    let server = Server::start(backend).await;
    let mallory = server.platform_manager("mallory").await;
    let body = json!({"name": "Second", "email": "second@example.com", "password": "plum damson greengage", "platform_manager": true});
    let pending = Pending::send(&server, &mallory.token, Method::POST, "/platform/users", &body).await;
    let user = format!("/platform/users/{}", mallory.id);
    if deleted {
        assert_eq!(server.platform(Method::DELETE, &user).send().await.status, 204);
    } else {
        let home = json!({"tenant_id": server.acme, "role": "agent"});
        let moved = server
            .platform(Method::PUT, &format!("{user}/tenant"))
            .json(&home);
        moved.send().await.data(200);
        let flag = server.platform(Method::PUT, &format!("{user}/platform-manager"));
        flag.json(&json!({"platform_manager": false}))
            .send()
            .await
            .data(200);
    }
    let (status, code) = pending.end().await;
    assert_eq!((status, code.as_str()), (401, "credentials_invalid"));
    assert_eq!(
        server
            .sign_in("second@example.com", "plum damson greengage")
            .await
            .status,
        401
    );
}
