//! `switchyard db`: how far the schema is, and bringing it up to date.

use clap::Subcommand;
use serde_json::json;

use super::session::block_on;
use super::{Context, Failure};
use crate::daemon::database::{self, Schema};

/// What to do with the database.
#[derive(Subcommand)]
pub enum DbCommand {
    /// Bring the schema up to date; makes a SQLite file that is not there
    #[command(after_help = "Example:\n  switchyard db migrate")]
    Migrate,
    /// Show how far the schema is; fails where the daemon would not start with it
    #[command(after_help = "Example:\n  switchyard db status --json")]
    Status,
}

pub fn run(context: &mut Context<'_>, command: &DbCommand) -> Result<(), Failure> {
    match command {
        DbCommand::Migrate => migrate(context),
        DbCommand::Status => status(context),
    }
}

fn migrate(context: &mut Context<'_>) -> Result<(), Failure> {
    let config = context.configured()?;
    let (schema, applied) = block_on(async { Ok(database::migrate(&config).await?) })?;
    let value = json!({"database": schema.database, "applied": applied, "up_to_date": schema.up_to_date});
    context.output.result(&value, |text| {
        for name in &applied {
            text.line(&format!("applied {name}"))?;
        }
        let state = if applied.is_empty() {
            "was up to date"
        } else {
            "is up to date"
        };
        text.line(&format!("{} {state}", schema.database))
    })
}

fn status(context: &mut Context<'_>) -> Result<(), Failure> {
    let config = context.configured()?;
    let schema: Schema = block_on(async { Ok(database::status(&config).await?) })?;
    let told = context.output.result(&schema, |text| {
        let rows: Vec<[&str; 2]> = schema
            .migrations
            .iter()
            .map(|step| {
                let name = step.name.as_deref().unwrap_or("(of a newer version)");
                [name, step.state.as_str()]
            })
            .collect();
        text.line(&schema.database)?;
        text.table(["MIGRATION", "STATE"], &rows)
    });
    schema.check()?;
    told
}
