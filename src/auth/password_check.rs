//! Whether a password is right: throttled, in turn, and as slow for an account that is not there.

use std::net::IpAddr;

use super::password::{HashError, PasswordHasher, Verdict};
use super::throttle::{Attempt, RetryAfter, Throttle};
use crate::domain::email::EmailAddress;
use crate::domain::password::{Password, PasswordHash};

/// Why a password did not come through.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Too many failed before; this one was not looked at.
    #[error(transparent)]
    Throttled(#[from] RetryAfter),
    /// It is wrong, or there is no such account, or it has no password: nobody is told which.
    #[error("the password is wrong, or there is no such account")]
    Wrong,
    /// It could not be found out.
    #[error(transparent)]
    Failed(#[from] HashError),
}

/// Checks passwords and counts the failures.
#[derive(Clone)]
pub struct PasswordCheck {
    hasher: PasswordHasher,
    throttle: Throttle,
}

impl PasswordCheck {
    /// Checks with these.
    #[must_use]
    pub const fn new(hasher: PasswordHasher, throttle: Throttle) -> Self {
        Self { hasher, throttle }
    }

    /// Hashes what is chosen.
    #[must_use]
    pub const fn hasher(&self) -> &PasswordHasher {
        &self.hasher
    }

    /// Counts failures of other kinds too, and says early what [`Self::check`] would refuse.
    #[must_use]
    pub const fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Whether the password is that of the account, of which `stored` is kept, or nothing where there is no such account
    /// or it has no password. Gives what is to be stored in its place, if anything.
    ///
    /// The throttle is asked again in the very turn: who sends a thousand at once is refused after as many failures as
    /// who sends one after the other (or one more, since two are verified at a time). The failure is counted there too,
    /// whether or not somebody waits for the answer.
    pub async fn check(
        &self,
        account: &EmailAddress,
        address: Option<IpAddr>,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<Option<PasswordHash>, CheckError> {
        let attempt = Attempt {
            account: Some(account),
            address,
        };
        self.throttle.check(attempt)?;
        let (throttle, account) = (self.throttle.clone(), account.clone());
        self.hasher
            .in_turn(move |work| {
                let attempt = Attempt {
                    account: Some(&account),
                    address,
                };
                throttle.check(attempt)?;
                match work.verify(&password, stored.as_ref())? {
                    Verdict::Right { rehashed } => {
                        throttle.succeeded(attempt);
                        Ok(rehashed)
                    }
                    Verdict::Wrong => {
                        throttle.failed(attempt);
                        Err(CheckError::Wrong)
                    }
                }
            })
            .await?
    }
}
