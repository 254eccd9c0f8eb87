//! Each change asks again once its turn has come: by what was taken meanwhile from whoever asked, nothing is changed, in a
//! tenant and on the platform.

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::extension_import::{self, Row};
use switchyard::app::instances::{self, NewInstance};
use switchyard::app::own_tenant::{self, OwnTenantInput};
use switchyard::app::platform_user_changes::{self, UserPatch};
use switchyard::app::platform_users::{self, UserInput};
use switchyard::app::precondition::IfMatch;
use switchyard::app::profile::{self, ProfileChange};
use switchyard::app::roles::{self, RoleInput};
use switchyard::app::tenant_change::{self, TenantPatch};
use switchyard::app::tenant_creation::{self, NewTenantInput};
use switchyard::app::tenant_status::{self, SuspensionInput};
use switchyard::app::tenants::{self, TenantInput};
use switchyard::app::ticket_comments::{self, CommentInput};
use switchyard::app::{
    api_keys, deployments, extensions, instance_changes, instance_checks, instance_loss, invitations,
    operator, sessions, tenant_deletion, tickets, users,
};
use switchyard::auth::caller::Caller;
use switchyard::auth::denied::Denied;
use switchyard::domain::extension_input::ExtensionInput;
use switchyard::domain::ids::{
    ApiKeyId, DeploymentId, ExtensionId, RoleId, SessionId, SystemIds, TicketId, UserId,
};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::permission::Permission;
use switchyard::domain::user::User;

use super::keys::key;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::tickets::{becomes, input as opened};
use super::world::{PASSWORD, World, invitation, person};

/// What is answered to each, one after the other.
macro_rules! each {
    ($($asked:expr),+ $(,)?) => {
        vec![$((stringify!($asked), $asked.await.map(drop))),+]
    };
}

