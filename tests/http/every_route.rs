//! What no route may get wrong: strangers, other tenants' ids, and the order of checks.

use axum::http::Method;
use serde_json::json;
use switchyard::auth::access::Access;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::http::routes::{Route, Shared, table};

use crate::people::Who;
use crate::server::{As, Server};
use crate::support::suspension::pause;
use crate::tenants::{TestTenant, id_in};

fn of_tenants() -> Vec<Route<Shared>> {
    // Those that the operator's people may ask.
    let in_tenant =
        |route: &Route<Shared>| matches!(route.access(), Access::Tenant(right) if right.is_for_operators());
    let routes: Vec<_> = table().into_iter().filter(in_tenant).collect();
    assert!(routes.len() > 10, "{}", routes.len());
    routes
}

fn path_in(route: &Route<Shared>, tenant: &TestTenant) -> String {
    if route.path().contains("{id}") {
        route.path().replace("{id}", id_in(route.path(), tenant))
    } else {
        route.path().to_owned()
    }
}

#[tokio::test]
async fn o02_no_route_but_the_public_ones_answers_a_stranger() {
    let server = Server::start().await;
    let acme = server.fill("acme.example.com").await;
    for route in table() {
        let stranger = async |path: &str| server.ask(As::Nobody, route.method(), path, None).await;
        if route.access() == Access::Public {
            assert_ne!(stranger(route.path()).await.status, 401, "{}", route.path());
            continue;
        }
        let answer = stranger(&path_in(&route, &acme)).await;
        assert_eq!(answer.code(), (401, "credentials_invalid"), "{}", route.path());
    }
}

#[tokio::test]
async fn c02_an_id_of_another_tenant_is_answered_like_one_that_does_not_exist() {
    let server = Server::start().await;
    let acme = server.fill("acme.example.com").await;
    let beta = server.fill("beta.example.com").await;
    let absent = TenantId::fresh(&SystemIds).to_string();
    let tenant = acme.id.parse().unwrap();
    let key = server.people().one(Who::Key, tenant, tenant).await.unwrap();
    let routes = of_tenants();
    let with_id = routes.iter().filter(|route| route.path().contains("{id}"));
    let asked = with_id.flat_map(|route| {
        let callers = [As::Inside(&acme.id), As::Bearer(&key.token)];
        callers.map(|who| (route, who))
    });
    for (route, who) in asked {
        let answer = async |id: &str| {
            let path = route.path().replace("{id}", id);
            let body = (route.method() == Method::PATCH).then(|| json!({"name": "Eve"}));
            server.ask(who, route.method(), &path, body).await
        };
        let expected = answer(&absent).await;
        assert_eq!(
            expected.code(),
            (404, "not_found"),
            "{} {}",
            route.method(),
            route.path()
        );
        for id in [id_in(route.path(), &beta), "x", "1001"] {
            assert_eq!(
                answer(id).await,
                expected,
                "{} {} with {id}",
                route.method(),
                route.path()
            );
        }
    }
    // And nothing of it was changed.
    let path = format!("/api/v1/extensions/{}", beta.extension);
    let untouched = server.ask(As::Inside(&beta.id), &Method::GET, &path, None).await;
    assert_eq!(
        (untouched.status, &untouched.body["data"]["name"]),
        (200, &json!("Ann"))
    );
}

#[tokio::test]
async fn every_route_of_a_tenant_asks_for_the_tenant() {
    let server = Server::start().await;
    let acme = server.fill("acme.example.com").await;
    let unknown = TenantId::fresh(&SystemIds).to_string();
    let tenant = acme.id.parse().unwrap();
    let key = server.people().one(Who::Key, tenant, tenant).await.unwrap();
    for route in of_tenants() {
        let path = path_in(&route, &acme);
        let outside = server.ask(As::Operator, route.method(), &path, None).await;
        assert_eq!(
            outside.code(),
            (400, "tenant_required"),
            "{} {path}",
            route.method()
        );
        let nowhere = server
            .ask(As::Inside(&unknown), route.method(), &path, None)
            .await;
        assert_eq!(nowhere.code(), (404, "not_found"), "{} {path}", route.method());
        // A key is its tenant's, also where that is the one it names.
        let by_key = server.ask_as(Some(&key.token), Some(tenant), route.method().as_str(), &path);
        assert_eq!(
            by_key.await.code(),
            (403, "permission_denied"),
            "{} {path}",
            route.method()
        );
    }
}

