//! Fetches an issuer's keys: over TLS, without redirects, within limits of size and time.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use super::keys::{self, KeySet, NoKeys};
use crate::domain::invalid::Invalid;
use crate::domain::issuer::{Issuer, KeySource};
use crate::domain::web_url::WebUrl;

/// The bounds within which an issuer says for how long its keys are good; where it says nothing, the shorter.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// What an issuer may take of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For one answer, from the first packet to the last.
    pub patience: Duration,
    /// Bytes of one answer.
    pub largest: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            largest: 256 * 1024,
        }
    }
}

/// No fetching is possible on this host.
#[derive(Debug, thiserror::Error)]
#[error("no HTTPS client can be made; are the system's certificates there (package ca-certificates)?")]
pub struct NoClient(#[source] reqwest::Error);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("it does not answer as it should")]
    Http(#[from] reqwest::Error),
    #[error("it answers with status {0}")]
    Status(StatusCode),
    #[error("its answer has more than {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
    #[error("its openid-configuration is not the JSON that was expected")]
    Discovery(#[source] serde_json::Error),
    #[error("its openid-configuration is that of another issuer")]
    OtherIssuer,
    #[error("the jwks_uri of its openid-configuration {0}")]
    KeysUrl(Invalid),
    #[error("the jwks_uri of its openid-configuration leads to this very host")]
    KeysOfThisHost,
}

/// Keys, and for how long they are good.
pub(super) struct Fetched {
    pub keys: KeySet,
    pub good_for: SignedDuration,
}

/// Fetches over HTTP.
#[derive(Clone)]
pub(super) struct Fetcher {
    client: Client,
    largest: usize,
}

impl Fetcher {
    pub fn new(limits: Limits) -> Result<Self, NoClient> {
        let client = Client::builder()
            .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .timeout(limits.patience)
            .build()
            .map_err(NoClient)?;
        Ok(Self {
            client,
            largest: limits.largest,
        })
    }

    /// All keys that the issuer publishes now.
    pub async fn fetch(&self, issuer: &Issuer) -> Result<Fetched, FetchError> {
        let (url, is_map) = match &issuer.keys {
            KeySource::Certificates(url) => (url.clone(), true),
            KeySource::Jwks(url) => (url.clone(), false),
            KeySource::Discovery => (self.discover(&issuer.url).await?, false),
        };
        let (headers, body) = self.get(url.as_str()).await?;
        let keys = if is_map {
            keys::certificates(&body)?
        } else {
            keys::jwks(&body)?
        };
        Ok(Fetched {
            keys,
            good_for: good_for(&headers),
        })
    }

    async fn discover(&self, issuer: &WebUrl) -> Result<WebUrl, FetchError> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        let base = issuer.as_str().trim_end_matches('/');
        let (_, body) = self
            .get(&format!("{base}/.well-known/openid-configuration"))
            .await?;
        let found: Discovery = serde_json::from_slice(&body).map_err(FetchError::Discovery)?;
        if found.issuer != issuer.as_str() {
            return Err(FetchError::OtherIssuer);
        }
        keys_url(issuer, &found.jwks_uri)
    }

    async fn get(&self, url: &str) -> Result<(HeaderMap, Vec<u8>), FetchError> {
        let mut response = self.client.get(url).send().await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > self.largest {
                return Err(FetchError::TooLarge(self.largest));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.headers().clone(), body))
    }
}

/// Where the keys of a discovered issuer are. One that is elsewhere has no business with what listens on this host.
fn keys_url(issuer: &WebUrl, told: &str) -> Result<WebUrl, FetchError> {
    let url: WebUrl = told.parse().map_err(FetchError::KeysUrl)?;
    if url.is_of_this_host() && !issuer.is_of_this_host() {
        return Err(FetchError::KeysOfThisHost);
    }
    Ok(url)
}

/// For how long an answer is good: its `max-age` less the time it spent in others' caches.
fn good_for(headers: &HeaderMap) -> SignedDuration {
    let seconds = |text: &str| text.trim().trim_matches('"').parse::<u32>().ok();
    let directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut max_age = None;
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "max-age" => max_age = max_age.or(seconds(value)),
            "no-store" | "no-cache" => return SHORTEST,
            _ => {}
        }
    }
    let age = headers.get(AGE).and_then(|value| seconds(value.to_str().ok()?));
    let left = max_age.unwrap_or(0).saturating_sub(age.unwrap_or(0));
    SignedDuration::from_secs(left.into()).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["public, max-age=20000, must-revalidate, no-transform"], None, 20_000)]
    #[case(&["MAX-AGE=\"600\""], None, 600)]
    #[case(&["public", "max-age=600"], None, 600)]
    #[case(&["max-age=20000"], Some("5000"), 15_000)]
    #[case(&["max-age=600"], Some("5000"), 60)]
    #[case(&["max-age=5"], None, 60)]
    #[case(&["max-age=31536000"], None, 86_400)]
    #[case(&["max-age=99999999999999999999"], None, 60)]
    #[case(&["max-age=-1"], None, 60)]
    #[case(&["s-maxage=600"], None, 60)]
    #[case(&["max-age=600, no-cache"], None, 60)]
    #[case(&["no-store", "max-age=600"], None, 60)]
    #[case(&[], None, 60)]
    fn keys_are_good_for_as_long_as_the_issuer_says_within_bounds(
        #[case] cache_control: &[&str],
        #[case] age: Option<&str>,
        #[case] seconds: i64,
    ) {
        let mut headers = HeaderMap::new();
        for value in cache_control {
            headers.append(CACHE_CONTROL, value.parse().unwrap());
        }
        headers.extend(age.map(|age| (AGE, age.parse().unwrap())));
        assert_eq!(good_for(&headers), SignedDuration::from_secs(seconds));
    }
    #[rstest]
    #[case("https://id.example.com", "https://keys.example.net/jwks", true)]
    #[case("http://127.0.0.1:8080", "http://127.0.0.1:8081/jwks", true)]
    #[case("http://localhost", "https://keys.example.net/jwks", true)]
    #[case("https://id.example.com", "http://127.0.0.1:5038/", false)]
    #[case("https://id.example.com", "https://127.0.0.1/", false)]
    #[case("https://id.example.com", "http://[::1]/", false)]
    #[case("https://id.example.com", "http://localhost/", false)]
    #[case("https://id.example.com", "https://0.0.0.0/", false)]
    #[case("https://id.example.com", "https://[::ffff:127.0.0.1]/", false)]
    #[case("https://id.example.com", "http://10.0.0.1/", false)]
    fn a28_an_issuer_elsewhere_sends_nobody_to_this_host(
        #[case] issuer: &str,
        #[case] told: &str,
        #[case] good: bool,
    ) {
        assert_eq!(keys_url(&issuer.parse().unwrap(), told).is_ok(), good);
    }
}
