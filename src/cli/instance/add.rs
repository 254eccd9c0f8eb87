//! `switchyard instance add`.

use std::path::PathBuf;

use clap::Args;

use crate::app::instances::{self, NewInstance};
use crate::app::operator;
use crate::app::views::InstanceView;
use crate::cli::manager_tls::ManagerTlsArguments;
use crate::cli::{Context, Failure, secret_argument};
use crate::daemon::own_pbx::TlsChoice;
use crate::domain::instance::{
    AbsolutePath, AccountName, AsteriskSettings, EmergencyNumber, HostName, InstanceSettings, NodeName,
};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::name::InstanceName;

pub const EXAMPLE: &str = "The secret of the manager account comes from a file or from SWITCHYARD_AMI_SECRET, never from \
    the command line, which other users can read.\n\nExample:\n  switchyard instance add --name pbx1 \
    --ami-username switchyard --ami-secret-file /root/ami-secret --config-dir /etc/asterisk/switchyard \
    --log-file /var/log/asterisk/switchyard";

/// The variable that may hold the secret.
const VARIABLE: &str = "SWITCHYARD_AMI_SECRET";

/// A new Asterisk.
#[derive(Args)]
pub struct Add {
    /// A name of your choice: 1 to 50 letters, digits, `.`, `_` or `-`
    #[arg(long)]
    name: InstanceName,
    /// Where its manager interface listens
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    ami_host: HostName,
    /// The port of the manager interface
    #[arg(long, value_name = "PORT", default_value_t = 5038, value_parser = clap::value_parser!(u16).range(1..))]
    ami_port: u16,
    /// The account in manager.conf
    #[arg(long, value_name = "NAME")]
    ami_username: AccountName,
    /// A file that holds the account's secret and nothing else; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    ami_secret_file: Option<PathBuf>,
    #[command(flatten)]
    tls: ManagerTlsArguments,
    /// The directory for our files, which Asterisk's own files include
    #[arg(long, value_name = "DIR")]
    config_dir: AbsolutePath,
    /// The log file with Asterisk's warnings and errors, read during a deploy
    #[arg(long, value_name = "FILE")]
    log_file: Option<AbsolutePath>,
    /// The host whose daemon drives it [default: this one]
    #[arg(long)]
    node: Option<NodeName>,
    /// A local emergency number, beside those of everywhere; can be given more than once
    #[arg(long = "emergency-number", value_name = "NUMBER")]
    emergency_numbers: Vec<EmergencyNumber>,
}

pub fn run(context: &mut Context<'_>, add: Add) -> Result<(), Failure> {
    let ami_secret = secret_argument::read(context, add.ami_secret_file.as_deref(), VARIABLE)?;
    let ami_secret = ami_secret.ok_or_else(|| {
        let reason = format!("must name a file with the secret, or {VARIABLE} must hold it");
        Failure::Input(vec![("--ami-secret-file".to_owned(), reason)])
    })?;
    let ami_tls = match add.tls.choice()? {
        Some(TlsChoice::Own(own)) => Some(own),
        Some(TlsChoice::Host) | None => None,
    };
    context.with_parts(async |context, parts| {
        let settings = AsteriskSettings {
            ami_host: add.ami_host,
            ami_port: add.ami_port,
            ami_username: add.ami_username,
            ami_tls,
            config_dir: add.config_dir,
            log_file: add.log_file,
            emergency_numbers: add.emergency_numbers,
        };
        let new = NewInstance {
            name: add.name,
            node: add.node.unwrap_or_else(|| parts.node.clone()),
            settings: InstanceSettings::Asterisk(settings),
            secrets: InstanceSecrets::of_control(ami_secret),
        };
        let instance = instances::create(&parts.app, &operator::platform(None), new).await?;
        let view = InstanceView::from(instance);
        context.output.result(&view, |text| {
            text.line(&format!(
                "{} is added; `switchyard instance test {}` tests it",
                view.name, view.name
            ))
        })
    })
}
