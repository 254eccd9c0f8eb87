//! What a key gives to others, and what becomes of it with its author: never more than its scopes name.

use rstest::rstest;
use switchyard::app::api_keys;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::roles::{self, RoleInput};
use switchyard::app::{invitations, operator, platform_user_changes, users};
use switchyard::auth::caller::Caller;
use switchyard::auth::denied::Denied;
use switchyard::domain::permission::Permission;

use super::keys::key;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{PASSWORD, World, admitted, code, fields, invitation};

/// The rights of agents that a key can have.
const OF_AGENTS: [&str; 6] = [
    "config.read",
    "calls.view_own",
    "calls.click_to_call",
    "tickets.view",
    "tickets.create",
    "tickets.update",
];

fn role(name: &str, permissions: &[&str]) -> RoleInput {
    RoleInput {
        name: Some(name.to_owned()),
        permissions: Some(permissions.iter().map(|word| (*word).to_owned()).collect()),
    }
}

impl World {
    /// An owner of Acme, and a key of theirs.
    async fn with_key(&self, scopes: &[&str]) -> (Caller, Caller) {
        let ann = self.person("ann", &self.acme, "owner").await;
        let owner = self.caller(&ann.token).await;
        let (_, secret) = self.key(&owner, scopes).await;
        let key = self.caller(secret.expose()).await;
        (owner, key)
    }
}

/// By rank it may give the roles of managers and agents.
#[rstest]
#[tokio::test]
async fn a40_a_key_invites_into_no_role_that_may_more_than_the_key(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (owner, key) = world.with_key(&["users.create", "config.read"]).await;
    for role in ["agent", "manager"] {
        let invited = invitations::invite(&world.app, &key, invitation("new", role)).await;
        assert_eq!(code(invited), "rank", "{role}");
    }
    // Nor is it shown the link of somebody who was invited there by others.
    let (bob, link) = world.invited(&owner, "bob", "agent").await;
    let again = invitations::again(&world.app, &key, bob.id).await;
    assert_eq!(code(again), "rank");
    assert!(world.accept(&link, PASSWORD).await.is_ok());
    roles::create(
        &world.app,
        &owner,
        role("reader", &["config.read", "users.view_self"]),
        None,
    )
    .await
    .unwrap();
    let (eve, _) = invitations::invite(&world.app, &key, invitation("eve", "reader"))
        .await
        .unwrap();
    assert!(invitations::again(&world.app, &key, eve.id).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn a40_a_key_assigns_no_role_that_may_more_than_the_key(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (owner, key) = world.with_key(&["users.assign_role", "config.read"]).await;
    let bob = world.person("bob", &world.acme, "agent").await.user;
    let assigned = users::assign_role(&world.app, &key, bob.id, "manager", &IfMatch::Any).await;
    assert_eq!(code(assigned), "rank");
    roles::create(&world.app, &owner, role("reader", &["config.read"]), None)
        .await
        .unwrap();
    let assigned = users::assign_role(&world.app, &key, bob.id, "reader", &IfMatch::Any).await;
    assert!(assigned.is_ok());
    let back = users::assign_role(&world.app, &key, bob.id, "agent", &IfMatch::Any).await;
    assert_eq!(code(back), "rank");
}

#[rstest]
#[tokio::test]
async fn a40_a_key_with_all_that_a_role_allows_gives_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let scopes = [&OF_AGENTS[..], &["users.create", "users.assign_role"]].concat();
    let (_, key) = world.with_key(&scopes).await;
    let invited = invitations::invite(&world.app, &key, invitation("bob", "agent")).await;
    assert!(invited.is_ok());
}

#[rstest]
#[tokio::test]
async fn a07_a_key_makes_and_changes_roles_of_its_own_rights_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (_, key) = world.with_key(&["users.assign_role", "config.read"]).await;
    let more = roles::create(&world.app, &key, role("writer", &["config.write"]), None).await;
    assert_eq!(fields(more), ["permissions"]);
    let made = roles::create(&world.app, &key, role("reader", &["config.read"]), None)
        .await
        .unwrap()
        .into_inner();
    let more = role("reader", &["config.read", "config.write"]);
    let changed = roles::change(&world.app, &key, made.id, more, &IfMatch::Any).await;
    assert_eq!(fields(changed), ["permissions"]);
    // Further keys it makes none, whatever it holds.
    let further = api_keys::create(&world.app, &key, super::keys::key(&["config.read"])).await;
    assert!(matches!(further, Err(AppError::Denied(Denied::Permission))));
}