type Answers = Vec<(&'static str, Result<(), AppError>)>;

fn one(name: &str) -> RoleInput {
    RoleInput {
        name: Some(name.to_owned()),
        permissions: Some(Vec::new()),
    }
}

fn extension() -> ExtensionInput {
    ExtensionInput {
        number: Some("1001".to_owned()),
        name: Some("Ann".to_owned()),
        ..ExtensionInput::default()
    }
}

impl World {
    /// Everything that can be changed in a tenant also by the operator's people; `bob` works there.
    async fn change_all_inside(&self, by: &Caller, bob: &User) -> Answers {
        let (app, any) = (&self.app, &IfMatch::Any);
        let extension_id = ExtensionId::fresh(&SystemIds);
        let role_id = RoleId::fresh(&SystemIds);
        let rows = vec![Row {
            line: 1,
            number: None,
            input: Ok(extension()),
        }];
        let name = OwnTenantInput {
            name: Some("Another".to_owned()),
            ..OwnTenantInput::default()
        };
        let deployment = DeploymentId::fresh(&SystemIds);
        let ticket = TicketId::fresh(&SystemIds);
        let said = CommentInput {
            text: "Since noon.".to_owned(),
        };
        each![
            users::assign_role(app, by, bob.id, "manager", any),
            users::link_extension(app, by, bob.id, None, any),
            users::suspend(app, by, bob.id, any),
            users::reactivate(app, by, bob.id, any),
            users::delete(app, by, bob.id, any),
            invitations::invite(app, by, invitation("eve", "agent")),
            invitations::again(app, by, bob.id),
            invitations::revoke(app, by, bob.id),
            roles::create(app, by, one("porter"), None),
            roles::change(app, by, role_id, one("porter"), any),
            roles::delete(app, by, role_id, any),
            extensions::create(app, by, extension()),
            extensions::patch(app, by, extension_id, json!({}), any),
            extensions::delete(app, by, extension_id, any),
            extensions::reveal_secret(app, by, extension_id, any),
            extensions::rotate_secret(app, by, extension_id, any),
            extension_import::import(app, by, rows, false, None),
            own_tenant::change(app, by, name, any),
            deployments::deploy(app, by, None),
            deployments::roll_back(app, by, deployment, None),
            tickets::create(app, by, opened("x"), None),
            tickets::change(app, by, ticket, becomes("closed"), any),
            ticket_comments::create(app, by, ticket, &said, any, None),
            tickets::archive(app, by, ticket, any),
        ]
    }

    /// What a tenant's own people change, and somebody of their own.
    async fn change_own(&self, by: &Caller) -> Answers {
        let app = &self.app;
        let key_id = ApiKeyId::fresh(&SystemIds);
        let renamed = ProfileChange {
            name: Some("Another".parse().unwrap()),
            contact: None,
        };
        let (present, new) = (PASSWORD.into(), "medlar sloe quince".into());
        each![
            profile::change(app, by, renamed, &IfMatch::Any),
            profile::change_password(app, by, &present, &new),
            sessions::end(app, by, SessionId::fresh(&SystemIds)),
            sessions::end_others(app, by),
            api_keys::create(app, by, key(&["config.read"])),
            api_keys::rotate(app, by, key_id),
            api_keys::revoke(app, by, key_id),
        ]
    }

    /// Everything that can be changed on the platform; `bob` works for Acme.
    async fn change_all_above(&self, by: &Caller, bob: UserId) -> Answers {
        let (app, any) = (&self.app, &IfMatch::Any);
        let (acme, globex) = (self.acme.id, self.globex.id);
        let pbx = instances::list(app, &operator::platform(None))
            .await
            .unwrap()
            .remove(0);
        let named = |name: &str| NewInstance {
            name: name.parse().unwrap(),
            node: pbx.node.clone(),
            settings: pbx.settings.clone(),
            secrets: InstanceSecrets::of_control("not a secret".into()),
        };
        let input = |name: &str| {
            let directory = format!("/nowhere/{name}");
            serde_json::from_value(json!({"name": name, "ami_username": "switchyard",
                "ami_secret": "not a secret", "config_dir": directory}))
            .unwrap()
        };
        let eve = UserInput {
            platform_manager: Some(true),
            ..person("eve")
        };
        let new = NewTenantInput {
            name: Some("Initech".to_owned()),
            owner_email: Some("owner@example.com".to_owned()),
            owner_name: Some("Owner".to_owned()),
            domain: Some("initech.example.com".to_owned()),
            ..NewTenantInput::default()
        };
        let empty = TenantInput {
            name: Some("Umbrella".to_owned()),
            domain: Some("umbrella.example.com".to_owned()),
            ..TenantInput::default()
        };
        let renamed = TenantPatch {
            name: Some("Another".to_owned()),
            ..TenantPatch::default()
        };
        let person_renamed = UserPatch {
            name: Some("Another".to_owned()),
            ..UserPatch::default()
        };
        let pause = SuspensionInput {
            category: Some("pause".to_owned()),
            reason: None,
        };
        let secrets = InstanceSecrets::of_control("not a secret".into());
        let password = "medlar sloe quince".into();
        let again = pbx.settings.clone();
        each![
            platform_users::create(app, by, eve),
            platform_users::set_password(app, by, bob, &password, any),
            platform_users::set_platform_manager(app, by, bob, true, any),
            platform_user_changes::change(app, by, bob, person_renamed, any),
            platform_user_changes::change_tenant(app, by, bob, Some(globex), None, any),
            platform_user_changes::delete(app, by, bob, any),
            tenant_creation::create(app, by, new),
            tenants::create(app, by, empty),
            tenant_change::change(app, by, acme, renamed, any),
            tenant_status::suspend(app, by, acme, pause, any),
            tenant_status::reactivate(app, by, acme, any),
            tenant_deletion::delete(app, by, acme, "Acme", any),
            instances::create(app, by, named("second")),
            instances::change_settings(app, by, pbx.id, again, &secrets),
            instance_changes::add(app, by, input("third"), None),
            instance_changes::change(app, by, pbx.id, input("fourth"), any),
            instance_changes::delete(app, by, pbx.id, any),
            instance_loss::give_up(app, by, pbx.id, "pbx1"),
            instance_checks::test(app, by, pbx.id),
            instance_checks::test_new(app, by, input("fifth")),
            deployments::deploy_instance(app, by, pbx.id),
            deployments::roll_back_instance(app, by, pbx.id, 1),
        ]
    }
}

/// Each is refused so.
fn all_are(answers: Answers, expected: Denied) {
    for (what, answer) in answers {
        match answer {
            Err(AppError::Denied(denied)) => assert_eq!(denied, expected, "{what}"),
            Err(error) => panic!("{what}: {error:?}"),
            Ok(()) => panic!("{what} was done"),
        }
    }
}

/// How a right is lost.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// The role allows it no more.
    Right,
    /// The session has ended.
    Session,
    /// The tenant is suspended.
    Tenant,
}

