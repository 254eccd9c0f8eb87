//! What an ID token claims, and every check of it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::ExternalIdentity;
use crate::domain::email::EmailAddress;
use crate::domain::issuer::{Issuer, IssuerKind};

/// An issuer's clock may be ahead of ours by so many seconds.
const SKEW: f64 = 60.0;

/// Why an ID token is refused: for the log, since whoever presents it is told only that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not three parts of base64 with JSON in them, too long, or claims of a wrong type.
    #[error("it is no ID token")]
    Malformed,
    /// A header that names an algorithm nobody knows, such as `none`, or asks for what we do not know.
    #[error("its header is not that of a signed ID token")]
    Header,
    /// No issuer of that name is configured.
    #[error("its `iss` is no configured issuer")]
    Issuer,
    /// It is meant for somebody else.
    #[error("its `aud` is not the configured audience")]
    Audience,
    /// It is meant for several, and was made for another of them.
    #[error("its `aud` names several, and its `azp` is not the configured audience")]
    AuthorizedParty,
    /// No key of that id is published.
    #[error("its `kid` is none of the issuer's keys")]
    UnknownKey,
    /// The key is for another algorithm.
    #[error("its `alg` is not that of the issuer's key")]
    Algorithm,
    /// Nobody with that key signed it.
    #[error("its signature is wrong")]
    Signature,
    /// It is over.
    #[error("it has no `exp`, or has expired")]
    Expired,
    /// It was made later than now.
    #[error("it has no `iat`, or one in the future")]
    IssuedAt,
    /// It does not hold yet.
    #[error("its `nbf` is in the future")]
    NotBefore,
    /// Whoever it is of signed in at no time that has been.
    #[error("its `auth_time` is missing or in the future")]
    AuthTime,
    /// It is of nobody.
    #[error("its `sub` is not 1 to 128 characters")]
    Subject,
    /// There is nobody to look for.
    #[error("it has no e-mail address, or none that can be used")]
    Email,
    /// Anybody could have entered that address.
    #[error("its e-mail address is not verified")]
    EmailUnverified,
}

/// The claims, as far as they are looked at. One that is there twice, or of a wrong type, makes the whole unreadable.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub iss: Option<String>,
    pub aud: Option<OneOrMore>,
    azp: Option<String>,
    sub: Option<String>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    auth_time: Option<f64>,
    email: Option<String>,
    /// Only a JSON `true` counts, and no word that looks like it.
    email_verified: Option<Value>,
    name: Option<Value>,
}

/// A text, or a list of texts.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

/// Whom claims are about whose signature was verified.
pub(super) fn check(claims: Claims, issuer: &Issuer, now: Timestamp) -> Result<ExternalIdentity, Refusal> {
    let now = now.as_duration().as_secs_f64();
    let is_past = |time: f64| time <= now + SKEW;
    let require = |good: bool, refusal| if good { Ok(()) } else { Err(refusal) };

    require(
        claims.iss.as_deref() == Some(issuer.url.as_str()),
        Refusal::Issuer,
    )?;
    let audience = claims.aud.as_ref().map_or(&[][..], OneOrMore::as_slice);
    let own = issuer.audience.as_str();
    require(audience.iter().any(|one| one == own), Refusal::Audience)?;
    require(
        audience.len() == 1 || claims.azp.as_deref() == Some(own),
        Refusal::AuthorizedParty,
    )?;
    require(claims.exp.is_some_and(|exp| now < exp), Refusal::Expired)?;
    require(claims.iat.is_some_and(is_past), Refusal::IssuedAt)?;
    require(claims.nbf.is_none_or(is_past), Refusal::NotBefore)?;
    // Firebase always says it.
    let signed_in = match (claims.auth_time, issuer.kind) {
        (Some(time), _) => is_past(time),
        (None, kind) => kind == IssuerKind::Oidc,
    };
    require(signed_in, Refusal::AuthTime)?;
    let subject = claims.sub.unwrap_or_default();
    let has_length = (1..=128).contains(&subject.chars().count());
    require(
        has_length && !subject.chars().any(char::is_control),
        Refusal::Subject,
    )?;
    let email: EmailAddress = claims
        .email
        .and_then(|email| email.parse().ok())
        .ok_or(Refusal::Email)?;
    require(
        claims.email_verified == Some(Value::Bool(true)),
        Refusal::EmailUnverified,
    )?;
    Ok(ExternalIdentity {
        issuer: issuer.url.clone(),
        subject,
        email,
        name: claims.name.and_then(|name| name.as_str().map(str::to_owned)),
    })
}
