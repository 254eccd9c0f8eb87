//! Where the manager is, who we are there, and the bounds we keep.

use std::time::Duration;

use secrecy::SecretString;

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

/// How the manager is reached. The place of TLS.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Endpoint {
    Tcp { host: String, port: u16 },
}

/// How we sign in. The place of the MD5 challenge.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Login {
    /// The secret goes over the wire as it is: for loopback.
    Secret { username: String, secret: SecretString },
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

/// Deadlines of the link itself; each request brings its own.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From the first packet to the answered login. Asterisk answers a wrong secret only after one second.
    pub connect: Duration,
    /// After this long without a message the link is asked for a sign of life.
    pub idle: Duration,
    /// How long that sign may take. Asterisk does not answer while it works at another action.
    pub ping: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            ping: Duration::from_secs(10),
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
    fn event_masks_read_as_asterisk_expects_them() {
        assert_eq!(EventMask::Classes(Vec::new()).header(), "off");
        assert_eq!(EventMask::Off.header(), "off");
        assert_eq!(
            EventMask::Classes(vec!["call".into(), "system".into()]).header(),
            "call,system"
        );
    }
}
