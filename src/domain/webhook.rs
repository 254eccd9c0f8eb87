//! Webhooks: where a tenant has events sent to, and which.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::digest::Digest;
use super::ids::{TenantId, WebhookId};
use super::invalid::Invalid;
use super::parsed::{parsed_text, text_schema, word_enum};
use super::random::{self, LETTERS, NoRandomness, Randomness};

/// So many characters has an address at most.
const LONGEST_URL: usize = 2048;
/// What every secret begins with, so that people and scanners of leaked secrets recognise one.
const KIND: &str = "whs_";
/// Characters behind it, 256 bits.
const SECRET: usize = 43;

word_enum! {
    /// What is told of.
    EventKind {
        /// A call has begun.
        CallBegan = "call.began",
        /// A call was answered.
        CallAnswered = "call.answered",
        /// A call is over and on record; comes again where more of it became known later.
        CallEnded = "call.ended",
        /// A deploy of the tenant was asked for.
        DeploymentRequested = "deployment.requested",
        /// A deploy of the tenant has ended, well or not.
        DeploymentEnded = "deployment.ended",
        /// The tenant's settings were changed.
        TenantChanged = "tenant.changed",
        /// The tenant was suspended: the last that is told until it is reactivated.
        TenantSuspended = "tenant.suspended",
        /// The tenant is served again.
        TenantReactivated = "tenant.reactivated",
        /// The tenant is being deleted: the last that is told at all.
        TenantDeleted = "tenant.deleted",
        /// A user was made or invited, or has come from another tenant.
        UserCreated = "user.created",
        /// A user's name, contact, role, phone or way to sign in was changed, or they accepted an invitation.
        UserChanged = "user.changed",
        /// A user was suspended.
        UserSuspended = "user.suspended",
        /// A user may sign in again.
        UserReactivated = "user.reactivated",
        /// A user was deleted, or has gone to another tenant.
        UserDeleted = "user.deleted",
    }
}

parsed_text! {
    /// Where events are sent: `https://` with a host and, where needed, port, path and query, at most 2048 characters; without
    /// a user, a password and a `#`. `http://` is for networks that the operator allows.
    WebhookUrl, webhook_url, schema { "maxLength": LONGEST_URL, "pattern": "^https?://[!-~]+$" }
}

/// Kept as the URL parser writes it: what is shown is what is connected to, however the host was written.
fn webhook_url(text: &str) -> Result<String, Invalid> {
    let refused = || Invalid::new("must be a URL such as `https://example.com/path`");
    if !(text.starts_with("https://") || text.starts_with("http://")) {
        return Err(Invalid::new("must begin with `https://`"));
    }
    // The parser would quietly leave out blanks and line breaks.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused());
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    if url.host().is_none() || url.port() == Some(0) {
        return Err(refused());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Invalid::new("must hold no user, no password and no `#`"));
    }
    let text = String::from(url);
    if text.len() > LONGEST_URL {
        return Err(Invalid::new("must have at most 2048 characters"));
    }
    Ok(text)
}

impl WebhookUrl {
    fn url(&self) -> Option<Url> {
        Url::parse(self.as_str()).ok()
    }

    /// Whether everybody on the way could read what is sent.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        !self.as_str().starts_with("https://")
    }

    /// Scheme, host and port: what may stand in logs. A path may hold a secret.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url()
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default()
    }

    /// By which two are told apart without being shown.
    #[must_use]
    pub fn digest(&self) -> String {
        Digest::of_parts([self.as_str().as_bytes()]).short()
    }

    /// The address, where the host is one and no name.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        match self.url()?.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// Whether the host is a name that means whichever host asks.
    #[must_use]
    pub fn is_local_name(&self) -> bool {
        self.url().is_some_and(|url| match url.host() {
            Some(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost")
            }
            _ => false,
        })
    }
}

/// A webhook, without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose events it is sent.
    pub tenant_id: TenantId,
    /// Where they are sent.
    pub url: WebhookUrl,
    /// Which are.
    pub events: BTreeSet<EventKind>,
    /// Whether any are.
    pub is_active: bool,
    /// Why it was disabled, where the daemon did that.
    pub note: Option<String>,
    /// How it goes.
    pub standing: WebhookStanding,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub updated_at: Timestamp,
}

