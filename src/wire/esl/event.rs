//! What FreeSWITCH tells of itself, written as JSON or as lines of text.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::de::{self, Deserializer as _, MapAccess, Visitor};
use serde_json::Value;

use super::codec::{number, split_field};
use crate::wire::fields::Fields;

/// Where JSON keeps the body.
const BODY: &str = "_body";

/// An event: headers, and for some kinds a body.
///
/// Headers keep the order of the wire, and a key may occur more than once (FreeSWITCH writes `Event-Name` twice into some
/// events of kind `CUSTOM`). Keys compare without regard to case. Values are text: bytes that are not UTF-8 are
/// replaced by U+FFFD.
///
/// `Debug` shows keys and what kind of event it is, never another value: those hold passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    headers: Fields,
    body: Option<String>,
}

/// Why the text of an event cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("it is no JSON object: {category}, in line {line}, column {column}")]
    Json {
        category: &'static str,
        line: usize,
        column: usize,
    },
    #[error("line {line} is no header")]
    NoHeader { line: usize },
    #[error("its body has {got} bytes and says {said:?}")]
    Body { said: String, got: usize },
}

impl Event {
    /// Reads an event in JSON. A value that is a list is a header that occurs more than once.
    pub fn from_json(text: &[u8]) -> Result<Self, EventError> {
        let text = String::from_utf8_lossy(text);
        let mut json = serde_json::Deserializer::from_str(&text);
        let event = json.deserialize_map(JsonEvent);
        event
            .and_then(|event| json.end().map(|()| event))
            .map_err(|error| EventError::Json {
                // Not its text, which may quote a value.
                category: category(&error),
                line: error.line(),
                column: error.column(),
            })
    }

    /// Reads an event in lines of text, whose values are URL-encoded. After an empty line comes the body, if there is one,
    /// as it is.
    pub fn from_plain(text: &[u8]) -> Result<Self, EventError> {
        let mut headers = Fields::default();
        let mut rest = text;
        let mut line_number = 0_usize;
        while let Some((line, after)) = split_line(rest) {
            rest = after;
            if line.is_empty() {
                break;
            }
            line_number += 1;
            let line = String::from_utf8_lossy(line);
            let (key, value) = split_field(&line).ok_or(EventError::NoHeader { line: line_number })?;
            headers.push(key, percent_decode_str(value).decode_utf8_lossy());
        }
        let body = body(&headers, rest)?;
        Ok(Self { headers, body })
    }

    /// The kind of event: `CHANNEL_CREATE`, `CUSTOM`, …
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.get("Event-Name")
    }

    /// The kind of an event whose name is `CUSTOM`: `sofia::register`, …
    #[must_use]
    pub fn subclass(&self) -> Option<&str> {
        self.get("Event-Subclass")
    }

    /// The first value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.headers.get(key)
    }

    /// All values under `key`, in the order of the wire.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.headers.all(key)
    }

    /// All headers, in the order of the wire.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter()
    }

    /// What stands behind the headers.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    pub(super) fn into_body(self) -> Option<String> {
        self.body
    }
}

/// The first line without its end, and what follows; `None` if there is nothing.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = text.splitn(2, |byte| *byte == b'\n');
    let line = parts.next()?;
    (!text.is_empty()).then(|| (line, parts.next().unwrap_or_default()))
}

/// The body of an event in text, of which the headers say how many bytes it has.
fn body(headers: &Fields, rest: &[u8]) -> Result<Option<String>, EventError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let body = match headers.get("Content-Length") {
        None => rest,
        Some(said) => number(said)
            .and_then(|length| rest.get(..length))
            .ok_or_else(|| EventError::Body {
                said: super::codec::quote(said),
                got: rest.len(),
            })?,
    };
    Ok(Some(String::from_utf8_lossy(body).into_owned()))
}

fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Io => "it cannot be read",
        serde_json::error::Category::Syntax => "a syntax error",
        serde_json::error::Category::Data => "no object",
        serde_json::error::Category::Eof => "it ends early",
    }
}

/// Reads the members one by one: a map would keep the last of those with one name, and not their order.
struct JsonEvent;

impl<'de> Visitor<'de> for JsonEvent {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Event, A::Error> {
        let mut headers = Fields::default();
        let mut body = None;
        while let Some((key, value)) = members.next_entry::<String, Value>()? {
            match value {
                Value::Array(values) => {
                    for value in values {
                        headers.push(key.clone(), text::<A::Error>(value)?);
                    }
                }
                value if key == BODY => body = Some(text(value)?),
                value => headers.push(key, text(value)?),
            }
        }
        Ok(Event { headers, body })
    }
}