#[rstest]
#[tokio::test]
async fn o58_a_key_does_not_come_back_with_an_author_who_was_moved_away(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    for (name, tenant) in [("bob", &world.acme), ("eve", &world.globex)] {
        world.person(name, tenant, "owner").await;
    }
    let (_, secret) = world.key(&world.caller(&ann.token).await, &["config.read"]).await;
    let host = operator::platform(None);
    for tenant in [world.globex.id, world.acme.id] {
        let role = Some("owner");
        platform_user_changes::change_tenant(
            &world.app,
            &host,
            ann.user.id,
            Some(tenant),
            role,
            &IfMatch::Any,
        )
        .await
        .unwrap();
        assert!(admitted(&world.authenticator, secret.expose()).await.is_err());
    }
    assert!(world.texts("select name from api_keys").await.is_empty());
}

#[rstest]
#[tokio::test]
async fn o58_a_key_whose_author_may_not_sign_in_is_not_rotated(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let bob = world.person("bob", &world.acme, "owner").await;
    let bob = world.caller(&bob.token).await;
    let (made, secret) = world.key(&world.caller(&ann.token).await, &["config.read"]).await;
    users::suspend(&world.app, &bob, ann.user.id, &IfMatch::Any)
        .await
        .unwrap();
    let rotated = api_keys::rotate(&world.app, &bob, made.id).await;
    assert_eq!(code(rotated.map(drop)), "author_inactive");
    // While they are suspended it stops; the secret is what it was once they are not.
    assert!(admitted(&world.authenticator, secret.expose()).await.is_err());
    users::reactivate(&world.app, &bob, ann.user.id, &IfMatch::Any)
        .await
        .unwrap();
    assert!(admitted(&world.authenticator, secret.expose()).await.is_ok());
    assert!(api_keys::rotate(&world.app, &bob, made.id).await.is_ok());
}

/// Let in a moment before.
#[rstest]
#[tokio::test]
async fn o58_whoever_has_gone_meanwhile_neither_makes_nor_rotates_a_key(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("deleted", "suspended", "given another role")] how: &str,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let bob = world.person("bob", &world.acme, "owner").await;
    let (ann_caller, bob) = (world.caller(&ann.token).await, world.caller(&bob.token).await);
    let (bobs, _) = world.key(&bob, &["config.read"]).await;
    let (app, id) = (&world.app, ann.user.id);
    match how {
        "deleted" => users::delete(app, &bob, id, &IfMatch::Any).await.unwrap(),
        "suspended" => drop(users::suspend(app, &bob, id, &IfMatch::Any).await.unwrap()),
        _ => drop(
            users::assign_role(app, &bob, id, "agent", &IfMatch::Any)
                .await
                .unwrap(),
        ),
    }
    let made = api_keys::create(app, &ann_caller, key(&["config.read"])).await;
    let rotated = api_keys::rotate(app, &ann_caller, bobs.id).await;
    for refused in [made.map(drop), rotated.map(drop)] {
        assert!(
            matches!(refused, Err(AppError::Denied(Denied::Credentials))),
            "{refused:?}"
        );
    }
    assert_eq!(world.texts("select name from api_keys").await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_long_list_of_rights_is_refused_shortly_and_an_unknown_one_is_shown_cut(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let owner = world.caller(&ann.token).await;
    let many = vec!["config.read"; 101];
    let long = "x\u{1b}[31m".repeat(1000);
    let all: Vec<&str> = Permission::ALL.iter().map(|right| right.as_str()).collect();
    for (words, expected) in [
        (&many[..], "must name at most 100"),
        (&[long.as_str()][..], "holds `x?[31mx?[31m"),
    ] {
        let made = api_keys::create(&world.app, &owner, key(words)).await.map(drop);
        let role = roles::create(&world.app, &owner, role("keeper", words), None)
            .await
            .map(drop);
        for refused in [made, role] {
            let Err(AppError::Invalid(errors)) = refused else {
                panic!("{refused:?}");
            };
            let text = errors.to_string();
            assert!(text.starts_with(&format!("permissions {expected}")), "{text}");
            assert!(text.len() < 200, "{} bytes", text.len());
        }
    }
    assert!(
        roles::create(&world.app, &owner, role("all", &all), None)
            .await
            .is_ok()
    );
}
