//! `switchyard instance change`.

use std::path::Path;

use clap::Args;
use secrecy::SecretString;

use super::reach::{AMI_SECRET, DATABASE, EVENT_SOCKET, ReachArguments, text};
use super::show::VersionedView;
use crate::app::instance_input::InstanceInput;
use crate::app::patch::Patch;
use crate::app::precondition::IfMatch;
use crate::app::{instance_changes, operator};
use crate::cli::{Context, Failure, lookup, secret_argument};
use crate::domain::instance::EmergencyNumber;
use crate::domain::name::InstanceName;

pub const EXAMPLE: &str = "What is not named stays as it is. Kind and host cannot be changed: add another instance, and move its \
    tenants there. A secret is another one only where a file is named; `-` reads it from standard input.\n\nExample:\n  switchyard \
    instance change pbx1 --ami-host 10.0.0.5 --no-log-file";

/// What is to be other than before.
#[derive(Args)]
pub struct Change {
    /// Its name
    name: InstanceName,
    /// Another name: 1 to 50 letters, digits, `.`, `_` or `-`
    #[arg(long, value_name = "NAME")]
    rename: Option<InstanceName>,
    #[command(flatten)]
    reach: ReachArguments,
    #[command(flatten)]
    gone: GonePlaces,
    /// A local emergency number, in place of those that it has; can be given more than once
    #[arg(long = "emergency-number", value_name = "NUMBER")]
    emergency_numbers: Vec<EmergencyNumber>,
    /// No local emergency number, beside those of everywhere
    #[arg(long, conflicts_with = "emergency_numbers")]
    no_emergency_numbers: bool,
    /// Only where it is still of the version that `instance show` named
    #[arg(long, value_name = "VERSION")]
    if_match: Option<String>,
}

/// Places that are none any more.
#[derive(Args)]
struct GonePlaces {
    /// An Asterisk's log is not read any more
    #[arg(long, conflicts_with = "log_file")]
    no_log_file: bool,
    /// Recordings are not looked for any more
    #[arg(long, conflicts_with = "recordings_dir")]
    no_recordings_dir: bool,
    /// Messages of mail boxes are not looked after any more
    #[arg(long, conflicts_with = "voicemail_dir")]
    no_voicemail_dir: bool,
}

pub fn run(context: &mut Context<'_>, change: Change) -> Result<(), Failure> {
    let name = change.name.clone();
    let if_match = match &change.if_match {
        Some(version) => IfMatch::OneOf(vec![version.clone()]),
        None => IfMatch::Any,
    };
    let input = input(context, change)?;
    context.with_parts(async |context, parts| {
        let caller = operator::platform(None);
        let found = lookup::instance(parts, &name).await?;
        let (before, former) = instance_changes::show(&parts.app, &caller, found.id).await?;
        let changed = instance_changes::change(&parts.app, &caller, found.id, input, &if_match).await?;
        let (is_same, is_moved) = (
            changed.1 == former,
            changed.0.settings_revision != before.settings_revision,
        );
        let view = VersionedView::from(changed);
        let name = &view.instance.name;
        context.output.result(&view, |text| match (is_same, is_moved) {
            (true, _) => text.line(&format!("{name} is as it was: nothing else was asked for")),
            (false, false) => text.line(&format!(
                "{name} is changed; `switchyard instance test {name}` tests it"
            )),
            (false, true) => text.line(&format!(
                "{name} is changed; `switchyard instance test {name}` tests it, and its PBX hears of it with `switchyard \
                 deploy apply --instance {name}`"
            )),
        })
    })
}

fn input(context: &mut Context<'_>, change: Change) -> Result<InstanceInput, Failure> {
    let (mut input, files) = change.reach.input()?;
    input.name = text(change.rename);
    input.ami_secret = secret(context, files.ami.as_deref(), AMI_SECRET)?;
    input.event_socket_password = secret(context, files.event_socket.as_deref(), EVENT_SOCKET)?;
    input.database_password = secret(context, files.database.as_deref(), DATABASE)?;
    if change.gone.no_log_file {
        input.log_file = Patch::Clear;
    }
    if change.gone.no_recordings_dir {
        input.recordings_dir = Patch::Clear;
    }
    if change.gone.no_voicemail_dir {
        input.voicemail_dir = Patch::Clear;
    }
    if change.no_emergency_numbers || !change.emergency_numbers.is_empty() {
        let numbers = change.emergency_numbers.iter().map(ToString::to_string);
        input.emergency_numbers = Some(numbers.collect());
    }
    Ok(input)
}

/// Another secret, of a file that was named: a variable that happens to be set changes nothing.
fn secret(
    context: &mut Context<'_>,
    file: Option<&Path>,
    (_, variable): (&str, &str),
) -> Result<Option<SecretString>, Failure> {
    match file {
        Some(_) => secret_argument::read(context, file, variable),
        None => Ok(None),
    }
}
