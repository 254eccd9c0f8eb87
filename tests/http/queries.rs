//! The query of every route: what is no parameter of it, and what a parameter cannot say, is refused by its name.

use std::collections::BTreeSet;

use switchyard::auth::access::Access;
use switchyard::http::routes::table;

use crate::every_route::id_in;
use crate::people::Who;
use crate::server::Server;

/// What a parameter cannot say. A new one belongs here.
fn bad(parameter: &str) -> &'static [&'static str] {
    match parameter {
        "page" => &["0", "-1", "1.5", "x", "", "99999999999999999999"],
        "per_page" => &["0", "101", "-1", "x", ""],
        "sort" => &["colour", "", "-", "--name", "name,id", "Name"],
        "cursor" => &["colour", "", "1", "%00", "1-2"],
        "search" | "actor" => &["", "%00", "a%0Ab"],
        "status" | "tenant_id" | "tenant" | "pbx_instance_id" => &["colour", ""],
        "action" | "resource" | "role" => &["%00", ""],
        "from" | "to" => &["yesterday", "", "2026-02-30T00:00:00Z"],
        "platform_manager" | "wait" => &["perhaps"],
        other => panic!("{other}: what can it not say?"),
    }
}

#[tokio::test]
async fn o20_every_parameter_that_is_none_or_says_nothing_good_is_refused_by_its_name_on_every_route() {
    let server = Server::start().await;
    let acme = server.fill("acme.example.com").await;
    let tenant = acme.id.parse().unwrap();
    let owner = server.people().one(Who::Owner, tenant, tenant).await.unwrap();
    let manager = server.people().one(Who::PlatformManager, tenant, tenant).await;
    let manager = manager.unwrap();
    let own_session = server.session_of(&owner.token).await;
    let mut asked = BTreeSet::new();
    for route in table() {
        // A body would be looked at first.
        if route.access() == Access::Public || !route.shape().body.is_empty() {
            continue;
        }
        let token = match route.access() {
            Access::Platform(_) => &manager.token,
            _ => &owner.token,
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
            let answer = server
                .ask_as(Some(token), None, route.method().as_str(), &path)
                .await;
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
    for name in ["page", "per_page", "sort", "cursor", "colour", "from", "wait"] {
        assert!(asked.contains(name), "{name} was not asked: {asked:?}");
    }
}

/// A list says how it goes on: by pages that are counted, or by a cursor.
#[tokio::test]
async fn o20_every_list_that_has_pages_says_where_it_is() {
    let server = Server::start().await;
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
            "/api/v1/config/deployments",
            "/api/v1/extensions",
            "/api/v1/org-users",
            "/api/v1/platform/audit-log",
            "/api/v1/platform/pbx-instances/{id}/deployments",
            "/api/v1/platform/tenants",
            "/api/v1/platform/users",
        ]
    );
}
