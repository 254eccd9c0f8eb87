//! API keys over HTTP: shown once, good for what they name, void at once.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::people::{Person, each};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

impl Server {
    /// Makes a key; gives its id and the whole of it.
    async fn key(&self, who: &Person, permissions: &[&str]) -> (String, String) {
        let body = json!({"name": "crm", "permissions": permissions});
        let ask = self.of(&who.token, Method::POST, "/api-keys").json(&body);
        let made = ask.send().await;
        let text = |name: &str| made.data(201)[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    async fn by(&self, key: &str, method: Method, path: &str) -> (u16, String) {
        let answer = self.of(key, method, path).send().await;
        let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
        (answer.status, code)
    }
}

#[rstest]
#[tokio::test]
async fn a_key_opens_what_it_names_and_nothing_else(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let owner = server.person("ann", &server.acme, "owner").await;
    let (_, key) = server.key(&owner, &["config.read", "config.write"]).await;
    assert_eq!(server.by(&key, Method::GET, "/extensions").await.0, 200);
    let body = json!({"number": "1001", "name": "Ann"});
    let made = server
        .of(&key, Method::POST, "/extensions")
        .json(&body)
        .send()
        .await;
    assert_eq!(made.data(201)["number"], "1001");
    let denied = (403, "permission_denied".to_owned());
    for path in [
        "/org-users",
        "/org-users/me/profile",
        "/roles",
        "/api-keys",
        "/org",
        "/audit-log",
        "/platform/users",
        "/auth/sessions",
    ] {
        assert_eq!(server.by(&key, Method::GET, path).await, denied, "{path}");
    }
    let entering = server.of(&key, Method::GET, "/extensions");
    assert_eq!(
        entering.in_tenant(&server.acme).send().await.code(),
        (403, "permission_denied")
    );
    let sql = "select actor_kind || ' ' || actor_name from audit_entries where action = 'extension.create'";
    assert_eq!(server.database.ask(sql.to_owned()).await, ["api_key crm"]);
}

#[rstest]
#[tokio::test]
async fn o58_a_key_that_is_revoked_or_rotated_is_void_at_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let owner = server.person("ann", &server.acme, "owner").await;
    let (id, first) = server.key(&owner, &["config.read"]).await;
    let list = server.of(&owner.token, Method::GET, "/api-keys").send().await;
    assert_eq!(each(&list, "last_used_at"), [&Value::Null]);
    assert!(first.starts_with(each(&list, "prefix")[0].as_str().unwrap()));
    assert_eq!(server.by(&first, Method::GET, "/extensions").await.0, 200);
    let rotate = format!("/api-keys/{id}/rotate");
    let rotated = server.of(&owner.token, Method::POST, &rotate).send().await;
    let second = rotated.data(200)["secret"].as_str().unwrap();
    let void = (401, "credentials_invalid".to_owned());
    assert_eq!(server.by(&first, Method::GET, "/extensions").await, void);
    assert_eq!(server.by(second, Method::GET, "/extensions").await.0, 200);
    let path = format!("/api-keys/{id}");
    assert_eq!(server.by(&owner.token, Method::DELETE, &path).await.0, 204);
    assert_eq!(server.by(second, Method::GET, "/extensions").await, void);
    assert_eq!(
        server.by(&owner.token, Method::DELETE, &path).await,
        (404, "not_found".to_owned())
    );
    let (_, third) = server.key(&owner, &["config.read"]).await;
    server.suspend(&server.acme).await;
    assert_eq!(
        server.by(&third, Method::GET, "/extensions").await,
        (403, "tenant_suspended".to_owned())
    );
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_with_a_key_is_said_by_field(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let owner = server.person("ann", &server.acme, "owner").await;
    for (body, fields) in [
        (json!({}), &["name", "permissions"][..]),
        (json!({"name": "crm", "permissions": []}), &["permissions"]),
        (
            json!({"name": "crm", "permissions": ["org.api_keys"]}),
            &["permissions"],
        ),
        (
            json!({"name": "crm", "permissions": ["users.view_self"]}),
            &["permissions"],
        ),
        (
            json!({"name": "crm", "permissions": ["config.read"], "expires_at": "2020-01-01T00:00:00Z"}),
            &["expires_at"],
        ),
        (
            json!({"name": "crm", "permissions": ["config.read"], "secret": "mine"}),
            &["secret"],
        ),
    ] {
        let ask = server.of(&owner.token, Method::POST, "/api-keys").json(&body);
        assert_eq!(ask.send().await.fields(), fields);
    }
    let good =
        json!({"name": "crm", "permissions": ["config.read"], "expires_at": "2200-01-01T00:00:00+01:00"});
    let ask = server.of(&owner.token, Method::POST, "/api-keys").json(&good);
    let once = ask.with("idempotency-key", "once").send().await;
    assert_eq!(once.fields(), ["Idempotency-Key"]);
    let made = server.of(&owner.token, Method::POST, "/api-keys").json(&good);
    assert_eq!(made.send().await.data(201)["expires_at"], "2199-12-31T23:00:00Z");
}
