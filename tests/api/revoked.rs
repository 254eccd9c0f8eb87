//! What ends somebody's rights ends them with the very next request, whoever did it and in whichever process.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::precondition::IfMatch;
use switchyard::app::tenant_status::{self, SuspensionInput};
use switchyard::app::{operator, platform_users, users};

use super::people::{PASSWORD, Person};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const OUT: (u16, &str) = (401, "credentials_invalid");

/// How somebody is answered who was let in until now.
async fn answered(server: &Server, who: &Person) -> Vec<(u16, String)> {
    let mut codes = Vec::new();
    for (method, path) in [
        (Method::GET, "/org-users/me/profile"),
        (Method::GET, "/extensions"),
        (Method::POST, "/auth/refresh"),
    ] {
        let answer = server.of(&who.token, method, path).send().await;
        let (status, code) = answer.code();
        codes.push((status, code.to_owned()));
    }
    codes
}

async fn is_in(server: &Server, who: &Person) {
    let all = answered(server, who).await;
    assert!(all.iter().all(|(status, _)| *status == 200), "{all:?}");
}

async fn is_out(server: &Server, who: &Person, how: (u16, &str), why: &str) {
    let all = answered(server, who).await;
    let so = |(status, code): &(u16, String)| (*status, code.as_str()) == how;
    assert!(all.iter().all(so), "{why}: {all:?}");
}

#[rstest]
#[tokio::test]
async fn o56_each_cause_over_http_holds_from_the_very_next_request_on(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let tenant = json!({"tenant_id": server.globex});
    let causes = [
        ("suspended", Method::POST, "/org-users/{id}/suspend", Value::Null),
        (
            "suspended by the platform",
            Method::PATCH,
            "/platform/users/{id}",
            json!({"status": "suspended"}),
        ),
        ("deleted", Method::DELETE, "/org-users/{id}", Value::Null),
        (
            "deleted by the platform",
            Method::DELETE,
            "/platform/users/{id}",
            Value::Null,
        ),
        (
            "another role",
            Method::PUT,
            "/org-users/{id}/role",
            json!({"role": "manager"}),
        ),
        (
            "another role by the platform",
            Method::PATCH,
            "/platform/users/{id}",
            json!({"role": "manager"}),
        ),
        (
            "another password",
            Method::PUT,
            "/platform/users/{id}/password",
            json!({"password": "yet another one"}),
        ),
        ("moved", Method::PUT, "/platform/users/{id}/tenant", tenant),
    ];
    for (n, (why, method, path, body)) in causes.into_iter().enumerate() {
        let ann = server.person(&format!("ann{n}"), &server.acme, "agent").await;
        is_in(&server, &ann).await;
        let path = path.replace("{id}", &ann.id);
        let ask = if path.starts_with("/platform") {
            server.platform(method, &path)
        } else {
            server.ask(method, &path)
        };
        let ask = if body.is_null() { ask } else { ask.json(&body) };
        let done = ask.send().await;
        assert!(done.status < 300, "{why}: {}", done.text);
        is_out(&server, &ann, OUT, why).await;
    }

    let ann = server.person("ann", &server.acme, "agent").await;
    let path = format!("/platform/tenants/{}/suspend", server.acme);
    let suspended = server
        .platform(Method::POST, &path)
        .json(&json!({"category": "pause"}));
    suspended.send().await.data(200);
    is_out(&server, &ann, (403, "tenant_suspended"), "suspended tenant").await;
    let bob = server.person("bob", &server.globex, "agent").await;
    let out = server.of(&bob.token, Method::POST, "/auth/logout").send().await;
    assert_eq!(out.status, 204);
    is_out(&server, &bob, OUT, "signed out").await;
}

#[rstest]
#[tokio::test]
async fn a07_what_a_role_loses_its_people_lose_with_the_very_next_request(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let role = json!({"name": "porter", "permissions": ["config.read", "users.view_self"]});
    let role = server.post("/roles", &role).send().await;
    let role = format!("/roles/{}", role.data(201)["id"].as_str().unwrap());
    let ann = server.person("ann", &server.acme, "porter").await;
    is_in(&server, &ann).await;
    let less = json!({"permissions": ["users.view_self"]});
    server.patch(&role, &less).send().await.data(200);
    let refused = server.of(&ann.token, Method::GET, "/extensions").send().await;
    assert_eq!(refused.code(), (403, "permission_denied"));
    assert_eq!(server.standing(&ann.token).await.0, 200);
}

#[rstest]
#[tokio::test]
async fn o56_each_cause_by_the_command_line_holds_from_the_very_next_request_on(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let cli = server.another_app().await;
    let (platform, any) = (operator::platform(None), IfMatch::Any);
    let person = async |name: &str| {
        let who = server.person(name, &server.acme, "agent").await;
        is_in(&server, &who).await;
        let id = who.id.parse().unwrap();
        (who, id)
    };

    let (ann, id) = person("ann").await;
    let password = "yet another one".into();
    platform_users::set_password(&cli, &platform, id, &password, &any)
        .await
        .unwrap();
    is_out(&server, &ann, OUT, "reset-password").await;
    let (bob, id) = person("bob").await;
    let set = async |manages: bool| {
        platform_users::set_platform_manager(&cli, &platform, id, manages, &any)
            .await
            .unwrap();
    };
    set(true).await;
    let dashboard = server.of(&bob.token, Method::GET, "/platform/dashboard");
    assert_eq!(dashboard.send().await.status, 200, "granted");
    set(false).await;
    is_out(&server, &bob, OUT, "revoke").await;

    let acme = switchyard::app::tenants::find(&cli, &platform, server.acme.parse().unwrap());
    let inside = operator::in_tenant(&acme.await.unwrap(), None);
    let (eve, id) = person("eve").await;
    users::suspend(&cli, &inside, id, &any).await.unwrap();
    is_out(&server, &eve, OUT, "suspend").await;
    let (zoe, id) = person("zoe").await;
    users::delete(&cli, &inside, id, &any).await.unwrap();
    is_out(&server, &zoe, OUT, "delete").await;
    let (gus, id) = person("gus").await;
    users::assign_role(&cli, &inside, id, "manager", &any)
        .await
        .unwrap();
    is_out(&server, &gus, OUT, "role").await;

    let (kim, _) = person("kim").await;
    let input = SuspensionInput {
        category: Some("pause".to_owned()),
        ..SuspensionInput::default()
    };
    tenant_status::suspend(&cli, &platform, server.acme.parse().unwrap(), input, &any)
        .await
        .unwrap();
    is_out(&server, &kim, (403, "tenant_suspended"), "tenant").await;
    let login = server.sign_in(&kim.email, PASSWORD).await;
    assert_eq!(login.code(), (403, "tenant_suspended"));
}
