//! What callers have left in the mail boxes of `mod_voicemail`, whose functions and what they print were read in its source.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{done, form};
use crate::wire::esl::command::Command;
use crate::wire::esl::{AnswerError, Client, Error, Word};

// Only those are asked that print JSON: in the text of others what a caller calls himself stands as it is.

/// Of both, the one has what nobody has heard, and the other what somebody has.
const STATES: [&str; 2] = ["not-read", "read"];

/// A message as FreeSWITCH keeps it in its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceMessage {
    /// Which FreeSWITCH gave it.
    pub uuid: String,
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

impl Client {
    /// The uuids of all messages in a mail box of the profile `default`.
    pub async fn voice_messages(
        &self,
        mailbox: &Word,
        domain: &Word,
        limit: Duration,
    ) -> Result<Vec<Word>, Error> {
        let mut all = Vec::new();
        for state in STATES {
            let command = Command::written(format!(
                "api vm_fsdb_msg_list json default {domain} {mailbox} inbox {state}"
            ));
            all.extend(self.read(command, limit, listed).await?);
        }
        Ok(all)
    }

    /// One of them; none where it has gone.
    pub async fn voice_message(
        &self,
        mailbox: &Word,
        domain: &Word,
        uuid: &Word,
        limit: Duration,
    ) -> Result<Option<VoiceMessage>, Error> {
        let command = Command::written(format!(
            "api vm_fsdb_msg_get json default {domain} {mailbox} {uuid}"
        ));
        self.read(command, limit, message).await
    }

    /// Has FreeSWITCH remove a message and its sound, and tell the phones. Its yes says nothing of either, and it takes the
    /// message from whichever box it is in: see before that it is in this one, and after that it has gone.
    pub async fn delete_voice_message(
        &self,
        mailbox: &Word,
        domain: &Word,
        uuid: &Word,
        limit: Duration,
    ) -> Result<(), Error> {
        let command = Command::written(format!("api vm_delete {mailbox}@{domain} {uuid}"));
        self.read(command, limit, done).await
    }
}

impl Client {
    /// Has FusionPBX tell the phones of `mailbox@domain` how many messages are in it.
    pub async fn tell_of_messages(&self, account: &Word, limit: Duration) -> Result<(), Error> {
        let command = Command::written(format!("api luarun app.lua voicemail mwi {account}"));
        self.read(command, limit, done).await
    }
}

type Fields = BTreeMap<String, serde_json::Value>;

fn fields(text: &str) -> Result<Fields, AnswerError> {
    serde_json::from_str(text).map_err(|_| form("an object of JSON", text))
}

fn text<'a>(fields: &'a Fields, key: &str) -> Option<&'a str> {
    fields.get(key)?.as_str()
}

fn listed(answer: &str) -> Result<Vec<Word>, AnswerError> {
    const FORM: &str = "VM-List-Count, and so many uuids";
    let fields = fields(answer)?;
    let wrong = || form(FORM, answer);
    let count: usize = text(&fields, "VM-List-Count")
        .and_then(|count| count.parse().ok())
        .ok_or_else(wrong)?;
    let uuids = (1..=count).map(|n| {
        let uuid = text(&fields, &format!("VM-List-Message-{n}-UUID")).ok_or_else(wrong)?;
        Word::new(uuid).map_err(|_| wrong())
    });
    uuids.collect()
}

fn message(answer: &str) -> Result<Option<VoiceMessage>, AnswerError> {
    let fields = fields(answer)?;
    let Some(uuid) = text(&fields, "VM-Message-UUID") else {
        return Ok(None);
    };
    let number = |key| text(&fields, key).and_then(|text| text.parse::<i64>().ok());
    let shown = |key| text(&fields, key).unwrap_or_default().to_owned();
    let (Some(left_at), Some(path)) = (
        number("VM-Message-Received-Epoch"),
        text(&fields, "VM-Message-File-Path"),
    ) else {
        return Err(form("VM-Message-Received-Epoch and VM-Message-File-Path", answer));
    };
    Ok(Some(VoiceMessage {
        uuid: uuid.to_owned(),
        left_at,
        heard_at: number("VM-Message-Read-Epoch").unwrap_or_default(),
        caller_number: shown("VM-Message-Caller-Number"),
        path: path.to_owned(),
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
        assert_eq!(listed(none), Ok(Vec::new()));
        let two = r#"{"VM-List-Message-1-UUID":"0f-1","VM-List-Message-2-UUID":"0f-2","VM-List-Count":"2"}"#;
        let uuids = ["0f-1", "0f-2"].map(|uuid| Word::new(uuid).unwrap());
        assert_eq!(listed(two), Ok(uuids.to_vec()));
    }

    #[rstest]
    #[case("")]
    #[case("[]")]
    #[case("{}")]
    #[case(r#"{"VM-List-Count":"1"}"#)]
    #[case(r#"{"VM-List-Count":"many"}"#)]
    #[case(r#"{"VM-List-Message-1-UUID":"a b","VM-List-Count":"1"}"#)]
    fn a20_a_list_that_is_none_is_not_taken_for_an_empty_box(#[case] answer: &str) {
        assert!(matches!(listed(answer), Err(AnswerError::Form { .. })));
    }

    #[test]
    fn a20_what_a_caller_calls_himself_is_nothing_but_a_name() {
        let answer = r#"{"VM-Message-UUID":"0f","VM-Message-Received-Epoch":"1795969452","VM-Message-Read-Epoch":"0",
            "VM-Message-Caller-Name":"\",\"VM-Message-UUID\":\"1e","VM-Message-Caller-Number":"555\n1795969452:0:1001",
            "VM-Message-File-Path":"/v/msg_0f.wav","VM-Message-Duration":"7","VM-Message-Flags":"","VM-Message-Read-Flags":"B_NORMAL"}"#;
        let read = message(answer).unwrap().unwrap();
        assert_eq!(
            (read.uuid.as_str(), read.left_at, read.seconds),
            ("0f", 1_795_969_452, Some(7))
        );
        assert_eq!(read.caller_number, "555\n1795969452:0:1001");
    }

    #[test]
    fn a20_a_message_that_has_gone_is_none_and_one_without_a_time_or_a_sound_is_not_believed() {
        assert_eq!(message(r#"{"Event-Name":"REQUEST_PARAMS"}"#), Ok(None));
        for broken in [
            r#"{"VM-Message-UUID":"0f","VM-Message-File-Path":"/v"}"#,
            r#"{"VM-Message-UUID":"0f","VM-Message-Received-Epoch":"1"}"#,
        ] {
            assert!(message(broken).is_err());
        }
    }
}
