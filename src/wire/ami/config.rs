//! Where the manager is, who we are there, and the bounds we keep.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::wire::link::Timing;

/// Everything that one link needs. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    pub endpoint: Endpoint,
    pub login: Login,
    pub events: EventMask,
    pub timing: Timing,
    pub limits: Limits,
}

impl Config {
    /// Plain TCP and a secret, no events, default bounds.
    #[must_use]
    pub fn new(
        host: impl Into<String>,
        port: u16,
        username: impl Into<String>,
        secret: SecretString,
    ) -> Self {
        Self {
            endpoint: Endpoint::Tcp {
                host: host.into(),
                port,
            },
            login: Login::Secret {
                username: username.into(),
                secret,
            },
            events: EventMask::Off,
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }
}

/// How the manager is reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Endpoint {
    Tcp {
        host: String,
        port: u16,
    },
    /// The certificate must be for `host`, a name or an address.
    Tls {
        host: String,
        port: u16,
        trust: Trust,
    },
}

impl Endpoint {
    pub(super) fn place(&self) -> (&str, u16) {
        match self {
            Self::Tcp { host, port } | Self::Tls { host, port, .. } => (host, *port),
        }
    }

    pub(super) fn address(&self) -> String {
        let (host, port) = self.place();
        format!("{host}:{port}")
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's own list.
    System,
    /// A file of certificates in PEM.
    File(PathBuf),
}

/// How we sign in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Login {
    /// The secret goes over the wire as it is: for loopback and TLS.
    Secret { username: String, secret: SecretString },
    /// Only a digest of the secret and of what the manager asks goes over the wire (MD5, which is all that Asterisk
    /// knows); the secret itself only where the manager does not ask, and as far as `clear` lets it.
    Challenge {
        username: String,
        secret: SecretString,
        clear: ClearSecret,
    },
}

/// Where a secret may go over the wire as it is, without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearSecret {
    Never,
    /// Within this host.
    Loopback,
    Anywhere,
}

impl ClearSecret {
    pub(super) fn may_go_to(self, peer: IpAddr) -> bool {
        match self {
            Self::Never => false,
            Self::Loopback => peer.to_canonical().is_loopback(),
            Self::Anywhere => true,
        }
    }
}

/// Which unsolicited events Asterisk shall send on this link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventMask {
    Off,
    On,
    /// Only these classes (`system`, `call`, …), as far as the account may read them.
    Classes(Vec<String>),
}

impl EventMask {
    pub(super) fn header(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::On => "on".to_owned(),
            // Asterisk reads an empty list as "all".
            Self::Classes(classes) if classes.is_empty() => "off".to_owned(),
            Self::Classes(classes) => classes.join(","),
        }
    }
}

/// Bounds on memory. `pending` and `events` are kept within 1..=65,536.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one message. The output of a command is one message.
    pub frame: usize,
    /// Events of one list.
    pub list: usize,
    /// Requests that wait for an answer at the same time.
    pub pending: usize,
    /// Unsolicited events kept for a slow reader.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 4 * 1024 * 1024,
            list: 200_000,
            pending: 256,
            events: 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let config = Config::new("127.0.0.1", 5038, "lab", SecretString::from("s3cret"));
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn a_clear_secret_stays_within_the_host_unless_it_may_leave() {
        for (host, within) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
        ] {
            let peer: IpAddr = host.parse().unwrap();
            assert_eq!(ClearSecret::Loopback.may_go_to(peer), within, "{host}");
            assert!(ClearSecret::Anywhere.may_go_to(peer) && !ClearSecret::Never.may_go_to(peer));
        }
    }

    #[test]
    fn event_masks_read_as_asterisk_expects_them() {
        assert_eq!(EventMask::Classes(Vec::new()).header(), "off");
        assert_eq!(EventMask::Off.header(), "off");
        assert_eq!(
            EventMask::Classes(vec!["call".into(), "system".into()]).header(),
            "call,system"
        );
    }
}
