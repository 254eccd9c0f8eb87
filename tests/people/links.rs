//! Links that are void: what they would open has changed since they were sent, or their user has another password.

use rstest::rstest;
use switchyard::app::platform_user_changes::{self, UserPatch};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{invitations, operator, platform_users, profile, users};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::mail::Mail;
use switchyard::store::{roles, users as rows};

use super::mailed::{NEW, with_mail};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{PASSWORD, World, fields, invitation};

/// Whoever was shown the link could otherwise follow it into what its user was given later.
#[rstest]
#[tokio::test]
async fn o28_an_invitations_link_is_void_once_what_it_would_open_has_changed(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(
        "another role",
        "another role, by the platform",
        "the platform",
        "another tenant"
    )]
    what: &str,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let (bob, token) = world.invited(&caller, "bob", "agent").await;
    let (app, platform) = (&world.app, operator::platform(None));
    let mut place = &world.acme;
    let given = match what {
        "another role" => users::assign_role(app, &caller, bob.id, "manager", &IfMatch::Any).await,
        "another role, by the platform" => {
            let patch = UserPatch {
                role: Some("manager".to_owned()),
                ..UserPatch::default()
            };
            platform_user_changes::change(app, &platform, bob.id, patch, &IfMatch::Any).await
        }
        "the platform" => {
            platform_users::set_platform_manager(app, &platform, bob.id, true, &IfMatch::Any).await
        }
        _ => {
            place = &world.globex;
            platform_user_changes::change_tenant(
                app,
                &platform,
                bob.id,
                Some(place.id),
                Some("manager"),
                &IfMatch::Any,
            )
            .await
        }
    };
    given.unwrap();
    assert_eq!(fields(world.accept(&token, PASSWORD).await), ["token"]);
    // One that is sent now opens what there is now.
    let inside = operator::in_tenant(place, None);
    let (_, again) = invitations::again(app, &inside, bob.id).await.unwrap();
    let login = world
        .accept(&again.link.unwrap().token().into(), PASSWORD)
        .await
        .unwrap();
    let home = login.presence.home.unwrap();
    assert_eq!(home.membership.tenant_id, place.id);
    assert_eq!(
        login.presence.platform_manager,
        what == "the platform",
        "{}",
        home.membership.role
    );
}

#[rstest]
#[tokio::test]
async fn a_link_for_a_new_password_is_void_once_there_is_one(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("by its user", "by a platform manager")] whose: &str,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await;
    world.forgot("ann@example.com").await.unwrap();
    let token = world.only_token().await;
    if whose == "by its user" {
        let caller = world.caller(&ann.token).await;
        profile::change_password(&world.app, &caller, &PASSWORD.into(), &NEW.into())
            .await
            .unwrap();
    } else {
        let platform = operator::platform(None);
        platform_users::set_password(&world.app, &platform, ann.user.id, &NEW.into(), &IfMatch::Any)
            .await
            .unwrap();
    }
    assert_eq!(fields(world.confirm(&token, "yet another one").await), ["token"]);
    assert!(world.log_in("ann@example.com", NEW).await.is_ok());
}

/// Whoever may not sign in any more chooses no password either, and does not come back by the link.
#[rstest]
#[tokio::test]
async fn a_link_for_a_new_password_is_void_once_its_user_was_suspended(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let owner = world.person("owner", &world.acme, "owner").await;
    let caller = world.caller(&owner.token).await;
    let ann = world.person("ann", &world.acme, "agent").await;
    world.forgot("ann@example.com").await.unwrap();
    let token = world.only_token().await;
    users::suspend(&world.app, &caller, ann.user.id, &IfMatch::Any)
        .await
        .unwrap();
    assert_eq!(fields(world.confirm(&token, NEW).await), ["token"]);
    users::reactivate(&world.app, &caller, ann.user.id, &IfMatch::Any)
        .await
        .unwrap();
    assert_eq!(fields(world.confirm(&token, NEW).await), ["token"]);
}

#[rstest]
#[tokio::test]
async fn o28_whoever_moves_is_sent_nothing_that_was_written_before(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let (bob, _) = invitations::invite(&world.app, &caller, invitation("bob", "agent"))
        .await
        .unwrap();
    let platform = operator::platform(None);
    platform_user_changes::change_tenant(
        &world.app,
        &platform,
        bob.id,
        Some(world.globex.id),
        None,
        &IfMatch::Any,
    )
    .await
    .unwrap();
    assert!(world.waiting().await.is_empty());
}

/// A version before this one left what was filed under the former tenant.
#[rstest]
#[tokio::test]
async fn o28_what_was_filed_under_a_former_tenant_is_taken_back_with_the_link(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("sent again", "deleted")] what: &str,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let (bob, _) = invitations::invite(&world.app, &caller, invitation("bob", "agent"))
        .await
        .unwrap();
    let mut tx = world.store.begin("move").await.unwrap();
    let agent = "agent".parse().unwrap();
    let agent = roles::find_by_name(&mut tx, world.globex.id, &agent)
        .await
        .unwrap();
    let place = Some((world.globex.id, agent.unwrap().id));
    rows::set_membership(&mut tx, bob.id, place, SystemClock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let globex = operator::in_tenant(&world.globex, None);
    if what == "deleted" {
        users::delete(&world.app, &globex, bob.id, &IfMatch::Any)
            .await
            .unwrap();
        assert!(world.waiting().await.is_empty());
        return;
    }
    invitations::again(&world.app, &globex, bob.id).await.unwrap();
    let mails = world.waiting().await;
    let [Mail::Invitation(mail)] = mails.as_slice() else {
        panic!("{} mails", mails.len());
    };
    assert_eq!(mail.tenant.as_ref().unwrap().as_str(), "Globex");
}
