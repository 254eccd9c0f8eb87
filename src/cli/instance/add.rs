//! `switchyard instance add`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::app::instance_changes;
use crate::app::instance_input::{InstanceInput, TlsInput};
use crate::app::operator;
use crate::app::patch::Patch;
use crate::app::views::InstanceView;
use crate::cli::manager_tls::ManagerTlsArguments;
use crate::cli::{Context, Failure, secret_argument};
use crate::daemon::own_pbx::TlsChoice;
use crate::domain::instance::{AbsolutePath, AccountName, EmergencyNumber, HostName, NodeName, PbxKind, Tls};
use crate::domain::name::InstanceName;

pub const EXAMPLE: &str = "Secrets come from files or from SWITCHYARD_AMI_SECRET, SWITCHYARD_EVENT_SOCKET_PASSWORD and \
    SWITCHYARD_FUSIONPBX_PASSWORD, never from the command line, which other users can read. A FusionPBX needs --kind \
    fusionpbx, --database-username and the secrets of its database and of its event socket; a FreeSWITCH without FusionPBX \
    needs --kind freeswitch, --config-dir and the secret of its event socket.\n\nExample:\n  switchyard \
    instance add --name pbx1 --ami-username switchyard --ami-secret-file /root/ami-secret --config-dir \
    /etc/asterisk/switchyard --log-file /var/log/asterisk/switchyard";

/// A secret's argument, and the variable that may hold it instead.
const AMI_SECRET: (&str, &str) = ("--ami-secret-file", "SWITCHYARD_AMI_SECRET");
const EVENT_SOCKET: (&str, &str) = ("--event-socket-password-file", "SWITCHYARD_EVENT_SOCKET_PASSWORD");
const DATABASE: (&str, &str) = ("--database-password-file", "SWITCHYARD_FUSIONPBX_PASSWORD");

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
    asterisk: AsteriskArguments,
    #[command(flatten)]
    switch: SwitchArguments,
    #[command(flatten)]
    calls: CallArguments,
    /// The host whose daemon drives it [default: this one]
    #[arg(long)]
    node: Option<NodeName>,
    /// A local emergency number, beside those of everywhere; can be given more than once
    #[arg(long = "emergency-number", value_name = "NUMBER")]
    emergency_numbers: Vec<EmergencyNumber>,
}

/// How an Asterisk is reached.
#[derive(Args)]
struct AsteriskArguments {
    /// With an Asterisk: where its manager interface listens [default: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    ami_host: Option<HostName>,
    /// The port of the manager interface [default: 5038]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ami_port: Option<u16>,
    /// The account in manager.conf; an Asterisk needs it
    #[arg(long, value_name = "NAME")]
    ami_username: Option<AccountName>,
    /// A file that holds the account's secret and nothing else; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    ami_secret_file: Option<PathBuf>,
    #[command(flatten)]
    tls: ManagerTlsArguments,
    /// The directory for our files, which the PBX's own files include; an Asterisk and a FreeSWITCH need it
    #[arg(long, value_name = "DIR")]
    config_dir: Option<AbsolutePath>,
    /// The log file with Asterisk's warnings and errors, read during a deploy
    #[arg(long, value_name = "FILE")]
    log_file: Option<AbsolutePath>,
}

/// Where what a PBX leaves of calls is found, whatever its kind.
#[derive(Args)]
struct CallArguments {
    /// The directory of the recordings of calls, which has one for each tenant's domain
    #[arg(long, value_name = "DIR")]
    recordings_dir: Option<AbsolutePath>,
}

