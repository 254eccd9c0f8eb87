//! The platform's tenants and PBX instances over HTTP.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::audited_platform::instance;
use super::client::Answer;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

async fn suspend(server: &Server, tenant: &str) -> Answer {
    let path = format!("/platform/tenants/{tenant}/suspend");
    let body = json!({"category": "non_payment", "reason": "three months"});
    server.platform(Method::POST, &path).json(&body).send().await
}

async fn patch(server: &Server, path: &str, body: Value) -> Answer {
    server.platform(Method::PATCH, path).json(&body).send().await
}

async fn get(server: &Server, path: &str) -> Answer {
    server.platform(Method::GET, path).send().await
}

#[rstest]
#[tokio::test]
async fn o29_a_suspended_tenants_people_are_refused_at_once_and_let_back_in(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let mine = async || server.of(&ann.token, Method::GET, "/extensions").send().await;
    assert_eq!(mine().await.status, 200);
    let suspended = suspend(&server, &server.acme).await;
    assert_eq!(suspended.data(200)["status"], "suspended");
    assert_eq!(mine().await.code(), (403, "tenant_suspended"));
    for path in ["/auth/refresh", "/auth/logout"] {
        let refused = server.of(&ann.token, Method::POST, path).send().await;
        assert_eq!(refused.code(), (403, "tenant_suspended"), "{path}");
    }
    assert_eq!(
        server.sign_in(&ann.email, super::people::PASSWORD).await.code(),
        (403, "tenant_suspended")
    );
    let shown = get(&server, &format!("/platform/tenants/{}", server.acme)).await;
    assert_eq!(shown.data(200)["suspension"]["reason"], "three months");
    let again = suspend(&server, &server.acme).await;
    assert_eq!(again.code(), (409, "bad_transition"));
    assert_eq!(again.body["allowed_transitions"], json!(["active", "deleted"]));

    let path = format!("/platform/tenants/{}/reactivate", server.acme);
    let back = server.platform(Method::POST, &path).send().await;
    assert_eq!(back.data(200)["status"], "active");
    assert_eq!(mine().await.status, 200);
    let again = server.platform(Method::POST, &path).send().await;
    assert_eq!(again.code(), (409, "bad_transition"));
}

#[rstest]
#[tokio::test]
async fn o34_a_tenant_is_deleted_suspended_confirmed_and_without_managers_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let path = format!("/platform/tenants/{}", server.acme);
    let delete = async |confirm: &str| {
        let ask = server.platform(Method::DELETE, &path);
        ask.json(&json!({"confirm": confirm})).send().await
    };
    server.extension("1001").await;
    let ann = server.person("ann", &server.acme, "agent").await;
    assert_eq!(delete("Acme").await.code(), (409, "must_suspend_first"));
    suspend(&server, &server.acme).await.data(200);
    assert_eq!(delete("acme").await.code(), (409, "confirmation_mismatch"));
    let flag = async |manages: bool| {
        let path = format!("/platform/users/{}/platform-manager", ann.id);
        let ask = server.platform(Method::PUT, &path);
        ask.json(&json!({"platform_manager": manages})).send().await
    };
    flag(true).await.data(200);
    assert_eq!(delete("Acme").await.code(), (409, "platform_managers_inside"));
    flag(false).await.data(200);
    let preview = get(&server, &format!("{path}/deletion-preview")).await;
    assert_eq!(
        (
            &preview.data(200)["users"],
            &preview.data(200)["extensions"],
            &preview.data(200)["refused"]
        ),
        (&json!(1), &json!(1), &json!([]))
    );
    let leaving = delete("Acme").await;
    assert_eq!(leaving.data(202)["status"], "deleting");
    // The service removes it as soon as no PBX serves it; nothing ever did.
    for _ in 0..200 {
        if get(&server, &path).await.status == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it is still there: {:?}", get(&server, &path).await);
}

