//! What of others stands in the way of our rows, so that none is written: nothing of theirs is ever touched.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::note::Owner;
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, FusionValue};

/// Looks for domains, numbers and ids that others have.
pub async fn find(
    connection: &mut PgConnection,
    owner: Owner,
    wanted: &[FusionRow],
    missing: &[&FusionRow],
) -> sqlx::Result<Vec<Finding>> {
    let mut findings = domains(connection, owner, wanted).await?;
    findings.extend(numbers(connection, owner, wanted).await?);
    findings.extend(mailboxes(connection, owner, wanted).await?);
    findings.extend(settings(connection, owner, wanted).await?);
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

fn text<'a>(row: &'a FusionRow, column: &str) -> Option<&'a str> {
    row.values.iter().find_map(|(name, value)| match value {
        FusionValue::Text(text) if name.as_str() == column => Some(text.as_str()),
        _ => None,
    })
}

/// FusionPBX tells domains apart by their name in whatever case, FreeSWITCH by the very name.
async fn domains(
    connection: &mut PgConnection,
    owner: Owner,
    wanted: &[FusionRow],
) -> sqlx::Result<Vec<Finding>> {
    let ours = wanted.iter().filter(|row| row.table == FusionTable::Domains);
    let names: Vec<&str> = ours.filter_map(|row| text(row, "domain_name")).collect();
    let taken: Vec<(String,)> = sqlx::query_as(
        "select domain_name from v_domains where lower(domain_name) = any ($1) and insert_user is distinct from $2 \
         order by domain_name limit 100",
    )
    .bind(names)
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
async fn numbers(
    connection: &mut PgConnection,
    owner: Owner,
    wanted: &[FusionRow],
) -> sqlx::Result<Vec<Finding>> {
    let domains: BTreeMap<String, &str> = wanted
        .iter()
        .filter(|row| row.table == FusionTable::Domains)
        .filter_map(|row| Some((row.id.to_string(), text(row, "domain_name")?)))
        .collect();
    let ours: BTreeSet<(&str, &str)> = wanted
        .iter()
        .filter(|row| row.table == FusionTable::Extensions)
        .filter_map(|row| Some((text(row, "domain_uuid")?, text(row, "extension")?)))
        .collect();
    let ids: Vec<Uuid> = domains.keys().filter_map(|id| id.parse().ok()).collect();
    let others: Vec<(String, Option<String>, Option<String>)> = sqlx::query_as(
        "select domain_uuid::text, extension, number_alias from v_extensions \
         where domain_uuid = any ($1) and insert_user is distinct from $2",
    )
    .bind(ids)
    .bind(owner.uuid())
    .fetch_all(connection)
    .await?;
    let mut findings = Vec::new();
    for (domain, extension, alias) in &others {
        let taken = [extension, alias].into_iter().flatten();
        let taken = taken.filter(|number| ours.contains(&(domain.as_str(), number.as_str())));
        for number in taken {
            let name = domains.get(domain).copied().unwrap_or(domain);
            let message = format!(
                "FusionPBX has an extension {number} in {name} that this instance did not make; delete it there, or give \
                 ours another number"
            );
            findings.push(
                Finding::error("number_taken_on_pbx", message).about(format!("extension {number}@{name}")),
            );
        }
    }
    Ok(findings)
}

/// A mailbox twice: FusionPBX takes whichever row comes last.
async fn mailboxes(
    connection: &mut PgConnection,
    owner: Owner,
    wanted: &[FusionRow],
) -> sqlx::Result<Vec<Finding>> {
    let ours = wanted.iter().filter(|row| row.table == FusionTable::Voicemails);
    let (domains, ids): (Vec<&str>, Vec<&str>) = ours
        .filter_map(|row| text(row, "domain_uuid").zip(text(row, "voicemail_id")))
        .unzip();
    let taken: Vec<(String, String)> = sqlx::query_as(
        "select v.voicemail_id, v.voicemail_uuid::text from v_voicemails v \
         join (select * from unnest($1::text[], $2::text[]) o (domain_uuid, voicemail_id)) o \
         on v.domain_uuid = o.domain_uuid::uuid and v.voicemail_id = o.voicemail_id \
         where v.insert_user is distinct from $3 order by v.voicemail_id limit 100",
    )
    .bind(domains)
    .bind(ids)
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
async fn settings(
    connection: &mut PgConnection,
    owner: Owner,
    wanted: &[FusionRow],
) -> sqlx::Result<Vec<Finding>> {
    let ours = wanted.iter().filter(|row| row.table == FusionTable::Extensions);
    let extensions: Vec<Uuid> = ours.map(|row| row.id).collect();
    let taken: Vec<(String, String)> = sqlx::query_as(
        "select extension_setting_uuid::text, extension_setting_name from v_extension_settings \
         where extension_uuid = any ($1) and extension_setting_name in ('a1-hash', 'password') \
         and extension_setting_enabled::text = 'true' and insert_user is distinct from $2 \
         order by extension_setting_uuid limit 100",
    )
    .bind(extensions)
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
