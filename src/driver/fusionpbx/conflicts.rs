//! What of others stands in the way of our rows, so that none is written: nothing of theirs is ever touched.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::note::Owner;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};

/// Looks for rows that others have under ids of rows that are to be inserted: before they are, for none would be.
pub async fn of_ids(connection: &mut PgConnection, missing: &[&FusionRow]) -> sqlx::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for table in FusionTable::ALL {
        let ids: Vec<Uuid> = missing
            .iter()
            .filter(|row| row.table == *table)
            .map(|row| row.id)
            .collect();
        findings.extend(ids_of_others(connection, *table, ids).await?);
    }
    Ok(findings)
}

/// Looks for domains, numbers, mailboxes and settings that others have beside any of ours, once ours are written.
pub async fn beside(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Vec<Finding>> {
    let mut findings = domains(connection, owner).await?;
    findings.extend(numbers(connection, owner).await?);
    findings.extend(mailboxes(connection, owner).await?);
    findings.extend(settings(connection, owner).await?);
    Ok(findings)
}

/// FusionPBX tells domains apart by their name in whatever case, FreeSWITCH by the very name.
async fn domains(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Vec<Finding>> {
    let taken: Vec<(String,)> = sqlx::query_as(
        "select o.domain_name from v_domains o join v_domains ours on lower(ours.domain_name) = lower(o.domain_name) \
         where ours.insert_user = $1 and o.insert_user is distinct from $1 order by o.domain_name limit 100",
    )
    .bind(owner.uuid())
    .fetch_all(connection)
    .await?;
    Ok(taken.into_iter().map(|(name,)| {
        let message = format!(
            "FusionPBX has a domain {name} that this instance did not make; give the tenant another domain, or delete it in \
             FusionPBX"
        );
        Finding::error("domain_taken_on_pbx", message).about(format!("domain {name}"))
    }).collect())
}

/// A number twice in a domain: FreeSWITCH would serve whichever row comes first.
async fn numbers(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Vec<Finding>> {
    let taken: Vec<(String, String)> = sqlx::query_as(
        "select d.domain_name, ours.extension \
         from (select domain_uuid, unnest(array[extension, number_alias]) as number from v_extensions \
           where insert_user is distinct from $1) o \
         join v_extensions ours on ours.domain_uuid = o.domain_uuid and ours.extension = o.number \
         join v_domains d on d.domain_uuid = ours.domain_uuid \
         where ours.insert_user = $1 and d.insert_user = $1 order by d.domain_name, ours.extension limit 100",
    )
    .bind(owner.uuid())
    .fetch_all(connection)
    .await?;
    Ok(taken
        .into_iter()
        .map(|(domain, number)| {
            let message = format!(
                "FusionPBX has an extension {number} in {domain} that this instance did not make; delete it there, or \
                 give ours another number"
            );
            Finding::error("number_taken_on_pbx", message).about(format!("extension {number}@{domain}"))
        })
        .collect())
}

/// A mailbox twice: FusionPBX takes whichever row comes last.
async fn mailboxes(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Vec<Finding>> {
    let taken: Vec<(String, String)> = sqlx::query_as(
        "select o.voicemail_id, o.voicemail_uuid::text from v_voicemails o \
         join v_voicemails ours on ours.domain_uuid = o.domain_uuid and ours.voicemail_id = o.voicemail_id \
         where ours.insert_user = $1 and o.insert_user is distinct from $1 order by o.voicemail_id limit 100",
    )
    .bind(owner.uuid())
    .fetch_all(connection)
    .await?;
    Ok(taken
        .into_iter()
        .map(|(number, id)| {
            let message = format!(
                "FusionPBX has a mailbox {number} ({id}) beside ours, and would serve either; delete it there"
            );
            Finding::error("mailbox_taken_on_pbx", message).about(format!("mailbox {number}"))
        })
        .collect())
}

/// What a phone signs in with, twice: FreeSWITCH takes the last one.
async fn settings(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Vec<Finding>> {
    let taken: Vec<(String, String)> = sqlx::query_as(
        "select o.extension_setting_uuid::text, o.extension_setting_name from v_extension_settings o \
         join v_extensions ours on ours.extension_uuid = o.extension_uuid \
         where o.extension_setting_name in ('a1-hash', 'password') and o.extension_setting_enabled::text = 'true' \
         and ours.insert_user = $1 and o.insert_user is distinct from $1 order by o.extension_setting_uuid limit 100",
    )
    .bind(owner.uuid())
    .fetch_all(connection)
    .await?;
    Ok(taken
        .into_iter()
        .map(|(id, name)| {
            let message = format!(
                "somebody gave an extension of ours another {name} (the row {id} of v_extension_settings); delete it there"
            );
            Finding::error("setting_taken_on_pbx", message).about(format!("v_extension_settings {id}"))
        })
        .collect())
}

async fn ids_of_others(
    connection: &mut PgConnection,
    table: FusionTable,
    ids: Vec<Uuid>,
) -> sqlx::Result<Vec<Finding>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // What is missing is not ours, so that whoever has the id is another.
    let id = table.id_column();
    let sql = format!("select {id}::text from {table} where {id} = any ($1) order by {id} limit 100");
    let taken: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(ids)
        .fetch_all(connection)
        .await?;
    Ok(taken.into_iter().map(|(id,)| {
        let message = format!(
            "the row {id} of {table} is no longer marked as this instance's: its insert_user was changed; put it back, or \
             delete the row"
        );
        Finding::error("row_taken_on_pbx", message).about(format!("{table} {id}"))
    }).collect())
}