#[rstest]
#[tokio::test]
async fn c12_what_the_platform_changes_of_a_tenant_is_checked_and_shown(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let path = format!("/platform/tenants/{}", server.acme);
    let bad = json!({"name": "x", "domain": "no domain", "timezone": "Mars", "pbx_instance_id": "x",
        "session_timeout_minutes": 4, "max_users": -1, "suspension_policy": "sometimes"});
    let refused = patch(&server, &path, bad).await;
    assert_eq!(refused.status, 422);
    let mut fields = refused.fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "domain",
            "max_users",
            "name",
            "pbx_instance_id",
            "session_timeout_minutes",
            "suspension_policy",
            "timezone"
        ]
    );
    for (field, value) in [
        ("status", json!("active")),
        ("name", json!(null)),
        ("max_users", json!("7")),
    ] {
        assert_eq!(
            patch(&server, &path, json!({field: value})).await.fields(),
            [field]
        );
    }
    let absent = json!({"pbx_instance_id": "01a21ff1-9dba-73f0-b92f-e8895f6c8180"});
    assert_eq!(patch(&server, &path, absent).await.fields(), ["pbx_instance_id"]);
    let taken = get(&server, &format!("/platform/tenants/{}", server.globex)).await;
    let taken = taken.data(200)["domain"].clone();
    assert_eq!(
        patch(&server, &path, json!({"domain": taken})).await.code(),
        (409, "taken")
    );

    let good =
        json!({"name": "Acme Two", "max_users": 5, "max_extensions": null, "suspension_policy": "block_all"});
    let changed = patch(&server, &path, good.clone()).await;
    assert_eq!(changed.data(200)["max_users"], 5);
    assert_eq!(changed.data(200)["warnings"], json!([]));
    let before = server.audit_actions().await.len();
    patch(&server, &path, good).await.data(200);
    assert_eq!(
        server.audit_actions().await.len(),
        before,
        "what is as it was leaves no trace"
    );
    let cleared = patch(&server, &path, json!({"max_users": null})).await;
    assert_eq!(cleared.data(200)["max_users"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn c15_a_changed_domain_stays_an_alias_and_is_nobody_elses(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let [acme, globex] = [&server.acme, &server.globex].map(|id| format!("/platform/tenants/{id}"));
    let old = get(&server, &acme).await.data(200)["domain"].clone();
    let changed = patch(&server, &acme, json!({"domain": "new.example.com"})).await;
    assert_eq!(changed.data(200)["aliases"], json!([old]));
    assert_eq!(changed.data(200)["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(
        patch(&server, &globex, json!({"domain": old})).await.code(),
        (409, "taken")
    );
    // Back again: it is no alias of itself.
    let back = patch(&server, &acme, json!({"domain": old})).await;
    assert_eq!(back.data(200)["aliases"], json!(["new.example.com"]));
}

/// As a database of an earlier version may hold it: two tenants with one domain.
#[rstest]
#[tokio::test]
async fn c15_a_former_domain_that_is_kept_for_another_tenant_is_not_promised(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let other = "insert into tenant_domain_aliases (domain, tenant_id) \
        select 'acme.example.com', id from tenants where domain = 'globex.example.com'";
    server.database.sql(other).await;
    let path = format!("/platform/tenants/{}", server.acme);
    let changed = patch(&server, &path, json!({"domain": "new.example.com"})).await;
    assert_eq!(changed.data(200)["aliases"], json!([]));
    let told = changed.data(200)["warnings"][0].as_str().unwrap();
    assert!(told.contains("is kept for another tenant"), "{told}");
    let globex = get(&server, &format!("/platform/tenants/{}", server.globex)).await;
    assert_eq!(globex.data(200)["aliases"], json!(["acme.example.com"]));
}

#[rstest]
#[tokio::test]
async fn o20_the_list_of_tenants_is_searched_filtered_and_sorted(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.extension_in(&server.globex, "1001").await;
    server.person("ann", &server.acme, "owner").await;
    let names = async |query: &str| {
        let page = get(&server, &format!("/platform/tenants?{query}")).await;
        let rows = page.data(200).as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("sort=-extensions").await, ["Globex", "Acme"]);
    assert_eq!(names("sort=-users").await, ["Acme", "Globex"]);
    assert_eq!(names("search=glob").await, ["Globex"]);
    suspend(&server, &server.acme).await.data(200);
    assert_eq!(names("status=suspended").await, ["Acme"]);
    for query in [
        "sort=colour",
        "status=asleep",
        "pbx_instance_id=x",
        "colour=red",
        "per_page=101",
    ] {
        assert_eq!(
            get(&server, &format!("/platform/tenants?{query}")).await.status,
            422,
            "{query}"
        );
    }
    let dashboard = get(&server, "/platform/dashboard").await;
    let shown = dashboard.data(200);
    assert_eq!(shown["tenants"], json!({"total": 2, "active": 1, "suspended": 1}));
    assert_eq!(
        (&shown["users"]["total"], &shown["extensions"]["total"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(shown["active_calls"]["stale"], true);
    assert_eq!(shown["instances"][0]["tenants"], 2);
    assert_eq!(shown["recent_audit"][0]["action"], "tenant.suspend");
}

#[rstest]
#[tokio::test]
async fn c05_an_instance_is_added_tested_changed_and_deleted(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let post = async |path: &str, body: Value| {
        let path = format!("/platform/pbx-instances{path}");
        server.platform(Method::POST, &path).json(&body).send().await
    };
    let unknown = post("", json!({"name": "second", "kind": "abacus"})).await;
    assert_eq!(unknown.fields(), ["kind"]);
    let bad = post("", json!({"ami_port": 70_000, "config_dir": "relative"})).await;
    let mut fields = bad.fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["ami_port", "ami_secret", "ami_username", "config_dir", "name"]
    );
    let tested = post("/test", instance("second")).await;
    let checks = tested.data(200)["checks"].as_array().unwrap().clone();
    let manager = checks.iter().find(|check| check["name"] == "ami").unwrap();
    assert_eq!(manager["ok"], false);
    assert!(manager["mend"].is_string(), "{manager}");

    let made = post("", instance("second")).await;
    let id = made.data(201)["id"].as_str().unwrap().to_owned();
    assert!(!made.body.to_string().contains("not a secret"));
    assert_eq!(post("", instance("second")).await.code(), (409, "taken"));
    let shared =
        json!({"name": "third", "ami_username": "x", "ami_secret": "x", "config_dir": "/nowhere/second"});
    assert_eq!(post("", shared).await.code(), (409, "config_dir_taken"));
    let path = format!("/platform/pbx-instances/{id}");
    assert_eq!(
        patch(&server, &path, json!({"node": "there"})).await.fields(),
        ["node"]
    );
    let changed = patch(&server, &path, json!({"name": "renamed", "ami_port": 5039})).await;
    assert_eq!(
        (&changed.data(200)["name"], &changed.data(200)["ami_port"]),
        (&json!("renamed"), &json!(5039))
    );
    post(&format!("/{id}/test"), json!({})).await.data(200);
    let kept = get(&server, &format!("{path}/checks")).await;
    assert_eq!(kept.data(200)[0]["ok"], false);

    let used = server.instance().await;
    let used = if used == id {
        get(&server, "/platform/pbx-instances").await.data(200)[1]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    } else {
        used
    };
    let refused = server
        .platform(Method::DELETE, &format!("/platform/pbx-instances/{used}"))
        .send()
        .await;
    assert_eq!(refused.code(), (409, "in_use"));
    assert_eq!(refused.body["references"].as_array().unwrap().len(), 2);
    let give_up = format!("/{id}/give-up");
    assert_eq!(post(&give_up, json!({})).await.fields(), ["confirm"]);
    let refused = post(&give_up, json!({"confirm": "second"})).await;
    assert_eq!(refused.code(), (409, "confirmation_mismatch"));
    let used = format!("/{used}/give-up");
    let name = get(&server, "/platform/pbx-instances").await.data(200)[0]["name"].clone();
    assert_eq!(post(&used, json!({"confirm": name})).await.code().0, 409);
    let deleted = server.platform(Method::DELETE, &path).send().await;
    assert_eq!(deleted.status, 204);
    assert_eq!(get(&server, &path).await.status, 404);
}

#[rstest]
#[tokio::test]
async fn o23_a_tenant_is_made_with_its_owner_who_comes_in_by_the_link(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let make = async |body: Value| {
        server
            .platform(Method::POST, "/platform/tenants")
            .json(&body)
            .send()
            .await
    };
    let refused = make(json!({"name": "x", "owner_email": "nobody"})).await;
    let mut fields = refused.fields();
    fields.sort_unstable();
    // No suffix is configured: the domain has to be given.
    assert_eq!(fields, ["domain", "name", "owner_email", "owner_name"]);
    let ann = server.person("ann", &server.acme, "owner").await;
    let body = |domain: &str, email: &str| json!({"name": "Initech", "domain": domain, "owner_name": "Bill", "owner_email": email});
    let taken = make(body("initech.example.com", &ann.email)).await;
    assert_eq!(taken.code(), (409, "taken"));
    assert!(taken.body["errors"]["owner_email"].is_array(), "{}", taken.text);
    let listed = get(&server, "/platform/tenants?search=initech").await;
    assert_eq!(listed.body["meta"]["total"], 0, "nothing is half made");

    let made = make(body("initech.example.com", "bill@initech.example")).await;
    let owner = &made.data(201)["owner"];
    assert_eq!(
        (&owner["status"], &owner["role"]),
        (&json!("invited"), &json!("owner"))
    );
    let link = owner["invitation"]["link"].as_str().unwrap();
    let token = link.rsplit(['#', '=', '/']).next().unwrap();
    let accepted = server
        .platform(Method::POST, "/auth/invitations/accept")
        .without("authorization")
        .json(&json!({"token": token, "password": super::people::PASSWORD}))
        .send()
        .await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    assert_eq!(accepted.body["user"]["orgId"], made.data(201)["id"]);
    let listed = get(&server, "/platform/tenants?search=initech").await;
    assert_eq!(listed.data(200)[0]["owner"]["email"], "bill@initech.example");
}
