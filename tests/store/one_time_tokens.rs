//! Tokens that work once: one for a user and a purpose, found by their digest.

use rstest::rstest;
use switchyard::domain::ids::{OneTimeTokenId, SystemIds};
use switchyard::domain::one_time_token::{OneTimeSecret, OneTimeToken, Purpose};
use switchyard::domain::random::SystemRandom;
use switchyard::domain::role::Rank;
use switchyard::domain::user::User;
use switchyard::store::{StoreError, Tx, one_time_tokens, users};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::users::{add, now, two_tenants};

fn token(user: &User, purpose: Purpose) -> (OneTimeToken, OneTimeSecret) {
    let token = OneTimeToken {
        id: OneTimeTokenId::fresh(&SystemIds),
        user_id: user.id,
        purpose,
        created_at: now(),
        expires_at: now() + purpose.lifetime(),
    };
    (token, OneTimeSecret::generate(&SystemRandom).unwrap())
}

async fn found(tx: &mut Tx, purpose: Purpose, secret: &OneTimeSecret) -> Option<OneTimeToken> {
    one_time_tokens::find(tx, purpose, secret.digest()).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_token_is_found_by_its_digest_for_its_purpose_until_it_is_revoked(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tokens").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await;
    let (made, secret) = token(&ann, Purpose::Invitation);
    one_time_tokens::insert(&mut tx, &made, secret.digest())
        .await
        .unwrap();
    assert_eq!(
        found(&mut tx, Purpose::Invitation, &secret).await.as_ref(),
        Some(&made)
    );
    assert_eq!(found(&mut tx, Purpose::PasswordReset, &secret).await, None);
    let of = async |tx: &mut Tx, user: &User, purpose| {
        one_time_tokens::of_user(tx, purpose, user.id).await.unwrap()
    };
    assert_eq!(of(&mut tx, &ann, Purpose::Invitation).await, Some(made.clone()));
    assert_eq!(of(&mut tx, &ann, Purpose::PasswordReset).await, None);
    assert_eq!(of(&mut tx, &bob, Purpose::Invitation).await, None);
    let revoked = one_time_tokens::revoke(&mut tx, Purpose::Invitation, bob.id).await;
    assert_eq!(revoked.unwrap(), None);
    let revoked = one_time_tokens::revoke(&mut tx, Purpose::Invitation, ann.id).await;
    assert_eq!(revoked.unwrap(), Some(made.id));
    assert_eq!(found(&mut tx, Purpose::Invitation, &secret).await, None);
}

#[rstest]
#[tokio::test]
async fn a_user_has_one_token_for_a_purpose_and_none_once_they_are_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tokens").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let mut secrets = Vec::new();
    for purpose in Purpose::ALL {
        let (made, secret) = token(&ann, *purpose);
        one_time_tokens::insert(&mut tx, &made, secret.digest())
            .await
            .unwrap();
        secrets.push((*purpose, secret));
    }
    users::delete(&mut tx, ann.id).await.unwrap();
    for (purpose, secret) in &secrets {
        assert_eq!(found(&mut tx, *purpose, secret).await, None);
    }
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Agent))).await;
    let (one, other) = (token(&bob, Purpose::Invitation), token(&bob, Purpose::Invitation));
    one_time_tokens::insert(&mut tx, &one.0, one.1.digest())
        .await
        .unwrap();
    let second = one_time_tokens::insert(&mut tx, &other.0, other.1.digest()).await;
    assert!(matches!(second, Err(StoreError::Conflict { columns, .. }) if columns == ["user_id", "purpose"]));
}

#[rstest]
#[tokio::test]
async fn what_has_expired_is_removed_and_nothing_else(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tokens").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let mut ends = Vec::new();
    for purpose in Purpose::ALL {
        let (made, secret) = token(&ann, *purpose);
        one_time_tokens::insert(&mut tx, &made, secret.digest())
            .await
            .unwrap();
        ends.push((made, secret));
    }
    let (invitation, reset) = (&ends[0], &ends[1]);
    assert!(reset.0.is_good(now()) && !reset.0.is_good(reset.0.expires_at));
    let purged = one_time_tokens::purge(&mut tx, reset.0.expires_at).await.unwrap();
    assert_eq!(purged, 1);
    assert!(found(&mut tx, Purpose::Invitation, &invitation.1).await.is_some());
    assert!(found(&mut tx, Purpose::PasswordReset, &reset.1).await.is_none());
}

#[rstest]
#[tokio::test]
async fn expired_tokens_go_a_hundred_at_a_time(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("tokens").await.unwrap();
    for n in 0..120 {
        let user = add(&mut tx, &format!("u{n}@example.com"), Some((acme, Rank::Agent))).await;
        let (made, secret) = token(&user, Purpose::PasswordReset);
        one_time_tokens::insert(&mut tx, &made, secret.digest())
            .await
            .unwrap();
    }
    let end = now() + Purpose::PasswordReset.lifetime();
    for expected in [100, 20, 0] {
        assert_eq!(one_time_tokens::purge(&mut tx, end).await.unwrap(), expected);
    }
}