/// How a FusionPBX is reached, and a FreeSWITCH without it.
#[derive(Args)]
struct SwitchArguments {
    /// With a FusionPBX: where its PostgreSQL listens [default: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    database_host: Option<HostName>,
    /// The port of its PostgreSQL [default: 5432]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    database_port: Option<u16>,
    /// The name of its database [default: fusionpbx]
    #[arg(long, value_name = "NAME")]
    database_name: Option<AccountName>,
    /// The role that the daemon has there; a FusionPBX needs it
    #[arg(long, value_name = "NAME")]
    database_username: Option<AccountName>,
    /// A file that holds the role's password and nothing else; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    database_password_file: Option<PathBuf>,
    /// Whether the connection to it is under TLS; if absent, where the server can, without a look at who it is
    #[arg(long, value_enum, value_name = "MODE")]
    database_tls: Option<Mode>,
    /// The certificates that its PostgreSQL is believed by, in PEM; asks for TLS
    #[arg(long, value_name = "FILE")]
    database_ca_file: Option<AbsolutePath>,
    /// With a FusionPBX or a FreeSWITCH: where its event socket listens [default: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    event_socket_host: Option<HostName>,
    /// The port of the event socket [default: 8021]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    event_socket_port: Option<u16>,
    /// A file that holds the event socket's password and nothing else; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    event_socket_password_file: Option<PathBuf>,
}

/// Whether TLS is spoken.
#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// It is, with the certificates of `--database-ca-file`
    On,
    /// It is not
    Off,
}

impl SwitchArguments {
    fn tls(&self) -> Result<Patch<TlsInput>, Failure> {
        let wrong = |argument: &str, reason: &str| {
            Err(Failure::Input(vec![(argument.to_owned(), reason.to_owned())]))
        };
        match (self.database_tls, &self.database_ca_file) {
            (None, None) => Ok(Patch::Keep),
            (Some(Mode::Off), None) => Ok(Patch::Set(Tls::Off.into())),
            (Some(Mode::On) | None, Some(ca_file)) => {
                let ca_file = Some(ca_file.clone());
                Ok(Patch::Set(Tls::On { ca_file }.into()))
            }
            (Some(Mode::On), None) => wrong(
                "--database-tls",
                "`on` needs a `--database-ca-file` that its PostgreSQL is believed by",
            ),
            (Some(Mode::Off), Some(_)) => wrong("--database-ca-file", "is for `--database-tls on`"),
        }
    }
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
    let Add {
        name,
        kind,
        asterisk,
        switch,
        calls,
        node,
        emergency_numbers,
    } = add;
    let ami_secret_file = asterisk.ami_secret_file.as_deref();
    let socket_file = switch.event_socket_password_file.as_deref();
    let has_socket = matches!(kind, PbxKind::FusionPbx | PbxKind::FreeSwitch);
    let database_file = switch.database_password_file.as_deref();
    let ami_tls = match asterisk.tls.choice()? {
        Some(TlsChoice::Own(own)) => Patch::Set(own.into()),
        Some(TlsChoice::Host) | None => Patch::Keep,
    };
    let database_tls = switch.tls()?;
    let numbers = emergency_numbers.iter().map(ToString::to_string);
    Ok(InstanceInput {
        name: Some(name.to_string()),
        node: text(node),
        kind: Some(kind.to_string()),
        ami_secret: secret(context, kind == PbxKind::Asterisk, ami_secret_file, AMI_SECRET)?,
        event_socket_password: secret(context, has_socket, socket_file, EVENT_SOCKET)?,
        database_password: secret(context, kind == PbxKind::FusionPbx, database_file, DATABASE)?,
        ami_host: text(asterisk.ami_host),
        ami_port: asterisk.ami_port.map(i64::from),
        ami_username: text(asterisk.ami_username),
        ami_tls,
        config_dir: text(asterisk.config_dir),
        log_file: text(asterisk.log_file).map_or(Patch::Keep, Patch::Set),
        recordings_dir: text(calls.recordings_dir).map_or(Patch::Keep, Patch::Set),
        database_host: text(switch.database_host),
        database_port: switch.database_port.map(i64::from),
        database_name: text(switch.database_name),
        database_username: text(switch.database_username),
        database_tls,
        event_socket_host: text(switch.event_socket_host),
        event_socket_port: switch.event_socket_port.map(i64::from),
        emergency_numbers: Some(numbers.collect()),
    })
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
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
