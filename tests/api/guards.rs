//! Guards: what nobody may do to users, however many try at once.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::people::{PASSWORD, Person};
use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn o70_nobody_acts_on_themselves(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    server.person("bob", &server.acme, "owner").await;
    for (method, path, body) in [
        (Method::DELETE, "", json!({})),
        (Method::POST, "/suspend", json!({})),
        (Method::PUT, "/role", json!({"role": "agent"})),
    ] {
        let ask = server.of(&ann.token, method, &format!("/org-users/{}{path}", ann.id));
        assert_eq!(
            ask.json(&body).send().await.code(),
            (409, "self_protection"),
            "{path}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn a40_nobody_acts_on_equals_or_above_but_owners(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let admin = server.person("admin", &server.acme, "admin").await;
    let other = server.person("other", &server.acme, "admin").await;
    let agent = server.person("agent", &server.acme, "agent").await;
    let role = async |who: &Person, whom: &Person, role: &str| {
        let path = format!("/org-users/{}/role", whom.id);
        let ask = server
            .of(&who.token, Method::PUT, &path)
            .json(&json!({"role": role}));
        ask.send().await
    };
    for whom in [&owner, &other] {
        assert_eq!(role(&admin, whom, "agent").await.code(), (409, "rank"));
        let path = format!("/org-users/{}", whom.id);
        let deleted = server.of(&admin.token, Method::DELETE, &path).send().await;
        assert_eq!(deleted.code(), (409, "rank"));
    }
    for given in ["admin", "owner"] {
        assert_eq!(role(&admin, &agent, given).await.code(), (409, "rank"));
    }
    assert_eq!(role(&admin, &agent, "emperor").await.fields(), ["role"]);
    assert_eq!(role(&admin, &agent, "manager").await.data(200)["role"], "manager");
    assert_eq!(role(&owner, &other, "owner").await.data(200)["role"], "owner");
}

/// Whoever works for the operator is theirs, also in the tenant that they work for.
#[rstest]
#[tokio::test]
async fn o71_a_tenant_gets_rid_of_none_of_the_operators_people(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let manager = server.person("molly", &server.acme, "agent").await;
    let path = format!("/platform/users/{}/platform-manager", manager.id);
    let flag = server
        .platform(Method::PUT, &path)
        .json(&json!({"platform_manager": true}));
    flag.send().await.data(200);
    let asks = [
        (Method::DELETE, "", json!({})),
        (Method::POST, "/suspend", json!({})),
        (Method::PUT, "/role", json!({"role": "manager"})),
    ];
    for (method, path, body) in asks {
        let ask = server.of(&owner.token, method, &format!("/org-users/{}{path}", manager.id));
        assert_eq!(ask.json(&body).send().await.code(), (409, "rank"), "{path}");
    }
    assert_eq!(server.standing(&manager.token).await.0, 200);
    let path = format!("/org-users/{}/suspend", manager.id);
    server.post(&path, &json!({})).send().await.data(200);
}

/// The flag opens the platform, whatever role somebody has in a tenant.
#[rstest]
#[tokio::test]
async fn o02_on_the_platform_a_manager_has_no_rank_of_a_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("agent", "manager", "admin", "owner")] role: &str,
) {
    let server = Server::start(backend).await;
    let manager = server.person("molly", &server.acme, role).await;
    let path = format!("/platform/users/{}/platform-manager", manager.id);
    let flag = server
        .platform(Method::PUT, &path)
        .json(&json!({"platform_manager": true}));
    flag.send().await.data(200);
    let manager = server.sign_in(&manager.email, PASSWORD).await.body["token"].clone();
    let manager = manager.as_str().unwrap();
    server.person("other", &server.globex, "owner").await;
    server.person("another", &server.acme, "owner").await;
    let owner = server.person("owner", &server.globex, "owner").await;
    let asks = [
        (Method::PATCH, "", json!({"name": "Olga"})),
        (Method::PATCH, "", json!({"role": "owner"})),
        (
            Method::PUT,
            "/password",
            json!({"password": "plum damson greengage"}),
        ),
        (
            Method::PUT,
            "/tenant",
            json!({"tenant_id": server.acme, "role": "owner"}),
        ),
        (Method::DELETE, "", json!({})),
    ];
    for (method, path, body) in asks {
        let ask = server.of(manager, method, &format!("/platform/users/{}{path}", owner.id));
        let answer = ask.json(&body).send().await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
    }
}

