//! Verifies ID tokens of OpenID issuers and of Firebase: whom the issuer vouches for, and to whom.

mod cache;
mod claims;
mod fetch;
mod keys;

use std::sync::Arc;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{decode, decode_header};
use secrecy::{ExposeSecret, SecretString};

use self::cache::{KeyCache, KeyError};
use self::claims::Claims;
use self::fetch::Fetcher;
use crate::domain::clock::Clock;
use crate::domain::email::EmailAddress;
use crate::domain::issuer::Issuer;
use crate::domain::name::IssuerName;
use crate::domain::web_url::WebUrl;

pub use claims::Refusal;
pub use fetch::{Limits, NoClient};

/// No ID token is longer; usual ones have 1 to 4 KiB.
const LONGEST: usize = 16 * 1024;

/// Somebody whom an issuer vouches for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalIdentity {
    /// Who vouches.
    pub issuer: WebUrl,
    /// Their id there, which stays when the address changes: 1 to 128 characters.
    pub subject: String,
    /// An address that the issuer has verified.
    pub email: EmailAddress,
    /// What the issuer calls them, as it came.
    pub name: Option<String>,
}

/// Why nobody is vouched for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdTokenError {
    /// The token does not do.
    #[error("the ID token is refused: {0}")]
    Refused(#[from] Refusal),
    /// Whether it does could not be found out.
    #[error("the issuer `{0}` cannot be asked for its keys")]
    IssuerUnavailable(IssuerName),
}

/// All issuers that are believed.
pub struct Issuers {
    caches: Vec<KeyCache>,
    clock: Arc<dyn Clock>,
}

impl Issuers {
    /// Believes these, whose keys are fetched when they are first needed.
    pub fn new(issuers: Vec<Issuer>, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, NoClient> {
        super::jwt::prepare();
        let mut caches = Vec::with_capacity(issuers.len());
        if !issuers.is_empty() {
            let fetcher = Fetcher::new(limits)?;
            let cache = |issuer| KeyCache::new(issuer, fetcher.clone(), Arc::clone(&clock));
            caches.extend(issuers.into_iter().map(cache));
        }
        Ok(Self { caches, clock })
    }

    /// Whom the token is of. Which check failed is logged and not told to whoever presents it.
    pub async fn verify(&self, token: &SecretString) -> Result<ExternalIdentity, IdTokenError> {
        let verified = self.identity(token.expose_secret()).await;
        if let Err(error) = &verified {
            tracing::info!(%error, "an ID token did not come through");
        }
        verified
    }

    async fn identity(&self, token: &str) -> Result<ExternalIdentity, IdTokenError> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed.into());
        }
        // Only to know whose keys to ask for: nothing of it is believed before the signature is verified.
        let claimed: Claims = insecure_decode_claims(token).map_err(|_| Refusal::Malformed)?;
        let cache = self.meant(&claimed)?;
        let header = decode_header(token).map_err(|_| Refusal::Header)?;
        let is_jwt = header
            .typ
            .as_ref()
            .is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        if !is_jwt || header.crit.is_some() {
            return Err(Refusal::Header.into());
        }
        let id = header.kid.ok_or(Refusal::UnknownKey)?;
        let published = cache.key(&id).await.map_err(|error| match error {
            KeyError::Unknown => Refusal::UnknownKey.into(),
            KeyError::Unavailable => IdTokenError::IssuerUnavailable(cache.issuer().name.clone()),
        })?;
        let validation = super::jwt::signature_only(published.algorithm);
        let verified = decode::<Claims>(token, &published.key, &validation);
        let data = verified.map_err(|error| match error.kind() {
            ErrorKind::InvalidAlgorithm => Refusal::Algorithm,
            _ => Refusal::Signature,
        })?;
        Ok(claims::check(data.claims, cache.issuer(), self.clock.now())?)
    }

    /// The issuer that is named, and where it is configured for several audiences, with the one that is named.
    fn meant(&self, claimed: &Claims) -> Result<&KeyCache, Refusal> {
        let named = claimed.iss.as_deref();
        let is_named = |cache: &&KeyCache| named == Some(cache.issuer().url.as_str());
        let audience = claimed.aud.as_ref().map_or(&[][..], claims::OneOrMore::as_slice);
        let is_for = |cache: &&KeyCache| audience.iter().any(|one| one == cache.issuer().audience.as_str());
        let mut issuers = self.caches.iter().filter(is_named).peekable();
        issuers.peek().ok_or(Refusal::Issuer)?;
        issuers.find(is_for).ok_or(Refusal::Audience)
    }
}