#[rstest]
#[tokio::test]
async fn a07_whoever_has_lost_a_right_since_they_were_let_in_changes_nothing_in_the_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Lost::Right, Lost::Session, Lost::Tenant)] lost: Lost,
) {
    let world = World::new(backend).await;
    let owner = world.person("owner", &world.acme, "owner").await;
    let owner = world.caller(&owner.token).await;
    let all = RoleInput {
        name: Some("clerk".to_owned()),
        permissions: Some(Permission::ALL.iter().map(ToString::to_string).collect()),
    };
    let clerk = roles::create(&world.app, &owner, all, None)
        .await
        .unwrap()
        .into_inner();
    let mallory = world.person("mallory", &world.acme, "clerk").await;
    let bob = world.person("bob", &world.acme, "agent").await.user;
    let caller = world.caller(&mallory.token).await;
    let expected = match lost {
        Lost::Right => {
            let none = RoleInput {
                name: None,
                ..one("clerk")
            };
            roles::change(&world.app, &owner, clerk.id, none, &IfMatch::Any)
                .await
                .unwrap();
            Denied::Permission
        }
        Lost::Session => {
            world
                .bench
                .sql("delete from sessions where user_id = (select id from users where name = 'mallory')")
                .await;
            Denied::Credentials
        }
        Lost::Tenant => {
            world.suspend(&world.acme).await;
            Denied::TenantSuspended
        }
    };
    let before = world.audited().await;
    all_are(world.change_all_inside(&caller, &bob).await, expected);
    all_are(world.change_own(&caller).await, expected);
    assert_eq!(world.audited().await, before);
}

/// Entered by one of the operator's people, and with the flag all rights there are gone.
#[rstest]
#[tokio::test]
async fn a07_a_platform_manager_who_is_none_any_more_changes_nothing_by_having_been_let_in(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Lost::Right, Lost::Session, Lost::Tenant)] lost: Lost,
) {
    let world = World::new(backend).await;
    let mallory = world.person("mallory", &world.globex, "owner").await;
    world.manager("boss").await;
    let bob = world.person("bob", &world.acme, "agent").await.user;
    world
        .bench
        .sql("update users set platform_manager = true where name = 'mallory'")
        .await;
    let above = world.caller(&mallory.token).await;
    let inside = world.inside(&mallory, &world.acme).await;
    let expected = match lost {
        Lost::Right => {
            let sql = "update users set platform_manager = false where name = 'mallory'";
            world.bench.sql(sql).await;
            Denied::Permission
        }
        Lost::Session => {
            let host = operator::platform(None);
            let id = mallory.user.id;
            let ended = platform_users::set_platform_manager(&world.app, &host, id, false, &IfMatch::Any);
            ended.await.unwrap();
            Denied::Credentials
        }
        Lost::Tenant => {
            world.suspend(&world.globex).await;
            Denied::TenantSuspended
        }
    };
    let before = world.audited().await;
    all_are(world.change_all_above(&above, bob.id).await, expected);
    all_are(world.change_all_inside(&inside, &bob).await, expected);
    assert_eq!(world.audited().await, before);
}
