//! What FusionPBX's own call records tell of a time in which nobody listened: its table `v_xml_cdr`.
//!
//! A row is written after the end of each leg that was called by nobody, and of others where FusionPBX is told so
//! (`cdr`, `b_leg`). Its id is the leg's, so that what was told before is told again and nothing else.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, FromRow};
use tokio::time::sleep;
use uuid::Uuid;

use super::database::Database;
use super::note::Owner;
use crate::domain::call_part::{CallPart, EndedPart, Phone};
use crate::domain::call_text::CallText;
use crate::driver::event_socket::ended::disposition;
use crate::driver::feed::Past;

/// The most rows that are read.
const MOST: i64 = 20_000;

/// The columns without which nothing is told.
const NEEDED: [&str; 12] = [
    "xml_cdr_uuid",
    "domain_uuid",
    "domain_name",
    "direction",
    "caller_id_name",
    "caller_id_number",
    "destination_number",
    "start_epoch",
    "answer_epoch",
    "end_epoch",
    "hangup_cause",
    "originating_leg_uuid",
];

/// Newest first, so that of too many the oldest are not read. Of domains that are ours alone: what the role could read of
/// others stays where it is. `{said}` is what FreeSWITCH said of the leg's variables, where FusionPBX keeps it.
const ROWS: &str = "select c.xml_cdr_uuid, c.domain_uuid, c.domain_name, c.direction, c.caller_id_name, \
    c.caller_id_number, c.destination_number, c.start_epoch::bigint, c.answer_epoch::bigint, c.end_epoch::bigint, \
    c.hangup_cause, nullif(c.originating_leg_uuid::text, '') as originator, {said} \
    from v_xml_cdr c where c.end_epoch >= $1 and c.start_epoch is not null \
    and c.domain_uuid in (select d.domain_uuid from v_domains d where d.insert_user = $2) \
    order by c.end_epoch desc, c.xml_cdr_uuid limit $3";
const SAID: &str = "c.json::jsonb #>> '{variables,user_name}' as user_name, \
    c.json::jsonb #>> '{variables,dialed_user}' as dialed_user, \
    coalesce(c.json::jsonb #>> '{variables,is_loopback}', c.json::jsonb #>> '{variables,loopback_leg}') is not null \
    as is_half";
const UNSAID: &str = "null::text as user_name, null::text as dialed_user, false as is_half";

#[derive(FromRow)]
struct Row {
    xml_cdr_uuid: Uuid,
    domain_uuid: Uuid,
    domain_name: Option<String>,
    direction: Option<String>,
    caller_id_name: Option<String>,
    caller_id_number: Option<String>,
    destination_number: Option<String>,
    start_epoch: i64,
    answer_epoch: Option<i64>,
    end_epoch: i64,
    hangup_cause: Option<String>,
    originator: Option<String>,
    user_name: Option<String>,
    dialed_user: Option<String>,
    is_half: bool,
}

/// Reads it.
pub struct Records {
    database: Database,
    owner: Owner,
    written: Duration,
}

impl Records {
    /// `written`: within which time after the end of a leg its row is written.
    pub const fn new(database: Database, owner: Owner, written: Duration) -> Self {
        Self {
            database,
            owner,
            written,
        }
    }

    /// What is told of legs that ended since then; `None` where the table or the right to read it is not there, or the
    /// database does not answer.
    pub async fn since(&self, since: Timestamp) -> Option<Past> {
        sleep(self.written).await;
        let mut connection = self.database.open().await.ok()?;
        let rows = self.database.ask(rows(&mut connection, self.owner, since)).await;
        match rows {
            Ok(Some(rows)) => {
                self.database.keep(connection).await;
                Some(past(rows))
            }
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(%error, "FusionPBX's own call records cannot be read");
                None
            }
        }
    }
}

/// Whether the table can be read and has what is read of it.
pub async fn can_be_read(connection: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(said(connection).await?.is_some())
}

