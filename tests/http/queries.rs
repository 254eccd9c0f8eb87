//! The query of every route: what is no parameter of it, and what a parameter cannot say, is refused by its name.

use std::collections::BTreeSet;

use axum::http::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::auth::access::Access;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::http::routes::table;

use crate::people::Who;
use crate::server::{As, Server};
use crate::support::contract;
use crate::support::database::Backend::{self, Postgres, Sqlite};
use crate::tenants::id_in;

const PASSWORD: &str = "quince medlar sloe";

/// What a parameter cannot say. A new one belongs here.
fn bad(parameter: &str) -> &'static [&'static str] {
    match parameter {
        "page" => &["0", "-1", "1.5", "x", "", "99999999999999999999"],
        "per_page" => &["0", "101", "-1", "x", ""],
        "sort" => &["colour", "", "-", "--name", "name,id", "Name"],
        "cursor" => &["colour", "", "1", "%00", "1-2"],
        "search" | "actor" | "number" => &["", "%00", "a%0Ab"],
        "status" | "tenant_id" | "tenant" | "pbx_instance_id" | "direction" | "disposition" | "extension"
        | "call" | "state" | "assignee" => &["colour", ""],
        "action" | "resource" | "role" => &["%00", ""],
        "from" | "to" => &["yesterday", "", "2026-02-30T00:00:00Z"],
        "platform_manager" | "wait" | "dry_run" | "archived" => &["perhaps"],
        other => panic!("{other}: what can it not say?"),
    }
}

/// What a route with a body takes as one, so that it is the query that is refused. A new one belongs here.
fn good_body(method: &Method, path: &str) -> Value {
    match (method.as_str(), path.strip_prefix("/api/v1").unwrap()) {
        ("POST", "/auth/user-login") => json!({"email": "ann@example.com", "password": PASSWORD}),
        ("POST", "/auth/invitations/accept" | "/auth/password-reset/confirm") => {
            json!({"token": "none", "password": PASSWORD})
        }
        ("POST", "/auth/password-reset") => json!({"email": "ann@example.com"}),
        ("PUT", "/org-users/me/password") => json!({"current_password": "x", "new_password": PASSWORD}),
        ("PUT", "/org-users/{id}/role") => json!({"role": "manager"}),
        ("PUT", "/org-users/{id}/extension") => json!({"extension_id": null}),
        ("POST", "/org-users/invite") => json!({"email": "eve@example.com", "name": "Eve"}),
        ("POST", "/roles") => json!({"name": "keeper", "permissions": []}),
        ("POST", "/api-keys") => json!({"name": "crm", "permissions": ["config.read"]}),
        ("POST", "/webhooks") => json!({"url": "https://hooks.example.com/", "events": ["call.ended"]}),
        ("PATCH", "/webhooks/{id}") => json!({"active": false}),
        ("POST", "/platform/tenants") => {
            json!({"name": "Initech", "owner_email": "bill@example.com", "owner_name": "Bill"})
        }
        ("PATCH", "/platform/tenants/{id}") => json!({"max_users": 7}),
        ("POST", "/platform/tenants/{id}/suspend") => json!({"category": "pause"}),
        ("DELETE", "/platform/tenants/{id}") => json!({"confirm": "acme"}),
        ("POST", "/platform/users") => {
            json!({"name": "Eve", "email": "eve@example.com", "password": PASSWORD, "platform_manager": true})
        }
        ("PUT", "/platform/users/{id}/password") => json!({"password": PASSWORD}),
        ("PUT", "/platform/users/{id}/platform-manager") => json!({"platform_manager": true}),
        ("PUT", "/platform/users/{id}/tenant") => json!({"tenant_id": TenantId::fresh(&SystemIds)}),
        ("POST", "/platform/pbx-instances" | "/platform/pbx-instances/test") => {
            json!({"name": "second", "ami_username": "switchyard", "ami_secret": "not a secret",
                "config_dir": "/nowhere/second"})
        }
        ("POST", "/platform/pbx-instances/{id}/give-up") => json!({"confirm": "pbx1"}),
        ("POST", "/calls") => json!({"to": "1002"}),
        ("PUT", "/compliance/retention") => json!({"call_records": 90, "recordings": "forever"}),
        ("PUT", "/compliance/consent") => json!({"recording_notice": "none", "recording_notice_sound": null}),
        ("POST", "/compliance/exports") => json!({"tenant": true}),
        ("POST", "/compliance/erasure-requests") => json!({"number": "+4930123456"}),
        ("POST", "/extensions") => json!({"number": "1003", "name": "Eve"}),
        ("POST", "/extensions/import") => json!([{"number": "1004", "name": "Eve"}]),
        ("POST", "/tickets") => json!({"subject": "No dial tone", "text": "Since noon."}),
        ("PATCH", "/tickets/{id}") => json!({"state": "closed"}),
        ("POST", "/tickets/{id}/comments") => json!({"text": "Since noon."}),
        ("PATCH", _) => json!({"name": "Another"}),
        _ => panic!("{method} {path}: what does it take?"),
    }
}

