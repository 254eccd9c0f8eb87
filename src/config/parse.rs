//! Turns the given texts into the configuration's types.

use std::fs::{self, Metadata};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::database_url::DatabaseUrl;
use super::given::Given;
use super::{
    Ami, Auth, Config, Database, Deploy, Http, Log, Metrics, Monitor, Node, Sealing, State, Templates,
    Tenants, Webhooks, issuers, keys, mail,
};
use crate::domain::instance::NodeName;
use crate::domain::invalid::Invalid;
use crate::domain::parsed::{parsed_text, word_enum};

word_enum! {
    /// When a second, private Asterisk reads a configuration before it goes live.
    ShadowMode {
        /// Where the binary is found; a deploy without it says so.
        Auto = "auto",
        /// Always; a deploy without it is rejected.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

word_enum! {
    /// Who asks for deploys.
    DeployMode {
        /// Somebody.
        Manual = "manual",
        /// The daemon, of what was edited in its tenants.
        Auto = "auto",
    }
}

word_enum! {
    /// Whether something is done.
    Switch {
        /// It is not.
        Off = "off",
        /// It is.
        On = "on",
    }
}

word_enum! {
    /// Where a secret may go over the wire as it is.
    ClearSecretMode {
        /// Nowhere.
        Never = "never",
        /// Within this host.
        Loopback = "loopback",
        /// To other hosts too.
        Anywhere = "anywhere",
    }
}

word_enum! {
    /// How a log line is written.
    LogFormat {
        /// For people.
        Text = "text",
        /// For programs, one object per line.
        Json = "json",
    }
}

parsed_text! {
    /// A level, and exceptions from it: `info,sqlx=warn`.
    LogFilter, log_filter
}

/// The configuration, or nothing when a problem was noted.
///
/// Every key is read before the first missing one ends the assembly, so that all problems are noted at once.
pub fn config(given: &mut Given) -> Option<Config> {
    let url = given.parsed("database.url", DatabaseUrl::parse);
    let sealing_key = given.parsed("sealing.key", |text| Ok(SecretString::from(text)));
    let node = node_name(given);
    let listen = given.parsed("http.listen", socket_address);
    let account_failures = given.parsed("auth.account_failures", failures);
    let address_failures = given.parsed("auth.address_failures", failures);
    let failure_window_seconds = given.parsed("auth.failure_window_seconds", |text| number(text, 1..=86_400));
    let issuers = issuers::read(given);
    let cors_origins = given.parsed("http.cors_origins", |text| {
        text.split_whitespace()
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()
    });
    let public_url = given.parsed("http.public_url", str::parse);
    let trusted_proxies = given.parsed("http.trusted_proxies", str::parse);
    let mail = mail::mail(given);
    let templates_dir = given.parsed("templates.dir", absolute_path);
    let domain_suffix = given.parsed("tenants.domain_suffix", str::parse);
    let state_dir = given.parsed("state.dir", absolute_path);
    let shadow = given.parsed("deploy.shadow", str::parse);
    let asterisk = given.parsed("deploy.asterisk", absolute_path);
    let lease_seconds = given.parsed("deploy.lease_seconds", |text| number(text, 5..=600));
    let mode = given.parsed("deploy.mode", str::parse);
    let debounce_seconds = given.parsed("deploy.debounce_seconds", |text| number(text, 1..=3600));
    let keep_generations = given.parsed("deploy.keep_generations", |text| number(text, 1..=1000));
    let tls = given.parsed("ami.tls", str::parse);
    let ca_file = given.parsed("ami.ca_file", absolute_path);
    let clear_secret = given.parsed("ami.clear_secret", str::parse);
    let poll_seconds = given.parsed("monitor.poll_seconds", |text| number(text, 1..=300));
    let metrics_token = given.parsed("metrics.token", token);
    let level = given.parsed("log.level", str::parse);
    let format = given.parsed("log.format", str::parse);
    let allow = given.parsed("webhooks.allow", str::parse);
    let give_up_after_hours = given.parsed("webhooks.give_up_after_hours", |text| number(text, 1..=168));
    let usual_templates = || {
        let path = Path::new(keys::TEMPLATES_DIR);
        counts(fs::metadata(path)).then(|| path.to_owned())
    };
    Some(Config {
        database: Database { url: url? },
        sealing: Sealing { key: sealing_key },
        node: Node { name: node? },
        http: Http {
            listen: listen?,
            cors_origins: cors_origins.unwrap_or_default(),
            public_url,
            trusted_proxies: trusted_proxies.unwrap_or_default(),
        },
        auth: Auth {
            issuers: issuers?,
            account_failures: account_failures?,
            address_failures: address_failures?,
            failure_window_seconds: failure_window_seconds?,
        },
        mail,
        templates: Templates {
            dir: templates_dir.or_else(usual_templates),
        },
        tenants: Tenants { domain_suffix },
        state: State { dir: state_dir? },
        deploy: Deploy {
            shadow: shadow?,
            asterisk,
            lease_seconds: lease_seconds?,
            mode: mode?,
            debounce_seconds: debounce_seconds?,
            keep_generations: keep_generations?,
        },
        ami: Ami {
            tls: tls?,
            ca_file,
            clear_secret: clear_secret?,
        },
        monitor: Monitor {
            poll_seconds: poll_seconds?,
        },
        metrics: Metrics { token: metrics_token },
        log: Log {
            level: level?,
            format: format?,
        },
        webhooks: Webhooks {
            allow: allow.unwrap_or_default(),
            give_up_after_hours: give_up_after_hours?,
        },
    })
}

fn node_name(given: &mut Given) -> Option<NodeName> {
    if let Some(name) = given.parsed("node.name", str::parse) {
        return Some(name);
    }
    let host = rustix::system::uname();
    let parsed = host.nodename().to_str().ok().map(str::parse::<NodeName>);
    let Some(Ok(name)) = parsed else {
        let text = "the host's name cannot be taken for `node.name`; set that key";
        given.problem("host name", text);
        return None;
    };
    Some(name)
}

/// Whether the usual directory is in effect. One that may not be looked at is: without it a deploy would quietly take the
/// built-in templates, with it the deploy says that it may not read them.
fn counts(found: io::Result<Metadata>) -> bool {
    match found {
        Ok(found) => found.is_dir(),
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// One that can be guessed is none.
fn token(text: &str) -> Result<SecretString, Invalid> {
    if text.len() < 16 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Invalid::new("must have 16 characters or more, and no blanks"));
    }
    Ok(SecretString::from(text))
}

fn socket_address(text: &str) -> Result<SocketAddr, Invalid> {
    text.parse().map_err(|_| {
        Invalid::new("must be an IP address with a port, such as `127.0.0.1:8420` or `[::1]:8420`")
    })
}

pub(super) fn absolute_path(text: &str) -> Result<PathBuf, Invalid> {
    let path = PathBuf::from(text);
    if !path.is_absolute() || text.contains('\0') {
        return Err(Invalid::new("must be an absolute path"));
    }
    Ok(path)
}

fn failures(text: &str) -> Result<NonZeroU32, Invalid> {
    NonZeroU32::new(number(text, 1..=1_000_000)?).ok_or_else(|| Invalid::new("must not be 0"))
}

pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Result<u32, Invalid> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            Invalid::new(format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            ))
        })
}

/// Checked here, because the filter itself takes any misspelt level for the name of a target.
fn log_filter(text: &str) -> Result<String, Invalid> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_target = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
    let fits = |part: &str| match part.split_once('=') {
        Some((target, level)) => {
            !target.is_empty() && target.chars().all(is_target) && LEVELS.contains(&level)
        }
        None => LEVELS.contains(&part),
    };
    if text.split(',').all(fits) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new(
            "must be `off`, `error`, `warn`, `info`, `debug` or `trace`, with exceptions such as `info,sqlx=warn`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_directory_that_may_not_be_looked_at_is_not_taken_for_absent() {
        let directory = tempfile::tempdir().unwrap();
        let file = tempfile::NamedTempFile::new_in(&directory).unwrap();
        assert!(counts(fs::metadata(directory.path())));
        assert!(!counts(fs::metadata(file.path())));
        assert!(!counts(fs::metadata(directory.path().join("none"))));
        assert!(!counts(fs::metadata(file.path().join("none"))));
        assert!(counts(Err(io::ErrorKind::PermissionDenied.into())));
    }
}
