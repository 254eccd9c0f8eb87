//! Links with a one-time token: a secret for whoever is to follow it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::domain::instance::HostName;
use crate::domain::invalid::Invalid;
use crate::domain::parsed::word_enum;

word_enum! {
    /// Where a link leads to, below the public address.
    Page {
        /// Where an invitation is accepted.
        Invitation = "invitation",
        /// Where a new password is chosen.
        PasswordReset = "password-reset",
    }
}

/// Where people reach the service from outside, without a slash at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// That of a listener on this host, for want of a better one.
    #[must_use]
    pub fn of_listener(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        Self(format!("http://{}", SocketAddr::new(ip, address.port())))
    }

    /// The link to a page that takes this token.
    ///
    /// The token stands behind a `#`: a browser keeps that part to itself, so it is in no log of a server or proxy on the
    /// way. Refused are tokens that would have to be encoded to stand there.
    pub fn link(&self, page: Page, token: &SecretString) -> Result<Link, Invalid> {
        let token = token.expose_secret();
        if token.is_empty() || token.len() > 500 || !token.chars().all(is_unreserved) {
            return Err(Invalid::new(
                "must have 1 to 500 letters, digits, `-`, `.`, `_` or `~`",
            ));
        }
        Ok(Link(format!("{}/{page}#token={token}", self.0).into()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = Invalid;

    /// What is sent in clear anybody on the way can follow, so that is for links within a host only.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            Invalid::new(
                "must be `https://` with a host and, where needed, port and path, such as \
                 `https://pbx.example.com`; `http://` only for `localhost` or a loopback address",
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(refused)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = host_and_port(authority).ok_or_else(refused)?;
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let path_good = path.chars().all(|c| is_unreserved(c) || c == '/');
        let good = match scheme {
            "https" => true,
            "http" => is_local,
            _ => false,
        };
        if !good || !path_good || port == Some(0) || text.len() > 500 {
            return Err(refused());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// `host`, `host:port`, `[::1]`, `[::1]:port`.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return Some((
            host,
            match port.strip_prefix(':') {
                Some(port) => Some(port.parse().ok()?),
                None if port.is_empty() => None,
                None => return None,
            },
        ));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (authority, None),
    };
    host.parse::<HostName>().ok()?;
    Some((host, port))
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~')
}

/// A link that whoever has it may follow once. Without `Debug`, `Display` or `Serialize`.
#[derive(Clone)]
pub struct Link(SecretString);

impl Link {
    /// The whole link, for whom it is meant.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The token in it.
    #[must_use]
    pub fn token(&self) -> &str {
        self.expose().rsplit_once('=').map_or("", |(_, token)| token)
    }

    /// For a payload that is sealed.
    pub(super) fn serialize<S: Serializer>(link: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(link.expose())
    }

    /// From a payload that was sealed.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretString::deserialize(deserializer)?;
        let good = text.expose_secret().starts_with("http")
            && text.expose_secret().bytes().all(|b| b.is_ascii_graphic());
        if !good {
            return Err(D::Error::custom("no link"));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://pbx.example.com", "https://pbx.example.com")]
    #[case("https://pbx.example.com:8443/", "https://pbx.example.com:8443")]
    #[case("https://example.com/pbx/", "https://example.com/pbx")]
    #[case("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443")]
    #[case("http://localhost:8420", "http://localhost:8420")]
    #[case("http://127.0.0.1:8420", "http://127.0.0.1:8420")]
    #[case("http://[::1]", "http://[::1]")]
    fn a_link_begins_with_the_public_address(#[case] text: &str, #[case] base: &str) {
        let url: PublicUrl = text.parse().unwrap();
        let token = SecretString::from("aB3-_.~");
        let link = url.link(Page::Invitation, &token).ok().unwrap();
        assert_eq!(link.expose(), format!("{base}/invitation#token=aB3-_.~"));
        assert_eq!(link.token(), "aB3-_.~");
    }

    #[rstest]
    #[case::clear("http://pbx.example.com")]
    #[case::no_scheme("pbx.example.com")]
    #[case::script("javascript://x/%0aalert(1)")]
    #[case::user("https://ann@pbx.example.com")]
    #[case::query("https://pbx.example.com/?a=b")]
    #[case::fragment("https://pbx.example.com/#a")]
    #[case::line_break("https://pbx.example.com/\r\nx")]
    #[case::quote("https://pbx.example.com/\"x")]
    #[case::no_host("https:///x")]
    #[case::port("https://pbx.example.com:x")]
    #[case::port_zero("https://pbx.example.com:0")]
    #[case::bracket("https://[::1")]
    #[case::empty("")]
    fn anything_else_is_no_public_address(#[case] text: &str) {
        assert!(text.parse::<PublicUrl>().is_err());
    }

    #[rstest]
    #[case("")]
    #[case("a b")]
    #[case("a\r\nBcc: x")]
    #[case("\"><script>")]
    #[case("a=b")]
    #[case(&"x".repeat(501))]
    fn a_token_that_would_not_stand_as_it_is_makes_no_link(#[case] token: &str) {
        let url: PublicUrl = "https://pbx.example.com".parse().unwrap();
        let token = SecretString::from(token);
        assert!(url.link(Page::PasswordReset, &token).is_err());
    }

    #[test]
    fn a_listener_on_every_address_is_reached_on_this_host() {
        let of = |text: &str| PublicUrl::of_listener(text.parse().unwrap()).to_string();
        assert_eq!(of("0.0.0.0:8420"), "http://127.0.0.1:8420");
        assert_eq!(of("192.0.2.7:80"), "http://192.0.2.7:80");
        assert_eq!(of("[::1]:8420"), "http://[::1]:8420");
    }
}
