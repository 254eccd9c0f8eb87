//! The connection test: database, its tables, the role's rights, and the event socket, each with what to do where it lacks.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::FusionPbxDriver;
use super::database::Schema;
use crate::domain::error_chain::error_chain;
use crate::domain::fusionpbx_row::FusionTable;
use crate::driver::{Check, DriverError, event_socket};

/// What is done with rows of ours.
const RIGHTS: [&str; 4] = ["select", "insert", "update", "delete"];

/// Every check that can be made.
pub(super) async fn all(driver: &FusionPbxDriver) -> Vec<Check> {
    let mut checks = Vec::new();
    match driver.database.open().await {
        Ok(mut database) => {
            checks.push(Check::good(
                "database",
                format!("{} is reached", driver.place_name()),
            ));
            checks.push(tables(&mut database).await);
            checks.push(rights(&mut database).await);
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
    checks
}

async fn tables(database: &mut PgConnection) -> Check {
    match Schema::read(database).await {
        Ok(Ok(_)) => Check::good("tables", "FusionPBX's tables are there".to_owned()),
        Ok(Err(unknown)) => Check::bad(
            "tables",
            unknown.to_string(),
            "name FusionPBX's own database, and grant the role what `pbx/fusionpbx/grants.sql` grants",
        ),
        Err(error) => Check::bad("tables", error_chain(&error), "see PostgreSQL's log"),
    }
}

async fn rights(database: &mut PgConnection) -> Check {
    let mut lacking = Vec::new();
    for table in FusionTable::ALL {
        for right in RIGHTS {
            let sql =
                format!("select coalesce(has_table_privilege(to_regclass('{table}'), '{right}'), false)");
            let found: sqlx::Result<(bool,)> =
                sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *database).await;
            match found {
                Ok((true,)) => {}
                Ok((false,)) => lacking.push(format!("{right} on {table}")),
                Err(error) => return Check::bad("rights", error_chain(&error), "see PostgreSQL's log"),
            }
        }
    }
    if lacking.is_empty() {
        return Check::good(
            "rights",
            "the role may read and write the rows of tenants".to_owned(),
        );
    }
    Check::bad(
        "rights",
        format!("the role lacks {}", lacking.join(", ")),
        "grant them as FusionPBX's owner: `psql fusionpbx -f pbx/fusionpbx/grants.sql`",
    )
}

async fn staging(driver: &FusionPbxDriver) -> Check {
    match driver
        .files
        .on_disk("writing to the state directory", |tree| {
            tree.make()?;
            tree.try_writing()
        })
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
