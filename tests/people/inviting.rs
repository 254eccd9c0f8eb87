//! Inviting: who may invite whom, what is kept of the link, and how it is replaced or taken back.

use futures_util::future::join_all;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use switchyard::app::error::AppError;
use switchyard::app::invitations::InvitationInput;
use switchyard::app::{invitations, operator, platform_users, users};
use switchyard::auth::denied::Denied;
use switchyard::domain::user::UserStatus;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, PASSWORD, World, code, fields, invitation, person};

#[rstest]
#[tokio::test]
async fn a24_an_invited_user_waits_without_a_password_and_the_link_is_kept_as_a_digest_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "admin").await;
    let caller = world.caller(&ann.token).await;
    let (user, invited) = invitations::invite(&world.app, &caller, invitation("bob", "manager"))
        .await
        .unwrap();
    assert_eq!((user.status, user.has_password), (UserStatus::Invited, false));
    assert_eq!(user.membership.unwrap().role.as_str(), "manager");
    let link = invited.link.unwrap();
    let token = link.token();
    assert_eq!(
        link.expose(),
        format!("https://pbx.example.com/invitation#token={token}")
    );
    let login = world.log_in("bob@example.com", PASSWORD).await;
    assert!(matches!(login, Err(AppError::Denied(Denied::Credentials))));
    assert_eq!(world.audited().await, ["user.invite user ann@example.com"]);
    // Nothing in the database holds it in clear.
    for sql in [
        "select lower(hex(digest)) from one_time_tokens",
        "select coalesce(cast(before as text), '') || coalesce(cast(after as text), '') from audit_entries",
        "select subject from outbox",
    ] {
        let sql = match backend {
            Sqlite => sql.to_owned(),
            Postgres => sql.replace("lower(hex(digest))", "encode(digest, 'hex')"),
        };
        for text in world.texts(&sql).await {
            assert!(!text.contains(token), "{sql}");
        }
    }
    assert_eq!(
        world.texts("select count(*) || '' from one_time_tokens").await,
        ["1"]
    );
}

#[rstest]
#[tokio::test]
async fn a40_nobody_invites_into_a_role_at_or_above_their_own(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let [owner, admin, manager] = [
        world.person("owner", &world.acme, "owner").await,
        world.person("admin", &world.acme, "admin").await,
        world.person("manager", &world.acme, "manager").await,
    ];
    for (who, role, expected) in [
        (&owner, "owner", None),
        (&owner, "agent", None),
        (&admin, "manager", None),
        (&admin, "admin", Some("rank")),
        (&admin, "owner", Some("rank")),
    ] {
        let caller = world.caller(&who.token).await;
        let name = format!("new-{}-{role}", who.user.name);
        let done = invitations::invite(&world.app, &caller, invitation(&name, role)).await;
        match expected {
            Some(expected) => assert_eq!(code(done), expected, "{name}"),
            None => assert!(done.is_ok(), "{name}"),
        }
    }
    let caller = world.caller(&manager.token).await;
    let refused = invitations::invite(&world.app, &caller, invitation("x", "agent")).await;
    assert!(matches!(refused, Err(AppError::Denied(Denied::Permission))));
    let caller = world.caller(&admin.token).await;
    let emperor = invitations::invite(&world.app, &caller, invitation("x", "emperor")).await;
    assert_eq!(fields(emperor), ["role"]);
    let nobody = invitations::invite(&world.app, &caller, InvitationInput::default()).await;
    assert_eq!(fields(nobody), ["email", "name"]);
    let twice = invitations::invite(&world.app, &caller, invitation("owner", "agent")).await;
    assert!(matches!(twice, Err(AppError::Taken { field }) if field == "email"));
}

/// Without a mail server whoever sends again is shown the link, and could follow it.
#[rstest]
#[tokio::test]
async fn a40_nobody_is_shown_the_link_of_somebody_above(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let owner = world.person("owner", &world.acme, "owner").await;
    let admin = world.person("admin", &world.acme, "admin").await;
    let (above, _) = world
        .invited(&world.caller(&owner.token).await, "above", "owner")
        .await;
    let manages = platform_users::UserInput {
        tenant_id: Some(world.acme.id.to_string()),
        role: Some("agent".to_owned()),
        platform_manager: Some(true),
        password: None,
        invite: Some(true),
        ..person("manages")
    };
    let (manages, _) = platform_users::create(&world.app, &operator::platform(None), manages)
        .await
        .unwrap();
    for (who, whom) in [(&admin, &above), (&admin, &manages), (&owner, &manages)] {
        let caller = world.caller(&who.token).await;
        assert_eq!(
            code(invitations::again(&world.app, &caller, whom.id).await),
            "rank"
        );
        assert_eq!(
            code(invitations::revoke(&world.app, &caller, whom.id).await),
            "rank"
        );
    }
    let manager = world.manager("boss").await;
    let caller = world.inside(&manager, &world.acme).await;
    for whom in [&above, &manages] {
        assert!(invitations::again(&world.app, &caller, whom.id).await.is_ok());
    }
}

