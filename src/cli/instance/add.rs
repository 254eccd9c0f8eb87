//! `switchyard instance add`.

use std::path::Path;

use clap::Args;
use secrecy::SecretString;

use super::reach::{AMI_SECRET, DATABASE, EVENT_SOCKET, ReachArguments, text};
use crate::app::instance_changes;
use crate::app::instance_input::InstanceInput;
use crate::app::operator;
use crate::app::views::InstanceView;
use crate::cli::{Context, Failure, secret_argument};
use crate::domain::instance::{EmergencyNumber, NodeName, PbxKind};
use crate::domain::name::InstanceName;

pub const EXAMPLE: &str = "Secrets come from files or from SWITCHYARD_AMI_SECRET, SWITCHYARD_EVENT_SOCKET_PASSWORD and \
    SWITCHYARD_FUSIONPBX_PASSWORD, never from the command line, which other users can read. A FusionPBX needs --kind \
    fusionpbx, --database-username and the secrets of its database and of its event socket; a FreeSWITCH without FusionPBX \
    needs --kind freeswitch, --config-dir and the secret of its event socket.\n\nExample:\n  switchyard \
    instance add --name pbx1 --ami-username switchyard --ami-secret-file /root/ami-secret --config-dir \
    /etc/asterisk/switchyard --log-file /var/log/asterisk/switchyard";

/// A new PBX.
#[derive(Args)]
pub struct Add {
    /// A name of your choice: 1 to 50 letters, digits, `.`, `_` or `-`
    #[arg(long)]
    name: InstanceName,
    /// What it is: `asterisk`, `fusionpbx` or `freeswitch`
    #[arg(long, default_value_t = PbxKind::Asterisk)]
    kind: PbxKind,
    #[command(flatten)]
    reach: ReachArguments,
    /// The host whose daemon drives it [default: this one]
    #[arg(long)]
    node: Option<NodeName>,
    /// A local emergency number, beside those of everywhere; can be given more than once
    #[arg(long = "emergency-number", value_name = "NUMBER")]
    emergency_numbers: Vec<EmergencyNumber>,
}

pub fn run(context: &mut Context<'_>, add: Add) -> Result<(), Failure> {
    let input = input(context, add)?;
    context.with_parts(async |context, parts| {
        let added = instance_changes::add(&parts.app, &operator::platform(None), input, None).await?;
        let (instance, _) = added.into_inner();
        let view = InstanceView::from(instance);
        context.output.result(&view, |text| {
            text.line(&format!(
                "{} is added; `switchyard instance test {}` tests it",
                view.name, view.name
            ))
        })
    })
}

fn input(context: &mut Context<'_>, add: Add) -> Result<InstanceInput, Failure> {
    let kind = add.kind;
    let has_socket = matches!(kind, PbxKind::FusionPbx | PbxKind::FreeSwitch);
    let (reach, files) = add.reach.input()?;
    let (ami, socket, database) = (files.ami, files.event_socket, files.database);
    let numbers = add.emergency_numbers.iter().map(ToString::to_string);
    Ok(InstanceInput {
        name: Some(add.name.to_string()),
        node: text(add.node),
        kind: Some(kind.to_string()),
        ami_secret: secret(context, kind == PbxKind::Asterisk, ami.as_deref(), AMI_SECRET)?,
        event_socket_password: secret(context, has_socket, socket.as_deref(), EVENT_SOCKET)?,
        database_password: secret(context, kind == PbxKind::FusionPbx, database.as_deref(), DATABASE)?,
        emergency_numbers: Some(numbers.collect()),
        ..reach
    })
}

/// A secret that is `needed`, or else was given all the same and is refused with what else is of no concern to the kind.
fn secret(
    context: &mut Context<'_>,
    needed: bool,
    file: Option<&Path>,
    (argument, variable): (&str, &str),
) -> Result<Option<SecretString>, Failure> {
    if !needed && file.is_none() {
        return Ok(None);
    }
    let secret = secret_argument::read(context, file, variable)?;
    if secret.is_none() {
        let reason = format!("must name a file with the secret, or {variable} must hold it");
        return Err(Failure::Input(vec![(argument.to_owned(), reason)]));
    }
    Ok(secret)
}
