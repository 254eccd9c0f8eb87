//! Limits and names against fifty at once: there are no more than may be, and of one name or domain there is one.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::client::{Answer, Ask};
use super::races::{MANY, against, done};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// All that were refused were so for this reason.
fn all_refused(answers: &[Answer], code: &str) {
    for refused in answers.iter().filter(|answer| answer.status >= 300) {
        assert_eq!(refused.code(), (409, code));
    }
}

impl Server {
    async fn count(&self, sql: &str) -> usize {
        let counted = self
            .database
            .ask(format!("select count(*) || '' from {sql}"))
            .await;
        counted[0].parse().unwrap()
    }

    fn change_domain(&self, tenant: &str, domain: &str) -> Ask<'_> {
        let ask = self.platform(Method::PATCH, &format!("/platform/tenants/{tenant}"));
        ask.json(&json!({"domain": domain}))
    }

    /// Makes a tenant whose owner has an address of their own.
    fn make_tenant(&self, name: &str, domain: &str) -> Ask<'_> {
        let email = format!("{}@example.net", name.to_lowercase());
        let body = json!({"name": name, "domain": domain, "owner_name": "Bill", "owner_email": email});
        self.platform(Method::POST, "/platform/tenants").json(&body)
    }
}

#[rstest]
#[tokio::test]
async fn a07_of_many_who_want_the_last_role_one_gets_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let make = |name: String| {
        let role = json!({"name": name, "permissions": ["config.read"]});
        server.post("/roles", &role).send()
    };
    let before = join_all((0..99).map(|n| make(format!("role {n}")))).await;
    assert_eq!(done(&before), 99);
    let answers = join_all((0..MANY).map(|n| make(format!("another {n}")))).await;
    assert_eq!(done(&answers), 1, "{answers:?}");
    all_refused(&answers, "max_roles_reached");
    assert_eq!(server.count("roles where tenant_id is not null").await, 100);
}

#[rstest]
#[tokio::test]
async fn a07_of_many_who_want_one_name_for_a_role_one_gets_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let porter = server.post("/roles", &json!({"name": "porter", "permissions": []}));
    let porter = porter.send().await.data(201)["id"].as_str().unwrap().to_owned();
    // The database tells them apart, people do not.
    let name = |n: usize| if n % 4 < 2 { "Keeper" } else { "KEEPER" };
    let [made, renamed] = against(
        |n| server.post("/roles", &json!({"name": name(n), "permissions": []})),
        |n| server.patch(&format!("/roles/{porter}"), &json!({"name": name(n)})),
    )
    .await;
    assert_eq!(
        done(&made) + usize::from(done(&renamed) > 0),
        1,
        "{made:?} {renamed:?}"
    );
    all_refused(&made, "taken");
    all_refused(&renamed, "taken");
    assert_eq!(server.count("roles where lower(name) = 'keeper'").await, 1);
}

#[rstest]
#[tokio::test]
async fn c13_of_many_whom_the_platform_lets_back_as_many_come_as_there_is_room_for(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(server.person(&format!("ann{n}"), &server.acme, "agent").await);
    }
    let status = |n: usize, status: &str| {
        let path = format!("/platform/users/{}", people[n % people.len()].id);
        let ask = server.platform(Method::PATCH, &path);
        ask.json(&json!({"status": status})).send()
    };
    let suspended = join_all((0..people.len()).map(|n| status(n, "suspended"))).await;
    assert_eq!(done(&suspended), people.len());
    server.database.sql("update tenants set max_users = 2").await;
    let before = server.audit_actions().await.len();
    let answers = join_all((0..MANY).map(|n| status(n, "active"))).await;
    // Who is back already is let back once more without a change.
    all_refused(&answers, "max_users_reached");
    assert_eq!(
        server
            .count("users where tenant_id is not null and status = 'active'")
            .await,
        2
    );
    assert_eq!(server.audit_actions().await.len(), before + 2);
}

/// What was there before stays, however many that are.
#[rstest]
#[tokio::test]
async fn c13_c14_while_a_limit_is_lowered_nobody_comes_in_above_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    const LIMIT: usize = 3;
    let server = Server::start(backend).await;
    let tenant = format!("/platform/tenants/{}", server.acme);
    for (limit, code, table) in [
        ("max_users", "max_users_reached", "users"),
        ("max_extensions", "max_extensions_reached", "extensions"),
    ] {
        let before = server.audit_actions().await.len();
        let [lowered, made] = against(
            |_| {
                server
                    .platform(Method::PATCH, &tenant)
                    .json(&json!({limit: LIMIT}))
            },
            |n| {
                if table == "users" {
                    let eve = json!({"name": "Eve", "email": format!("eve{n}@example.com"), "role": "agent"});
                    server.post("/org-users/invite", &eve)
                } else {
                    let phone = json!({"number": (2000 + n).to_string(), "name": "Eve"});
                    server.post("/extensions", &phone)
                }
            },
        )
        .await;
        assert_eq!(done(&lowered), MANY / 2, "{lowered:?}");
        all_refused(&made, code);
        let log = server.audit_actions().await.split_off(before);
        let earlier = log.iter().position(|action| action == "tenant.change").unwrap();
        let there = server
            .count(&format!("{table} where tenant_id is not null"))
            .await;
        assert_eq!(there, earlier.max(LIMIT), "{log:?}");
        assert_eq!((there, log.len()), (done(&made), there + 1), "{log:?}");
    }
}

#[rstest]
#[tokio::test]
async fn c15_of_many_who_want_one_domain_one_gets_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let tenants = [&server.acme, &server.globex];
    let [changed, made] = against(
        |n| server.change_domain(tenants[n / 2 % 2], "wanted.example.com"),
        |n| server.make_tenant(&format!("Initech{n}"), "wanted.example.com"),
    )
    .await;
    all_refused(&changed, "taken");
    all_refused(&made, "taken");
    // Whose it is already gets it once more without a change.
    let of = |which: usize| {
        changed
            .iter()
            .skip(which)
            .step_by(2)
            .filter(|a| a.status < 300)
            .count()
    };
    let winners = [of(0), of(1), done(&made)].map(|won| usize::from(won > 0));
    assert_eq!(winners.iter().sum::<usize>(), 1, "{changed:?} {made:?}");
    assert!(done(&made) <= 1, "{made:?}");
    assert_eq!(
        server.count("tenants where domain = 'wanted.example.com'").await,
        1
    );
    let tenants = 2 + done(&made);
    assert_eq!(server.count("tenants").await, tenants, "nothing is half made");
    assert_eq!(server.count("tenant_domain_aliases").await, 1 - done(&made));
}

/// Phones may still sign in at it.
#[rstest]
#[tokio::test]
async fn c15_a_domain_is_nobody_elses_from_the_moment_on_that_its_tenant_leaves_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let [left, taken] = against(
        |_| server.change_domain(&server.acme, "new.example.com"),
        |n| match n % 4 {
            1 => server.change_domain(&server.globex, "acme.example.com"),
            _ => server.make_tenant(&format!("Initech{n}"), "acme.example.com"),
        },
    )
    .await;
    assert_eq!(done(&left), MANY / 2, "{left:?}");
    assert_eq!(done(&taken), 0, "{taken:?}");
    all_refused(&taken, "taken");
    assert_eq!(server.count("tenants where domain = 'acme.example.com'").await, 0);
    let alias = "select domain from tenant_domain_aliases";
    assert_eq!(server.database.ask(alias.to_owned()).await, ["acme.example.com"]);
}
