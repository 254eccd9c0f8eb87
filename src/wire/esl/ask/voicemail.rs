//! What callers have left in the mail boxes of `mod_voicemail`, whose functions and what they print were read in its source.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{done, form};
use crate::wire::esl::command::Command;
use crate::wire::esl::{AnswerError, Client, Error, Word};

// Only those are asked that print JSON: in the text of others what a caller calls himself stands as it is.

const UNHEARD: &str = "not-read";
const HEARD: &str = "read";
/// What is to go once whoever deleted it hangs up.
pub const DELETED: &str = "delete";
/// How these functions say yes.
const YES: &str = "-OK";

/// A message as FreeSWITCH keeps it in its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceMessage {
    /// Seconds since 1970.
    pub left_at: i64,
    /// The same; 0 where nobody has heard it.
    pub heard_at: i64,
    /// As the caller showed it.
    pub caller_number: String,
    /// Where FreeSWITCH has put its sound.
    pub path: String,
    pub seconds: Option<i64>,
    /// Empty, `save`, or `delete` until whoever deleted it hangs up.
    pub flags: String,
    /// `A_URGENT` of one that its caller marked so.
    pub read_flags: String,
}

/// The names of messages in a mail box, each with how many have it: a name is that of the call in which a message was left or
/// passed on, and may be in other boxes too.
pub type VoiceMessages = BTreeMap<String, usize>;

impl Client {
    /// All messages in a mail box of the profile `default`.
    pub async fn voice_messages(
        &self,
        mailbox: &Word,
        domain: &Word,
        limit: Duration,
    ) -> Result<VoiceMessages, Error> {
        let mut states = Vec::with_capacity(3);
        for _ in 0..2 {
            states.clear();
            // The first once more: a message may change from one to the other in between.
            for state in [UNHEARD, HEARD, UNHEARD] {
                states.push(self.voice_messages_in(mailbox, domain, state, limit).await?);
            }
            if states.first() == states.last() {
                break;
            }
        }
        Ok(counted(&states))
    }

