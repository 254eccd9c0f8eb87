//! A forgotten password: whoever asks learns nothing, and gets a link that stays good, where they may sign in at all.

use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{password_reset, sign_in, users};
use switchyard::auth::caller::Origin;
use switchyard::auth::denied::Denied;
use switchyard::daemon::password_resets;
use switchyard::store::user_counts;
use tokio_util::sync::CancellationToken;

use super::mailed::{NEW, with_mail};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{PASSWORD, World, fields, origin};

const KNOWN: &str = "ann@example.com";
const UNKNOWN: &str = "nobody@example.com";
/// As many requests wait.
const MOST_WAITING: usize = 256;

impl World {
    async fn ask_from(&self, origin: Origin, email: &str) -> Result<(), AppError> {
        password_reset::request(&self.app, origin, email.parse().unwrap()).await
    }

    async fn links(&self) -> Vec<String> {
        self.texts("select purpose from one_time_tokens").await
    }
}

#[rstest]
#[tokio::test]
async fn o52_requests_are_counted_alike_whoever_has_the_address_and_apart_from_sign_ins(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(KNOWN, UNKNOWN)] email: &str,
) {
    let world = with_mail(backend).await;
    world.person("ann", &world.acme, "agent").await;
    for _ in 0..50 {
        world.forgot(email).await.unwrap();
    }
    for email in [KNOWN, UNKNOWN] {
        let refused = world.forgot(email).await;
        assert!(matches!(refused, Err(AppError::Throttled { .. })), "{email}");
    }
    let (email, password) = (KNOWN.parse().unwrap(), PASSWORD.into());
    let login = sign_in::with_password(&world.app, origin(), &email, &password).await;
    assert!(login.is_ok());
}

/// The platform's lock is held by somebody else all the while.
#[rstest]
#[tokio::test]
async fn o52_the_answer_waits_for_nothing_that_depends_on_the_address(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    world.person("ann", &world.acme, "agent").await;
    let mut tx = world.store.begin("hold").await.unwrap();
    user_counts::lock_platform(&mut tx).await.unwrap();
    for email in [KNOWN, UNKNOWN] {
        world.ask_from(origin(), email).await.unwrap();
    }
    drop(tx);
    assert!(world.links().await.is_empty());
    // What was asked for is seen to afterwards.
    world.forgot(UNKNOWN).await.unwrap();
    assert_eq!(world.links().await, ["password_reset"]);
}

#[rstest]
#[tokio::test]
async fn more_requests_than_can_wait_are_sent_away(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = with_mail(backend).await;
    world.person("ann", &world.acme, "agent").await;
    for _ in 0..MOST_WAITING {
        world.ask_from(Origin::default(), UNKNOWN).await.unwrap();
    }
    for email in [KNOWN, UNKNOWN] {
        let refused = world.ask_from(Origin::default(), email).await;
        assert!(matches!(refused, Err(AppError::Crowded)), "{email}");
    }
    let asked = password_reset::next(&world.app).await.unwrap();
    password_reset::see_to(&world.app, asked).await;
    world.forgot(KNOWN).await.unwrap();
    assert_eq!(world.waiting().await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn what_was_answered_is_seen_to_before_the_daemon_ends_and_nothing_is_taken_after_that(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    world.person("ann", &world.acme, "agent").await;
    world.ask_from(origin(), UNKNOWN).await.unwrap();
    world.ask_from(origin(), KNOWN).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    password_resets::run(world.app.clone(), stop).await.unwrap();
    assert_eq!(world.waiting().await.len(), 1);
    let refused = world.ask_from(origin(), KNOWN).await;
    assert!(matches!(refused, Err(AppError::Crowded)));
}

/// Anybody may ask: that must not take the owner's own link from them.
#[rstest]
#[tokio::test]
async fn a_link_that_is_good_stays_so_however_often_somebody_asks_for_another(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    world.person("ann", &world.acme, "agent").await;
    world.forgot(KNOWN).await.unwrap();
    let token = world.only_token().await;
    world
        .bench
        .sql("update one_time_tokens set created_at = created_at - 3000000000")
        .await;
    for _ in 0..3 {
        world.forgot(KNOWN).await.unwrap();
    }
    assert_eq!(world.waiting().await.len(), 1);
    world.confirm(&token, NEW).await.unwrap();
    assert!(world.log_in(KNOWN, NEW).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn once_a_link_has_expired_another_one_is_sent(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = with_mail(backend).await;
    world.person("ann", &world.acme, "agent").await;
    world.forgot(KNOWN).await.unwrap();
    let first = world.only_token().await;
    world
        .bench
        .sql("update one_time_tokens set expires_at = created_at")
        .await;
    world.forgot(KNOWN).await.unwrap();
    // It takes the place of the first, which was not sent yet.
    let second = world.only_token().await;
    assert_eq!(fields(world.confirm(&first, NEW).await), ["token"]);
    world.confirm(&second, NEW).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn o29_nobody_of_a_suspended_tenant_is_sent_a_link_or_uses_one(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await;
    world.forgot(KNOWN).await.unwrap();
    let token = world.only_token().await;
    world.suspend(&world.acme).await;
    let refused = world.confirm(&token, NEW).await;
    assert!(matches!(refused, Err(AppError::Denied(Denied::TenantSuspended))));
    // The link was not used up by that, and its owner's session is what it was.
    world.reactivate(&world.acme).await;
    assert!(world.is_in(&ann).await);
    world.confirm(&token, NEW).await.unwrap();
    world.suspend(&world.acme).await;
    world.forgot(KNOWN).await.unwrap();
    assert!(world.links().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn o58_a_suspended_user_is_sent_no_link_and_the_one_they_have_is_like_one_that_never_was(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let owner = world.person("owner", &world.acme, "owner").await;
    let ann = world.person("ann", &world.acme, "agent").await;
    world.forgot(KNOWN).await.unwrap();
    let token = world.only_token().await;
    // Written by a version that left their links as they were.
    world
        .bench
        .sql("update users set status = 'suspended' where email = 'ann@example.com'")
        .await;
    let mut refusals = Vec::new();
    for token in [&token, &"never-was".into()] {
        match world.confirm(token, NEW).await {
            Err(AppError::Invalid(errors)) => refusals.push(errors.to_string()),
            done => panic!("{done:?}"),
        }
    }
    assert_eq!(refusals[0], refusals[1]);
    let caller = world.caller(&owner.token).await;
    users::reactivate(&world.app, &caller, ann.user.id, &IfMatch::Any)
        .await
        .unwrap();
    assert!(world.log_in(KNOWN, PASSWORD).await.is_ok());
    users::suspend(&world.app, &caller, ann.user.id, &IfMatch::Any)
        .await
        .unwrap();
    world.forgot(KNOWN).await.unwrap();
    assert!(world.links().await.is_empty());
}
