//! Who is admitted, and where to.

use super::*;
use crate::auth::caller::Place;
use crate::auth::directory::fake::{Fake, token};
use crate::domain::api_key::{ApiKey, KeyPresence};
use crate::domain::clock::SystemClock;
use crate::domain::ids::{ApiKeyId, UserId};
use crate::domain::permission::Permission;
use crate::domain::random::SystemRandom;
use crate::domain::role::Rank;
use crate::domain::tenant::TenantStatus;
use crate::domain::user::UserStatus;
use uuid::Uuid;

const ACME: TenantId = TenantId::from_uuid(Uuid::from_u128(1));
const DOWN: TenantId = TenantId::from_uuid(Uuid::from_u128(2));

fn directory() -> Arc<Fake> {
    Fake::new([(ACME, TenantStatus::Active)], Some(DOWN))
}

async fn caller(
    directory: &Arc<Fake>,
    bearer: Option<&str>,
    operate_as: Option<&str>,
) -> Result<Caller, AuthError> {
    let credentials = Credentials {
        bearer: bearer.map(Into::into),
        operate_as: operate_as.map(str::to_owned),
        reason: Some("  ".to_owned()),
        ..Credentials::default()
    };
    directory.authenticator().caller(credentials).await
}

fn is_denied(answer: &Result<Caller, AuthError>) -> bool {
    matches!(answer, Err(AuthError::Denied(Denied::Credentials)))
}

#[tokio::test]
async fn o02_without_a_good_token_there_is_no_caller() {
    let good = token();
    for bearer in [None, Some(""), Some("wrong"), good.strip_prefix("e")] {
        assert!(is_denied(
            &caller(&directory(), bearer, Some(&ACME.to_string())).await
        ));
    }
    assert!(caller(&directory(), Some(&good), None).await.is_ok());
}

#[tokio::test]
async fn without_a_key_nobody_can_be_told_from_a_stranger() {
    let nobody = Authenticator::new(None, directory(), Arc::new(SystemClock));
    let credentials = Credentials {
        bearer: Some(token().into()),
        ..Credentials::default()
    };
    assert!(matches!(nobody.caller(credentials).await, Err(AuthError::NoKey)));
}

#[tokio::test]
async fn a_platform_manager_enters_the_tenant_that_is_named() {
    let acme = Place::Entered {
        id: ACME,
        status: TenantStatus::Active,
    };
    let cases = [
        (None, Place::Platform),
        (Some(ACME.to_string()), acme),
        (Some(Uuid::nil().to_string()), Place::Unknown),
        (Some("acme".to_owned()), Place::Unknown),
    ];
    for (operate_as, place) in cases {
        let caller = caller(&directory(), Some(&token()), operate_as.as_deref())
            .await
            .unwrap();
        assert_eq!(caller.place(), place);
    }
}

#[tokio::test]
async fn o56_the_database_decides_whatever_the_token_says() {
    let ends: [fn(&mut crate::domain::session::Presence); 4] = [
        |presence| presence.status = UserStatus::Suspended,
        |presence| presence.session.expires_at = SystemClock.now(),
        |presence| presence.session.last_used_at -= SignedDuration::from_mins(60),
        |presence| presence.session.user_id = UserId::from_uuid(Uuid::nil()),
    ];
    for end in ends {
        let directory = directory();
        assert!(caller(&directory, Some(&token()), None).await.is_ok());
        end(&mut directory.presence.lock().unwrap());
        assert!(is_denied(&caller(&directory, Some(&token()), None).await));
    }
}

#[tokio::test]
async fn c12_a_use_is_noted_once_a_minute() {
    let directory = directory();
    for (minutes, noted) in [(0, 0), (2, 1)] {
        directory.presence.lock().unwrap().session.last_used_at -= SignedDuration::from_mins(minutes);
        caller(&directory, Some(&token()), None).await.unwrap();
        assert_eq!(directory.touched.lock().unwrap().len(), noted);
    }
}

/// A directory with a key that is good, and the whole of it.
fn with_key() -> (Arc<Fake>, KeySecret) {
    let (directory, secret) = (directory(), KeySecret::generate(&SystemRandom).unwrap());
    let key = ApiKey {
        id: ApiKeyId::from_uuid(Uuid::nil()),
        tenant_id: ACME,
        author_id: UserId::from_uuid(Uuid::nil()),
        name: "crm".parse().unwrap(),
        prefix: secret.prefix().to_owned(),
        permissions: [Permission::ConfigRead].into(),
        rank: Rank::Agent,
        expires_at: None,
        last_used_at: None,
        created_at: SystemClock.now(),
    };
    *directory.key.lock().unwrap() = Some(KeyPresence {
        key,
        digest: secret.digest(),
        tenant_status: TenantStatus::Active,
        author_status: UserStatus::Active,
        author_rank: Rank::Owner,
    });
    (directory, secret)
}

#[tokio::test]
async fn a_key_is_at_home_in_its_tenant_and_enters_none() {
    let (directory, secret) = with_key();
    let home = Place::Home {
        id: ACME,
        status: TenantStatus::Active,
    };
    let at_home = caller(&directory, Some(secret.expose()), None).await.unwrap();
    assert_eq!(at_home.place(), home);
    let entering = caller(&directory, Some(secret.expose()), Some(&ACME.to_string())).await;
    assert_eq!(entering.unwrap().place(), Place::Unknown);
    // It needs no key to sign tokens with.
    let credentials = Credentials {
        bearer: Some(secret.expose().into()),
        ..Credentials::default()
    };
    let without = Authenticator::new(None, Arc::<Fake>::clone(&directory), Arc::new(SystemClock));
    assert!(without.caller(credentials).await.is_ok());
}

#[tokio::test]
async fn o58_a_key_is_good_as_long_as_the_database_says_so() {
    let ends: [fn(&mut KeyPresence); 3] = [
        |presence| presence.author_status = UserStatus::Suspended,
        |presence| presence.key.expires_at = Some(SystemClock.now()),
        |presence| presence.digest = KeySecret::generate(&SystemRandom).unwrap().digest(),
    ];
    for end in ends {
        let (directory, secret) = with_key();
        assert!(caller(&directory, Some(secret.expose()), None).await.is_ok());
        end(directory.key.lock().unwrap().as_mut().unwrap());
        assert!(is_denied(&caller(&directory, Some(secret.expose()), None).await));
    }
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_a_minute() {
    let (directory, secret) = with_key();
    for (seconds, noted) in [(None, 1), (Some(30), 1), (Some(90), 2)] {
        let last = seconds.map(|seconds| SystemClock.now() - SignedDuration::from_secs(seconds));
        directory.key.lock().unwrap().as_mut().unwrap().key.last_used_at = last;
        caller(&directory, Some(secret.expose()), None).await.unwrap();
        assert_eq!(directory.touched.lock().unwrap().len(), noted);
    }
}

#[tokio::test]
async fn a_database_that_is_down_is_no_refusal() {
    let answer = caller(&directory(), Some(&token()), Some(&DOWN.to_string())).await;
    assert!(matches!(answer, Err(AuthError::Unavailable(_))));
}
