//! Where the event socket is, what we say and hear there, and the bounds we keep.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::command::{CommandError, check};
use super::word::Word;
use crate::wire::link::Timing;

/// Everything that one link needs. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// A name or an address. The password goes there as it is, for FreeSWITCH's event socket knows no TLS: this host, or
    /// a network that nobody else reads.
    pub host: String,
    pub port: u16,
    pub password: Password,
    pub events: Subscription,
    pub timing: Timing,
    pub limits: Limits,
}

impl Config {
    /// No events, default bounds.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, password: Password) -> Self {
        Self {
            host: host.into(),
            port,
            password,
            events: Subscription::new(Format::Json),
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }

    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The event socket's password. It fits on the line of a command.
#[derive(Clone)]
pub struct Password(SecretString);

/// Why a text cannot be the password. It is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the event socket's password is empty")]
    Empty,
    #[error("the event socket's password holds CR, LF or NUL, which the event socket cannot carry")]
    LineEnd,
}

impl Password {
    /// Takes the password as it is, or refuses it.
    pub fn new(password: SecretString) -> Result<Self, PasswordError> {
        let text = password.expose_secret();
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        check("the password", text).map_err(|_| PasswordError::LineEnd)?;
        Ok(Self(password))
    }

    /// The line that starts with `how` and ends with the password.
    pub(super) fn line(&self, how: &str) -> Zeroizing<String> {
        let password = self.0.expose_secret();
        // Sized at once: a buffer that grows leaves copies of a secret behind.
        let mut line = Zeroizing::new(String::with_capacity(how.len() + password.len()));
        line.push_str(how);
        line.push_str(password);
        line
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// In which form events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Plain,
}

/// Which events FreeSWITCH shall send on this link. It is asked for them again on each new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    format: Format,
    names: Vec<Word>,
    subclasses: Vec<Word>,
    filters: Vec<(Word, String)>,
}

/// Its subclasses follow that name, so it cannot stand among others.
const CUSTOM: &str = "CUSTOM";
/// The answer to a `bgapi`; each link hears of those.
pub(super) const JOB: &str = "BACKGROUND_JOB";

/// Why something cannot be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    #[error("name the subclasses of CUSTOM that are wanted, not CUSTOM itself")]
    Custom,
    #[error("the filter cannot be sent")]
    Filter(#[source] CommandError),
}

impl Subscription {
    /// Nothing yet.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            names: Vec::new(),
            subclasses: Vec::new(),
            filters: Vec::new(),
        }
    }

    /// Events of this name as well: `CHANNEL_CREATE`, `HEARTBEAT`, …
    pub fn event(mut self, name: Word) -> Result<Self, SubscriptionError> {
        if name.as_str().eq_ignore_ascii_case(CUSTOM) {
            return Err(SubscriptionError::Custom);
        }
        self.names.push(name);
        Ok(self)
    }

    /// Events of the name `CUSTOM` and this subclass as well: `sofia::register`, …
    #[must_use]
    pub fn custom(mut self, subclass: Word) -> Self {
        self.subclasses.push(subclass);
        self
    }

    /// Of all these only such as have this value in this header, or meet another filter.
    pub fn filter(mut self, header: Word, value: impl Into<String>) -> Result<Self, SubscriptionError> {
        let value = value.into();
        check("the value", &value).map_err(SubscriptionError::Filter)?;
        self.filters.push((header, value));
        Ok(self)
    }

    /// The commands that ask for it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut events = match self.format {
            Format::Json => format!("event json {JOB}"),
            Format::Plain => format!("event plain {JOB}"),
        };
        let custom = (!self.subclasses.is_empty()).then_some(CUSTOM);
        let words = self.names.iter().map(Word::as_str);
        let words = words
            .chain(custom)
            .chain(self.subclasses.iter().map(Word::as_str));
        for word in words {
            events.push(' ');
            events.push_str(word);
        }
        let mut lines = vec![events];
        if !self.filters.is_empty() {
            lines.push(format!("filter Event-Name {JOB}"));
        }
        lines.extend(
            self.filters
                .iter()
                .map(|(header, value)| format!("filter {header} {value}")),
        );
        lines
    }
}

/// Bounds on memory. `pending` and `events` are kept within 1..=65,536.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one answer or event. All channels are one answer: 800 of them are 693 KB (measured).
    pub body: usize,
    /// Requests that wait for an answer at the same time.
    pub pending: usize,
    /// Unsolicited events kept for a slow reader.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 16 * 1024 * 1024,
            pending: 256,
            events: 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word::new(text).unwrap()
    }

    #[test]
    fn debug_shows_no_secret() {
        let password = Password::new(SecretString::from("s3cret")).unwrap();
        let config = Config::new("127.0.0.1", 8021, password);
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn a_password_that_is_more_than_one_line_or_none_is_refused_unshown() {
        let error = |text: &str| Password::new(SecretString::from(text)).unwrap_err();
        assert_eq!(error(""), PasswordError::Empty);
        for bad in ["s3cret\n", "s3\rcret", "s3cret\0", "x\n\napi shutdown"] {
            assert_eq!(error(bad), PasswordError::LineEnd);
            assert!(!format!("{:?} {}", error(bad), error(bad)).contains("s3"));
        }
    }

    #[test]
    fn custom_comes_last_and_every_link_hears_of_its_jobs() {
        assert_eq!(
            Subscription::new(Format::Json).lines(),
            ["event json BACKGROUND_JOB"]
        );
        let subscription = Subscription::new(Format::Plain)
            .custom(word("sofia::register"))
            .event(word("CHANNEL_CREATE"))
            .unwrap()
            .custom(word("sofia::expire"));
        assert_eq!(
            subscription.lines(),
            ["event plain BACKGROUND_JOB CHANNEL_CREATE CUSTOM sofia::register sofia::expire"]
        );
        for custom in ["CUSTOM", "custom"] {
            assert_eq!(
                subscription.clone().event(word(custom)).unwrap_err(),
                SubscriptionError::Custom
            );
        }
    }

    #[test]
    fn a_filter_lets_the_jobs_of_the_link_pass() {
        let filtered = |value: &str| {
            let subscription = Subscription::new(Format::Json)
                .event(word("CHANNEL_CREATE"))
                .unwrap();
            subscription.filter(word("Caller-Context"), value)
        };
        assert_eq!(
            filtered("demo.local").unwrap().lines(),
            [
                "event json BACKGROUND_JOB CHANNEL_CREATE",
                "filter Event-Name BACKGROUND_JOB",
                "filter Caller-Context demo.local"
            ]
        );
        assert!(matches!(filtered("a\n\nexit"), Err(SubscriptionError::Filter(_))));
    }
}
