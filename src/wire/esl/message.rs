//! What a message of the event socket means.

use std::fmt;

use super::codec::Frame;
use super::event::{Event, EventError};

/// One message, by its `Content-Type`.
///
/// `Debug` shows no text that FreeSWITCH answered: it may hold passwords.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// `auth/request`: FreeSWITCH asks for the password.
    AuthRequest,
    /// `text/rude-rejection`: the address is not wanted.
    Rejected,
    /// `text/disconnect-notice`: FreeSWITCH closes.
    Disconnect,
    /// `command/reply`
    Reply(Reply),
    /// `api/response`
    Api(String),
    /// `text/event-json` or `text/event-plain`
    Event(Event),
    /// An event whose text cannot be read. Where the next message starts is known all the same.
    Unreadable(EventError),
    /// Something that was not asked for: a line of the log, an event in XML.
    Other { content_type: String },
}

/// The answer to a command that is no `api`.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// `+OK …` or `-ERR …`
    pub text: String,
    /// The job that a `bgapi` began.
    pub job: Option<String>,
}

impl Reply {
    /// Whether it says yes.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.text.starts_with("+OK")
    }

    /// Whether it says no.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.text.starts_with("-ERR")
    }
}

impl From<Frame> for Message {
    fn from(frame: Frame) -> Self {
        let Frame { headers, body } = frame;
        let text = || String::from_utf8_lossy(&body).into_owned();
        match headers.get("Content-Type").unwrap_or_default() {
            "auth/request" => Self::AuthRequest,
            "text/rude-rejection" => Self::Rejected,
            "text/disconnect-notice" => Self::Disconnect,
            "command/reply" => Self::Reply(Reply {
                text: headers.get("Reply-Text").unwrap_or_default().to_owned(),
                job: headers.get("Job-UUID").map(str::to_owned),
            }),
            "api/response" => Self::Api(text()),
            "text/event-json" => Self::from(Event::from_json(&body)),
            "text/event-plain" => Self::from(Event::from_plain(&body)),
            other => Self::Other {
                content_type: super::codec::quote(other),
            },
        }
    }
}

impl From<Result<Event, EventError>> for Message {
    fn from(read: Result<Event, EventError>) -> Self {
        match read {
            Ok(event) => Self::Event(event),
            Err(error) => Self::Unreadable(error),
        }
    }
}

impl Message {
    /// What kind of message it is, in the words of the protocol.
    #[must_use]
    pub fn content_type(&self) -> &str {
        match self {
            Self::AuthRequest => "auth/request",
            Self::Rejected => "text/rude-rejection",
            Self::Disconnect => "text/disconnect-notice",
            Self::Reply(_) => "command/reply",
            Self::Api(_) => "api/response",
            Self::Event(_) | Self::Unreadable(_) => "text/event",
            Self::Other { content_type } => content_type,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("Message");
        shown.field(&self.content_type());
        match self {
            Self::Api(text) => shown.field(&text.len()),
            Self::Event(event) => shown.field(event),
            Self::Unreadable(error) => shown.field(error),
            _ => &mut shown,
        };
        shown.finish()
    }
}