#[rstest]
#[tokio::test]
async fn o20_every_parameter_that_is_none_or_says_nothing_good_is_refused_by_its_name_on_every_route(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::on(backend).await;
    let acme = server.fill("acme.example.com").await;
    let tenant = acme.id.parse().unwrap();
    let owner = server.people().one(Who::Owner, tenant, tenant).await.unwrap();
    let manager = server.people().one(Who::PlatformManager, tenant, tenant).await;
    let manager = manager.unwrap();
    let own_session = server.session_of(&owner.token).await;
    let before = server.entries().await;
    let (mut asked, mut with_body) = (BTreeSet::new(), 0);
    for route in table() {
        let takes = !route.shape().body.is_empty();
        // The document and the page of it, and who is alive, are looked at by whatever there is.
        if route.access() == Access::Public && !takes {
            continue;
        }
        let body = takes.then(|| good_body(route.method(), route.path()));
        if let Some(body) = &body {
            contract::takes(route.method().as_str(), route.path(), body);
            with_body += 1;
        }
        let who = match route.access() {
            Access::Public => As::Nobody,
            Access::Platform(_) => As::Bearer(&manager.token),
            _ => As::Bearer(&owner.token),
        };
        let path = match (route.access(), route.path()) {
            (_, path) if !path.contains("{id}") => path.to_owned(),
            (Access::Own, path) => path.replace("{id}", &own_session),
            (_, path) => path.replace("{id}", id_in(path, &acme)),
        };
        let known = route.shape().query.iter().map(|parameter| parameter.name);
        let mut cases: Vec<(&str, &str)> = known
            .flat_map(|name| bad(name).iter().map(move |value| (name, *value)))
            .collect();
        cases.push(("colour", "red"));
        for (name, value) in cases {
            let path = format!("{path}?{name}={value}");
            let answer = server.ask(who, route.method(), &path, body.clone()).await;
            let what = format!("{} {path}: {answer:?}", route.method());
            assert_eq!(answer.code(), (422, "invalid"), "{what}");
            let errors = answer.body["errors"].as_object().unwrap();
            assert_eq!(errors.keys().collect::<Vec<_>>(), [name], "{what}");
            asked.insert(name);
        }
        let lists = ["page", "cursor"].map(|name| route.shape().query.iter().any(|known| known.name == name));
        let pages = route.shape().query.iter().any(|known| known.name == "per_page");
        assert_eq!(pages, lists.contains(&true), "{}: {lists:?}", route.path());
    }
    for name in [
        "page", "per_page", "sort", "cursor", "colour", "from", "wait", "dry_run",
    ] {
        assert!(asked.contains(name), "{name} was not asked: {asked:?}");
    }
    assert!(with_body > 25, "{with_body}");
    assert_eq!(server.entries().await, before, "nothing of it was done");
}

/// A list says how it goes on: by pages that are counted, or by a cursor.
#[rstest]
#[tokio::test]
async fn o20_every_list_that_has_pages_says_where_it_is(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::on(backend).await;
    let acme = server.fill("acme.example.com").await;
    let tenant = acme.id.parse().unwrap();
    let owner = server.people().one(Who::Owner, tenant, tenant).await.unwrap();
    let manager = server.people().one(Who::PlatformManager, tenant, tenant).await;
    let manager = manager.unwrap();
    let mut lists = Vec::new();
    for route in table().iter().filter(|route| route.method().is_safe()) {
        let has = |name: &str| route.shape().query.iter().any(|known| known.name == name);
        if !has("per_page") {
            continue;
        }
        let token = match route.access() {
            Access::Platform(_) => &manager.token,
            _ => &owner.token,
        };
        let path = if route.path().contains("{id}") {
            route.path().replace("{id}", id_in(route.path(), &acme))
        } else {
            route.path().to_owned()
        };
        let page = server
            .ask_as(Some(token), None, "GET", &format!("{path}?per_page=1"))
            .await;
        let meta = page.body["meta"].as_object().unwrap();
        let members: Vec<&str> = meta.keys().map(String::as_str).collect();
        assert!(page.body["data"].as_array().unwrap().len() <= 1, "{path}");
        if has("cursor") {
            assert!(members.contains(&"next_cursor"), "{path}: {members:?}");
        } else {
            assert_eq!(members, ["last_page", "page", "per_page", "total"], "{path}");
        }
        lists.push(route.path());
    }
    lists.sort_unstable();
    assert_eq!(
        lists,
        [
            "/api/v1/api-keys",
            "/api/v1/audit-log",
            "/api/v1/calls",
            "/api/v1/compliance/erasure-requests",
            "/api/v1/compliance/purges",
            "/api/v1/config/deployments",
            "/api/v1/extensions",
            "/api/v1/org-users",
            "/api/v1/platform/audit-log",
            "/api/v1/platform/pbx-instances/{id}/deployments",
            "/api/v1/platform/tenants",
            "/api/v1/platform/users",
            "/api/v1/recordings",
            "/api/v1/tickets",
            "/api/v1/webhooks",
        ]
    );
}