/// FreeSWITCH writes texts only; a number means its digits.
fn text<E: de::Error>(value: Value) -> Result<String, E> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        value @ (Value::Bool(_) | Value::Number(_)) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => Err(E::custom("a value within a value")),
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name())
            .field("subclass", &self.subclass())
            .field("keys", &self.headers)
            .field("body_bytes", &self.body.as_ref().map(String::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_order_and_repetition_in_both_forms() {
        let json = Event::from_json(
            br#"{"Event-Name":"A","x":["1","2"],"n":7,"b":true,"none":null,"event-name":"B"}"#,
        )
        .unwrap();
        let plain = Event::from_plain(b"Event-Name: A\nx: 1\nx: 2\nn: 7\nb: true\nnone: \nevent-name: B\n\n")
            .unwrap();
        assert_eq!(
            json.headers().collect::<Vec<_>>(),
            plain.headers().collect::<Vec<_>>()
        );
        assert_eq!(json, plain);
        assert_eq!(json.all("X").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((json.name(), json.get("n")), (Some("A"), Some("7")));
    }

    #[test]
    fn values_of_text_are_decoded_and_what_is_no_code_stays() {
        let event =
            Event::from_plain(b"a: fd00%3A%3A2\nb: 100%\nc: %zz+%2B\nd:no space\ne:  two\nf: %ff\n").unwrap();
        let values: Vec<_> = event.headers().map(|(_, value)| value).collect();
        assert_eq!(
            values,
            ["fd00::2", "100%", "%zz++", "no space", " two", "\u{fffd}"]
        );
        assert_eq!(event.body(), None);
    }

    #[test]
    fn an_encoded_line_end_makes_no_second_header() {
        let event = Event::from_plain(b"name: x%0AEvent-Name%3A FORGED\n").unwrap();
        assert_eq!(
            event.headers().collect::<Vec<_>>(),
            [("name", "x\nEvent-Name: FORGED")]
        );
    }

    #[test]
    fn a_body_is_as_long_as_it_says() {
        let event = |length: &str| {
            Event::from_plain(format!("a: b\nContent-Length: {length}\n\nabc%41\n").as_bytes())
        };
        assert_eq!(event("7").unwrap().body(), Some("abc%41\n"));
        assert_eq!(event("3").unwrap().body(), Some("abc"));
        for wrong in ["8", "-1", "x", "99999999999999999999999"] {
            assert_eq!(
                event(wrong),
                Err(EventError::Body {
                    said: wrong.to_owned(),
                    got: 7
                })
            );
        }
        let event = Event::from_plain(b"Content-Length: 4\n\n\xff\xc3\xabxrest").unwrap();
        assert_eq!(
            event.body(),
            Some("\u{fffd}\u{eb}x"),
            "bytes are counted, not letters"
        );
        assert_eq!(Event::from_plain(b"a: b\n\nbody").unwrap().body(), Some("body"));
        assert_eq!(
            Event::from_json(br#"{"_body":"x\n"}"#).unwrap().body(),
            Some("x\n")
        );
    }

    #[test]
    fn what_is_no_event_is_told_without_its_values() {
        for text in [
            "",
            "[]",
            "7",
            "{\"a\":\"s3cret\"",
            "{\"a\":{\"b\":\"s3cret\"}}",
            "{\"a\":[[\"s3cret\"]]}",
            "{} s3cret",
        ] {
            let error = Event::from_json(text.as_bytes()).unwrap_err();
            assert!(
                !format!("{error:?} {error}").contains("s3cret"),
                "{text}: {error}"
            );
        }
        assert_eq!(
            Event::from_plain(b"a: b\ns3cret\n"),
            Err(EventError::NoHeader { line: 2 })
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let event =
            Event::from_json(br#"{"Event-Name":"CUSTOM","variable_password":"s3cret","_body":"s3cret"}"#)
                .unwrap();
        let shown = format!("{event:?}");
        assert!(
            shown.contains("CUSTOM") && shown.contains("variable_password"),
            "{shown}"
        );
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let event = Event::from_json(b"{\"a\":\"Zo\xeb\"}").unwrap();
        assert_eq!(event.get("a"), Some("Zo\u{fffd}"));
        assert_eq!(
            Event::from_plain(b"a: \xeb\n").unwrap().get("a"),
            Some("\u{fffd}")
        );
    }
}
