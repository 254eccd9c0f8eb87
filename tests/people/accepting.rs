//! Accepting an invitation: once, in time, by whoever has the link.

use futures_util::future::join_all;
use rstest::rstest;
use secrecy::{ExposeSecret as _, SecretString};
use switchyard::app::error::AppError;
use switchyard::app::invitations::{self, Acceptance};
use switchyard::domain::user::UserStatus;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, PASSWORD, World, fields, origin};

#[rstest]
#[tokio::test]
async fn a24_whoever_accepts_is_signed_in_and_the_audit_log_says_it_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let (bob, token) = world
        .invited(&world.caller(&ann.token).await, "bob", "agent")
        .await;
    let login = world.accept(&token, PASSWORD).await.unwrap();
    let caller = world.caller(login.token.expose_secret()).await;
    let own = caller.own().unwrap();
    assert_eq!(
        (own.user_id, own.home.as_ref().unwrap().membership.tenant_id),
        (bob.id, world.acme.id)
    );
    let sql = "select actor_kind || ' ' || action || ' ' || resource from audit_entries where actor_name = 'bob@example.com'";
    assert_eq!(world.texts(sql).await, ["user user.accept_invitation user"]);
    assert!(world.log_in("bob@example.com", PASSWORD).await.is_ok());
    let after = world
        .texts(
            "select status || ' ' || (last_login_at is not null) from users where email = 'bob@example.com'",
        )
        .await;
    assert!(after[0].starts_with("active "), "{after:?}");
}

#[rstest]
#[tokio::test]
async fn a24_of_many_who_accept_the_same_invitation_one_comes_in(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let (_, token) = world
        .invited(&world.caller(&ann.token).await, "bob", "agent")
        .await;
    let passwords: Vec<String> = (0..MANY).map(|n| format!("quince medlar {n}")).collect();
    let done = join_all(passwords.iter().map(|password| world.accept(&token, password))).await;
    let came: Vec<&String> = passwords
        .iter()
        .zip(&done)
        .filter_map(|(password, done)| done.is_ok().then_some(password))
        .collect();
    assert_eq!(came.len(), 1);
    for refused in done.into_iter().filter(Result::is_err) {
        // The others are too late, or, after as many failures, are not looked at any more.
        match refused {
            Err(AppError::Throttled { .. }) => {}
            refused => assert_eq!(fields(refused), ["token"]),
        }
    }
    assert!(world.log_in("bob@example.com", came[0]).await.is_ok());
    assert_eq!(
        world
            .texts("select count(*) || '' from audit_entries where action = 'user.accept_invitation'")
            .await,
        ["1"]
    );
}

#[rstest]
#[tokio::test]
async fn a24_a_link_that_is_not_good_any_more_is_told_apart_from_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let (_, used) = world.invited(&caller, "used", "agent").await;
    let (_, expired) = world.invited(&caller, "expired", "agent").await;
    world.accept(&used, PASSWORD).await.unwrap();
    world
        .bench
        .sql("update one_time_tokens set expires_at = created_at")
        .await;
    let mut refusals = Vec::new();
    for token in [used, expired, "never-was".into(), SecretString::default()] {
        match world.accept(&token, PASSWORD).await {
            Err(AppError::Invalid(errors)) => refusals.push(errors.to_string()),
            _ => panic!("not refused"),
        }
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0].starts_with("token "), "{refusals:?}");
}

#[rstest]
#[tokio::test]
async fn a_password_that_is_no_good_does_not_use_the_link_up(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let (_, token) = world
        .invited(&world.caller(&ann.token).await, "bob", "agent")
        .await;
    for password in ["short", "bob@example.com", "aaaaaaaaaaaaaaa"] {
        assert_eq!(fields(world.accept(&token, password).await), ["password"]);
    }
    assert!(world.accept(&token, PASSWORD).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn an_invitation_runs_for_seven_days(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    world
        .invited(&world.caller(&ann.token).await, "bob", "agent")
        .await;
    let sql = "select ((expires_at - created_at) / 1000000) || '' from one_time_tokens";
    assert_eq!(world.texts(sql).await, [(7 * 24 * 3600).to_string()]);
}

/// Without a user of that address a token of an issuer is worth nothing, and none is believed here.
#[rstest]
#[tokio::test]
async fn a_token_of_an_issuer_that_is_not_believed_does_not_accept(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let (bob, token) = world
        .invited(&world.caller(&ann.token).await, "bob", "agent")
        .await;
    let foreign = SecretString::from("eyJhbGciOiJub25lIn0.e30.");
    let by = Acceptance::IdToken(&foreign);
    let refused = invitations::accept(&world.app, origin(), token.clone(), by).await;
    assert!(matches!(refused, Err(AppError::Denied(_))));
    let mut tx = world.store.read("look").await.unwrap();
    let bob = switchyard::store::users::find_anywhere(&mut tx, bob.id)
        .await
        .unwrap();
    assert_eq!(bob.unwrap().status, UserStatus::Invited);
    drop(tx);
    assert!(world.accept(&token, PASSWORD).await.is_ok());
}
