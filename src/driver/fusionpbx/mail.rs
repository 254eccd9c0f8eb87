//! The list of messages that FusionPBX keeps in its database: `v_voicemail_messages`, as its own scripts write it (read in the source
//! of FusionPBX 5.6).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;

use async_trait::async_trait;
use jiff::Timestamp;
use rustix::fs::{MemfdFlags, memfd_create};
use sqlx::FromRow;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::FusionPbxDriver;
use super::database::asked;
use crate::domain::call_text::CallText;
use crate::domain::dial::ExtensionNumber;
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{MailFolder, PbxMessageId};
use crate::driver::event_socket::mail::{Listed, ListedSound, MessageList, SwitchMail};
use crate::driver::event_socket::{ANSWER, word};
use crate::driver::mail::MailError;
use crate::driver::mail::opened::Opened;

const WHAT: &str = "FusionPBX's list of messages";
const NO_RIGHT: &str = "the role may not remove messages; have an owner of FusionPBX's tables run `pbx/fusionpbx/grants.sql` once more";

/// FusionPBX's own scripts take a shorter text for no sound.
const SHORTEST_SOUND: i64 = 32;

/// A message belongs to a box by the box's row. One whose row has gone, as with an extension that was deleted, is in the box in
/// which its sound lies.
const OF_BOX: &str = "select m.voicemail_message_uuid as id, \
    coalesce(m.created_epoch::bigint, extract(epoch from m.insert_date)::bigint) as left_at, m.read_epoch::bigint as heard_at, \
    left(m.caller_id_number, 200) as caller, m.message_length::bigint as seconds, m.message_status as status, \
    octet_length(m.message_base64)::bigint as encoded \
    from v_voicemail_messages m join v_domains d on d.domain_uuid = m.domain_uuid \
    left join v_voicemails v on v.voicemail_uuid = m.voicemail_uuid \
    where d.domain_name = $1 and (v.voicemail_id = $2 or v.voicemail_uuid is null and m.voicemail_message_uuid = any($3)) \
    and ($4::uuid is null or m.voicemail_message_uuid = $4) order by left_at, id";
const BOXES: &str = "select distinct v.voicemail_id from v_voicemail_messages m join v_domains d on d.domain_uuid = m.domain_uuid \
    join v_voicemails v on v.voicemail_uuid = m.voicemail_uuid where d.domain_name = $1";
const STRAYS: &str = "select m.voicemail_message_uuid from v_voicemail_messages m join v_domains d on d.domain_uuid = m.domain_uuid \
    left join v_voicemails v on v.voicemail_uuid = m.voicemail_uuid where d.domain_name = $1 and v.voicemail_uuid is null";
const STRIKE: &str = "delete from v_voicemail_messages m using v_domains d \
    where d.domain_uuid = m.domain_uuid and d.domain_name = $1 and m.voicemail_message_uuid = $3 and not exists \
    (select from v_voicemails v where v.voicemail_uuid = m.voicemail_uuid and v.voicemail_id <> $2)";
const SOUND: &str =
    "select decode(message_base64, 'base64') from v_voicemail_messages where voicemail_message_uuid = $1";
const MAY_REMOVE: &str = "select has_table_privilege('v_voicemail_messages', 'delete')";
/// What PostgreSQL says of a value that is none: one row has it, and the others may fare better.
const NO_VALUE: &str = "22";

impl FusionPbxDriver {
    /// Where the settings say that they are.
    pub(super) fn mail_boxes(&self) -> Result<SwitchMail<FusionPbxMessages<'_>>, MailError> {
        SwitchMail::new(self.settings.voicemail_dir.as_ref(), FusionPbxMessages(self))
    }
}

/// The list.
pub struct FusionPbxMessages<'a>(pub &'a FusionPbxDriver);

/// A row.
#[derive(FromRow)]
struct Row {
    id: Uuid,
    left_at: Option<i64>,
    heard_at: Option<i64>,
    caller: Option<String>,
    seconds: Option<i64>,
    status: Option<String>,
    encoded: Option<i64>,
}

