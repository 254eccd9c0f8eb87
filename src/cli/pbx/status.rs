//! `switchyard pbx status`.

use clap::Args;
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::output::{ADDED, CHANGED, REMOVED};
use crate::cli::{Context, Failure};
use crate::daemon::own_pbx::{self};
use crate::domain::instance::AbsolutePath;
use crate::domain::name::InstanceName;
use crate::domain::pbx_part::State;

/// What to look at.
#[derive(Args)]
pub struct StatusArguments {
    /// The instance's name
    name: InstanceName,
    /// Where Asterisk's own files are [default: where the instance's directory lies, or /etc/asterisk]
    #[arg(long, value_name = "DIR")]
    asterisk_dir: Option<AbsolutePath>,
}

pub fn run(context: &mut Context<'_>, arguments: StatusArguments) -> Result<(), Failure> {
    let config = context.load()?.config;
    let name = arguments.name;
    let status = own_pbx::status(&config, &name, arguments.asterisk_dir)?;
    let open = status
        .parts
        .iter()
        .filter(|part| part.state != State::InPlace)
        .count();
    let value = json!({"instance": name, "ok": open == 0, "asterisk_dir": status.asterisk_dir, "parts": status.parts});
    let told = context.output.result(&value, |text| {
        for part in &status.parts {
            let style = match part.state {
                State::InPlace => ADDED,
                State::Doubtful => CHANGED,
                State::Missing | State::Blocked => REMOVED,
            };
            text.styled(
                &format!("{:8}  {}: {}", part.state.as_str(), part.name, part.detail),
                style,
            )?;
            if let Some(mend) = &part.mend {
                text.line(&format!("          {mend}"))?;
            }
        }
        Ok(())
    });
    let exit = if open == 0 { Exit::Ok } else { Exit::Failure };
    let message = format!("{open} of {} parts are not in place", status.parts.len());
    Failure::verdict(told, exit, message)
}
