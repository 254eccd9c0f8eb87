//! What of others stands in the way of our rows: nothing of theirs is ever touched, and whose rows these are waits alone.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use super::note::Owner;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, FusionValue, ROW_VARIABLE};
use crate::domain::ids::TenantId;
use crate::driver::AbsentExtension;
use crate::driver::event_socket::User;

/// What is told of at the most.
const MOST: usize = 100;

/// The rows that are written: what is in the way of one of them is an error, and of others of ours a warning.
pub struct Moving {
    rows: BTreeSet<(FusionTable, Uuid)>,
    extensions: BTreeSet<String>,
    tenants: BTreeSet<Uuid>,
}

impl Moving {
    /// Those that are new, and those that are other ones; but for what is switched off of `wanted`, which nobody misses.
    pub fn of<'a>(rows: impl Iterator<Item = &'a FusionRow>, wanted: &[FusionRow]) -> Self {
        let off = Off::of(wanted);
        let mut moving = Self {
            rows: BTreeSet::new(),
            extensions: BTreeSet::new(),
            tenants: BTreeSet::new(),
        };
        for row in rows.filter(|row| !off.has(row)) {
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

/// Those of these rows of ours that are not there as ours and whose ids others have.
pub async fn taken(
    connection: &mut PgConnection,
    missing: Vec<(FusionTable, Uuid)>,
) -> sqlx::Result<BTreeSet<(FusionTable, Uuid)>> {
    let mut ids = BTreeMap::<FusionTable, Vec<Uuid>>::new();
    for (table, id) in missing {
        ids.entry(table).or_default().push(id);
    }
    let mut taken = BTreeSet::new();
    for (table, ids) in ids {
        let of_others = ids_of_others(connection, table, ids).await?;
        taken.extend(of_others.into_iter().map(|id| (table, id)));
    }
    Ok(taken)
}

/// Rows that are to be inserted and cannot be, since others have their ids; one that says of itself that it is switched
/// off is not missed, nor what belongs to such a one of `wanted`.
pub async fn of_ids(
    connection: &mut PgConnection,
    missing: &[&FusionRow],
    wanted: &[FusionRow],
) -> sqlx::Result<(BTreeSet<(FusionTable, Uuid)>, Vec<Finding>)> {
    let ids = missing.iter().map(|row| (row.table, row.id)).collect();
    let taken = taken(connection, ids).await?;
    let mut findings = Vec::new();
    if taken.is_empty() {
        return Ok((taken, findings));
    }
    let off = Off::of(wanted);
    for row in missing.iter().filter(|row| taken.contains(&(row.table, row.id))) {
        findings.push(taken_row(row.table, row.id, !off.has(row), row.tenant()));
    }
    Ok((taken, gravest(findings)))
}

/// A row of ours under another mark. `is_missed`: whether something is to be served of it.
fn taken_row(table: FusionTable, id: Uuid, is_missed: bool, tenant: Option<Uuid>) -> Finding {
    let message = format!(
        "the row {id} of {table} is no longer marked as this instance's: its insert_user was changed; put it back, or \
         delete the row"
    );
    let finding = Finding::new(severity(is_missed), "row_taken_on_pbx", message);
    of(finding.about(format!("{table} {id}")), tenant)
}

/// As many as are told, errors first.
fn gravest(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| !finding.is_error());
    findings.truncate(MOST);
    findings
}

/// Extensions that were to go with these settings and stand there all the same, under another mark.
pub async fn of_settings(
    connection: &mut PgConnection,
    settings: &BTreeSet<Uuid>,
) -> sqlx::Result<Vec<Finding>> {
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "select distinct e.extension_uuid, s.domain_uuid from v_extension_settings s \
        join v_extensions e on e.extension_uuid = s.extension_uuid where s.extension_setting_uuid = any ($1)";
    let ids: Vec<Uuid> = settings.iter().copied().collect();
    let standing: Vec<(Uuid, Option<Uuid>)> = sqlx::query_as(sql).bind(ids).fetch_all(connection).await?;
    let finding = |(id, tenant)| taken_row(FusionTable::Extensions, id, true, tenant);
    Ok(gravest(standing.into_iter().map(finding).collect()))
}

/// Those of these users whom somebody else has, by number and domain.
pub async fn users(
    connection: &mut PgConnection,
    owner: Owner,
    ours: &[AbsentExtension],
) -> sqlx::Result<BTreeSet<User>> {
    let sql = "with others as materialized (select domain_uuid, unnest(array[extension, number_alias]) as number \
          from v_extensions where enabled::text = 'true' and insert_user is distinct from $1 and extension_uuid <> all ($4)) \
        select distinct u.number, u.domain from unnest($2::text[], $3::text[]) as u (number, domain) \
        join v_domains d on d.domain_name = u.domain \
        join others o on o.domain_uuid = d.domain_uuid and o.number = u.number";
    let found: Vec<User> = sqlx::query_as(sql)
        .bind(owner.uuid())
        .bind(ours.iter().map(|user| user.number.as_str()).collect::<Vec<_>>())
        .bind(ours.iter().map(|user| user.domain.as_str()).collect::<Vec<_>>())
        .bind(ours.iter().map(|user| user.id.uuid()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    Ok(found.into_iter().collect())
}

/// Looks for domains, numbers, mailboxes and settings that others have beside any of ours, once ours are written, in their
/// transaction.
///
/// The server has no figures of rows that were just written, and takes a table for nearly empty: it would read all of one
/// for each row of another (measured: half a minute of a box of 10,000 extensions).
pub async fn beside(
    connection: &mut PgConnection,
    owner: Owner,
    moving: &Moving,
) -> sqlx::Result<Vec<Finding>> {
    sqlx::query("set local enable_nestloop = off")
        .execute(&mut *connection)
        .await?;
    let mut findings = domains(connection, owner, moving).await?;
    findings.extend(numbers(connection, owner, moving).await?);
    findings.extend(mailboxes(connection, owner, moving).await?);
    findings.extend(settings(connection, owner, moving).await?);
    sqlx::query("set local enable_nestloop to default")
        .execute(connection)
        .await?;
    Ok(gravest(findings))
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

/// What is switched off.
struct Off(BTreeSet<String>);

impl Off {
    fn of(wanted: &[FusionRow]) -> Self {
        let extensions = wanted.iter().filter(|row| row.table == FusionTable::Extensions);
        let off = extensions.filter(|row| is_off(row));
        Self(off.map(|row| row.id.to_string()).collect())
    }

    /// Whether a row says so of itself, or belongs to an extension that does.
    fn has(&self, row: &FusionRow) -> bool {
        is_off(row) || row.text("extension_uuid").is_some_and(|id| self.0.contains(id))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_than_are_told_an_error_is_not_the_one_that_is_left_out() {
        let row = |id| taken_row(FusionTable::Extensions, Uuid::from_u128(id), id == 150, None);
        let told = gravest((0..200).map(row).collect());
        assert_eq!(
            (told.len(), told.iter().filter(|one| one.is_error()).count()),
            (MOST, 1)
        );
    }
}
