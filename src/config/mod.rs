//! The daemon's configuration: from one TOML file, the environment and secret files, each key checked where it stands.

mod database_url;
mod error;
mod file;
mod given;
pub mod issuers;
pub mod keys;
mod mail;
mod nearest;
mod parse;
pub mod secret_file;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

pub use database_url::DatabaseUrl;
pub use error::{ConfigError, Problem};
pub use parse::{ClearSecretMode, DeployMode, LogFilter, LogFormat, ShadowMode, Switch};

use crate::domain::instance::NodeName;
use crate::domain::issuer::Issuer;
use crate::domain::mail::{PublicUrl, SmtpServer};
use crate::domain::networks::Networks;
use crate::domain::proxies::TrustedProxies;
use crate::domain::sip_domain::SipDomain;
use crate::domain::web_origin::WebOrigin;

/// Read when no other file is named, and only where it exists.
pub const DEFAULT_FILE: &str = "/etc/switchyard/switchyard.toml";

/// Everything that can be configured.
pub struct Config {
    /// Where the data is.
    pub database: Database,
    /// The key that secrets are sealed with.
    pub sealing: Sealing,
    /// This host.
    pub node: Node,
    /// The API's listener.
    pub http: Http,
    /// How users prove who they are.
    pub auth: Auth,
    /// The mail server; absent where no mail is sent.
    pub mail: Option<Mail>,
    /// The operator's own templates.
    pub templates: Templates,
    /// What new tenants are given.
    pub tenants: Tenants,
    /// The daemon's own directory.
    pub state: State,
    /// How configurations go live.
    pub deploy: Deploy,
    /// The way to manager interfaces.
    pub ami: Ami,
    /// How calls are followed.
    pub monitor: Monitor,
    /// Who reads figures.
    pub metrics: Metrics,
    /// What is logged.
    pub log: Log,
    /// Where events are sent.
    pub webhooks: Webhooks,
}

/// Section `database`.
pub struct Database {
    /// SQLite or PostgreSQL.
    pub url: DatabaseUrl,
}

/// Section `sealing`.
pub struct Sealing {
    /// 32 bytes in hex or base64; absent until one was made.
    pub key: Option<SecretString>,
}

/// Section `node`.
pub struct Node {
    /// The instances that name it are driven by this daemon.
    pub name: NodeName,
}

/// Section `tenants`.
pub struct Tenants {
    /// What the domain of a new tenant ends in that is given none.
    pub domain_suffix: Option<SipDomain>,
}

/// Section `http`.
pub struct Http {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Other dashboards, whose pages may call the API from a browser.
    pub cors_origins: Vec<WebOrigin>,
    /// How links begin; absent means by the listener's address.
    pub public_url: Option<PublicUrl>,
    /// Who is believed about whom they speak for.
    pub trusted_proxies: TrustedProxies,
}

/// Section `auth`.
pub struct Auth {
    /// Who else vouches for users.
    pub issuers: Vec<Issuer>,
    /// How many failed sign-ins an account puts up with.
    pub account_failures: NonZeroU32,
    /// How many may come from one address.
    pub address_failures: NonZeroU32,
    /// For how long they are counted, in seconds.
    pub failure_window_seconds: u32,
}

/// Section `mail`.
pub struct Mail {
    /// The server, and how mails are handed to it.
    pub server: SmtpServer,
    /// How long a mail is tried.
    pub give_up_after_days: u32,
}

/// Section `templates`.
pub struct Templates {
    /// Templates in it go before the built-in ones.
    pub dir: Option<PathBuf>,
}

/// Section `state`.
pub struct State {
    /// What the daemon keeps beside the database.
    pub dir: PathBuf,
}

/// Section `deploy`.
pub struct Deploy {
    /// When a second Asterisk reads a configuration before it goes live.
    pub shadow: ShadowMode,
    /// The binary for that; absent means `asterisk` on the `PATH`.
    pub asterisk: Option<PathBuf>,
    /// How long a deploy's hold on an instance outlives its process, in seconds.
    pub lease_seconds: u32,
    /// Who asks for deploys.
    pub mode: DeployMode,
    /// How long a tenant must have been left alone before the daemon asks.
    pub debounce_seconds: u32,
    /// How many generations of an instance are kept for going back.
    pub keep_generations: u32,
}

/// Section `ami`.
pub struct Ami {
    /// Whether TLS is spoken.
    pub tls: Switch,
    /// Whose certificates are believed; absent means the system's list.
    pub ca_file: Option<PathBuf>,
    /// Where a secret may go as it is, without TLS.
    pub clear_secret: ClearSecretMode,
}

/// Section `monitor`.
pub struct Monitor {
    /// How often a PBX is asked for all its calls.
    pub poll_seconds: u32,
}

/// Section `metrics`.
pub struct Metrics {
    /// What a collector shows; absent where nobody reads them.
    pub token: Option<SecretString>,
}

/// Section `log`.
pub struct Log {
    /// What is worth a line.
    pub level: LogFilter,
    /// How a line is written.
    pub format: LogFormat,
}

/// Section `webhooks`.
pub struct Webhooks {
    /// Where they may lead to beside public addresses, also without TLS.
    pub allow: Networks,
    /// How long one may take nothing before it is disabled.
    pub give_up_after_hours: u32,
}

/// The environment that a configuration is read from; passed in, so that a test owns it.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
        std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let owned = |(name, value): (N, V)| (name.into(), value.into());
        Self(variables.into_iter().map(owned).collect())
    }
}

/// A configuration with what is worth knowing about how it was given.
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Each key with its value, secrets hidden, and where the value stands.
    pub settings: Vec<Setting>,
    /// What works but should be mended, such as a secret that everybody can read.
    pub warnings: Vec<String>,
}

/// One key as it is in effect.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Setting {
    /// Such as `http.listen`.
    pub key: &'static str,
    /// Its value; of a secret only whether there is one.
    pub value: String,
    /// Where the value stands.
    pub from: String,
}

impl Config {
    /// Reads a configuration: the environment goes before credentials of systemd, these before the file.
    ///
    /// Every problem of every source is reported at once.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Loaded, ConfigError> {
        let mut given = given::Given::default();
        given.read_environment(environment);
        given.read_credentials(environment);
        if let Some(path) = file {
            given.read_file(path);
        }
        given.read_default_secrets();
        let config = parse::config(&mut given);
        match (config, given.into_parts()) {
            (Some(config), (settings, warnings, problems)) if problems.is_empty() => Ok(Loaded {
                config,
                settings,
                warnings,
            }),
            (_, (_, _, problems)) => Err(ConfigError::new(problems)),
        }
    }
}

#[cfg(test)]
mod tests;
