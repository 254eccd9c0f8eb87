//! The API functions whose answers are known, each with its own form.

mod cache;
mod calls;
mod directory;
mod profiles;
mod registrations;
mod show;
mod system;
mod voicemail;

pub use calls::Channel;
pub use directory::Attribute;
pub use registrations::{Contact, Registration, Whose};
pub use system::{Sessions, Status};
pub use voicemail::{DELETED, VoiceMessage, VoiceMessages};

use super::codec::quote;
use super::error::AnswerError;

/// Nothing but a yes.
fn done(text: &str) -> Result<(), AnswerError> {
    if text.starts_with("+OK") {
        return Ok(());
    }
    Err(form("+OK", text))
}

fn yes_or_no(text: &str) -> Result<bool, AnswerError> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(form("true or false", other)),
    }
}

fn form(expected: &'static str, text: &str) -> AnswerError {
    AnswerError::Form {
        expected,
        got: quote(text.trim()),
    }
}
