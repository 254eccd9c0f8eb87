//! A mail as it goes over the wire: the same bytes at each attempt.

use std::time::SystemTime;

use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};
use lettre::{Address, Message};

use crate::domain::email::EmailAddress;
use crate::domain::ids::MessageId;
use crate::domain::mail::{self, Letter, Line, Recipient};

/// Puts headers before a letter.
///
/// The id is the message's own: whoever gets it twice can tell. Both parts are encoded, so every server can take it.
pub(super) fn message(
    id: MessageId,
    created_at: Timestamp,
    from: &mail::Mailbox,
    to: &Recipient,
    letter: Letter,
) -> Result<Message, String> {
    let host = from.address.as_str().rsplit('@').next().unwrap_or_default();
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("={id}"))
        .singlepart(SinglePart::plain(letter.text))
        .singlepart(SinglePart::html(letter.html));
    // What answers by itself (RFC 3834) must not answer this.
    let automatic = HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    );
    Message::builder()
        .message_id(Some(format!("<{id}@{host}>")))
        .date(SystemTime::from(created_at))
        .from(mailbox(from.name.as_ref(), &from.address)?)
        .to(mailbox(Some(&to.name), &to.address)?)
        .subject(in_header(&letter.subject))
        .raw_header(automatic)
        .multipart(parts)
        .map_err(|error| error.to_string())
}

fn mailbox(name: Option<&Line>, address: &EmailAddress) -> Result<Mailbox, String> {
    let address: Address = address
        .as_str()
        .parse()
        .map_err(|error| format!("an address cannot be written: {error}"))?;
    Ok(Mailbox::new(name.map(in_header), address))
}

/// Where a name begins like an encoded word (RFC 2047), the reader's program would decode it: into anything, line breaks
/// included.
fn in_header(line: &Line) -> String {
    line.as_str().replace("=?", "= ?")
}