    /// Whether there is any in it.
    pub async fn has_voice_messages(
        &self,
        mailbox: &Word,
        domain: &Word,
        limit: Duration,
    ) -> Result<bool, Error> {
        for state in [UNHEARD, HEARD] {
            let listed = self.voice_messages_in(mailbox, domain, state, limit).await?;
            if !listed.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn voice_messages_in(
        &self,
        mailbox: &Word,
        domain: &Word,
        state: &str,
        limit: Duration,
    ) -> Result<VoiceMessages, Error> {
        let command = Command::written(format!(
            "api vm_fsdb_msg_list json default {domain} {mailbox} inbox {state}"
        ));
        self.read(command, limit, listed).await
    }

    /// One of them, the last of several with this name; none where it has gone.
    pub async fn voice_message(
        &self,
        mailbox: &Word,
        domain: &Word,
        name: &Word,
        limit: Duration,
    ) -> Result<Option<VoiceMessage>, Error> {
        let command = Command::written(format!(
            "api vm_fsdb_msg_get json default {domain} {mailbox} {name}"
        ));
        self.read(command, limit, message).await
    }

    /// Has FreeSWITCH remove a message of this box with its sound, and whatever else in it is marked as deleted, and tell the
    /// phones. Its yes says nothing of either: one whose sound it cannot remove stays, and is marked.
    pub async fn delete_voice_message(
        &self,
        mailbox: &Word,
        domain: &Word,
        name: &Word,
        limit: Duration,
    ) -> Result<(), Error> {
        // `vm_delete` would take it from every box that has one of this name.
        let marking = Command::written(format!(
            "api vm_fsdb_msg_delete default {domain} {mailbox} {name}"
        ));
        self.read(marking, limit, said_yes).await?;
        let purging = Command::written(format!("api vm_fsdb_msg_purge default {domain} {mailbox}"));
        self.read(purging, limit, said_yes).await
    }

    /// Takes the mark off a message of this box that is there all the same, as it was `before`. One that was marked then stays so.
    pub async fn undelete_voice_message(
        &self,
        mailbox: &Word,
        domain: &Word,
        name: &Word,
        before: &VoiceMessage,
        limit: Duration,
    ) -> Result<(), Error> {
        let unmark = match before.flags.as_str() {
            DELETED => return Ok(()),
            "save" => "save",
            _ => "undelete",
        };
        match self.voice_message(mailbox, domain, name, limit).await {
            Ok(None) => return Ok(()),
            // Its owner has done something else with it.
            Ok(Some(after)) if after.flags != DELETED => return Ok(()),
            Ok(Some(_)) | Err(Error::Answer { .. }) => {}
            Err(error) => return Err(error),
        }
        let unmarking = Command::written(format!(
            "api vm_fsdb_msg_{unmark} default {domain} {mailbox} {name}"
        ));
        self.read(unmarking, limit, said_yes).await
    }

    /// Has FusionPBX tell the phones of `mailbox@domain` how many messages are in it.
    pub async fn tell_of_messages(&self, account: &Word, limit: Duration) -> Result<(), Error> {
        let command = Command::written(format!("api luarun app.lua voicemail mwi {account}"));
        self.read(command, limit, done).await
    }
}

fn said_yes(text: &str) -> Result<(), AnswerError> {
    if text.trim() == YES {
        return Ok(());
    }
    Err(form(YES, text))
}

/// Of what nobody has heard, what somebody has, and the first once more.
fn counted(states: &[VoiceMessages]) -> VoiceMessages {
    let mut all = VoiceMessages::new();
    for name in states.iter().flat_map(VoiceMessages::keys) {
        let mut counts = states
            .iter()
            .map(|state| state.get(name).copied().unwrap_or_default());
        let mut next = || counts.next().unwrap_or_default();
        let (before, heard, after) = (next(), next(), next());
        let unheard = before.max(after);
        // One that was heard meanwhile stands in both.
        let count = if before == after {
            unheard + heard
        } else {
            unheard.max(heard)
        };
        all.insert(name.clone(), count);
    }
    all
}

type Fields = BTreeMap<String, Value>;

fn fields(text: &str) -> Result<Fields, AnswerError> {
    serde_json::from_str(text).map_err(|_| form("an object of JSON", text))
}

/// A text that begins with `ARRAY::` is printed as an array of its parts.
fn text<'a>(fields: &'a Fields, key: &str) -> Option<&'a str> {
    let value = fields.get(key)?;
    value.as_str().or_else(|| value.as_array()?.first()?.as_str())
}

fn listed(answer: &str) -> Result<VoiceMessages, AnswerError> {
    const FORM: &str = "VM-List-Count, and so many uuids";
    let fields = fields(answer)?;
    let wrong = || form(FORM, answer);
    let count: usize = text(&fields, "VM-List-Count")
        .and_then(|count| count.parse().ok())
        .ok_or_else(wrong)?;
    let mut all = VoiceMessages::new();
    for n in 1..=count {
        let name = text(&fields, &format!("VM-List-Message-{n}-UUID")).ok_or_else(wrong)?;
        *all.entry(name.to_owned()).or_default() += 1;
    }
    Ok(all)
}

