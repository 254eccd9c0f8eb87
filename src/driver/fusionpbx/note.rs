//! What our rows say of themselves: which generation they are of, and what FreeSWITCH was not yet told of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::touched::Touched;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::id_of;

/// What the note's row is called, and the context that no call reaches.
const NAME: &str = "switchyard-note";

/// Whose rows: every row of ours has this as the user who inserted it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Owner(Uuid);

impl Owner {
    /// The rows of this instance.
    pub const fn new(instance: Uuid) -> Self {
        Self(instance)
    }

    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The id of its note.
    pub fn note(self) -> Uuid {
        id_of(self.0, NAME)
    }
}

/// Written with the rows in one transaction. It is a dialplan that is switched off, since that is a table in which we have
/// rights anyway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The number of the generation that stands here.
    pub generation: i64,
    /// Its markers.
    pub markers: BTreeMap<Artifact, String>,
    /// How many rows of ours there are.
    pub rows: usize,
    /// The transaction that wrote them last.
    pub transaction: i64,
    /// Every transaction before this one had ended when they were looked at for it.
    pub since: i64,
    /// The database that counted these two.
    pub cluster: String,
    /// What FreeSWITCH may have in its cache as it was before: a process that dies after the rows were written leaves it
    /// to the next.
    #[serde(default, skip_serializing_if = "Touched::is_empty")]
    pub untold: Touched,
}

/// What is noted; `None` where no generation of ours stands here.
pub async fn read(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Option<Note>> {
    let sql = "select dialplan_description from v_dialplans where dialplan_uuid = $1 and insert_user = $2";
    let found: Option<(Option<String>,)> = sqlx::query_as(sql)
        .bind(owner.note())
        .bind(owner.uuid())
        .fetch_optional(connection)
        .await?;
    let text = found.and_then(|(text,)| text);
    // One that somebody edited notes nothing: then it is not known what stands here.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The number of this transaction, of which rows that it writes bear the lower half.
pub async fn transaction(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let sql = "select txid_current()";
    sqlx::query_scalar(sql).fetch_one(connection).await
}

/// Removes it: nothing of ours stands here.
pub async fn remove(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<()> {
    sqlx::query("delete from v_dialplans where dialplan_uuid = $1 and insert_user = $2")
        .bind(owner.note())
        .bind(owner.uuid())
        .execute(connection)
        .await
        .map(drop)
}

/// Writes it anew.
pub async fn put(connection: &mut PgConnection, owner: Owner, note: &Note) -> sqlx::Result<()> {
    remove(&mut *connection, owner).await?;
    let row = json!([{
        "dialplan_uuid": owner.note(),
        "dialplan_context": NAME,
        "dialplan_name": NAME,
        "dialplan_enabled": false,
        "dialplan_continue": false,
        "dialplan_order": 999,
        "dialplan_description": text(note),
        "insert_user": owner.uuid(),
    }]);
    let sql = "insert into v_dialplans (dialplan_uuid, dialplan_context, dialplan_name, dialplan_enabled, \
        dialplan_continue, dialplan_order, dialplan_description, insert_user, insert_date) \
        select dialplan_uuid, dialplan_context, dialplan_name, dialplan_enabled, dialplan_continue, dialplan_order, \
        dialplan_description, insert_user, now() from jsonb_populate_recordset(null::v_dialplans, $1)";
    sqlx::query(sql).bind(row).execute(connection).await.map(drop)
}

/// FreeSWITCH was told of everything that `note` says. Whatever was written meanwhile is left as it is.
pub async fn told(connection: &mut PgConnection, owner: Owner, note: Note) -> sqlx::Result<()> {
    let before = text(&note);
    let after = text(&Note {
        untold: Touched::default(),
        ..note
    });
    let sql = "update v_dialplans set dialplan_description = $3 \
        where dialplan_uuid = $1 and insert_user = $2 and dialplan_description = $4";
    sqlx::query(sql)
        .bind(owner.note())
        .bind(owner.uuid())
        .bind(after)
        .bind(before)
        .execute(connection)
        .await
        .map(drop)
}

/// Whether the database says of itself what it should.
pub fn differences(note: Option<&Note>, expected: &BTreeMap<Artifact, Option<String>>) -> Vec<Finding> {
    let noted = |file: &Artifact| note.and_then(|note| note.markers.get(file));
    let differs = |(file, marker): &(&Artifact, &Option<String>)| noted(file) != marker.as_ref();
    let finding = |(file, _): (&Artifact, &Option<String>)| {
        let message = match noted(file) {
            Some(marker) => {
                format!("FusionPBX's database has other rows than these for {file}: it notes \"{marker}\"")
            }
            None => format!("FusionPBX's database notes no rows of ours for {file}"),
        };
        Finding::error("marker_missing", message).about(file.as_str())
    };
    let untold = note.is_some_and(|note| !note.untold.is_empty());
    let untold = (untold && !expected.is_empty()).then(|| {
        let message = "rows were written that FreeSWITCH was not told of: it may serve what was there before, from its cache";
        Finding::error("cache_not_cleared", message)
    });
    expected
        .iter()
        .filter(differs)
        .map(finding)
        .chain(untold)
        .collect()
}

fn text(note: &Note) -> String {
    json!(note).to_string()
}
