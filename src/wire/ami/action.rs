//! What we send: a named action with headers that are proven to fit on the wire.

use std::fmt::{self, Write as _};

use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::config::EventMask;

/// Bytes of one line without its CR LF. Asterisk 22 takes 1022; to a longer one it gives *two* answers, and every
/// answer after them would be read as that of another action.
pub const MAX_LINE: usize = 1022;
/// Lines of one action, `Action` and `ActionID` among them (measured: 128 pass, 129 do not).
pub const MAX_LINES: usize = 128;
const OWN_LINES: usize = 2;

/// Why something cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    #[error("{name:?} cannot name an action; use ASCII letters and digits")]
    BadName { name: String },
    #[error(
        "{key:?} cannot be a header of an action; keys are printable ASCII without a colon, and not `Action` or `ActionID`"
    )]
    BadKey { key: String },
    #[error("the value of {key} holds CR, LF or NUL, which AMI cannot carry")]
    BadValue { key: String },
    #[error("the line of {key} has {bytes} bytes; Asterisk takes at most {MAX_LINE}")]
    LineTooLong { key: String, bytes: usize },
    #[error("the action has more than {} headers, which is all that Asterisk takes", MAX_LINES - OWN_LINES)]
    TooManyHeaders,
}

/// An action that can be sent as it is; the `ActionID` is added on the way.
///
/// `Debug` shows no value.
#[derive(Clone)]
pub struct Action {
    name: String,
    headers: Vec<(String, Zeroizing<String>)>,
}

