//! API keys: the same on both databases, each tenant's own, and only as good as their authors.

use jiff::SignedDuration;
use rstest::rstest;
use switchyard::domain::api_key::{ApiKey, KeySecret};
use switchyard::domain::ids::{ApiKeyId, SystemIds, TenantId};
use switchyard::domain::permission::Permission;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::role::Rank;
use switchyard::domain::tenant::TenantStatus;
use switchyard::domain::user::{User, UserStatus};
use switchyard::store::{Tx, api_keys, roles, tenant_lifecycle, users};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::support::suspension::pause;
use super::users::{add, now, two_tenants};

async fn key(tx: &mut Tx, author: &User, after: i64) -> (ApiKey, KeySecret) {
    let secret = KeySecret::generate(&SystemRandom).unwrap();
    let key = ApiKey {
        id: ApiKeyId::fresh(&SystemIds),
        tenant_id: author.tenant_id().unwrap(),
        author_id: author.id,
        name: "crm".parse().unwrap(),
        prefix: secret.prefix().to_owned(),
        permissions: [Permission::ConfigRead, Permission::ConfigWrite].into(),
        rank: Rank::Admin,
        expires_at: Some(now() + SignedDuration::from_hours(24)),
        last_used_at: None,
        created_at: now() + SignedDuration::from_secs(after),
    };
    api_keys::insert(tx, &key, &secret).await.unwrap();
    (key, secret)
}

async fn ids(tx: &mut Tx, tenant: TenantId) -> Vec<ApiKeyId> {
    let keys = api_keys::list(tx, tenant).await.unwrap();
    keys.into_iter().map(|key| key.id).collect()
}

#[rstest]
#[tokio::test]
async fn what_is_stored_of_a_key_is_read_back_by_its_own_tenant_only(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("keys").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Owner))).await;
    let (older, _) = key(&mut tx, &ann, 0).await;
    let (newer, _) = key(&mut tx, &ann, 1).await;
    assert_eq!(
        api_keys::find(&mut tx, acme, older.id).await.unwrap().as_ref(),
        Some(&older)
    );
    assert_eq!(ids(&mut tx, acme).await, [newer.id, older.id]);
    assert_eq!(api_keys::count(&mut tx, acme).await.unwrap(), 2);
    // C02: for another tenant there is none.
    assert_eq!(api_keys::find(&mut tx, beta, older.id).await.unwrap(), None);
    assert!(ids(&mut tx, beta).await.is_empty());
    assert_eq!(api_keys::count(&mut tx, beta).await.unwrap(), 0);
    let secret = KeySecret::generate(&SystemRandom).unwrap();
    assert!(!api_keys::rotate(&mut tx, beta, older.id, &secret).await.unwrap());
    assert!(!api_keys::delete(&mut tx, beta, older.id).await.unwrap());
    assert!(api_keys::delete(&mut tx, acme, older.id).await.unwrap());
    assert_eq!(ids(&mut tx, acme).await, [newer.id]);
}

#[rstest]
#[tokio::test]
async fn o58_who_stands_behind_a_key_is_known_as_they_are_now(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("keys").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Owner))).await;
    let (made, secret) = key(&mut tx, &ann, 0).await;
    let seen = api_keys::presence(&mut tx, secret.prefix())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((&seen.key, seen.author_rank), (&made, Rank::Owner));
    assert!(seen.is_good(&secret, now()));
    assert!(!seen.is_good(&secret, made.expires_at.unwrap()));
    assert!(!seen.is_good(&KeySecret::generate(&SystemRandom).unwrap(), now()));

    let agent = roles::find_by_name(&mut tx, acme, &"agent".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    users::set_role(&mut tx, ann.id, agent.id, now()).await.unwrap();
    tenant_lifecycle::suspend(&mut tx, acme, &pause(now()))
        .await
        .unwrap();
    let seen = api_keys::presence(&mut tx, secret.prefix())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.key.permissions, [Permission::ConfigRead].into());
    assert_eq!(
        (seen.author_rank, seen.tenant_status),
        (Rank::Agent, TenantStatus::Suspended)
    );

    users::set_status(&mut tx, ann.id, UserStatus::Suspended, now())
        .await
        .unwrap();
    let seen = api_keys::presence(&mut tx, secret.prefix())
        .await
        .unwrap()
        .unwrap();
    assert!(!seen.is_good(&secret, now()));
    users::delete(&mut tx, ann.id).await.unwrap();
    assert!(
        api_keys::presence(&mut tx, secret.prefix())
            .await
            .unwrap()
            .is_none()
    );
    assert!(ids(&mut tx, acme).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_rotated_key_is_found_by_its_new_beginning_and_a_use_never_goes_back(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("keys").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Owner))).await;
    let (made, old) = key(&mut tx, &ann, 0).await;
    let new = KeySecret::generate(&SystemRandom).unwrap();
    assert!(api_keys::rotate(&mut tx, acme, made.id, &new).await.unwrap());
    assert!(api_keys::presence(&mut tx, old.prefix()).await.unwrap().is_none());
    let later = now() + SignedDuration::from_mins(5);
    for at in [later, now()] {
        api_keys::touch(&mut tx, made.id, at).await.unwrap();
    }
    let seen = api_keys::presence(&mut tx, new.prefix()).await.unwrap().unwrap();
    assert_eq!(seen.key.last_used_at, Some(later));
    assert!(seen.is_good(&new, now()) && !seen.is_good(&old, now()));
}
