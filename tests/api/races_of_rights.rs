//! Who may do what to whom against fifty at once: what somebody has become counts, and nobody gives themselves anything.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::permission::Permission;

use super::client::Ask;
use super::last_manager::overtaken;
use super::races::{MANY, against, done};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const OWNERS: &str = "select u.email from users u join roles r on r.id = u.role_id join tenants t on t.id = u.tenant_id \
    where r.name = 'owner' and u.status = 'active' and t.domain = 'acme.example.com'";

impl Server {
    /// What was done to users and roles but for signing in, in the order in which it was done: who, and what.
    async fn log(&self) -> Vec<String> {
        let sql = "select actor_name || ' ' || action from audit_entries where resource in ('user', 'role') \
            and actor_name not in ('system:cli', 'manager@example.com') order by number";
        self.database.ask(sql.to_owned()).await
    }

    fn set_role(&self, token: &str, whom: &str, role: &str) -> Ask<'_> {
        let ask = self.of(token, Method::PUT, &format!("/org-users/{whom}/role"));
        ask.json(&json!({"role": role}))
    }

    fn set_flag(&self, token: &str, whom: &str, manages: bool) -> Ask<'_> {
        let path = format!("/platform/users/{whom}/platform-manager");
        let ask = self.of(token, Method::PUT, &path);
        ask.json(&json!({"platform_manager": manages}))
    }
}

#[rstest]
#[case::role(Method::PATCH, "", json!({"role": "agent"}))]
#[case::status(Method::PATCH, "", json!({"status": "suspended"}))]
#[case::deletion(Method::DELETE, "", json!({}))]
#[case::moving(Method::PUT, "/tenant", json!({"tenant_id": "globex"}))]
#[tokio::test]
async fn o69_of_many_who_try_on_the_platform_one_owner_is_left(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] method: Method,
    #[case] behind: &str,
    #[case] mut body: Value,
) {
    let server = Server::start(backend).await;
    if body.get("tenant_id").is_some() {
        body = json!({"tenant_id": server.globex});
    }
    let ann = server.person("ann", &server.acme, "owner").await;
    let bob = server.person("bob", &server.acme, "owner").await;
    let before = server.audit_actions().await.len();
    let ask = |id: &str| {
        let path = format!("/platform/users/{id}{behind}");
        server.platform(method.clone(), &path).json(&body)
    };
    let [ones, others] = against(|_| ask(&ann.id), |_| ask(&bob.id)).await;
    let sides = [&ones, &others].map(|answers| usize::from(done(answers) > 0));
    assert_eq!(sides.iter().sum::<usize>(), 1, "{ones:#?} {others:#?}");
    let (left, refused) = if sides[0] == 1 { (bob, others) } else { (ann, ones) };
    for refused in refused {
        assert_eq!(refused.code(), (409, "last_owner"));
    }
    assert_eq!(server.database.ask(OWNERS.to_owned()).await, [left.email]);
    assert_eq!(server.audit_actions().await.len(), before + 1);
}

/// A40.
#[rstest]
#[case::deletion(Method::DELETE, "", json!({}))]
#[case::suspension(Method::POST, "/suspend", json!({}))]
#[case::role(Method::PUT, "/role", json!({"role": "manager"}))]
#[tokio::test]
async fn a40_whoever_has_risen_is_out_of_reach_of_those_who_were_above(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] method: Method,
    #[case] behind: &str,
    #[case] body: Value,
) {
    let server = Server::start(backend).await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let admin = server.person("admin", &server.acme, "admin").await;
    let bob = server.person("bob", &server.acme, "agent").await;
    let path = format!("/org-users/{}{behind}", bob.id);
    let [raised, tried] = against(
        |_| server.set_role(&owner.token, &bob.id, "admin"),
        |_| server.of(&admin.token, method.clone(), &path).json(&body),
    )
    .await;
    // Every change is in the log in the order in which it was done: once he has risen, there is none of the admin's.
    let log = server.log().await;
    let rose = "owner@example.com user.assign_role";
    let risen = log.iter().position(|entry| entry == rose);
    if behind.is_empty() {
        assert_eq!(log.len(), 1, "{log:?}");
    } else {
        assert!(done(&raised) > 0, "{raised:?}");
    }
    if let Some(risen) = risen {
        assert_eq!(log.len(), risen + 1, "{log:?}");
        let role =
            "select r.name from users u join roles r on r.id = u.role_id where u.email = 'bob@example.com'";
        assert_eq!(server.database.ask(role.to_owned()).await, ["admin"]);
        let refused = tried.iter().filter(|answer| answer.status >= 300);
        for refused in refused {
            let known = [(409, "rank"), (409, "bad_transition")];
            assert!(known.contains(&refused.code()), "{refused:?}");
        }
    }
}

