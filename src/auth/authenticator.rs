//! Finds out who is calling, anew for each request, so that what was revoked is without effect at once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::caller::{Caller, Origin};
use super::denied::Denied;
use super::directory::{Directory, Unavailable};
use super::token::TokenKey;
use crate::domain::api_key::KeySecret;
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::TenantId;
use crate::domain::reason::Reason;

/// How exactly it is known when a session or a key was last used: a write for each request would cost more than it tells.
const EXACTNESS: SignedDuration = SignedDuration::from_mins(1);

/// What a request presents.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The bearer token: of a session, or an API key.
    pub bearer: Option<SecretString>,
    /// The tenant that one of the operator's people wants to enter, as it was written.
    pub operate_as: Option<String>,
    /// Why, as it was written.
    pub reason: Option<String>,
    /// Where the request came from.
    pub origin: Origin,
}

impl Credentials {
    /// Where it is asked for, the refusal of what is none says what it must be.
    fn reason(&self) -> Result<Option<Reason>, Denied> {
        let reason = self.reason.as_ref().map(|text| text.parse());
        reason.transpose().map_err(|_| Denied::ReasonRequired)
    }
}

/// Whether finding somebody is a use of their session or key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Noted,
    None,
}

fn is_worth_noting(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= EXACTNESS)
}

/// A use that cannot be noted is no reason to refuse somebody: a session ends the sooner for it.
fn noted(done: Result<(), Unavailable>) {
    if let Err(error) = done {
        tracing::warn!(
            error = error_chain(&error),
            "the use of a session or an API key could not be noted"
        );
    }
}

/// Why there is no caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The credentials do not do.
    #[error("refused: {0}")]
    Denied(Denied),
    /// There is no sealing key, and so none to read tokens with.
    #[error("there is no sealing key to read tokens with")]
    NoKey,
    /// Whether they do could not be found out.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Knows every way to prove who one is.
#[derive(Clone)]
pub struct Authenticator {
    tokens: Option<Arc<TokenKey>>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// Without a key to sign tokens with, nobody is admitted.
    #[must_use]
    pub fn new(tokens: Option<Arc<TokenKey>>, directory: Arc<dyn Directory>, clock: Arc<dyn Clock>) -> Self {
        Self {
            tokens,
            directory,
            clock,
        }
    }

    /// Who presents these credentials with a request; their session is used by that, and so goes on.
    pub async fn caller(&self, credentials: Credentials) -> Result<Caller, AuthError> {
        self.find(credentials, Use::Noted).await
    }

    /// Who presents them still, while an answer goes on or a body arrives: by that a session is not used.
    pub async fn caller_still(&self, credentials: Credentials) -> Result<Caller, AuthError> {
        self.find(credentials, Use::None).await
    }

    async fn find(&self, credentials: Credentials, used: Use) -> Result<Caller, AuthError> {
        match credentials.bearer.as_ref().and_then(KeySecret::presented) {
            Some(key) => self.by_key(&key, credentials, used).await,
            None => self.by_token(credentials, used).await,
        }
    }

    async fn by_token(&self, credentials: Credentials, used: Use) -> Result<Caller, AuthError> {
        let now = self.clock.now();
        let tokens = self.tokens.as_ref().ok_or(AuthError::NoKey)?;
        let claims = credentials
            .bearer
            .as_ref()
            .and_then(|token| tokens.read(token, now).ok())
            .ok_or(AuthError::Denied(Denied::Credentials))?;
        let entering = credentials
            .operate_as
            .as_ref()
            .map(|id| id.parse::<TenantId>().ok());
        let presence = self
            .directory
            .presence(claims.session_id, entering.flatten())
            .await?
            .filter(|presence| presence.is_good(now) && presence.session.user_id == claims.user_id)
            .ok_or(AuthError::Denied(Denied::Credentials))?;
        let session = &presence.session;
        if used == Use::Noted && is_worth_noting(Some(session.last_used_at), now) {
            noted(self.directory.touch(session.id, now).await);
        }
        let reason = credentials.reason();
        Ok(Caller::signed_in(
            presence,
            entering.is_some(),
            reason,
            credentials.origin,
        ))
    }

    async fn by_key(
        &self,
        secret: &KeySecret,
        credentials: Credentials,
        used: Use,
    ) -> Result<Caller, AuthError> {
        let now = self.clock.now();
        let presence = self
            .directory
            .key_presence(secret.prefix())
            .await?
            .filter(|presence| presence.is_good(secret, now))
            .ok_or(AuthError::Denied(Denied::Credentials))?;
        if used == Use::Noted && is_worth_noting(presence.key.last_used_at, now) {
            noted(self.directory.touch_key(presence.key.id, now).await);
        }
        let (enters, reason) = (credentials.operate_as.is_some(), credentials.reason());
        Ok(Caller::of_key(presence, enters, reason, credentials.origin))
    }
}

#[cfg(test)]
mod tests;
