//! `switchyard pbx install`.

use clap::Args;
use serde_json::json;

use super::Heeding;
use crate::cli::manager_tls::ManagerTlsArguments;
use crate::cli::session::block_on;
use crate::cli::{Context, Failure};
use crate::daemon::own_pbx::{self, InstallOptions};
use crate::daemon::unit;
use crate::domain::instance::{AbsolutePath, AccountName, EmergencyNumber};
use crate::domain::name::InstanceName;
use crate::domain::pbx_part::State;
use crate::domain::random::SystemRandom;

pub const EXAMPLE: &str = "Asterisk is never restarted, and told to read its files again only with `--reload`. Each file \
    of yours that is changed is kept as it was beside it, as NAME.before-switchyard, later ones as NAME.before-switchyard.2 \
    and so on; `pbx remove` takes away those that say no more than the file.\n\nExample:\n  \
    switchyard pbx install pbx1 --dry-run";

/// An Asterisk to lead to us.
#[derive(Args)]
pub struct Install {
    /// The instance's name: 1 to 50 letters, digits, `.`, `_` or `-`
    name: InstanceName,
    /// Where Asterisk's own files are [default: /etc/asterisk]
    #[arg(long, value_name = "DIR")]
    asterisk_dir: Option<AbsolutePath>,
    /// The directory for our files [default: `switchyard` in it]
    #[arg(long, value_name = "DIR")]
    config_dir: Option<AbsolutePath>,
    /// The log that Asterisk writes its warnings and errors to for us [default: `switchyard` in its log directory]
    #[arg(long, value_name = "FILE")]
    log_file: Option<AbsolutePath>,
    /// Where Asterisk's modules are [default: as asterisk.conf says, or the usual places]
    #[arg(long, value_name = "DIR")]
    modules_dir: Option<AbsolutePath>,
    /// The group that Asterisk runs with [default: as asterisk.conf says, or `asterisk`]
    #[arg(long, value_name = "GROUP")]
    asterisk_group: Option<String>,
    /// Our account of the manager interface [default: switchyard]
    #[arg(long, value_name = "NAME")]
    ami_username: Option<AccountName>,
    #[command(flatten)]
    tls: ManagerTlsArguments,
    /// A local emergency number, beside those of everywhere; can be given more than once
    #[arg(long = "emergency-number", value_name = "NUMBER")]
    emergency_numbers: Vec<EmergencyNumber>,
    /// Have the running Asterisk read again all that leads to us
    #[arg(long, conflicts_with = "dry_run")]
    reload: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(context: &mut Context<'_>, install: Install) -> Result<(), Failure> {
    let config = context.load()?.config;
    let options = InstallOptions {
        name: install.name.clone(),
        asterisk_dir: install.asterisk_dir,
        config_dir: install.config_dir,
        log_file: install.log_file,
        modules_dir: install.modules_dir,
        group: install.asterisk_group,
        account: install.ami_username,
        tls: install.tls.choice()?,
        emergency_numbers: install.emergency_numbers,
        reload: install.reload,
        dry_run: install.dry_run,
    };
    let installed = own_pbx::install(&config, options, &SystemRandom)?;
    for part in installed
        .parts
        .iter()
        .filter(|part| part.state == State::Doubtful)
    {
        let mend = part.mend.as_deref().unwrap_or_default();
        context.output.warn(&format!("{}; {mend}", part.detail))?;
    }
    let heeding = Heeding::new(
        &config,
        &installed.asterisk_dir,
        installed.reloads,
        installed.restart,
        install.reload,
    )?;
    let (name, dry_run) = (&install.name, install.dry_run);
    let place = installed.config_dir.as_path();
    let shut_out = block_on(async { Ok(unit::shut_out(place).await.filter(|_| !dry_run)) })?;
    let mut value = json!({"instance": name, "dry_run": dry_run, "asterisk_dir": installed.asterisk_dir,
        "parts": installed.parts, "changes": installed.changes, "registered": installed.known || !dry_run, "service": shut_out});
    if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), heeding.json()) {
        value.extend(more);
    }
    let told = context.output.result(&value, |text| {
        super::changes(text, &installed.changes, dry_run)?;
        if installed.changes.is_empty() {
            text.line("every file is as it must be; none was touched")?;
        }
        heeding.write(text)?;
        if let Some(check) = &shut_out {
            text.line(&format!(
                "{}; {}",
                check.detail,
                check.mend.as_deref().unwrap_or_default()
            ))?;
        }
        if dry_run {
            return text.line("nothing was changed");
        }
        let verb = if installed.known {
            "was known already"
        } else {
            "is added"
        };
        text.line(&format!(
            "{name} {verb}; `switchyard instance test {name}` tests it"
        ))
    });
    heeding.verdict(told)
}