/// A40: their session goes on, with less.
#[rstest]
#[tokio::test]
async fn a40_whoever_has_fallen_reaches_nobody_any_more_who_was_below_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let rights = |lacking: Option<Permission>| {
        let left = Permission::ALL.iter().filter(|right| Some(**right) != lacking);
        left.map(|right| right.as_str()).collect::<Vec<_>>()
    };
    let made = server.of(&owner.token, Method::POST, "/roles");
    let made = made.json(&json!({"name": "deputy", "permissions": rights(None)}));
    let role = format!("/roles/{}", made.send().await.data(201)["id"].as_str().unwrap());
    let deputy = server.person("deputy", &server.acme, "deputy").await;
    let bob = server.person("bob", &server.acme, "admin").await;
    let eve = server.person("eve", &server.acme, "agent").await;
    let raise = || server.set_role(&deputy.token, &eve.id, "admin");
    let [lowered, tried] = against(
        |_| {
            let ask = server.of(&owner.token, Method::PATCH, &role);
            ask.json(&json!({"permissions": rights(Some(Permission::OrgApiKeys))}))
        },
        |n| match n % 6 {
            1 => raise(),
            3 => server.of(
                &deputy.token,
                Method::POST,
                &format!("/org-users/{}/suspend", bob.id),
            ),
            _ => server.of(
                &deputy.token,
                Method::POST,
                &format!("/org-users/{}/reactivate", bob.id),
            ),
        },
    )
    .await;
    assert_eq!(done(&lowered), MANY / 2, "{lowered:?}");
    for refused in tried.iter().filter(|answer| answer.status >= 300) {
        let known = [(409, "rank"), (409, "bad_transition")];
        assert!(known.contains(&refused.code()), "{refused:?}");
    }
    assert_eq!(raise().send().await.code(), (409, "rank"));
    // Every change is in the log in the order in which it was done: once the deputy has fallen, there is none of theirs.
    let log = server.log().await;
    assert_eq!(
        log.last().map(String::as_str),
        Some("owner@example.com role.change"),
        "{log:?}"
    );
    let entries = log
        .iter()
        .filter(|entry| *entry == "owner@example.com role.change");
    assert_eq!(entries.count(), 1, "{log:?}");
}

/// Its secret would be shown, and be good for nothing.
#[rstest]
#[tokio::test]
async fn o58_of_many_who_rotate_a_key_none_does_once_its_author_may_not_sign_in(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let bob = server.person("bob", &server.acme, "owner").await;
    let made = server.of(&ann.token, Method::POST, "/api-keys");
    let made = made.json(&json!({"name": "crm", "permissions": ["config.read"]}));
    let id = made.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let before = server.audit_actions().await.len();
    let [rotated, suspended] = against(
        |_| server.of(&bob.token, Method::POST, &format!("/api-keys/{id}/rotate")),
        |_| server.ask(Method::POST, &format!("/org-users/{}/suspend", ann.id)),
    )
    .await;
    assert_eq!(done(&suspended), 1, "{suspended:?}");
    for refused in rotated.iter().filter(|answer| answer.status >= 300) {
        assert_eq!(refused.code(), (409, "author_inactive"));
    }
    let log = server.audit_actions().await.split_off(before);
    let (last, rotations) = log.split_last().unwrap();
    assert_eq!(last, "user.suspend", "{log:?}");
    assert_eq!(rotations, vec!["api_key.rotate"; done(&rotated)]);
}

