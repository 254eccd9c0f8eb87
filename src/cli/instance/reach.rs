//! The arguments that say how a PBX is reached, of a new instance and of one that is changed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::app::instance_input::{InstanceInput, TlsInput};
use crate::app::patch::Patch;
use crate::cli::Failure;
use crate::cli::manager_tls::ManagerTlsArguments;
use crate::daemon::own_pbx::TlsChoice;
use crate::domain::instance::{AbsolutePath, AccountName, HostName, Tls};

/// A secret's argument, and the variable that may hold it instead.
pub const AMI_SECRET: (&str, &str) = ("--ami-secret-file", "SWITCHYARD_AMI_SECRET");
pub const EVENT_SOCKET: (&str, &str) = ("--event-socket-password-file", "SWITCHYARD_EVENT_SOCKET_PASSWORD");
pub const DATABASE: (&str, &str) = ("--database-password-file", "SWITCHYARD_FUSIONPBX_PASSWORD");

/// How a PBX is reached, whatever its kind.
#[derive(Args)]
pub struct ReachArguments {
    #[command(flatten)]
    asterisk: AsteriskArguments,
    #[command(flatten)]
    switch: SwitchArguments,
    #[command(flatten)]
    calls: CallArguments,
}

/// The files that its secrets are in, where any was named.
pub struct SecretFiles {
    pub ami: Option<PathBuf>,
    pub event_socket: Option<PathBuf>,
    pub database: Option<PathBuf>,
}

impl ReachArguments {
    /// All that was given but the secrets, and the files that those are in.
    pub fn input(self) -> Result<(InstanceInput, SecretFiles), Failure> {
        let Self {
            asterisk,
            switch,
            calls,
        } = self;
        let ami_tls = match asterisk.tls.choice()? {
            Some(TlsChoice::Own(own)) => Patch::Set(own.into()),
            Some(TlsChoice::Host) => Patch::Clear,
            None => Patch::Keep,
        };
        let input = InstanceInput {
            database_tls: switch.tls()?,
            ami_host: text(asterisk.ami_host),
            ami_port: asterisk.ami_port.map(i64::from),
            ami_username: text(asterisk.ami_username),
            ami_tls,
            config_dir: text(asterisk.config_dir),
            log_file: text(asterisk.log_file).map_or(Patch::Keep, Patch::Set),
            recordings_dir: text(calls.recordings_dir).map_or(Patch::Keep, Patch::Set),
            voicemail_dir: text(calls.voicemail_dir).map_or(Patch::Keep, Patch::Set),
            database_host: text(switch.database_host),
            database_port: switch.database_port.map(i64::from),
            database_name: text(switch.database_name),
            database_username: text(switch.database_username),
            event_socket_host: text(switch.event_socket_host),
            event_socket_port: switch.event_socket_port.map(i64::from),
            ..InstanceInput::default()
        };
        let files = SecretFiles {
            ami: asterisk.ami_secret_file,
            event_socket: switch.event_socket_password_file,
            database: switch.database_password_file,
        };
        Ok((input, files))
    }
}

/// As the use cases read it.
pub fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// How an Asterisk is reached.
#[derive(Args)]
struct AsteriskArguments {
    /// With an Asterisk: where its manager interface listens [default of a new one: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    ami_host: Option<HostName>,
    /// The port of the manager interface [default of a new one: 5038]
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
    /// With a FusionPBX and a FreeSWITCH: the directory of the messages of mail boxes, which has one for each tenant's domain
    #[arg(long, value_name = "DIR")]
    voicemail_dir: Option<AbsolutePath>,
}

/// How a FusionPBX is reached, and a FreeSWITCH without it.
#[derive(Args)]
struct SwitchArguments {
    /// With a FusionPBX: where its PostgreSQL listens [default of a new one: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    database_host: Option<HostName>,
    /// The port of its PostgreSQL [default of a new one: 5432]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    database_port: Option<u16>,
    /// The name of its database [default of a new one: fusionpbx]
    #[arg(long, value_name = "NAME")]
    database_name: Option<AccountName>,
    /// The role that the daemon has there; a FusionPBX needs it
    #[arg(long, value_name = "NAME")]
    database_username: Option<AccountName>,
    /// A file that holds the role's password and nothing else; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    database_password_file: Option<PathBuf>,
    /// Whether the connection to it is under TLS [default of a new one: prefer]
    #[arg(long, value_enum, value_name = "MODE")]
    database_tls: Option<Mode>,
    /// The certificates that its PostgreSQL is believed by, in PEM; asks for TLS
    #[arg(long, value_name = "FILE")]
    database_ca_file: Option<AbsolutePath>,
    /// With a FusionPBX or a FreeSWITCH: where its event socket listens [default of a new one: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    event_socket_host: Option<HostName>,
    /// The port of the event socket [default of a new one: 8021]
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
    /// It is where the server can, without a look at who it is
    Prefer,
}

impl SwitchArguments {
    fn tls(&self) -> Result<Patch<TlsInput>, Failure> {
        let wrong = |argument: &str, reason: &str| {
            Err(Failure::Input(vec![(argument.to_owned(), reason.to_owned())]))
        };
        match (self.database_tls, &self.database_ca_file) {
            (None, None) => Ok(Patch::Keep),
            (Some(Mode::Off), None) => Ok(Patch::Set(Tls::Off.into())),
            (Some(Mode::Prefer), None) => Ok(Patch::Clear),
            (Some(Mode::On) | None, Some(ca_file)) => {
                let ca_file = Some(ca_file.clone());
                Ok(Patch::Set(Tls::On { ca_file }.into()))
            }
            (Some(Mode::On), None) => wrong(
                "--database-tls",
                "`on` needs a `--database-ca-file` that its PostgreSQL is believed by",
            ),
            (Some(Mode::Off | Mode::Prefer), Some(_)) => {
                wrong("--database-ca-file", "is for `--database-tls on`")
            }
        }
    }
}
