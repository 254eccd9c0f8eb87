//! C02: an id of another tenant gets the very answer, byte for byte, that an id gets that does not exist.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use switchyard::auth::access::Access;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::http::routes::{Route, Shared, table};

use super::client::{Answer, Ask};
use super::people::each;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// Everything of an answer but what differs by design.
fn visible(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, answer.text.clone(), headers)
}

#[rstest]
#[tokio::test]
async fn c02_another_tenants_id_is_no_id(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    let extension = server.extension_in(&server.globex, "1001").await;
    let deployment = server.deployment_in(&server.globex).await;
    let mut tried = 0;
    let user = server.person("eve", &server.globex, "agent").await.id;
    let role = json!({"name": "porter", "permissions": ["users.list"]});
    let role = server
        .post("/roles", &role)
        .in_tenant(&server.globex)
        .send()
        .await;
    let role = role.data(201)["id"].as_str().unwrap().to_owned();
    let owner = server.person("ann", &server.acme, "owner").await;
    let stranger = server.person("boss", &server.globex, "owner").await;
    let key = json!({"name": "crm", "permissions": ["config.read"]});
    let key = server.of(&stranger.token, Method::POST, "/api-keys").json(&key);
    let key = key.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let ticket = json!({"subject": "No dial tone", "text": "Since noon."});
    let ticket = server.post("/tickets", &ticket).in_tenant(&server.globex);
    let ticket = ticket.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let in_tenants = |route: &Route<Shared>| matches!(route.access(), Access::Tenant(_));
    for route in table().into_iter().filter(in_tenants) {
        if !route.path().contains("{id}") {
            continue;
        }
        let path = route.path().strip_prefix("/api/v1").unwrap();
        for body in [None, Some(json!({"name": "Eve"})), Some(json!({"number": 1}))] {
            let ask = |id: &str| -> Ask<'_> {
                let (method, path) = (route.method().clone(), path.replace("{id}", id));
                let ask = match route.access() {
                    // What the operator's people may not ask, an owner does.
                    Access::Tenant(right) if !right.is_for_operators() => {
                        server.of(&owner.token, method, &path)
                    }
                    _ => server.ask(method, &path),
                };
                match &body {
                    Some(body) => ask.json(body),
                    None => ask,
                }
            };
            let absent = ask(&TenantId::fresh(&SystemIds).to_string()).send().await;
            assert_eq!(absent.code(), (404, "not_found"));
            for id in [
                &extension,
                &deployment,
                &user,
                &role,
                &key,
                &ticket,
                &extension.to_uppercase(),
                "x",
                "%00",
                "%FF",
                "..%2F",
                "1001",
            ] {
                let other = ask(id).send().await;
                assert_eq!(
                    visible(&other),
                    visible(&absent),
                    "{} {path} {id}",
                    route.method()
                );
                let other = ask(id).without("x-reason").send().await;
                assert_eq!(
                    visible(&other),
                    visible(&absent),
                    "{} {path} {id}",
                    route.method()
                );
                tried += 1;
            }
        }
    }
    assert!(tried >= 100, "{tried}");
    // And the other tenant has noticed nothing.
    let theirs = server
        .get(&format!("/extensions/{extension}"))
        .in_tenant(&server.globex);
    assert_eq!(theirs.send().await.data(200)["name"], "Phone 1001");
    let actions = server.audit_actions().await;
    assert_eq!(
        actions,
        [
            "extension.create",
            "extension.create",
            "config.deploy",
            "role.create",
            "api_key.create",
            "ticket.create"
        ]
    );
}

#[rstest]
#[tokio::test]
async fn c06_lists_show_nothing_of_another_tenant(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.extension_in(&server.globex, "2001").await;
    server.deployment_in(&server.globex).await;
    for path in ["/extensions", "/extensions?search=2001", "/config/deployments"] {
        let list = server.get(path).send().await;
        assert_eq!(list.data(200), &json!([]), "{path}");
        assert_eq!(list.body["meta"]["total"], 0, "{path}");
    }
    for path in ["/config/plan", "/config/verify"] {
        let answer = server.get(path).send().await;
        assert!(
            !answer.text.contains("2001") && !answer.text.contains("globex"),
            "{}",
            answer.text
        );
    }
}

/// Each owner, who may see all three, and one of the operator's people inside, who sees no keys.
#[rstest]
#[tokio::test]
async fn c06_lists_of_people_roles_and_keys_show_those_of_their_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut owners = Vec::new();
    for (name, tenant) in [("ann", &server.acme), ("eve", &server.globex)] {
        let owner = server.person(name, tenant, "owner").await;
        for path in ["/roles", "/api-keys"] {
            let made = server.of(&owner.token, Method::POST, path);
            let made = made.json(&json!({"name": format!("made by {name}"), "permissions": ["users.list"]}));
            made.send().await.data(201);
        }
        owners.push((name, owner));
    }
    let lists = [("/org-users", "email"), ("/roles", "name"), ("/api-keys", "name")];
    for (name, owner) in &owners {
        let (email, made) = (owner.email.as_str(), format!("made by {name}"));
        for ((path, member), expected) in lists.into_iter().zip([email, &made, &made]) {
            let list = server.of(&owner.token, Method::GET, path).send().await;
            assert_eq!(own(&list, member), [expected], "{path}");
        }
    }
    for ((path, member), expected) in lists.into_iter().zip(["ann@example.com", "made by ann"]) {
        assert_eq!(own(&server.get(path).send().await, member), [expected], "{path}");
    }
    let searched = server.get("/org-users?search=eve").send().await;
    assert_eq!(
        (searched.data(200), &searched.body["meta"]["total"]),
        (&json!([]), &json!(0))
    );
}

/// What a list shows of a tenant's own, by one member of each: the built-in roles are everybody's.
fn own<'a>(list: &'a Answer, member: &str) -> Vec<&'a str> {
    let all = each(list, member)
        .into_iter()
        .map(|value| value.as_str().unwrap());
    all.filter(|name| !["owner", "admin", "manager", "agent"].contains(name))
        .collect()
}

#[tokio::test]
async fn c02_a_tenant_that_is_named_twice_is_not_entered() {
    let server = Server::start(Sqlite).await;
    let both = format!("{}, {}", server.acme, server.globex);
    let answer = server
        .ask(Method::GET, "/extensions")
        .in_tenant(&both)
        .send()
        .await;
    assert_eq!(answer.code(), (404, "not_found"));
}
