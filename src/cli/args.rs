//! The command tree, as clap reads it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::admin::AdminCommand;
use super::audit::AuditCommand;
use super::clock::ClockCommand;
use super::database::DbCommand;
use super::deploy::DeployCommand;
use super::extension::ExtensionCommand;
use super::import::ImportCommand;
use super::instance::InstanceCommand;
use super::pbx::PbxCommand;
use super::templates::TemplatesCommand;
use super::tenant::TenantCommand;

/// Provisions multi-tenant PBXs.
#[derive(Parser)]
#[command(name = "switchyard", version, about, propagate_version = true)]
pub struct Arguments {
    /// The configuration file [default: /etc/switchyard/switchyard.toml where it exists]
    #[arg(long, global = true, value_name = "FILE", env = "SWITCHYARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Write JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// When to write in colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to write in colour.
#[derive(Clone, Copy, ValueEnum)]
pub enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Answer the API and work deploys off, until told to stop
    #[command(after_help = "Example:\n  switchyard serve --config /etc/switchyard/switchyard.toml")]
    Serve,
    /// Two tenants on a private Asterisk, deployed for real; nothing to install or edit
    #[command(after_help = "Example:\n  switchyard demo --listen 127.0.0.1:8420")]
    Demo(DemoArguments),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The key that stored secrets are sealed with
    #[command(subcommand)]
    Key(KeyCommand),
    /// The database
    #[command(subcommand)]
    Db(DbCommand),
    /// Who manages the platform, from the host itself; with the daemon running or not
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Look at everything that a daemon on this host needs, each with its mend; changes nothing
    #[command(after_help = super::doctor::HELP)]
    Doctor,
    /// The Asterisk of this host, whose own files lead to ours
    #[command(subcommand)]
    Pbx(PbxCommand),
    /// PBX instances, which tenants are assigned to
    #[command(subcommand)]
    Instance(InstanceCommand),
    /// Tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Extensions of a tenant
    #[command(subcommand)]
    Extension(ExtensionCommand),
    /// Bring in what stands on a PBX already; it is only read
    #[command(subcommand)]
    Import(ImportCommand),
    /// From the database to the running PBX
    #[command(subcommand)]
    Deploy(DeployCommand),
    /// The audit log: who changed what
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The clock of this host, by which what is kept for days grows old
    #[command(subcommand)]
    Clock(ClockCommand),
    /// The templates of the PBX's files
    #[command(subcommand)]
    Templates(TemplatesCommand),
}

/// What to do with the configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Read it, name every problem with its place, and show what is in effect
    #[command(after_help = "Example:\n  switchyard config check")]
    Check,
}

/// What to do with keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Write a new key into a new file that only its owner can read
    #[command(after_help = "Example:\n  switchyard key generate --out /etc/switchyard/sealing.key")]
    Generate {
        /// The file; one that is there already is left as it is
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// How to run the demo.
#[derive(Args)]
pub struct DemoArguments {
    /// Where everything of it lies [default: switchyard-demo in the user's state directory]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The `asterisk` program [default: the one of the PATH; without one, files only]
    #[arg(long, value_name = "PATH")]
    pub asterisk: Option<PathBuf>,
    /// Templates that go before the built-in ones
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Deploy, tell how it ended, and end
    #[arg(long)]
    pub once: bool,
}
