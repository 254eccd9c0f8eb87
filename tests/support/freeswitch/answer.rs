//! The frames in which answers come.

/// What is sent for a command.
pub struct Answer {
    pub bytes: Vec<u8>,
    /// Whether the connection closes behind it.
    pub last: bool,
}

impl Answer {
    pub fn last(text: &str) -> Self {
        Self {
            bytes: reply(text),
            last: true,
        }
    }
}

impl From<Vec<u8>> for Answer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, last: false }
    }
}

/// A `command/reply`.
pub fn reply(text: &str) -> Vec<u8> {
    format!("Content-Type: command/reply\nReply-Text: {text}\n\n").into_bytes()
}

/// What an API function prints. One that prints nothing is said to have said nothing.
pub fn api(text: &str) -> Vec<u8> {
    let text = if text.is_empty() { "-ERR no reply\n" } else { text };
    format!(
        "Content-Type: api/response\nContent-Length: {}\n\n{text}",
        text.len()
    )
    .into_bytes()
}