#[rstest]
#[tokio::test]
async fn o70_whoever_is_losing_a_role_does_not_give_it_back_to_themselves(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let bob = server.person("bob", &server.acme, "owner").await;
    let [taken, given] = against(
        |_| server.set_role(&bob.token, &ann.id, "agent"),
        |_| server.set_role(&ann.token, &ann.id, "owner"),
    )
    .await;
    assert_eq!((done(&taken), done(&given)), (MANY / 2, 0), "{given:?}");
    for refused in given {
        let known = [(409, "self_protection"), (401, "credentials_invalid")];
        assert!(known.contains(&refused.code()), "{refused:?}");
    }
    assert_eq!(server.log().await, ["bob@example.com user.assign_role"]);
    assert_eq!(server.database.ask(OWNERS.to_owned()).await, [bob.email]);
}

#[rstest]
#[tokio::test]
async fn o70_whoever_is_losing_the_platform_does_not_give_it_back_to_themselves(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    server
        .set_flag(&server.token, &ann.id, true)
        .send()
        .await
        .data(200);
    let [taken, given] = against(
        |_| server.set_flag(&server.token, &ann.id, false),
        |_| server.set_flag(&ann.token, &ann.id, true),
    )
    .await;
    assert_eq!((done(&taken), done(&given)), (MANY / 2, 0), "{given:?}");
    for refused in given {
        let known = [(409, "self_protection"), (401, "credentials_invalid")];
        assert!(known.contains(&refused.code()), "{refused:?}");
    }
    let managers = "select email from users where platform_manager";
    assert_eq!(
        server.database.ask(managers.to_owned()).await,
        ["manager@example.com"]
    );
    assert_eq!(server.log().await, [""; 0]);
}

/// Only whoever has the flag may work for nobody.
#[rstest]
#[tokio::test]
async fn a_platform_manager_loses_the_flag_or_the_tenant_and_never_both(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let granted = server.set_flag(&server.token, &ann.id, true).send().await;
    granted.data(200);
    let before = server.audit_actions().await.len();
    let tenant = format!("/platform/users/{}/tenant", ann.id);
    let [moved, ended] = against(
        |_| {
            server
                .platform(Method::PUT, &tenant)
                .json(&json!({"tenant_id": null}))
        },
        |_| server.set_flag(&server.token, &ann.id, false),
    )
    .await;
    // What is so already is done once more without a change.
    let sides = [&moved, &ended].map(|answers| usize::from(done(answers) > 0));
    assert_eq!(sides.iter().sum::<usize>(), 1, "{moved:?} {ended:?}");
    let left = if sides[0] == 1 {
        for refused in &ended {
            assert_eq!(refused.code(), (409, "tenant_required"));
        }
        "true -"
    } else {
        for refused in &moved {
            assert_eq!(refused.fields(), ["tenant_id"]);
        }
        "false acme.example.com"
    };
    let ann = "select case when u.platform_manager then 'true' else 'false' end || ' ' || coalesce(t.domain, '-') \
        from users u left join tenants t on t.id = u.tenant_id where u.email = 'ann@example.com'";
    assert_eq!(server.database.ask(ann.to_owned()).await, [left]);
    assert_eq!(server.audit_actions().await.len(), before + 1);
}

