//! One block of `Key: Value` lines, as Asterisk sent it.

use std::fmt;

use crate::wire::fields::Fields;

/// A response or an event.
///
/// Fields keep the order of the wire and a key may occur more than once (`Output`, `ChanVariable`). Keys compare
/// without regard to case. Values are text: bytes that are not UTF-8 are replaced by U+FFFD.
///
/// `Debug` shows keys and the three fields that name the message, never another value: `PJSIPShowEndpoint` answers
/// with SIP passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    fields: Fields,
}

impl Message {
    /// Reads one block without its ending empty line. `Err` gives the first line when that has no key.
    ///
    /// A later line without a key goes on with the value before it: `Getvar` of a variable that holds CR LF is
    /// answered that way.
    pub(super) fn parse(block: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(block);
        let mut fields = Fields::default();
        for line in text.split("\r\n") {
            match (split_field(line), fields.last_value()) {
                (Some((key, value)), _) => fields.push(key, value),
                (None, Some(value)) => {
                    value.push_str("\r\n");
                    value.push_str(line);
                }
                (None, None) => return Err(line.to_owned()),
            }
        }
        Ok(Self { fields })
    }

    /// One of these lines, for tests of what reads messages.
    #[cfg(test)]
    pub(crate) fn of_lines(lines: &[&str]) -> Self {
        Self::parse(lines.join("\r\n").as_bytes()).unwrap()
    }

    /// The first value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.get(key)
    }

    /// All values under `key`, in the order of the wire.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.fields.all(key)
    }

    /// All fields, in the order of the wire.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter()
    }

    /// The event's name, if this is an event.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.get("Event")
    }

    /// The kind of response (`Success`, `Error`, `Goodbye`), if this is a response.
    #[must_use]
    pub fn response(&self) -> Option<&str> {
        self.get("Response")
    }

    /// The `ActionID` that this message answers to.
    #[must_use]
    pub fn action_id(&self) -> Option<&str> {
        // `GetConfig` of a section that is not there says so in a line without a key, which went to this value (measured).
        self.get("ActionID").and_then(|id| id.split("\r\n").next())
    }

    /// Whether this is a response that says yes: `Success`, or the `Goodbye` of a log-off.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.response()
            .is_some_and(|r| r.eq_ignore_ascii_case("Success") || r.eq_ignore_ascii_case("Goodbye"))
    }

    /// Whether this is a response that says no.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.response().is_some_and(|r| r.eq_ignore_ascii_case("Error"))
    }
}

fn split_field(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let named = !key.is_empty() && key.bytes().all(|b| b.is_ascii() && !b.is_ascii_control());
    // Asterisk writes one space after the colon; more of them belong to the value.
    named.then(|| (key, value.strip_prefix(' ').unwrap_or(value)))
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("response", &self.response())
            .field("event", &self.event())
            .field("action_id", &self.action_id())
            .field("keys", &self.fields)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_repetition() {
        let m = Message::parse(b"Response: Success\r\nOutput: a\r\nOutput: \r\noutput:   b: c ").unwrap();
        assert_eq!(m.all("OUTPUT").collect::<Vec<_>>(), ["a", "", "  b: c "]);
        assert_eq!(m.get("output"), Some("a"));
        assert_eq!(m.get("Other"), None);
        assert!(m.is_success() && !m.is_error() && m.event().is_none());
    }

    #[test]
    fn a_bare_line_feed_stays_in_its_value() {
        let m = Message::parse(b"Response: Error\r\nMessage: No Contacts found\n").unwrap();
        assert_eq!(m.get("Message"), Some("No Contacts found\n"));
        assert!(m.is_error());
    }

    #[test]
    fn a_line_without_a_key_goes_on_with_the_value_before() {
        let m = Message::parse(b"Response: Success\r\nValue: a\r\nb\r\n: c").unwrap();
        assert_eq!(m.get("value"), Some("a\r\nb\r\n: c"));
    }

    #[test]
    fn a_line_without_a_key_is_no_part_of_the_action_id() {
        let m = Message::parse(b"Response: Success\r\nActionID: 7\r\nNo categories found").unwrap();
        assert_eq!(m.action_id(), Some("7"));
    }

    #[test]
    fn a_block_that_starts_without_a_key_is_refused() {
        assert_eq!(Message::parse(b"b").unwrap_err(), "b");
        assert_eq!(Message::parse(b"\xff: b\r\nKey: v").unwrap_err(), "\u{fffd}: b");
        assert_eq!(Message::parse(b"a\nb: c").unwrap_err(), "a\nb: c");
        assert!(Message::parse(b"").is_err());
    }

    #[test]
    fn values_that_are_not_utf8_are_read_with_replacement() {
        let m = Message::parse(b"Value: \xff\xfex").unwrap();
        assert_eq!(m.get("Value"), Some("\u{fffd}\u{fffd}x"));
    }

    #[test]
    fn debug_shows_no_value_of_a_field() {
        let m = Message::parse(
            b"Event: AuthDetail\r\nPassword: s3cret\r\nMd5Cred: abcd\r\nOutput: x\r\nOutput: y",
        )
        .unwrap();
        let shown = format!("{m:?}");
        assert!(
            shown.contains("AuthDetail") && shown.contains("Password"),
            "{shown}"
        );
        assert!(!shown.contains("s3cret") && !shown.contains("abcd"), "{shown}");
    }
}
