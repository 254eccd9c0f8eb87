//! What was taken from somebody since their request was let in: they give it to nobody by that request.

use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::roles::{self, RoleInput};
use switchyard::app::{api_keys, invitations, operator, platform_user_changes, platform_users, users};
use switchyard::auth::caller::Caller;
use switchyard::auth::denied::Denied;
use switchyard::domain::role::Role;

use super::keys::key as scopes;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, code, fields, invitation};

const CLERK: [&str; 5] = [
    "org.api_keys",
    "users.assign_role",
    "users.create",
    "config.read",
    "users.list",
];

fn to(permissions: &[&str]) -> RoleInput {
    RoleInput {
        name: None,
        permissions: Some(permissions.iter().map(|word| (*word).to_owned()).collect()),
    }
}

impl World {
    pub async fn role(&self, by: &Caller, name: &str, permissions: &[&str]) -> Role {
        let input = RoleInput {
            name: Some(name.to_owned()),
            ..to(permissions)
        };
        let made = roles::create(&self.app, by, input, None).await;
        made.unwrap().into_inner()
    }

    async fn change_role(&self, by: &Caller, role: &Role, permissions: &[&str]) -> Result<Role, AppError> {
        roles::change(&self.app, by, role.id, to(permissions), &IfMatch::Any).await
    }
}

fn denied<T>(done: Result<T, AppError>) -> Denied {
    match done {
        Err(AppError::Denied(denied)) => denied,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was done"),
    }
}

#[rstest]
#[tokio::test]
async fn a07_a_right_that_was_taken_meanwhile_is_given_to_nobody(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let app = &world.app;
    let owner = world.person("owner", &world.acme, "owner").await;
    let owner = world.caller(&owner.token).await;
    let clerk = world.role(&owner, "clerk", &CLERK).await;
    let porter = world.role(&owner, "porter", &["users.list"]).await;
    let bob = world.person("bob", &world.acme, "agent").await.user;
    let (invited, _) = world.invited(&owner, "new", "porter").await;
    let somebody = world.person("somebody", &world.acme, "clerk").await;
    let somebody = world.caller(&somebody.token).await;
    let (key, secret) = world.key(&somebody, &CLERK[1..]).await;
    let (owners, _) = world.key(&owner, &["users.list"]).await;
    let program = world.caller(secret.expose()).await;
    world.change_role(&owner, &clerk, &CLERK[..4]).await.unwrap();

    for (caller, name) in [(&somebody, "one"), (&program, "another")] {
        let changed = world
            .change_role(caller, &porter, &["users.list", "config.read"])
            .await;
        assert_eq!(fields(changed), ["permissions"]);
        let assigned = users::assign_role(app, caller, bob.id, "porter", &IfMatch::Any).await;
        assert_eq!(code(assigned), "rank");
        let asked = invitations::invite(app, caller, invitation("eve", "porter")).await;
        assert_eq!(code(asked), "rank");
        let again = invitations::again(app, caller, invited.id).await;
        assert_eq!(code(again), "rank");
        // What they have still they give.
        let own = world.role(&owner, name, &[]).await;
        assert!(world.change_role(caller, &own, &["config.read"]).await.is_ok());
    }
    let made = api_keys::create(app, &somebody, scopes(&["users.list"])).await;
    assert_eq!(fields(made), ["permissions"]);
    assert_eq!(code(api_keys::rotate(app, &somebody, owners.id).await), "rank");
    assert!(world.key(&somebody, &["config.read"]).await.0.author_id == key.author_id);
    // Whoever has only the former secret of a key waits in vain, too.
    let (_, fresh) = api_keys::rotate(app, &owner, key.id).await.unwrap();
    let changed = world.change_role(&program, &porter, &[]).await;
    assert_eq!(denied(changed), Denied::Credentials);
    let program = world.caller(fresh.expose()).await;
    assert!(world.change_role(&program, &porter, &[]).await.is_ok());
    api_keys::revoke(app, &owner, key.id).await.unwrap();
    let changed = world.change_role(&program, &porter, &["config.read"]).await;
    assert_eq!(denied(changed), Denied::Credentials);
}

#[rstest]
#[tokio::test]
async fn a07_whoever_may_give_no_more_gives_nothing_however_they_were_let_in(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (app, host) = (&world.app, operator::platform(None));
    world.manager("other").await;
    let boss = world.person("boss", &world.globex, "agent").await;
    let flag = async |manages: bool| {
        let set = platform_users::set_platform_manager(app, &host, boss.user.id, manages, &IfMatch::Any);
        set.await.unwrap()
    };
    flag(true).await;
    let inside = world.inside(&boss, &world.acme).await;
    let porter = world.role(&inside, "porter", &["users.list"]).await;
    let admin = world.person("admin", &world.acme, "admin").await;
    let caller = world.caller(&admin.token).await;
    assert!(
        world
            .change_role(&caller, &porter, &["config.read"])
            .await
            .is_ok()
    );

    let clerk = world.role(&inside, "clerk", &["config.read"]).await;
    platform_user_changes::delete(app, &host, admin.user.id, &IfMatch::Any)
        .await
        .unwrap();
    let clerks = world.change_role(&caller, &clerk, &[]).await;
    assert_eq!(denied(clerks), Denied::Credentials);

    flag(false).await;
    let entered = world.change_role(&inside, &porter, &["users.list"]).await;
    assert_eq!(denied(entered), Denied::Credentials);
}