/// Nobody sets the flag of anybody from inside a tenant, whatever role they have there.
#[rstest]
#[tokio::test]
async fn o06_of_many_in_a_tenant_who_want_the_platform_none_gets_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let bob = server.person("bob", &server.acme, "owner").await;
    let asks = (0..MANY).map(|n| match n % 5 {
        0 => server.set_flag(&ann.token, &ann.id, true),
        1 => server.set_flag(&ann.token, &bob.id, true),
        2 => server.of(&bob.token, Method::PATCH, "/org-users/me/profile").json(&json!({"platform_manager": true})),
        3 => server.of(&bob.token, Method::PUT, &format!("/org-users/{}/role", ann.id))
            .json(&json!({"role": "owner", "platform_manager": true})),
        _ => server.of(&ann.token, Method::POST, "/org-users/invite").json(
            &json!({"name": "Eve", "email": format!("eve{n}@example.com"), "role": "owner", "platform_manager": true}),
        ),
    });
    let answers = join_all(asks.map(Ask::send)).await;
    for (n, answer) in answers.iter().enumerate() {
        match n % 5 {
            0 | 1 => assert_eq!(answer.code(), (403, "permission_denied")),
            _ => assert_eq!(answer.fields(), ["platform_manager"]),
        }
    }
    let managers = "select email from users where platform_manager";
    assert_eq!(
        server.database.ask(managers.to_owned()).await,
        ["manager@example.com"]
    );
    assert_eq!(server.log().await, [""; 0]);
}

/// The rank of a role with an owner's rights is an owner's, so its holder may change it: but not back to what was taken.
#[rstest]
#[tokio::test]
async fn a07_whoever_is_losing_a_right_does_not_give_it_back_to_their_role(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let all = ["users.assign_role", "org.api_keys", "config.write"];
    let made = server.of(&owner.token, Method::POST, "/roles");
    let made = made.json(&json!({"name": "clerk", "permissions": all}));
    let role = made.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let clerk = server.person("clerk", &server.acme, "clerk").await;
    let change = |token: &str, permissions: &[&str]| {
        let ask = server.of(token, Method::PATCH, &format!("/roles/{role}"));
        ask.json(&json!({"permissions": permissions}))
    };
    let [taken, given] = against(
        |_| change(&owner.token, &all[..2]),
        |_| change(&clerk.token, &all),
    )
    .await;
    assert_eq!(done(&taken), MANY / 2, "{taken:?}");
    // What they still have they give without a change.
    for refused in given.iter().filter(|answer| answer.status >= 300) {
        assert_eq!(refused.fields(), ["permissions"]);
    }
    let left = "select permission from role_permissions p join roles r on r.id = p.role_id where r.name = 'clerk' order by permission";
    assert_eq!(
        server.database.ask(left.to_owned()).await,
        ["org.api_keys", "users.assign_role"]
    );
    assert_eq!(
        server.log().await,
        ["owner@example.com role.create", "owner@example.com role.change"]
    );
}

/// In somebody else's tenant, where no lock of that tenant's keeps their flag as it is.
#[rstest]
#[tokio::test]
async fn a07_one_of_the_operators_people_gives_nothing_while_their_flag_is_taken(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("invitation", "role")] what: &str,
) {
    let server = Server::start(backend).await;
    let ann = server.platform_manager("ann").await;
    // Of no tenant she could not be without the flag.
    let work = "update users set tenant_id = (select id from tenants where domain = 'globex.example.com'), \
        role_id = (select id from roles where name = 'agent') where email = 'ann@example.com'";
    server.database.sql(work).await;
    let porter = server
        .post("/roles", &json!({"name": "porter", "permissions": []}))
        .send()
        .await;
    let (method, path, body) = if what == "invitation" {
        let body = json!({"email": "eve@example.com", "name": "Eve"});
        (Method::POST, "/org-users/invite".to_owned(), body)
    } else {
        let path = format!("/roles/{}", porter.data(201)["id"].as_str().unwrap());
        (Method::PATCH, path, json!({"permissions": ["users.list"]}))
    };
    let ask = server.of(&ann.token, method, &path).in_tenant(&server.acme);
    let ask = ask.with("x-reason", "asked by phone").json(&body);
    let before = server.audit_actions().await;
    let refused = overtaken(&server, &ann, ask).await;
    assert_eq!(refused.code(), (403, "permission_denied"));
    assert_eq!(server.audit_actions().await, before);
}
