//! What of others stands in the way of our rows: nothing of theirs is ever touched, and whose rows these are waits alone.

use std::collections::BTreeSet;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::note::Owner;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, FusionValue, ROW_VARIABLE};
use crate::domain::ids::TenantId;

/// What is told of at the most.
const MOST: usize = 100;

/// The rows that are written: what is in the way of one of them is an error, and of others of ours a warning.
pub struct Moving {
    rows: BTreeSet<(FusionTable, Uuid)>,
    extensions: BTreeSet<String>,
    tenants: BTreeSet<Uuid>,
}

impl Moving {
    /// Those that are new, and those that are other ones.
    pub fn of<'a>(rows: impl Iterator<Item = &'a FusionRow>) -> Self {
        let mut moving = Self {
            rows: BTreeSet::new(),
            extensions: BTreeSet::new(),
            tenants: BTreeSet::new(),
        };
        for row in rows {
            moving.rows.insert((row.table, row.id));
            moving.tenants.extend(row.tenant());
            match row.table {
                FusionTable::Extensions => drop(moving.extensions.insert(row.id.to_string())),
                FusionTable::ExtensionSettings => {
                    moving
                        .extensions
                        .extend(row.text("extension_uuid").map(str::to_owned));
                }
                FusionTable::Domains | FusionTable::Voicemails | FusionTable::Dialplans => {}
            }
        }
        moving
    }
}

/// Rows that are to be inserted and cannot be, since others have their ids; one that says of itself that it is switched
/// off is not missed, nor what belongs to such a one of `wanted`.
pub async fn of_ids(
    connection: &mut PgConnection,
    missing: &[&FusionRow],
    wanted: &[FusionRow],
) -> sqlx::Result<(BTreeSet<(FusionTable, Uuid)>, Vec<Finding>)> {
    let (mut taken, mut findings) = (BTreeSet::new(), Vec::new());
    for table in FusionTable::ALL {
        let ids: Vec<Uuid> = missing
            .iter()
            .filter(|row| row.table == *table)
            .map(|row| row.id)
            .collect();
        if !ids.is_empty() {
            taken.extend(
                ids_of_others(connection, *table, ids)
                    .await?
                    .into_iter()
                    .map(|id| (*table, id)),
            );
        }
    }
    if taken.is_empty() {
        return Ok((taken, findings));
    }
    let off = wanted
        .iter()
        .filter(|row| row.table == FusionTable::Extensions && is_off(row));
    let off: BTreeSet<String> = off.map(|row| row.id.to_string()).collect();
    let is_of_one = |row: &FusionRow| row.text("extension_uuid").is_some_and(|id| off.contains(id));
    for row in missing.iter().filter(|row| taken.contains(&(row.table, row.id))) {
        let (table, id) = (row.table, row.id);
        let message = format!(
            "the row {id} of {table} is no longer marked as this instance's: its insert_user was changed; put it back, or \
             delete the row"
        );
        let finding = Finding::new(
            severity(!is_off(row) && !is_of_one(row)),
            "row_taken_on_pbx",
            message,
        );
        findings.push(of(finding.about(format!("{table} {id}")), row.tenant()));
    }
    findings.truncate(MOST);
    Ok((taken, findings))
}

/// Looks for domains, numbers, mailboxes and settings that others have beside any of ours, once ours are written.
pub async fn beside(
    connection: &mut PgConnection,
    owner: Owner,
    moving: &Moving,
) -> sqlx::Result<Vec<Finding>> {
    let mut findings = domains(connection, owner, moving).await?;
    findings.extend(numbers(connection, owner, moving).await?);
    findings.extend(mailboxes(connection, owner, moving).await?);
    findings.extend(settings(connection, owner, moving).await?);
    findings.sort_by_key(|finding| !finding.is_error());
    findings.truncate(MOST);
    Ok(findings)
}

/// A row of ours, and what others have beside it.
#[derive(FromRow)]
struct Beside {
    ours: Uuid,
    tenant: Option<Uuid>,
    name: String,
    domain: Option<String>,
}

async fn ask(connection: &mut PgConnection, owner: Owner, sql: &'static str) -> sqlx::Result<Vec<Beside>> {
    sqlx::query_as(sql).bind(owner.uuid()).fetch_all(connection).await
}

/// FusionPBX tells domains apart by their name in whatever case, FreeSWITCH by the very name.
async fn domains(connection: &mut PgConnection, owner: Owner, moving: &Moving) -> sqlx::Result<Vec<Finding>> {
    let sql = "select ours.domain_uuid as ours, ours.domain_uuid as tenant, o.domain_name as name, null as domain \
        from v_domains o join v_domains ours on lower(ours.domain_name) = lower(o.domain_name) \
        where ours.insert_user = $1 and ours.domain_enabled::text = 'true' and o.insert_user is distinct from $1 \
        order by o.domain_name";
    let finding = |taken: Beside| {
        let name = taken.name;
        let message = format!(
            "FusionPBX has a domain {name} that this instance did not make; give the tenant another domain, or delete it in \
             FusionPBX"
        );
        // Whatever is new of a tenant would be looked for in that domain.
        let severity = severity(moving.tenants.contains(&taken.ours));
        let finding = Finding::new(severity, "domain_taken_on_pbx", message);
        of(finding.about(format!("domain {name}")), taken.tenant)
    };
    Ok(ask(connection, owner, sql)
        .await?
        .into_iter()
        .map(finding)
        .collect())
}