impl FusionPbxMessages<'_> {
    async fn ask<T>(
        &self,
        mailbox: Option<&ExtensionNumber>,
        question: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, MailError> {
        let database = &self.0.database;
        let connection = database.open().await;
        let mut connection = connection.map_err(|error| MailError::unavailable(WHAT, error))?;
        let answer = database.ask(question(&mut connection)).await;
        let answer = answer.map_err(|error| match mailbox {
            Some(mailbox) if is_no_value(&error) => MailError::refused(mailbox, error),
            _ => MailError::unavailable(WHAT, asked(WHAT, error)),
        })?;
        database.keep(connection).await;
        Ok(answer)
    }

    async fn rows(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        sounds: Vec<Uuid>,
        one: Option<Uuid>,
    ) -> Result<Vec<Listed>, MailError> {
        let rows: Vec<Row> = self
            .ask(Some(mailbox), async |connection| {
                let asking = sqlx::query_as(OF_BOX).bind(domain.as_str());
                let asking = asking.bind(mailbox.as_str()).bind(sounds).bind(one);
                asking.fetch_all(connection).await
            })
            .await?;
        rows.into_iter().map(|row| row.listed(mailbox)).collect()
    }
}

fn is_no_value(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code.starts_with(NO_VALUE))
}

#[async_trait]
impl MessageList for FusionPbxMessages<'_> {
    const REMOVES_SOUNDS: bool = false;
    const NAMES_SOUNDS: bool = false;

    async fn ready(&self) -> Result<(), MailError> {
        let may_remove: bool = self
            .ask(None, async |connection| {
                let nobody = sqlx::query(OF_BOX).bind("").bind("").bind(Vec::<Uuid>::new());
                nobody.bind(None::<Uuid>).fetch_all(&mut *connection).await?;
                sqlx::query_scalar(MAY_REMOVE).fetch_one(connection).await
            })
            .await?;
        if may_remove {
            Ok(())
        } else {
            Err(MailError::unavailable(WHAT, NO_RIGHT))
        }
    }

    async fn mailboxes(
        &self,
        domain: &SipDomain,
        _perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Vec<ExtensionNumber>, MailError> {
        let numbers: Vec<Option<String>> = self
            .ask(None, async |connection| {
                let asking = sqlx::query_scalar(BOXES).bind(domain.as_str());
                asking.fetch_all(connection).await
            })
            .await?;
        let numbers = numbers.into_iter().flatten();
        Ok(numbers.filter_map(|number| number.parse().ok()).collect())
    }

    async fn strays(&self, domain: &SipDomain) -> Result<Vec<PbxMessageId>, MailError> {
        let strays: Vec<Uuid> = self
            .ask(None, async |connection| {
                let asking = sqlx::query_scalar(STRAYS).bind(domain.as_str());
                asking.fetch_all(connection).await
            })
            .await?;
        Ok(strays
            .iter()
            .filter_map(|stray| stray.to_string().parse().ok())
            .collect())
    }

    async fn of_box(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        sounds: &[PbxMessageId],
    ) -> Result<Vec<Listed>, MailError> {
        let sounds = sounds.iter().filter_map(uuid).collect();
        self.rows(domain, mailbox, sounds, None).await
    }

    async fn one(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<Option<Listed>, MailError> {
        let Some(id) = uuid(id) else {
            return Ok(None);
        };
        let rows = self.rows(domain, mailbox, vec![id], Some(id)).await?;
        Ok(rows.into_iter().next())
    }

    async fn strike(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
        id: &PbxMessageId,
    ) -> Result<(), MailError> {
        let Some(id) = uuid(id) else {
            return Ok(());
        };
        let struck = self.ask(None, async |connection| {
            let striking = sqlx::query(STRIKE).bind(domain.as_str());
            striking.bind(mailbox.as_str()).bind(id).execute(connection).await
        });
        struck.await.map(drop)
    }

    async fn tell_phones(&self, domain: &SipDomain, mailbox: &ExtensionNumber) -> Result<(), MailError> {
        let account = word(&format!("{mailbox}@{domain}"));
        let account = account.map_err(|error| MailError::refused(mailbox, error))?;
        let switch = self.0.switch().await;
        let switch = switch.map_err(|error| MailError::unavailable(WHAT, error))?;
        let told = switch.client().tell_of_messages(&account, ANSWER).await;
        told.map_err(|error| MailError::unavailable(WHAT, error))
    }

    /// In memory: it lies in no file.
    async fn sound(&self, mailbox: &ExtensionNumber, id: &PbxMessageId) -> Result<Option<Opened>, MailError> {
        let Some(id) = uuid(id) else {
            return Ok(None);
        };
        let sound: Option<Option<Vec<u8>>> = self
            .ask(Some(mailbox), async |connection| {
                let asking = sqlx::query_scalar(SOUND).bind(id);
                asking.fetch_optional(connection).await
            })
            .await?;
        let opened = sound.flatten().map(|sound| opened(&sound)).transpose();
        opened.map_err(|error| MailError::unavailable(WHAT, error))
    }
}

impl Row {
    fn listed(self, mailbox: &ExtensionNumber) -> Result<Listed, MailError> {
        let id: PbxMessageId = self
            .id
            .to_string()
            .parse()
            .map_err(|invalid| MailError::refused(mailbox, invalid))?;
        let left_at = self.left_at.and_then(|at| Timestamp::from_second(at).ok());
        let left_at = left_at.ok_or_else(|| {
            let why = format!("message {id} does not say when it was left; delete it in FusionPBX");
            MailError::refused(mailbox, why)
        })?;
        Ok(Listed {
            folder: self.folder(),
            left_at,
            caller: self.caller.as_deref().and_then(CallText::of),
            seconds: self.seconds.filter(|seconds| *seconds >= 0),
            sound: match self.encoded {
                // Of four characters there are three bytes.
                Some(encoded) if encoded > SHORTEST_SOUND => ListedSound::Listed(encoded / 4 * 3),
                _ => ListedSound::Named,
            },
            id,
        })
    }

    fn folder(&self) -> MailFolder {
        match self.status.as_deref() {
            Some("deleted") => MailFolder::Deleted,
            Some("saved") => MailFolder::Old,
            _ if self.heard_at.is_some_and(|heard_at| heard_at > 0) => MailFolder::Old,
            _ => MailFolder::Inbox,
        }
    }
}

fn uuid(id: &PbxMessageId) -> Option<Uuid> {
    Uuid::try_parse(id.as_str()).ok()
}

fn opened(sound: &[u8]) -> std::io::Result<Opened> {
    let mut file = File::from(memfd_create("voicemail", MemfdFlags::CLOEXEC)?);
    file.write_all(sound)?;
    let format = if sound.starts_with(b"RIFF") { "wav" } else { "mp3" };
    Ok(Opened {
        file,
        length: u64::try_from(sound.len()).unwrap_or_default(),
        format: format.parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn row() -> Row {
        Row {
            id: Uuid::from_u128(0xf),
            left_at: Some(1_795_969_452),
            heard_at: None,
            caller: Some("+4930123".to_owned()),
            seconds: Some(7),
            status: None,
            encoded: None,
        }
    }

    #[rstest]
    #[case(None, None, MailFolder::Inbox)]
    #[case(None, Some(0), MailFolder::Inbox)]
    #[case(None, Some(5), MailFolder::Old)]
    #[case(Some("saved"), None, MailFolder::Old)]
    #[case(Some("deleted"), Some(5), MailFolder::Deleted)]
    fn a20_where_a_message_stands_is_told_by_what_was_done_with_it(
        #[case] status: Option<&str>,
        #[case] heard_at: Option<i64>,
        #[case] expected: MailFolder,
    ) {
        let row = Row {
            status: status.map(str::to_owned),
            heard_at,
            ..row()
        };
        assert_eq!(row.folder(), expected);
    }

    #[rstest]
    #[case(None, None)]
    #[case(Some(32), None)]
    #[case(Some(4000), Some(3000))]
    fn a20_a_sound_is_in_the_list_or_in_a_file(#[case] encoded: Option<i64>, #[case] bytes: Option<i64>) {
        let listed = Row { encoded, ..row() }.listed(&"1001".parse().unwrap()).unwrap();
        match (listed.sound, bytes) {
            (ListedSound::Listed(found), Some(bytes)) => assert_eq!(found, bytes),
            (ListedSound::Named, None) => {}
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn a20_a_message_without_a_time_is_told_and_not_taken_for_an_old_one() {
        for left_at in [None, Some(i64::MAX)] {
            let listed = Row { left_at, ..row() }.listed(&"1001".parse().unwrap());
            assert!(listed.unwrap_err().full().contains("when it was left"));
        }
    }
}
