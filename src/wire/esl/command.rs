//! What we send: one line that is proven to be one.

use std::fmt;

use zeroize::Zeroizing;

use super::config::{Password, Subscription};
use super::word::Word;

/// What comes as the answer, so that none is taken for that of another command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A `command/reply`.
    Reply,
    /// An `api/response`; a `command/reply` only if it is refused.
    Api,
    /// A `command/reply` that names a job, and later the event `BACKGROUND_JOB` of that job.
    Job,
}

/// Why something cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{name} holds CR, LF or NUL, which a command cannot carry")]
    BadText { name: String },
    #[error("the command is empty, or starts with a space")]
    Empty,
}

/// A command that can be sent as it is.
///
/// `Debug` shows its name, never what follows.
#[derive(Clone)]
pub struct Command {
    line: Zeroizing<String>,
    kind: Kind,
}

impl Command {
    /// Runs an API function, `line` being its name and what it is given. Others wait until it is done.
    ///
    /// FreeSWITCH takes `line` apart at its spaces, and some functions take it for code: what comes from somebody else
    /// is a [`Word`] first.
    pub fn api(line: &str) -> Result<Self, CommandError> {
        Self::call("api", line, Kind::Api)
    }

    /// Runs an API function in a thread of its own, so that others do not wait.
    pub fn background(line: &str) -> Result<Self, CommandError> {
        Self::call("bgapi", line, Kind::Job)
    }

    /// Asks for no further events.
    #[must_use]
    pub fn no_events() -> Self {
        Self::fixed("noevents", Kind::Reply)
    }

    /// Ends the session; FreeSWITCH says so and closes the connection.
    #[must_use]
    pub fn exit() -> Self {
        Self::fixed("exit", Kind::Reply)
    }

    /// The smallest thing that every FreeSWITCH answers.
    pub(super) fn life_sign() -> Self {
        Self::fixed("api version", Kind::Api)
    }

    pub(super) fn auth(password: &Password) -> Self {
        Self {
            line: password.line("auth "),
            kind: Kind::Reply,
        }
    }

    /// All that makes FreeSWITCH send what is subscribed to, in this order.
    pub(super) fn subscribe(subscription: &Subscription) -> Vec<Self> {
        let lines = subscription.lines().into_iter();
        lines
            .map(|line| Self {
                line: Zeroizing::new(line),
                kind: Kind::Reply,
            })
            .collect()
    }

    /// An API function that is given words only.
    pub(super) fn words(function: &'static str, words: &[&Word]) -> Self {
        let mut line = format!("api {function}");
        for word in words {
            line.push(' ');
            line.push_str(word.as_str());
        }
        Self::written(line)
    }

    /// An API function whose line is put together of our own text and [`Word`]s.
    pub(super) fn written(line: String) -> Self {
        Self {
            line: Zeroizing::new(line),
            kind: Kind::Api,
        }
    }

    fn fixed(line: &'static str, kind: Kind) -> Self {
        Self {
            line: Zeroizing::new(line.to_owned()),
            kind,
        }
    }

    fn call(how: &'static str, line: &str, kind: Kind) -> Result<Self, CommandError> {
        if line.is_empty() || line.starts_with(' ') {
            return Err(CommandError::Empty);
        }
        check(how, line)?;
        Ok(Self {
            line: Zeroizing::new(format!("{how} {line}")),
            kind,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What errors and logs call it: how it is run and what, not what it is given.
    #[must_use]
    pub fn name(&self) -> String {
        let words = match self.kind {
            Kind::Reply => 1,
            Kind::Api | Kind::Job => 2,
        };
        let words: Vec<&str> = self.line.split(' ').take(words).collect();
        words.join(" ")
    }

    /// The bytes of the wire.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Sized at once: a buffer that grows leaves copies of a secret behind.
        let mut out = Zeroizing::new(Vec::with_capacity(self.line.len() + 2));
        out.extend_from_slice(self.line.as_bytes());
        out.extend_from_slice(b"\n\n");
        out
    }
}

/// That `text` stays on its line.
pub(super) fn check(name: &str, text: &str) -> Result<(), CommandError> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(CommandError::BadText {
            name: name.to_owned(),
        });
    }
    Ok(())
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Command").field(&self.name()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::SecretString;

    fn sent(command: &Command) -> String {
        String::from_utf8(command.encode().to_vec()).unwrap()
    }

    #[test]
    fn a_command_is_written_as_freeswitch_reads_it() {
        assert_eq!(sent(&Command::api("status").unwrap()), "api status\n\n");
        assert_eq!(sent(&Command::background("status").unwrap()), "bgapi status\n\n");
        assert_eq!(sent(&Command::exit()), "exit\n\n");
        let user = Word::new("1001").unwrap();
        let domain = Word::new("demo.local").unwrap();
        assert_eq!(
            sent(&Command::words("user_exists id", &[&user, &domain])),
            "api user_exists id 1001 demo.local\n\n"
        );
    }

    #[test]
    fn line_ends_and_nul_are_refused_not_stripped() {
        for bad in ["a\rb", "a\nb", "a\0b", "status\n\nexit"] {
            let name = "api".to_owned();
            assert_eq!(Command::api(bad).unwrap_err(), CommandError::BadText { name });
        }
        for empty in ["", " status"] {
            assert_eq!(Command::background(empty).unwrap_err(), CommandError::Empty);
        }
    }

    #[test]
    fn names_and_debug_show_nothing_that_is_given() {
        let password = Password::new(SecretString::from("s3cret pass")).unwrap();
        let auth = Command::auth(&password);
        assert_eq!(sent(&auth), "auth s3cret pass\n\n");
        assert_eq!(format!("{auth:?}"), "Command(\"auth\")");
        let api = Command::api("user_data 1001@demo.local param password").unwrap();
        assert_eq!(api.name(), "api user_data");
    }

    proptest! {
        /// What is accepted is one line and the empty one that ends it.
        #[test]
        fn an_accepted_command_is_one_command(line in "(?s)[ a-z\\r\\n\\x00:]{0,6}.{0,40}") {
            match Command::api(&line) {
                Ok(command) => {
                    let wire = sent(&command);
                    let lines: Vec<&str> = wire.split('\n').collect();
                    let asked = format!("api {line}");
                    prop_assert_eq!(lines, [asked.as_str(), "", ""]);
                }
                Err(CommandError::Empty) => prop_assert!(line.is_empty() || line.starts_with(' ')),
                Err(CommandError::BadText { .. }) => prop_assert!(line.contains(['\r', '\n', '\0'])),
            }
        }
    }
}
