//! Messages in mail boxes: what callers have left on a PBX, named by what neither a path nor an order can be made of.

use jiff::Timestamp;

use super::call_text::CallText;
use super::dial::ExtensionNumber;
use super::digest::Digest;
use super::ids::{InstanceId, TenantId, VoicemailId};
use super::invalid::Invalid;
use super::parsed::{parsed_text, word_enum};
use super::purge::PurgeCursor;
use super::sip_domain::SipDomain;

word_enum! {
    /// Where in a mail box a message lies, by Asterisk's own names.
    MailFolder {
        /// Nobody has heard it yet.
        Inbox = "INBOX",
        /// Not heard yet, and marked as urgent by whoever left it.
        Urgent = "Urgent",
        /// It was heard.
        Old = "Old",
        /// Where the box's owner has put it.
        Work = "Work",
        /// The same.
        Family = "Family",
        /// The same.
        Friends = "Friends",
        /// The same.
        Cust1 = "Cust1",
        /// The same.
        Cust2 = "Cust2",
        /// The same.
        Cust3 = "Cust3",
        /// The same.
        Cust4 = "Cust4",
        /// The same.
        Cust5 = "Cust5",
        /// Its owner has deleted it, and Asterisk's `backupdeleted` keeps it.
        Deleted = "Deleted",
    }
}

parsed_text! {
    /// What tells a message of a mail box from every other one there, wherever it is moved: 1 to 80 letters, digits and `-`.
    PbxMessageId, message_id, schema { "pattern": "^[A-Za-z0-9-]{1,80}$" }
}

impl PbxMessageId {
    /// The id of a message that has none, made of what tells it from others.
    pub fn made_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let digest = Digest::of_parts(parts).to_string();
        let id: String = digest
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(64)
            .collect();
        Self(format!("file-{id}"))
    }

    /// Whether Asterisk knows the message by it: it gives `seconds-number` to each, and some messages have none.
    #[must_use]
    pub fn is_asterisks(&self) -> bool {
        self.0.split_once('-').is_some_and(|(seconds, number)| {
            !seconds.is_empty()
                && seconds.bytes().all(|byte| byte.is_ascii_digit())
                && number.len() == 8
                && number.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }
}

fn message_id(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.is_empty() || text.len() > 80 || !text.chars().all(allowed) {
        return Err(Invalid::new("must have 1 to 80 letters, digits or `-`"));
    }
    Ok(text.to_owned())
}

/// A message as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundMessage {
    /// The box's extension.
    pub mailbox: ExtensionNumber,
    /// Where in the box.
    pub folder: MailFolder,
    /// Which.
    pub id: PbxMessageId,
    /// When it was left; of one that does not say so, when its oldest file was written.
    pub left_at: Timestamp,
    /// The number that the caller showed, where it showed one.
    pub caller: Option<CallText>,
    /// How long it is, where it says so.
    pub seconds: Option<i64>,
    /// How long its files are.
    pub bytes: i64,
}

impl FoundMessage {
    /// With what it does not tell any more of itself, where it told it before: the entry that said who called may have gone before
    /// its sound.
    #[must_use]
    pub fn with_what_was_known(self, before: &Self) -> Self {
        let tells = self.caller.is_some() || self.seconds.is_some();
        let told = before.caller.is_some() || before.seconds.is_some();
        Self {
            // A file may have been copied since.
            left_at: if told && !tells {
                before.left_at
            } else {
                self.left_at
            },
            caller: self.caller.or_else(|| before.caller.clone()),
            seconds: self.seconds.or(before.seconds),
            ..self
        }
    }
}

/// A message that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voicemail {
    /// Its id.
    pub id: VoicemailId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// On which PBX it lies.
    pub instance_id: InstanceId,
    /// The context of its mail box: a domain that the tenant has or had.
    pub domain: SipDomain,
    /// What was found of it when the PBX was looked at last.
    pub found: FoundMessage,
}

impl Voicemail {
    /// Its place among all of the tenant.
    #[must_use]
    pub fn cursor(&self) -> PurgeCursor {
        PurgeCursor {
            at: self.found.left_at.as_microsecond(),
            id: self.id.uuid(),
        }
    }
}

/// Some of a tenant's messages, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoicemailQuery {
    /// Only those of this mail box.
    pub mailbox: Option<ExtensionNumber>,
    /// Only those of callers who showed this number.
    pub caller: Option<CallText>,
    /// Behind which one; none for the first.
    pub after: Option<PurgeCursor>,
    /// How many at most.
    pub most: i64,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1795969239-00000000", true)]
    #[case("1795969239-0000001f", true)]
    #[case("file-0b1c2d3e", false)]
    #[case("1795969239-1f", false)]
    #[case("-00000000", false)]
    fn asterisk_knows_a_message_by_seconds_and_a_number(#[case] text: &str, #[case] known: bool) {
        assert_eq!(text.parse::<PbxMessageId>().unwrap().is_asterisks(), known);
    }

    #[rstest]
    #[case("")]
    #[case("../1")]
    #[case("1\r\nAction: Command")]
    #[case("1 2")]
    #[case("1\0")]
    fn a20_nothing_else_can_be_named_by_the_id_of_a_message(#[case] text: &str) {
        assert!(text.parse::<PbxMessageId>().is_err());
    }

    #[test]
    fn a22_what_a_message_told_once_is_known_when_its_sound_alone_is_left() {
        let told = FoundMessage {
            mailbox: "1001".parse().unwrap(),
            folder: MailFolder::Inbox,
            id: "1795969239-00000000".parse().unwrap(),
            left_at: Timestamp::from_second(1_795_969_239).unwrap(),
            caller: CallText::of("5550001"),
            seconds: Some(7),
            bytes: 100,
        };
        let later = Timestamp::from_second(1_795_999_999).unwrap();
        let sound = FoundMessage {
            left_at: later,
            caller: None,
            seconds: None,
            ..told.clone()
        };
        assert_eq!(sound.clone().with_what_was_known(&told), told);
        // What it tells itself counts.
        let anew = FoundMessage {
            caller: None,
            left_at: later,
            ..told.clone()
        };
        assert_eq!(anew.with_what_was_known(&told).left_at, later);
        assert_eq!(sound.clone().with_what_was_known(&sound), sound);
    }
}