/// How it is asked what FreeSWITCH said of a leg; `None` where the table cannot be read, or is another: only columns that the
/// role may read are shown.
async fn said(connection: &mut PgConnection) -> sqlx::Result<Option<&'static str>> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "select column_name::text, data_type::text from information_schema.columns \
         where table_schema = any (current_schemas(false)) and table_name = 'v_xml_cdr' \
         and has_column_privilege(to_regclass('v_xml_cdr'), column_name::text, 'select')",
    )
    .fetch_all(connection)
    .await?;
    let has = |needed: &&str| found.iter().any(|(column, _)| column == needed);
    let is_said = |(column, kind): &(String, String)| column == "json" && kind.starts_with("json");
    Ok(NEEDED
        .iter()
        .all(has)
        .then(|| if found.iter().any(is_said) { SAID } else { UNSAID }))
}

async fn rows(
    connection: &mut PgConnection,
    owner: Owner,
    since: Timestamp,
) -> sqlx::Result<Option<Vec<Row>>> {
    let Some(said) = said(connection).await? else {
        return Ok(None);
    };
    let rows = sqlx::query_as(AssertSqlSafe(ROWS.replace("{said}", said)))
        .bind(since.as_second())
        .bind(owner.uuid())
        .bind(MOST)
        .fetch_all(connection)
        .await?;
    Ok(Some(rows))
}

fn past(rows: Vec<Row>) -> Past {
    let is_cut = i64::try_from(rows.len()).is_ok_and(|read| read >= MOST);
    let oldest = rows.last().map(|row| row.end_epoch);
    // In the second of the last that was read others may have ended.
    let known_from = oldest.filter(|_| is_cut).map(|second| second.saturating_add(1));
    Past {
        parts: rows.into_iter().filter_map(Row::part).collect(),
        known_from: known_from.and_then(|second| Timestamp::from_second(second).ok()),
    }
}

impl Row {
    /// The part of a call that it tells of; none of one half of a pair, which is a part of what leads through it.
    fn part(self) -> Option<EndedPart> {
        if self.is_half {
            return None;
        }
        let id = self.xml_cdr_uuid.to_string();
        let call = self.originator.unwrap_or_else(|| id.clone());
        let is_of_called = call != id;
        let at = |second: i64| Timestamp::from_second(second).ok();
        let started = at(self.start_epoch)?;
        let ended = at(self.end_epoch)?.max(started);
        let answered = self.answer_epoch.filter(|second| *second > 0).and_then(at);
        let answered = answered.map(|answered| answered.clamp(started, ended));
        let domain = self.domain_name.as_deref().unwrap_or_default();
        let direction = self.direction.as_deref();
        let phone = |number: Option<&str>| number.and_then(|number| Phone::of(number, domain));
        // Where FusionPBX keeps nothing of who signed in, whoever did not call from outside did.
        let signed_in = self.user_name.as_deref().or(match direction {
            Some("local" | "outbound") => self.caller_id_number.as_deref(),
            _ => None,
        });
        let dialled = self.dialed_user.as_deref();
        Some(EndedPart {
            call: call.parse().ok()?,
            names: [Some(self.domain_uuid.to_string()), self.domain_name.clone()]
                .into_iter()
                .flatten()
                .collect(),
            part: CallPart {
                key: id.parse().ok()?,
                channel: id.parse().ok()?,
                caller: phone(signed_in).filter(|_| !is_of_called),
                called: phone(dialled).filter(|_| is_of_called),
                left: direction == Some("outbound") && (!is_of_called || dialled.is_none()),
                is_of_called,
                from_number: self.caller_id_number.as_deref().and_then(CallText::of),
                from_name: self.caller_id_name.as_deref().and_then(CallText::of),
                to: self.destination_number.as_deref().and_then(CallText::of),
                started,
                answered,
                ended,
                disposition: disposition(answered.is_some(), self.hangup_cause.as_deref(), None),
                cause: self.hangup_cause.as_deref().and_then(|cause| cause.parse().ok()),
            },
        })
    }
}
