//! Who is admitted, and where to.

use super::*;
use crate::auth::caller::Place;
use crate::auth::directory::fake::{Fake, token};
use crate::domain::clock::SystemClock;
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
        |presence| presence.session.user_id = crate::domain::ids::UserId::from_uuid(Uuid::nil()),
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

#[tokio::test]
async fn a_database_that_is_down_is_no_refusal() {
    let answer = caller(&directory(), Some(&token()), Some(&DOWN.to_string())).await;
    assert!(matches!(answer, Err(AuthError::Unavailable(_))));
}