/// A number twice in a domain: FreeSWITCH would serve whichever row comes first. It looks at none that is disabled.
async fn numbers(connection: &mut PgConnection, owner: Owner, moving: &Moving) -> sqlx::Result<Vec<Finding>> {
    let sql = "select ours.extension_uuid as ours, ours.domain_uuid as tenant, ours.extension as name, \
          d.domain_name as domain \
        from (select domain_uuid, unnest(array[extension, number_alias]) as number from v_extensions \
          where insert_user is distinct from $1 and enabled::text = 'true') o \
        join v_extensions ours on ours.domain_uuid = o.domain_uuid and ours.extension = o.number \
        join v_domains d on d.domain_uuid = ours.domain_uuid \
        where ours.insert_user = $1 and ours.enabled::text = 'true' and d.insert_user = $1 \
        order by d.domain_name, ours.extension";
    let finding = |taken: Beside| {
        let (number, domain) = (taken.name, taken.domain.unwrap_or_default());
        let message = format!(
            "FusionPBX has an extension {number} in {domain} that this instance did not make; delete it there, or give ours \
             another number"
        );
        let severity = severity(moving.extensions.contains(&taken.ours.to_string()));
        let finding = Finding::new(severity, "number_taken_on_pbx", message);
        of(
            finding.about(format!("extension {number}@{domain}")),
            taken.tenant,
        )
    };
    Ok(ask(connection, owner, sql)
        .await?
        .into_iter()
        .map(finding)
        .collect())
}

/// A mailbox twice: FusionPBX takes whichever row comes last.
async fn mailboxes(
    connection: &mut PgConnection,
    owner: Owner,
    moving: &Moving,
) -> sqlx::Result<Vec<Finding>> {
    let sql = "select ours.voicemail_uuid as ours, ours.domain_uuid as tenant, o.voicemail_id as name, \
          o.voicemail_uuid::text as domain \
        from v_voicemails o join v_voicemails ours on ours.domain_uuid = o.domain_uuid and ours.voicemail_id = o.voicemail_id \
        where ours.insert_user = $1 and ours.voicemail_enabled::text = 'true' and o.insert_user is distinct from $1 \
        order by o.voicemail_id";
    let finding = |taken: Beside| {
        let (number, id) = (taken.name, taken.domain.unwrap_or_default());
        let message = format!(
            "FusionPBX has a mailbox {number} ({id}) beside ours, and would serve either; delete it there"
        );
        let severity = severity(moving.rows.contains(&(FusionTable::Voicemails, taken.ours)));
        let finding = Finding::new(severity, "mailbox_taken_on_pbx", message);
        of(finding.about(format!("mailbox {number}")), taken.tenant)
    };
    Ok(ask(connection, owner, sql)
        .await?
        .into_iter()
        .map(finding)
        .collect())
}

/// What a phone signs in with, or what proves our rows, twice: FreeSWITCH takes the last one.
async fn settings(
    connection: &mut PgConnection,
    owner: Owner,
    moving: &Moving,
) -> sqlx::Result<Vec<Finding>> {
    let sql = "select ours.extension_uuid as ours, ours.domain_uuid as tenant, o.extension_setting_name as name, \
          o.extension_setting_uuid::text as domain \
        from v_extension_settings o join v_extensions ours on ours.extension_uuid = o.extension_uuid \
        where o.extension_setting_name in ('a1-hash', 'password', $2) and o.extension_setting_enabled::text = 'true' \
        and ours.insert_user = $1 and ours.enabled::text = 'true' and o.insert_user is distinct from $1 \
        order by o.extension_setting_uuid";
    let taken: Vec<Beside> = sqlx::query_as(sql)
        .bind(owner.uuid())
        .bind(ROW_VARIABLE)
        .fetch_all(connection)
        .await?;
    let finding = |taken: Beside| {
        let (name, id) = (taken.name, taken.domain.unwrap_or_default());
        let message = format!(
            "somebody gave an extension of ours another {name} (the row {id} of v_extension_settings); delete it there"
        );
        let severity = severity(moving.extensions.contains(&taken.ours.to_string()));
        let finding = Finding::new(severity, "setting_taken_on_pbx", message);
        of(finding.about(format!("v_extension_settings {id}")), taken.tenant)
    };
    Ok(taken.into_iter().map(finding).collect())
}

async fn ids_of_others(
    connection: &mut PgConnection,
    table: FusionTable,
    ids: Vec<Uuid>,
) -> sqlx::Result<Vec<Uuid>> {
    // What is missing is not ours, so that whoever has the id is another.
    let id = table.id_column();
    let sql = format!("select {id} from {table} where {id} = any ($1)");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(ids)
        .fetch_all(connection)
        .await
}

fn severity(is_moving: bool) -> Severity {
    if is_moving {
        Severity::Error
    } else {
        Severity::Warning
    }
}

fn of(finding: Finding, tenant: Option<Uuid>) -> Finding {
    match tenant {
        Some(tenant) => finding.of_tenant(TenantId::from_uuid(tenant)),
        None => finding,
    }
}

/// Whether a row serves nobody.
fn is_off(row: &FusionRow) -> bool {
    let flags = [
        "enabled",
        "domain_enabled",
        "voicemail_enabled",
        "dialplan_enabled",
    ];
    row.values
        .iter()
        .any(|(column, value)| flags.contains(&column.as_str()) && *value == FusionValue::Flag(false))
}