/// How the sending to a webhook goes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct WebhookStanding {
    /// How many events wait.
    pub pending: i64,
    /// How many were dropped since it was made: given up, too many at once, or waiting when it was disabled.
    pub dropped: i64,
    /// Since when it takes nothing; none after a success.
    pub failing_since: Option<Timestamp>,
    /// When the event that comes first is tried again, while it fails.
    pub next_attempt_at: Option<Timestamp>,
    /// When it last took an event.
    pub last_delivered_at: Option<Timestamp>,
    /// When it last did not.
    pub last_failed_at: Option<Timestamp>,
    /// Why.
    pub last_error: Option<String>,
}

/// What a webhook's requests are signed with: `whs_` and 43 letters or digits. Without `Debug`, `Display` or `Serialize`.
#[derive(Clone)]
pub struct WebhookSecret(SecretString);

text_schema! {
    /// What requests are signed with, which is a secret.
    WebhookSecret, { "pattern": "^whs_[A-Za-z0-9]{43}$" }
}

impl WebhookSecret {
    /// A new one.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        let drawn = SecretString::from(random::text(random, LETTERS, SECRET)?);
        Ok(Self(format!("{KIND}{}", drawn.expose_secret()).into()))
    }

    /// One that was kept.
    pub fn parse(text: SecretString) -> Result<Self, Invalid> {
        let drawn = text.expose_secret().strip_prefix(KIND).unwrap_or_default();
        if drawn.len() == SECRET && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text))
        } else {
            Err(Invalid::new("must be `whs_` and 43 letters or digits"))
        }
    }

    /// The whole of it, for signing and for the one who may see it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;
    use rstest::rstest;

    #[rstest]
    #[case("https://example.com", "https://example.com/", "https://example.com")]
    #[case(
        "https://example.com:8443/a/b?x=y",
        "https://example.com:8443/a/b?x=y",
        "https://example.com:8443"
    )]
    #[case("http://10.0.0.7/hook", "http://10.0.0.7/hook", "http://10.0.0.7")]
    #[case("https://2130706433/", "https://127.0.0.1/", "https://127.0.0.1")]
    #[case("https://0x7f.1/", "https://127.0.0.1/", "https://127.0.0.1")]
    #[case("https://EXAMPLE.com/A", "https://example.com/A", "https://example.com")]
    fn an_address_is_kept_as_it_is_connected_to(
        #[case] text: &str,
        #[case] kept: &str,
        #[case] origin: &str,
    ) {
        let url: WebhookUrl = text.parse().unwrap();
        assert_eq!((url.as_str(), url.origin().as_str()), (kept, origin));
    }

    #[rstest]
    #[case("")]
    #[case("example.com")]
    #[case("ftp://example.com/")]
    #[case("file:///etc/passwd")]
    #[case("https://ann@example.com/")]
    #[case("https://ann:secret@example.com/")]
    #[case("https://example.com/#x")]
    #[case("https://exa mple.com/")]
    #[case(" https://example.com/")]
    #[case("https://example.com/\n")]
    #[case("https://example.com:0/")]
    #[case("https://example.com:70000/")]
    #[case("https://[::1/")]
    #[case("https://")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert!(text.parse::<WebhookUrl>().is_err());
    }

    #[test]
    fn a_long_address_is_refused() {
        let of =
            |length: usize| format!("https://example.com/{}", "x".repeat(length - 20)).parse::<WebhookUrl>();
        assert!(of(2048).is_ok());
        assert!(of(2049).is_err());
    }

    #[test]
    fn a_host_that_is_an_address_or_means_this_host_is_known() {
        let url = |text: &str| text.parse::<WebhookUrl>().unwrap();
        let mapped = url("https://[::ffff:10.0.0.1]/").literal().unwrap();
        assert_eq!(mapped.to_canonical().to_string(), "10.0.0.1");
        assert_eq!(url("https://example.com/").literal(), None);
        for local in [
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost:8/",
        ] {
            assert!(url(local).is_local_name(), "{local}");
        }
        assert!(!url("https://localhost.example.com/").is_local_name());
    }

    #[test]
    fn a_secret_reads_back_and_no_other_is_equal() {
        let secret = WebhookSecret::generate(&SystemRandom).unwrap();
        let again = WebhookSecret::parse(secret.expose().to_owned().into())
            .ok()
            .unwrap();
        assert_eq!(again.expose(), secret.expose());
        assert_ne!(
            WebhookSecret::generate(&SystemRandom).unwrap().expose(),
            secret.expose()
        );
        let cut = secret.expose().replacen("whs", "hs", 1);
        for wrong in ["", "whs_", "whs_x", cut.as_str()] {
            assert!(WebhookSecret::parse(wrong.to_owned().into()).is_err(), "{wrong}");
        }
    }
}
