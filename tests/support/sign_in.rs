//! Sign-in with passwords that are hashed in no time.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use switchyard::app::sign_in::SignIn;
use switchyard::auth::oidc::{self, Issuers};
use switchyard::auth::password::{Cost, PasswordHasher};
use switchyard::auth::password_check::PasswordCheck;
use switchyard::auth::throttle::{Limits, Throttle};
use switchyard::auth::token::TokenKey;
use switchyard::domain::clock::SystemClock;
use switchyard::domain::random::SystemRandom;

/// With the usual limits of a throttle.
pub fn cheap(tokens: Arc<TokenKey>) -> SignIn {
    let cost = Cost { memory: 8, passes: 1 };
    let limits = Limits {
        per_account: NonZeroU32::new(10).unwrap(),
        per_address: NonZeroU32::new(50).unwrap(),
        window: Duration::from_mins(15),
    };
    let throttle = || Throttle::new(limits, Arc::new(SystemClock));
    SignIn {
        check: PasswordCheck::new(
            PasswordHasher::new(cost, Arc::new(SystemRandom)).unwrap(),
            throttle(),
        ),
        asking: throttle(),
        issuers: Issuers::new(Vec::new(), oidc::Limits::default(), Arc::new(SystemClock)).unwrap(),
        tokens,
    }
}
