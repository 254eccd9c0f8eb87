//! `switchyard pbx remove`.

use clap::Args;
use serde_json::json;

use super::Heeding;
use crate::cli::{Context, Failure};
use crate::daemon::own_pbx::{self, RemoveOptions};
use crate::domain::instance::AbsolutePath;
use crate::domain::name::InstanceName;

pub const EXAMPLE: &str = "Lines of yours stay as they are, byte for byte. What was deployed stays in our directory, and \
    the instance in the database, with its history. What an install left that was cut off goes too, also where the database \
    knows no such instance.\n\nExample:\n  switchyard pbx remove pbx1 --dry-run";

/// What to take out.
#[derive(Args)]
pub struct Remove {
    /// The instance's name
    name: InstanceName,
    /// Where Asterisk's own files are [default: where the instance's directory lies, or /etc/asterisk]
    #[arg(long, value_name = "DIR")]
    asterisk_dir: Option<AbsolutePath>,
    /// Also while tenants are live on it
    #[arg(long)]
    force: bool,
    /// Have the running Asterisk read again all that led to us
    #[arg(long, conflicts_with = "dry_run")]
    reload: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(context: &mut Context<'_>, remove: Remove) -> Result<(), Failure> {
    let config = context.load()?.config;
    let (now, dry_run) = (remove.reload, remove.dry_run);
    let options = RemoveOptions {
        name: remove.name,
        asterisk_dir: remove.asterisk_dir,
        force: remove.force,
        reload: now,
        dry_run,
    };
    let removed = own_pbx::remove(&config, &options)?;
    let heeding = Heeding::new(
        &config,
        &removed.asterisk_dir,
        removed.reloads,
        removed.restart,
        now,
    )?;
    let mut value = json!({"instance": options.name, "dry_run": dry_run, "asterisk_dir": removed.asterisk_dir,
        "changes": removed.changes, "registered": removed.known});
    if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), heeding.json()) {
        value.extend(more);
    }
    let told = context.output.result(&value, |text| {
        super::changes(text, &removed.changes, dry_run)?;
        if removed.changes.is_empty() {
            text.line("nothing of ours is in Asterisk's files")?;
        }
        heeding.write(text)?;
        text.line(match (dry_run, removed.known) {
            (true, _) => "nothing was changed",
            (false, true) => "the instance stays in the database; `switchyard pbx install` puts it in again",
            (false, false) => "the database knows no such instance: an install had been cut off",
        })
    });
    heeding.verdict(told)
}
