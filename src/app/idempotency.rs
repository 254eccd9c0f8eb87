//! Requests that may be sent again: each has its effect once, and its answer is kept with the effect.

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::App;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::digest::Digest;
use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::ids::TenantId;
use crate::store::Tx;
use crate::store::idempotency_keys::{self, Before, Request};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Lets a request be recognised when it comes again.
pub struct Once {
    /// Chosen by the caller.
    pub key: IdempotencyKey,
    /// Of all that was asked for.
    pub request: Digest,
    /// Whether that may hold a secret.
    pub secret: bool,
}

impl Once {
    /// What an answer is kept under.
    pub(super) fn request_of<'a>(&'a self, tenant: Option<TenantId>, caller: &'a str) -> Request<'a> {
        self.of(tenant, caller)
    }

    fn of<'a>(&'a self, tenant: Option<TenantId>, caller: &'a str) -> Request<'a> {
        Request {
            tenant,
            caller,
            key: &self.key,
            digest: self.request,
            secret: self.secret,
        }
    }
}

/// What a request did.
#[derive(Debug)]
pub enum Done<T> {
    /// By itself.
    Now(T),
    /// By an equal one before it.
    Before(T),
}

impl<T> Done<T> {
    /// What was done, by whichever of them.
    pub fn into_inner(self) -> T {
        match self {
            Self::Now(done) | Self::Before(done) => done,
        }
    }

    /// The same, shown otherwise.
    pub fn map<U>(self, show: impl FnOnce(T) -> U) -> Done<U> {
        match self {
            Self::Now(done) => Done::Now(show(done)),
            Self::Before(done) => Done::Before(show(done)),
        }
    }

    /// Whether an earlier request did it.
    pub const fn is_repeated(&self) -> bool {
        matches!(self, Self::Before(_))
    }
}

/// Removes some of the answers that are too old to be given again; gives how many.
pub async fn forget_old(app: &App) -> Result<u64, AppError> {
    let mut tx = app.store.begin("forget_old_answers").await?;
    let forgotten = idempotency_keys::prune(&mut tx, app.now() - KEPT).await?;
    tx.commit().await?;
    Ok(forgotten)
}

impl App {
    /// What an equal request before this one answered.
    ///
    /// The transaction must hold the tenant's lock ([`App::begin_in`]), or that of the platform without a tenant: so of two
    /// equal requests at the same time, the second sees what the first did.
    pub(super) async fn answered_before<T: DeserializeOwned>(
        &self,
        tx: &mut Tx,
        tenant: impl Into<Option<TenantId>>,
        caller: &Caller,
        once: Option<&Once>,
    ) -> Result<Option<T>, AppError> {
        let Some(once) = once else {
            return Ok(None);
        };
        let caller = caller.identity().key();
        match idempotency_keys::find(tx, &once.of(tenant.into(), &caller), self.now() - KEPT).await? {
            None => Ok(None),
            Some(Before::Equal(answer)) => Ok(Some(answer)),
            Some(Before::Other) => Err(AppError::IdempotencyKeyReused),
        }
    }

    /// Keeps the answer for an equal request after this one, in the transaction of what was done.
    pub(super) async fn keep_answer(
        &self,
        tx: &mut Tx,
        tenant: impl Into<Option<TenantId>>,
        caller: &Caller,
        once: Option<&Once>,
        answer: impl Serialize,
    ) -> Result<(), AppError> {
        let Some(once) = once else {
            return Ok(());
        };
        let now = self.now();
        let caller = caller.identity().key();
        Ok(idempotency_keys::insert(tx, &once.of(tenant.into(), &caller), &answer, now, now - KEPT).await?)
    }
}
