//! The connection test: database, its tables, the role's rights, and the event socket, each with what to do where it lacks.

use sqlx::postgres::PgConnection;

use super::FusionPbxDriver;
use super::archive::{MEND, readable};
use super::schema::Schema;
use crate::domain::error_chain::error_chain;
use crate::domain::fusionpbx_row::FusionTable;
use crate::domain::instance::{PbxKind, Tls};
use crate::driver::{Check, DriverError, event_socket, spool};

/// What is done with rows of ours.
const RIGHTS: [&str; 4] = ["select", "insert", "update", "delete"];

/// What FreeSWITCH runs with beside FusionPBX, as that installs it.
const GROUP: &str = "www-data";
/// It answered before.
const LOGGED: &str = "see what PostgreSQL's log says of this moment, mend that, and test again";

/// Every check that can be made.
pub(super) async fn all(driver: &FusionPbxDriver) -> Vec<Check> {
    let mut checks = Vec::new();
    match driver.database.open().await {
        Ok(mut database) => {
            checks.push(reached(driver, &mut database).await);
            checks.push(tables(driver, &mut database).await);
            checks.push(rights(driver, &mut database).await);
            checks.push(call_records(driver, &mut database).await);
        }
        Err(error) => {
            let mend = match error {
                DriverError::Refused { .. } => {
                    "see that the role, its password and the database are right, and that pg_hba.conf lets it in from this host"
                }
                _ => {
                    "see that PostgreSQL listens there (listen_addresses in postgresql.conf) and that no firewall is between"
                }
            };
            checks.push(Check::bad("database", error.full(), mend));
        }
    }
    checks.push(event_socket::check(&driver.socket).await);
    checks.push(staging(driver).await);
    let recordings = driver.settings.recordings_dir.as_ref();
    checks.extend(spool::check(recordings, PbxKind::FusionPbx, GROUP).await);
    if let Ok(mail) = driver.mail_boxes() {
        checks.push(mail.check().await);
    }
    checks
}

/// Who signs in, and in the mailboxes' PINs who listens, is written over this connection.
async fn reached(driver: &FusionPbxDriver, database: &mut PgConnection) -> Check {
    let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let asking = sqlx::query_scalar(sql).fetch_optional(database);
    match driver.database.ask(asking).await {
        Ok(encrypted) => {
            let is_own = driver.settings.database_host.is_loopback();
            told(
                &driver.place_name(),
                is_own,
                encrypted.unwrap_or(false),
                driver.settings.database_tls.as_ref(),
            )
        }
        Err(error) => Check::bad("database", error_chain(&error), LOGGED),
    }
}

fn told(place: &str, is_own: bool, encrypted: bool, tls: Option<&Tls>) -> Check {
    let is_believed = encrypted && matches!(tls, Some(Tls::On { .. }));
    if is_own || is_believed {
        return Check::good("database", format!("{place} is reached"));
    }
    let how = if encrypted {
        "under TLS, but without a look at whose it is"
    } else {
        "in the clear, what signs phones in and the PINs of mailboxes too"
    };
    Check {
        mend: Some(
            "have PostgreSQL offer TLS, and give the instance `database_tls` with `mode` `on` and the `ca_file` of its certificate"
                .to_owned(),
        ),
        ..Check::good("database", format!("{place} is reached {how}"))
    }
}

async fn tables(driver: &FusionPbxDriver, database: &mut PgConnection) -> Check {
    match driver.database.ask(Schema::read(database)).await {
        Ok(Ok(_)) => Check::good("tables", "FusionPBX's tables are there".to_owned()),
        Ok(Err(unknown)) => Check::bad(
            "tables",
            unknown.to_string(),
            "name FusionPBX's own database, and grant the role what `pbx/fusionpbx/grants.sql` grants",
        ),
        Err(error) => Check::bad("tables", error_chain(&error), LOGGED),
    }
}

async fn rights(driver: &FusionPbxDriver, database: &mut PgConnection) -> Check {
    let tables: Vec<&str> = FusionTable::ALL.iter().map(|table| table.as_str()).collect();
    let sql = "select r, t from unnest($1::text[]) with ordinality tables (t, at), unnest($2::text[]) r \
        where not coalesce(has_table_privilege(to_regclass(t), r), false) order by at";
    let asking = sqlx::query_as(sql)
        .bind(tables)
        .bind(RIGHTS.as_slice())
        .fetch_all(database);
    let lacking: Vec<(String, String)> = match driver.database.ask(asking).await {
        Ok(lacking) => lacking,
        Err(error) => return Check::bad("rights", error_chain(&error), LOGGED),
    };
    let lacking: Vec<String> = lacking
        .into_iter()
        .map(|(right, table)| format!("{right} on {table}"))
        .collect();
    if lacking.is_empty() {
        return Check::good(
            "rights",
            "the role may read and write the rows of tenants".to_owned(),
        );
    }
    Check::bad(
        "rights",
        format!("the role lacks {}", lacking.join(", ")),
        format!(
            "grant them as FusionPBX's owner: `psql {} -v role={} -f pbx/fusionpbx/grants.sql`",
            driver.settings.database_name, driver.settings.database_username
        ),
    )
}

/// Whether what FusionPBX writes down of calls can be read, for those that ended while nobody listened.
async fn call_records(driver: &FusionPbxDriver, database: &mut PgConnection) -> Check {
    const NAME: &str = "call_records";
    match driver.database.ask(readable(database)).await {
        Ok(Ok(_)) => Check::good(NAME, "calls that were missed can be read afterwards".to_owned()),
        Ok(Err(unread)) => Check::bad(
            NAME,
            format!("calls that were missed stay unknown: {unread}"),
            MEND,
        ),
        Err(error) => Check::bad(NAME, error_chain(&error), LOGGED),
    }
}

async fn staging(driver: &FusionPbxDriver) -> Check {
    match driver
        .files
        .on_disk("writing to the state directory", |tree| tree.try_making())
        .await
    {
        Ok(()) => Check::good("state_dir", "what is to be written can be staged".to_owned()),
        Err(error) => Check::bad(
            "state_dir",
            error.full(),
            "let the daemon write below `node.state_dir`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn believed() -> Tls {
        Tls::On {
            ca_file: Some("/etc/ca.pem".parse().unwrap()),
        }
    }

    #[rstest]
    #[case::on_the_own_host(true, false, None, None)]
    #[case::believed(false, true, Some(believed()), None)]
    #[case::in_the_clear(false, false, None, Some("in the clear"))]
    #[case::asked_for_in_the_clear(false, false, Some(Tls::Off), Some("in the clear"))]
    #[case::whoever_it_is(false, true, None, Some("without a look at whose it is"))]
    fn a_connection_over_a_network_that_others_can_read_is_told(
        #[case] is_own: bool,
        #[case] encrypted: bool,
        #[case] tls: Option<Tls>,
        #[case] said: Option<&str>,
    ) {
        let check = told("fusionpbx at db:5432", is_own, encrypted, tls.as_ref());
        assert!(check.ok);
        assert_eq!(check.mend.is_some(), said.is_some());
        assert!(
            check.detail.contains(said.unwrap_or("is reached")),
            "{}",
            check.detail
        );
    }
}