#[rstest]
#[tokio::test]
async fn o28_a_link_that_was_sent_again_voids_the_one_before_and_one_taken_back_is_gone_with_its_user(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let owner = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&owner.token).await;
    let (bob, first) = world.invited(&caller, "bob", "agent").await;
    let (_, again) = invitations::again(&world.app, &caller, bob.id).await.unwrap();
    let second = again.link.unwrap().token().to_owned();
    assert_eq!(fields(world.accept(&first, PASSWORD).await), ["token"]);
    // Another tenant's people find nobody there.
    let stranger = world.person("eve", &world.globex, "owner").await;
    let stranger = world.caller(&stranger.token).await;
    for done in [
        invitations::again(&world.app, &stranger, bob.id).await.map(drop),
        invitations::revoke(&world.app, &stranger, bob.id).await,
    ] {
        assert!(matches!(done, Err(AppError::NotFound)));
    }
    invitations::revoke(&world.app, &caller, bob.id).await.unwrap();
    assert_eq!(
        fields(world.accept(&second.as_str().into(), PASSWORD).await),
        ["token"]
    );
    assert!(matches!(
        users::find(&world.app, &caller, bob.id).await,
        Err(AppError::NotFound)
    ));
    assert!(matches!(
        invitations::revoke(&world.app, &caller, bob.id).await,
        Err(AppError::NotFound)
    ));
    assert_eq!(
        world.audited().await,
        [
            "user.invite user ann@example.com",
            "user.invite_again user ann@example.com",
            "user.revoke_invitation user ann@example.com"
        ]
    );
}

#[rstest]
#[tokio::test]
async fn who_has_accepted_is_neither_invited_again_nor_taken_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let owner = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&owner.token).await;
    let (bob, token) = world.invited(&caller, "bob", "agent").await;
    world.accept(&token, PASSWORD).await.unwrap();
    let states = |done| matches!(done, Err(AppError::BadTransition { from: "active", .. }));
    assert!(states(
        invitations::again(&world.app, &caller, bob.id).await.map(drop)
    ));
    assert!(states(invitations::revoke(&world.app, &caller, bob.id).await));
    assert!(world.log_in("bob@example.com", PASSWORD).await.is_ok());
}

/// C13: who is invited has a seat.
#[rstest]
#[tokio::test]
async fn c13_of_many_who_are_invited_to_the_last_seat_one_gets_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let owner = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&owner.token).await;
    world.bench.sql("update tenants set max_users = 2").await;
    let names: Vec<String> = (0..MANY).map(|n| format!("new{n}")).collect();
    let invite = |name: &String| invitations::invite(&world.app, &caller, invitation(name, "agent"));
    let done = join_all(names.iter().map(invite)).await;
    let (made, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refusal in refused {
        assert_eq!(code(refusal), "max_users_reached");
    }
    // The seat is free again once the invitation is taken back.
    let (user, _) = made.into_iter().next().unwrap().unwrap();
    invitations::revoke(&world.app, &caller, user.id).await.unwrap();
    assert!(
        invitations::invite(&world.app, &caller, invitation("last", "agent"))
            .await
            .is_ok()
    );
}

#[rstest]
#[tokio::test]
async fn o28_of_many_who_send_again_one_link_is_good(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let owner = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&owner.token).await;
    let (bob, first) = world.invited(&caller, "bob", "agent").await;
    let again = || invitations::again(&world.app, &caller, bob.id);
    let sent = join_all((0..MANY).map(|_| again())).await;
    let mut tokens: Vec<_> = sent
        .into_iter()
        .map(|sent| sent.unwrap().1.link.unwrap().token().into())
        .collect();
    tokens.push(first);
    let accepted = join_all(tokens.iter().map(|token| world.accept(token, PASSWORD))).await;
    assert_eq!(accepted.iter().filter(|done| done.is_ok()).count(), 1);
}

#[rstest]
#[tokio::test]
async fn o29_into_a_suspended_tenant_nobody_is_invited_and_nobody_comes(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let owner = world.person("ann", &world.acme, "owner").await;
    let (_, token) = world
        .invited(&world.caller(&owner.token).await, "bob", "agent")
        .await;
    world.suspend(&world.acme).await;
    let manager = world.manager("boss").await;
    let caller = world.inside(&manager, &world.acme).await;
    let suspended = |denied| matches!(denied, Err(AppError::Denied(Denied::TenantSuspended)));
    let refused = invitations::invite(&world.app, &caller, invitation("eve", "agent")).await;
    assert!(suspended(refused.map(drop)));
    assert!(suspended(world.accept(&token, PASSWORD).await.map(drop)));
    // The link was not used up by that.
    world.reactivate(&world.acme).await;
    let login = world.accept(&token, PASSWORD).await.unwrap();
    assert!(!login.token.expose_secret().is_empty());
}

#[rstest]
#[tokio::test]
async fn o49_the_platform_makes_a_user_with_a_password_or_an_invitation_and_never_both(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let manager = world.manager("boss").await;
    let caller = world.caller(&manager.token).await;
    let input = |password: Option<&str>, invite: Option<bool>| platform_users::UserInput {
        tenant_id: Some(world.acme.id.to_string()),
        role: Some("owner".to_owned()),
        password: password.map(Into::into),
        invite,
        ..person("ann")
    };
    for (wrong, field) in [
        (input(None, None), "password"),
        (input(None, Some(false)), "password"),
        (input(Some(PASSWORD), Some(true)), "invite"),
        (input(Some("short"), None), "password"),
    ] {
        assert_eq!(
            fields(platform_users::create(&world.app, &caller, wrong).await),
            [field]
        );
    }
    let (ann, invitation) = platform_users::create(&world.app, &caller, input(None, Some(true)))
        .await
        .unwrap();
    assert_eq!(ann.status, UserStatus::Invited);
    let token = invitation.unwrap().link.unwrap().token().into();
    let login = world.accept(&token, PASSWORD).await.unwrap();
    assert_eq!(login.presence.home.unwrap().membership.role.as_str(), "owner");
    assert_eq!(
        world.audited().await,
        [
            "user.create manager boss@example.com",
            "user.accept_invitation user ann@example.com"
        ]
    );
}