#[tokio::test]
async fn every_change_asks_for_a_reason_once_the_thing_is_found_and_before_the_body() {
    let server = Server::start().await;
    let acme = server.fill("acme.example.com").await;
    let absent = TenantId::fresh(&SystemIds).to_string();
    for route in of_tenants().iter().filter(|route| !route.method().is_safe()) {
        let without = async |path: &str| {
            server
                .ask(As::InsideWithoutReason(&acme.id), route.method(), path, None)
                .await
        };
        let found = without(&path_in(route, &acme)).await;
        assert_eq!(
            found.code(),
            (400, "reason_required"),
            "{} {}",
            route.method(),
            route.path()
        );
        if route.path().contains("{id}") {
            let path = route.path().replace("{id}", &absent);
            assert_eq!(
                without(&path).await.code(),
                (404, "not_found"),
                "{} {path}",
                route.method()
            );
        }
    }
}

/// Nobody at home has to say why, but what they say is kept.
#[tokio::test]
async fn a_reason_that_is_none_is_refused_with_every_change_whoever_gives_it() {
    let server = Server::start().await;
    let acme = server.fill("acme.example.com").await;
    let tenant = acme.id.parse().unwrap();
    let owner = server.people().one(Who::Owner, tenant, tenant).await.unwrap();
    let manager = server.people().one(Who::PlatformManager, tenant, tenant).await;
    let manager = manager.unwrap();
    let key = server.people().one(Who::Key, tenant, tenant).await.unwrap();
    let own_session = server.session_of(&owner.token).await;
    let changes = table().into_iter().filter(|route| !route.method().is_safe());
    for route in changes.filter(|route| route.access() != Access::Public) {
        let callers = match route.access() {
            Access::Platform(_) => vec![(&manager.token, None)],
            Access::Tenant(right) if right.is_for_operators() => vec![
                (&owner.token, None),
                (&key.token, None),
                (&manager.token, Some(acme.id.as_str())),
            ],
            _ => vec![(&owner.token, None)],
        };
        let path = match route.access() {
            Access::Own => route.path().replace("{id}", &own_session),
            _ => path_in(&route, &acme),
        };
        let long = "x".repeat(501);
        let asked = callers
            .iter()
            .flat_map(|by| [" ", "no\ttabs", &long].map(|reason| (by, reason)));
        for ((token, entering), reason) in asked {
            let answer = server.ask_because(reason, token, *entering, route.method(), &path);
            assert_eq!(
                answer.await.code(),
                (400, "reason_required"),
                "{} {path}",
                route.method()
            );
        }
    }
}

#[tokio::test]
async fn o29_a_suspended_tenant_is_read_and_not_changed_from_the_next_request_on() {
    let server = Server::start().await;
    let acme = server.fill("acme.example.com").await;
    let id = acme.id.parse().unwrap();
    let owner = server.people().one(Who::Owner, id, id).await.unwrap();
    let key = server.people().one(Who::Key, id, id).await.unwrap();
    let mut tx = server.store.begin("suspend").await.unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    switchyard::store::tenant_lifecycle::suspend(&mut tx, id, &pause(now))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for route in of_tenants() {
        let path = path_in(&route, &acme);
        let answer = server
            .ask(As::Inside(&acme.id), route.method(), &path, None)
            .await;
        if route.method().is_safe() {
            assert_ne!(answer.status, 403, "{} {path}", route.method());
        } else {
            assert_eq!(
                answer.code(),
                (403, "tenant_suspended"),
                "{} {path}",
                route.method()
            );
        }
        // Of its own people nobody, and no program, does as much as look.
        for token in [&owner.token, &key.token] {
            let answer = server.ask(As::Bearer(token), route.method(), &path, None).await;
            assert_eq!(
                answer.code(),
                (403, "tenant_suspended"),
                "{} {path}",
                route.method()
            );
        }
    }
}