#[rstest]
#[tokio::test]
async fn o69_the_last_owner_stays(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    for (method, path, body) in [
        (Method::DELETE, "", json!({})),
        (Method::POST, "/suspend", json!({})),
        (Method::PUT, "/role", json!({"role": "agent"})),
    ] {
        let ask = server
            .ask(method, &format!("/org-users/{}{path}", ann.id))
            .json(&body);
        assert_eq!(ask.send().await.code(), (409, "last_owner"), "{path}");
    }
    assert_eq!(server.standing(&ann.token).await.0, 200);
}

/// Also not by a platform manager, whose rank reaches everybody.
#[rstest]
#[case::role(Method::PATCH, "", json!({"name": "Nobody", "role": "admin"}))]
#[case::status(Method::PATCH, "", json!({"name": "Nobody", "status": "suspended"}))]
#[case::deletion(Method::DELETE, "", json!({}))]
#[case::moving(Method::PUT, "/tenant", json!({"tenant_id": "globex"}))]
#[tokio::test]
async fn o69_the_last_owner_stays_on_the_platform_too(
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
    // One who could become an owner does not own it yet, and another tenant's owner never does.
    let invited = json!({"name": "Bob", "email": "bob@example.com", "role": "owner"});
    server.post("/org-users/invite", &invited).send().await.data(201);
    server.person("gina", &server.globex, "owner").await;
    let path = format!("/platform/users/{}{behind}", ann.id);
    let try_it = || server.platform(method.clone(), &path).json(&body).send();
    let before = server.audit_actions().await;
    assert_eq!(try_it().await.code(), (409, "last_owner"));
    let profile = server
        .of(&ann.token, Method::GET, "/org-users/me/profile")
        .send()
        .await;
    let is = profile.data(200);
    assert_eq!((&is["name"], &is["role"]), (&json!("ann"), &json!("owner")));
    assert_eq!(server.audit_actions().await, before);
    server.person("carl", &server.acme, "owner").await;
    let done = try_it().await;
    assert!(done.status < 300, "{}", done.text);
    assert_eq!(server.standing(&ann.token).await.0, 401);
}

/// Owners who all throw each other out at the same time: somebody is left.
#[rstest]
#[tokio::test]
async fn o69_of_many_who_try_one_owner_is_left(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let bob = server.person("bob", &server.acme, "owner").await;
    let asks = (0..MANY).map(|n| {
        let (who, whom) = if n % 2 == 0 { (&ann, &bob) } else { (&bob, &ann) };
        let (method, path, body) = match n % 3 {
            0 => (Method::DELETE, "", json!({})),
            1 => (Method::POST, "/suspend", json!({})),
            _ => (Method::PUT, "/role", json!({"role": "agent"})),
        };
        let ask = server.of(&who.token, method, &format!("/org-users/{}{path}", whom.id));
        ask.json(&body).send()
    });
    let answers = join_all(asks).await;
    // Who has become an agent may be thrown out as such.
    let done = answers.iter().filter(|answer| answer.status < 300).count();
    assert!(done >= 1, "{answers:#?}");
    let sql = "select count(*) || '' from users u join roles r on r.id = u.role_id \
        where r.name = 'owner' and u.status = 'active' and u.tenant_id is not null";
    assert_eq!(server.database.ask(sql.to_owned()).await, ["1"]);
}

#[rstest]
#[tokio::test]
async fn c13_of_many_who_want_the_last_seat_one_gets_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.person("ann", &server.acme, "owner").await;
    server.database.sql("update tenants set max_users = 2").await;
    let asks = (0..MANY).map(|n| {
        let body = json!({"tenant_id": server.acme, "name": "New", "email": format!("new{n}@example.com"),
            "role": "agent", "password": "quince medlar sloe"});
        server
            .platform(Method::POST, "/platform/users")
            .json(&body)
            .send()
    });
    let answers = join_all(asks).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.code(), (409, "max_users_reached"));
    }
}

