//! Framing: lines of headers that end in an empty one, then as many bytes as their `Content-Length` says.

use std::fmt;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;

use crate::wire::fields::Fields;

/// Bytes that the headers of one message may have. What they hold is short; what is long stands in the body.
const MAX_HEADERS: usize = 64 * 1024;
/// Far more than the first line of any greeting; what has no line end until here is no event socket.
const MAX_GREETING: usize = 256;
/// How much room is made at once for what a body still lacks.
const STEP: usize = 256 * 1024;
/// How much of a strange line an error quotes.
const QUOTED_CHARS: usize = 80;

/// One message as it was cut out of the stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub(super) headers: Fields,
    pub(super) body: Bytes,
}

/// Why the stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("the server greeted with {got:?}; FreeSWITCH's event socket greets with \"Content-Type: …\"")]
    Greeting { got: String },
    /// The line itself is not told: it may be of an answer that holds passwords.
    #[error("a line of {bytes} bytes stands where a header was due")]
    NoHeader { bytes: usize },
    #[error("a message says that it is {got:?} bytes long")]
    Length { got: String },
    #[error("a message is longer than the limit of {limit} bytes")]
    TooLong { limit: usize },
    #[error("the stream ended {bytes} bytes into a message")]
    CutOff { bytes: usize },
    #[error("reading failed")]
    Io(#[from] std::io::Error),
}

/// Decoder of one connection, from its first byte on.
#[derive(Debug)]
pub struct Codec {
    max_body: usize,
    /// Whether a message was read already.
    greeted: bool,
    headers: Headers,
    /// Bytes that the body has, once the headers are whole.
    body: Option<usize>,
    /// Bytes at the start of the buffer that are known to hold no line end.
    scanned: usize,
}

/// The headers of one message so far.
#[derive(Debug, Default)]
struct Headers {
    fields: Fields,
    bytes: usize,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl Codec {
    /// `max_body`: bytes that the body of one message may have.
    #[must_use]
    pub fn new(max_body: usize) -> Self {
        Self {
            max_body,
            greeted: false,
            headers: Headers::default(),
            body: None,
            scanned: 0,
        }
    }

    /// Takes one line off the buffer, without its end.
    fn line(&mut self, src: &mut BytesMut) -> Result<Option<String>, CodecError> {
        let unseen = src.get(self.scanned..).unwrap_or_default();
        let end = unseen.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(src.len(), |at| self.scanned + at + 1);
        if self.headers.bytes + length > MAX_HEADERS {
            return Err(CodecError::TooLong { limit: MAX_HEADERS });
        }
        if !self.greeted && length > MAX_GREETING {
            let beginning = src.get(..MAX_GREETING).unwrap_or_default();
            return Err(self.no_header(&String::from_utf8_lossy(beginning)));
        }
        if end.is_none() {
            self.scanned = length;
            return Ok(None);
        }
        self.scanned = 0;
        self.headers.bytes += length;
        let line = src.split_to(length);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        Ok(Some(String::from_utf8_lossy(line).into_owned()))
    }

    fn header(&mut self, line: &str) -> Result<(), CodecError> {
        let (key, value) = split_field(line).ok_or_else(|| self.no_header(line))?;
        self.headers.fields.push(key, value);
        Ok(())
    }

    fn no_header(&self, line: &str) -> CodecError {
        if self.greeted {
            CodecError::NoHeader { bytes: line.len() }
        } else {
            CodecError::Greeting { got: quote(line) }
        }
    }

    /// How long the body of the message is whose headers are whole.
    fn length(&self) -> Result<usize, CodecError> {
        let Some(text) = self.headers.fields.get("Content-Length") else {
            return Ok(0);
        };
        let length: usize = number(text).ok_or_else(|| CodecError::Length { got: quote(text) })?;
        if length > self.max_body {
            return Err(CodecError::TooLong { limit: self.max_body });
        }
        Ok(length)
    }
}

impl Decoder for Codec {
    type Item = Frame;
    type Error = CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        loop {
            if let Some(length) = self.body {
                if src.len() < length {
                    src.reserve((length - src.len()).min(STEP));
                    return Ok(None);
                }
                self.body = None;
                self.greeted = true;
                let headers = std::mem::take(&mut self.headers).fields;
                let body = src.split_to(length).freeze();
                return Ok(Some(Frame { headers, body }));
            }
            match self.line(src)? {
                None => return Ok(None),
                // Empty lines between messages mean nothing.
                Some(line) if line.is_empty() && self.headers.fields.is_empty() => self.headers.bytes = 0,
                Some(line) if line.is_empty() => self.body = Some(self.length()?),
                Some(line) => self.header(&line)?,
            }
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        match self.decode(src)? {
            None if src.is_empty() && self.headers.bytes == 0 => Ok(None),
            None => Err(CodecError::CutOff {
                bytes: self.headers.bytes + src.len(),
            }),
            some => Ok(some),
        }
    }
}

/// Key and value of one header line.
pub(super) fn split_field(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let named = !key.is_empty() && !key.contains(char::is_control);
    // One space after the colon is no part of the value.
    named.then(|| (key, value.strip_prefix(' ').unwrap_or(value)))
}

/// A count as FreeSWITCH writes it: digits, nothing before them and nothing behind.
pub(super) fn number(text: &str) -> Option<usize> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The beginning of `text`, for an error.
pub(super) fn quote(text: &str) -> String {
    text.chars().take(QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests;