fn message(answer: &str) -> Result<Option<VoiceMessage>, AnswerError> {
    let fields = fields(answer)?;
    if !fields.contains_key("VM-Message-UUID") {
        return Ok(None);
    }
    let number = |key| text(&fields, key).and_then(|text| text.parse::<i64>().ok());
    let shown = |key| text(&fields, key).unwrap_or_default().to_owned();
    Ok(Some(VoiceMessage {
        left_at: number("VM-Message-Received-Epoch")
            .ok_or_else(|| form("VM-Message-Received-Epoch", answer))?,
        heard_at: number("VM-Message-Read-Epoch").unwrap_or_default(),
        caller_number: shown("VM-Message-Caller-Number"),
        // An empty one is left out.
        path: shown("VM-Message-File-Path"),
        seconds: number("VM-Message-Duration"),
        flags: shown("VM-Message-Flags"),
        read_flags: shown("VM-Message-Read-Flags"),
    }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a20_as_many_messages_as_freeswitch_counts_are_listed() {
        let none = r#"{"Event-Name":"REQUEST_PARAMS","VM-List-Count":"0"}"#;
        assert_eq!(listed(none), Ok(VoiceMessages::new()));
        let three = r#"{"VM-List-Message-1-UUID":"0f-1","VM-List-Message-2-UUID":"0f 2","VM-List-Message-3-UUID":"0f-1",
            "VM-List-Count":"3"}"#;
        let expected = [("0f-1".to_owned(), 2), ("0f 2".to_owned(), 1)];
        assert_eq!(listed(three), Ok(VoiceMessages::from(expected)));
    }

    #[rstest]
    #[case("")]
    #[case("[]")]
    #[case("{}")]
    #[case(r#"{"VM-List-Count":"1"}"#)]
    #[case(r#"{"VM-List-Count":"many"}"#)]
    fn a20_a_list_that_is_none_is_not_taken_for_an_empty_box(#[case] answer: &str) {
        assert!(matches!(listed(answer), Err(AnswerError::Form { .. })));
    }

    #[test]
    fn a20_what_a_caller_calls_himself_is_nothing_but_a_name() {
        let answer = r#"{"VM-Message-UUID":"0f","VM-Message-Received-Epoch":"1795969452","VM-Message-Read-Epoch":"0",
            "VM-Message-Caller-Name":"\",\"VM-Message-UUID\":\"1e","VM-Message-Caller-Number":"555\n1795969452:0:1001",
            "VM-Message-File-Path":"/v/msg_0f.wav","VM-Message-Duration":"7","VM-Message-Flags":"","VM-Message-Read-Flags":"B_NORMAL"}"#;
        let read = message(answer).unwrap().unwrap();
        assert_eq!((read.left_at, read.seconds), (1_795_969_452, Some(7)));
        assert_eq!(read.caller_number, "555\n1795969452:0:1001");
        let parts = answer.replace(r#""555\n1795969452:0:1001""#, r#"["+4930123","x"]"#);
        assert_eq!(message(&parts).unwrap().unwrap().caller_number, "+4930123");
    }

    #[rstest]
    #[case(1, 0, 1, 1)]
    #[case(0, 1, 0, 1)]
    #[case::heard_meanwhile(1, 1, 0, 1)]
    #[case::marked_unheard_meanwhile(0, 0, 1, 1)]
    #[case::two_of_one_name(1, 1, 1, 2)]
    #[case(2, 0, 2, 2)]
    #[case(0, 2, 0, 2)]
    fn a20_a_message_that_changes_meanwhile_is_one_and_two_of_one_name_are_two(
        #[case] before: usize,
        #[case] heard: usize,
        #[case] after: usize,
        #[case] expected: usize,
    ) {
        let state = |count| {
            let mut state = VoiceMessages::new();
            if count > 0 {
                state.insert("0f".to_owned(), count);
            }
            state
        };
        let all = counted(&[state(before), state(heard), state(after)]);
        assert_eq!(all, state(expected));
    }

    #[test]
    fn a20_a_message_that_has_gone_is_none_and_one_without_a_time_is_not_believed() {
        assert_eq!(message(r#"{"Event-Name":"REQUEST_PARAMS"}"#), Ok(None));
        assert!(message(r#"{"VM-Message-UUID":"0f","VM-Message-File-Path":"/v"}"#).is_err());
        assert_eq!(said_yes("-OK\n"), Ok(()));
        assert!(said_yes("-ERR Profile not found\n").is_err());
    }
}