/// The rank of a narrow role may be high: it says whom its holder stands above, not what they may give away.
#[rstest]
#[tokio::test]
async fn a07_nobody_makes_anybody_what_they_are_not(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let narrow = [
        "users.create",
        "users.assign_role",
        "org.api_keys",
        "users.view_self",
    ];
    let role = json!({"name": "clerk", "permissions": narrow});
    let owner = server.person("owner", &server.acme, "owner").await;
    let made = server
        .of(&owner.token, Method::POST, "/roles")
        .json(&role)
        .send()
        .await;
    assert_eq!(made.data(201)["rank"], "owner");
    let clerk = server.person("clerk", &server.acme, "clerk").await;
    let agent = server.person("agent", &server.acme, "agent").await;
    for role in ["owner", "admin", "manager", "agent"] {
        let body = json!({"name": "Eve", "email": "eve@example.com", "role": role});
        let invited = server
            .of(&clerk.token, Method::POST, "/org-users/invite")
            .json(&body);
        assert_eq!(invited.send().await.code(), (409, "rank"), "{role}");
        let path = format!("/org-users/{}/role", agent.id);
        let given = server
            .of(&clerk.token, Method::PUT, &path)
            .json(&json!({"role": role}));
        assert_eq!(given.send().await.code(), (409, "rank"), "{role}");
    }
    let body = json!({"name": "Eve", "email": "eve@example.com", "role": "clerk"});
    let invited = server
        .of(&clerk.token, Method::POST, "/org-users/invite")
        .json(&body);
    invited.send().await.data(201);
}

#[rstest]
#[tokio::test]
async fn a07_roles_are_told_apart_and_are_not_without_number(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let make = async |name: &str| {
        let role = json!({"name": name, "permissions": ["config.read"]});
        server.post("/roles", &role).send().await
    };
    for name in ["Owner", "ADMIN"] {
        assert_eq!(make(name).await.code(), (409, "taken"), "{name}");
    }
    for number in 0..100 {
        make(&format!("role {number}")).await.data(201);
    }
    assert_eq!(make("ROLE 7").await.code(), (409, "max_roles_reached"));
    let all = server.get("/roles").send().await;
    let id = |name: &str| {
        let roles = all.data(200)["roles"]
            .as_array()
            .or(all.data(200).as_array())
            .unwrap();
        let role = roles.iter().find(|role| role["name"] == name).unwrap();
        role["id"].as_str().unwrap().to_owned()
    };
    let path = format!("/roles/{}", id("role 7"));
    assert_eq!(
        server
            .patch(&path, &json!({"name": "Role 8"}))
            .send()
            .await
            .code(),
        (409, "taken")
    );
    server
        .patch(&path, &json!({"name": "ROLE 7"}))
        .send()
        .await
        .data(200);
    assert_eq!(server.delete(&path).send().await.status, 204);
    make("role 7").await.data(201);
}

#[rstest]
#[tokio::test]
async fn a07_nobody_gives_a_role_more_than_they_have(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let admin = server.person("admin", &server.acme, "admin").await;
    let make = async |name: &str, permissions: &[&str]| {
        let body = json!({"name": name, "permissions": permissions});
        server
            .of(&admin.token, Method::POST, "/roles")
            .json(&body)
            .send()
            .await
    };
    assert_eq!(make("keeper", &["org.api_keys"]).await.fields(), ["permissions"]);
    assert_eq!(make("keeper", &["everything"]).await.fields(), ["permissions"]);
    assert_eq!(make("owner", &["config.read"]).await.code(), (409, "taken"));
    let role = make("keeper", &["users.list"]).await;
    assert_eq!(role.data(201)["rank"], "manager");
    let path = format!("/roles/{}", role.data(201)["id"].as_str().unwrap());
    let keeper = server.person("keeper", &server.acme, "keeper").await;
    let delete = async || server.of(&admin.token, Method::DELETE, &path).send().await;
    let in_use = delete().await;
    assert_eq!(in_use.code(), (409, "in_use"));
    assert_eq!(
        in_use.body["references"],
        json!([{"resource": "user", "count": 1}])
    );
    let gone = server
        .ask(Method::DELETE, &format!("/org-users/{}", keeper.id))
        .send()
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(delete().await.status, 204);
    let built_in = server.get("/roles").send().await.data(200)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let changed = server
        .patch(&format!("/roles/{built_in}"), &json!({"name": "boss"}))
        .send()
        .await;
    assert_eq!(changed.code(), (409, "built_in"));
}
