//! Framing: the banner line, then blocks that end in an empty line.

use bytes::{Buf, BytesMut};
use tokio_util::codec::Decoder;

use super::message::Message;

const LINE_END: &[u8] = b"\r\n";
const BLOCK_END: &[u8] = b"\r\n\r\n";
const BANNER: &str = "Asterisk Call Manager/";
/// Far more than any banner; what has no line end until here does not come from Asterisk.
const MAX_BANNER: usize = 256;
/// How much of a strange line an error quotes.
const QUOTED_CHARS: usize = 80;

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The greeting; holds the protocol version, `11.0.0` for Asterisk 22.
    Banner(String),
    Message(Message),
    /// A block that starts without a key; the text is its first line, shortened.
    ///
    /// It can be skipped: Asterisk does not escape values, and one that holds an empty line ends its block early.
    Malformed(String),
}

/// Why the stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("the server greeted with {got:?}; an Asterisk manager greets with \"{BANNER}…\"")]
    Banner { got: String },
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
    max_frame: usize,
    greeted: bool,
    /// Bytes at the start of the buffer that are known to hold no end of a block.
    scanned: usize,
}

impl Codec {
    /// `max_frame`: bytes that one message may have.
    #[must_use]
    pub fn new(max_frame: usize) -> Self {
        Self {
            max_frame,
            greeted: false,
            scanned: 0,
        }
    }

    /// Takes the bytes up to `end` off the buffer, and drops `end` itself.
    fn take_until(
        &mut self,
        src: &mut BytesMut,
        end: &[u8],
        limit: usize,
    ) -> Result<Option<BytesMut>, CodecError> {
        // The end may have been cut: look again at the bytes that could be its beginning.
        let from = self.scanned.saturating_sub(end.len() - 1);
        let found = src
            .get(from..)
            .and_then(|rest| rest.windows(end.len()).position(|w| w == end));
        let length = found.map_or(src.len(), |at| from + at);
        if length > limit {
            return Err(CodecError::TooLong { limit });
        }
        if found.is_none() {
            self.scanned = src.len();
            return Ok(None);
        }
        self.scanned = 0;
        let block = src.split_to(length);
        src.advance(end.len());
        Ok(Some(block))
    }

    fn banner(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        let wrong = |bytes: &[u8]| CodecError::Banner {
            got: quote(&String::from_utf8_lossy(bytes)),
        };
        match self.take_until(src, LINE_END, MAX_BANNER) {
            Ok(None) => Ok(None),
            Ok(Some(line)) => {
                self.greeted = true;
                let text = String::from_utf8_lossy(&line);
                let version = text.strip_prefix(BANNER).ok_or_else(|| wrong(&line))?;
                Ok(Some(Frame::Banner(version.to_owned())))
            }
            Err(_) => Err(wrong(src)),
        }
    }
}

impl Decoder for Codec {
    type Item = Frame;
    type Error = CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        if !self.greeted {
            return self.banner(src);
        }
        // Empty lines between blocks mean nothing.
        while src.starts_with(LINE_END) {
            src.advance(LINE_END.len());
        }
        let block = self.take_until(src, BLOCK_END, self.max_frame)?;
        Ok(block.map(|block| match Message::parse(&block) {
            Ok(message) => Frame::Message(message),
            Err(line) => Frame::Malformed(quote(&line)),
        }))
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        match self.decode(src)? {
            None if src.is_empty() => Ok(None),
            None => Err(CodecError::CutOff { bytes: src.len() }),
            some => Ok(some),
        }
    }
}

fn quote(text: &str) -> String {
    text.chars().take(QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests;