impl Action {
    /// An action without headers.
    pub fn new(name: impl Into<String>) -> Result<Self, ActionError> {
        let name = name.into();
        if name.is_empty() || name.len() > 80 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(ActionError::BadName { name });
        }
        Ok(Self {
            name,
            headers: Vec::new(),
        })
    }

    /// Adds a header; a key may be added more than once. Asterisk drops spaces at the start of a value.
    pub fn header(mut self, key: impl Into<String>, value: impl Into<String>) -> Result<Self, ActionError> {
        let (key, value) = (key.into(), Zeroizing::new(value.into()));
        let reserved = key.eq_ignore_ascii_case("Action") || key.eq_ignore_ascii_case("ActionID");
        if key.is_empty() || reserved || !key.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
            return Err(ActionError::BadKey { key });
        }
        if value.contains(['\r', '\n', '\0']) {
            return Err(ActionError::BadValue { key });
        }
        let bytes = key.len() + ": ".len() + value.len();
        if bytes > MAX_LINE {
            return Err(ActionError::LineTooLong { key, bytes });
        }
        if self.headers.len() + OWN_LINES >= MAX_LINES {
            return Err(ActionError::TooManyHeaders);
        }
        self.headers.push((key, value));
        Ok(self)
    }

    /// Runs one line of Asterisk's own command line.
    pub fn command(line: impl Into<String>) -> Result<Self, ActionError> {
        Self::new("Command")?.header("Command", line)
    }

    /// Asks for a sign of life.
    #[must_use]
    pub fn ping() -> Self {
        Self {
            name: "Ping".to_owned(),
            headers: Vec::new(),
        }
    }

    /// Ends the session; Asterisk says `Goodbye` and closes the connection.
    #[must_use]
    pub fn logoff() -> Self {
        Self {
            name: "Logoff".to_owned(),
            headers: Vec::new(),
        }
    }

    /// Signs in with a secret in clear text.
    pub fn login(username: &str, secret: &SecretString, events: &EventMask) -> Result<Self, ActionError> {
        Self::new("Login")?
            .header("Username", username)?
            .header("Secret", secret.expose_secret())?
            .header("Events", events.header())
    }

    /// Asks for something to sign in with, in place of the secret.
    #[must_use]
    pub fn challenge() -> Self {
        Self {
            name: "Challenge".to_owned(),
            headers: vec![("AuthType".to_owned(), "MD5".to_owned().into())],
        }
    }

    /// Signs in with the answer to a challenge.
    pub fn answer_challenge(
        username: &str,
        secret: &SecretString,
        challenge: &str,
        events: &EventMask,
    ) -> Result<Self, ActionError> {
        let mut hasher = Md5::new();
        hasher.update(challenge.as_bytes());
        hasher.update(secret.expose_secret().as_bytes());
        let mut key = String::with_capacity(32);
        for byte in hasher.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(key, "{byte:02x}");
        }
        Self::new("Login")?
            .header("AuthType", "MD5")?
            .header("Username", username)?
            .header("Key", key)?
            .header("Events", events.header())
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of the wire. `id` comes from us and needs no check.
    pub(super) fn encode(&self, id: &str) -> Zeroizing<Vec<u8>> {
        let headers: usize = self.headers.iter().map(|(k, v)| k.len() + v.len() + 4).sum();
        // Sized at once: a buffer that grows leaves copies of a secret behind.
        let mut out = Zeroizing::new(Vec::with_capacity(headers + self.name.len() + id.len() + 32));
        let own = [("Action", self.name.as_str()), ("ActionID", id)];
        for (key, value) in own
            .into_iter()
            .chain(self.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())))
        {
            for part in [key, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.headers.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Action")
            .field("name", &self.name)
            .field("keys", &keys)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ami::codec::{Codec, Frame};
    use bytes::BytesMut;
    use proptest::prelude::*;
    use tokio_util::codec::Decoder as _;

    #[test]
    fn an_action_is_written_as_asterisk_reads_it() {
        let action = Action::new("Getvar")
            .unwrap()
            .header("Variable", "GENERATION")
            .unwrap();
        assert_eq!(
            action.encode("7-1").as_slice(),
            b"Action: Getvar\r\nActionID: 7-1\r\nVariable: GENERATION\r\n\r\n"
        );
    }

    #[test]
    fn line_ends_and_nul_are_refused_not_stripped() {
        for bad in ["a\rb", "a\nb", "a\0b", "\r\nAction: Originate"] {
            let error = Action::command(bad).unwrap_err();
            assert_eq!(
                error,
                ActionError::BadValue {
                    key: "Command".to_owned()
                }
            );
        }
    }

    #[test]
    fn keys_and_names_that_would_break_the_frame_are_refused() {
        for key in ["", "A:b", "A\r\nB", "A b", "Ä", "ActionID", "action"] {
            assert!(
                matches!(Action::ping().header(key, "v"), Err(ActionError::BadKey { .. })),
                "{key:?}"
            );
        }
        for name in ["", "Ping\r\n", "Pi ng", "Ping:"] {
            assert!(
                matches!(Action::new(name), Err(ActionError::BadName { .. })),
                "{name:?}"
            );
        }
    }

    #[test]
    fn lines_and_headers_stay_within_what_asterisk_takes() {
        let fits = "y".repeat(MAX_LINE - "X: ".len());
        assert!(Action::ping().header("X", fits.clone()).is_ok());
        let error = Action::ping().header("X", fits + "y").unwrap_err();
        assert_eq!(
            error,
            ActionError::LineTooLong {
                key: "X".to_owned(),
                bytes: MAX_LINE + 1
            }
        );

        let mut action = Action::ping();
        for n in 0..MAX_LINES - OWN_LINES {
            action = action.header(format!("X{n}"), "y").unwrap();
        }
        assert_eq!(action.header("X", "y").unwrap_err(), ActionError::TooManyHeaders);
    }

    #[test]
    fn debug_and_errors_show_no_secret() {
        let action = Action::login("lab", &SecretString::from("s3cret"), &EventMask::Off).unwrap();
        assert!(!format!("{action:?}").contains("s3cret"));
        let error = Action::login("lab", &SecretString::from("s3cret\n"), &EventMask::Off).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("s3cret"));
    }

    proptest! {
        /// What is accepted comes back from the codec as exactly these fields and one message.
        #[test]
        fn an_accepted_action_is_one_block_with_its_fields(
            headers in prop::collection::vec(("[A-Za-z:\\r ]{0,8}|\\PC{1,12}", "(?s).{0,40}"), 0..8)
        ) {
            let mut action = Action::ping();
            let mut kept = vec![("Action".to_owned(), "Ping".to_owned()), ("ActionID".to_owned(), "1".to_owned())];
            for (key, value) in headers {
                if let Ok(more) = action.clone().header(key.clone(), value.clone()) {
                    action = more;
                    kept.push((key, value));
                }
            }
            let mut wire = BytesMut::from(&b"Asterisk Call Manager/11.0.0\r\n"[..]);
            wire.extend_from_slice(&action.encode("1"));
            let mut codec = Codec::new(1 << 20);
            prop_assert!(matches!(codec.decode(&mut wire), Ok(Some(Frame::Banner(_)))));
            let Ok(Some(Frame::Message(message))) = codec.decode(&mut wire) else { panic!("no message") };
            let fields: Vec<_> = message.fields().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(fields, kept);
            prop_assert!(wire.is_empty());
        }
    }
}
