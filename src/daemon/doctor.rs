//! Looks at everything that a daemon on this host needs, part by part, each with what to do where it lacks.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::parts::{self, Parts};
use super::unit::{self, Unit};
use super::{database, identity, mail, own_pbx, settings, templates};
use crate::app::{instance_checks, instances, operator, trusted_time};
use crate::config::{Config, ConfigError, Loaded};
use crate::domain::error_chain::error_chain;
use crate::domain::instance::PbxInstance;
use crate::domain::parsed::word_enum;
use crate::domain::pbx_part::State;
use crate::domain::trusted_time::LEAP;
use crate::driver::Check;
use crate::store::sealing_keys;

word_enum! {
    /// How a check came out.
    Outcome {
        /// As it must be.
        Good = "ok",
        /// Works, and should be mended.
        Doubtful = "warning",
        /// Has to be mended.
        Bad = "failed",
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What it belongs to, such as `database`, `instance pbx1`.
    pub subject: String,
    /// Stable, such as `ami_login`.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found.
    pub detail: String,
    /// What to do.
    pub mend: Option<String>,
}

/// Everything that was found, in the order in which it is to be mended.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        subject: impl Into<String>,
        name: &'static str,
        outcome: Outcome,
        detail: impl Into<String>,
        mend: Option<&str>,
    ) {
        self.0.push(Finding {
            subject: subject.into(),
            name,
            outcome,
            detail: detail.into(),
            mend: mend.map(str::to_owned),
        });
    }

    fn check(&mut self, subject: &str, check: &Check) {
        let outcome = match (check.ok, &check.mend) {
            (true, None) => Outcome::Good,
            (true, Some(_)) => Outcome::Doubtful,
            (false, _) => Outcome::Bad,
        };
        self.add(subject, check.name, outcome, &check.detail, check.mend.as_deref());
    }

    fn good(&mut self, subject: &str, name: &'static str, detail: impl Into<String>) {
        self.add(subject, name, Outcome::Good, detail, None);
    }

    fn bad(&mut self, subject: &str, name: &'static str, detail: impl Into<String>, mend: &str) {
        self.add(subject, name, Outcome::Bad, detail, Some(mend));
    }
}

/// Looks at everything. What needs something that lacks is left out.
pub fn examine(loaded: Result<Loaded, ConfigError>) -> Result<Vec<Finding>, identity::IdentityError> {
    let mut findings = Findings::default();
    let Some(config) = configuration(loaded, &mut findings) else {
        return Ok(findings.0);
    };
    templates(&config, &mut findings);
    // As the daemon's user, since it is the daemon that needs all of this.
    let instances = identity::acting(&config, || {
        state_dir(&config, &mut findings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(asked(&config, &mut findings)),
            Err(error) => {
                findings.bad(
                    "host",
                    "runtime",
                    error.to_string(),
                    "free memory or processes, and try again",
                );
                Vec::new()
            }
        }
    })?;
    let asterisks = instances
        .iter()
        .filter(|instance| instance.settings.asterisk().is_some());
    for instance in asterisks {
        pbx(&config, instance, &mut findings);
    }
    Ok(findings.0)
}

fn configuration(loaded: Result<Loaded, ConfigError>, findings: &mut Findings) -> Option<Config> {
    const SUBJECT: &str = "configuration";
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            let mend = "correct it; `switchyard config check` reads it again";
            findings.bad(SUBJECT, "config_file", error_chain(&error), mend);
            return None;
        }
    };
    let wrong = settings::check(&loaded.config);
    for error in &wrong {
        findings.bad(
            SUBJECT,
            error.key,
            error.to_string(),
            "correct this key of the configuration",
        );
    }
    if !wrong.is_empty() {
        return None;
    }
    findings.good(SUBJECT, "config_file", "every key can be used");
    for warning in loaded.warnings {
        findings.add(SUBJECT, "config_warning", Outcome::Doubtful, warning, None);
    }
    for lacking in settings::lacking(&loaded.config) {
        findings.add(SUBJECT, "config_lacking", Outcome::Doubtful, lacking, None);
    }
    Some(loaded.config)
}

fn templates(config: &Config, findings: &mut Findings) {
    const SUBJECT: &str = "templates";
    match templates::check(config.templates.dir.as_deref()) {
        Ok(checked) => findings.good(
            SUBJECT,
            "templates",
            format!("all {} render", checked.templates.len()),
        ),
        Err(error) => {
            let mend = "correct them; `switchyard templates check` renders them again";
            findings.bad(SUBJECT, "templates", error_chain(&error), mend);
        }
    }
}

fn state_dir(config: &Config, findings: &mut Findings) {
    const NAME: &str = "state_dir";
    let directory = &config.state.dir;
    let shown = directory.display();
    match tempfile::tempfile_in(directory) {
        Ok(_) => findings.good(NAME, NAME, format!("{shown} can be written to")),
        // A deploy makes it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_be_made(directory) => {
            findings.good(NAME, NAME, format!("{shown} is not there yet, and can be made"));
        }
        Err(error) => {
            let mend = format!("let the daemon's user write there: `install -d -o USER -m 750 {shown}`");
            findings.bad(NAME, NAME, format!("{shown}: {error}"), &mend);
        }
    }
}

fn may_be_made(directory: &Path) -> bool {
    let above = directory.ancestors().find(|above| above.exists());
    above.is_some_and(|above| tempfile::tempfile_in(above).is_ok())
}

/// The unit, the mail server, the database, the key, each instance of this node; gives the instances.
async fn asked(config: &Config, findings: &mut Findings) -> Vec<PbxInstance> {
    const SUBJECT: &str = "database";
    service(findings).await;
    mail_server(config, findings).await;
    let schema = match database::status(config).await {
        Ok(schema) => schema,
        Err(error) => {
            let mend = "see that it runs and that `database.url` is right; `switchyard db migrate` makes a SQLite file";
            findings.bad(SUBJECT, "database", error_chain(&error), mend);
            return Vec::new();
        }
    };
    findings.good(SUBJECT, "database", format!("{} answers", schema.database));
    if let Err(error) = schema.check() {
        findings.bad(
            SUBJECT,
            "schema",
            error_chain(&error),
            "type `switchyard db migrate`",
        );
        return Vec::new();
    }
    findings.good(SUBJECT, "schema", "up to date");
    let parts = match parts::assemble(config).await {
        Ok(parts) => parts,
        Err(error) => {
            findings.bad(
                SUBJECT,
                "store",
                error_chain(&error),
                "mend what it names, and try again",
            );
            return Vec::new();
        }
    };
    sealing_key(&parts, findings).await;
    clock(&parts, findings).await;
    let instances = ours(&parts, findings).await;
    parts.store.close().await;
    instances
}

/// The service, where it is one.
async fn service(findings: &mut Findings) {
    const NAME: &str = "systemd_unit";
    match unit::examine().await {
        Unit::Absent => {
            let detail = "no unit is installed; whoever starts the daemon looks after it";
            findings.good(NAME, NAME, detail);
        }
        Unit::Active(path) => findings.good(NAME, NAME, format!("{path} is enabled and active")),
        Unit::Lacking { detail, mend } => {
            findings.add(NAME, NAME, Outcome::Doubtful, detail, Some(mend));
        }
    }
}

async fn mail_server(config: &Config, findings: &mut Findings) {
    const NAME: &str = "mail_server";
    let Some(mail) = &config.mail else {
        let detail = "none is configured: links are shown to whoever asks for them";
        return findings.good(NAME, NAME, detail);
    };
    match mail::examine(&mail.server).await {
        Ok(detail) => findings.good(NAME, NAME, detail),
        Err((detail, mend)) => findings.bad(NAME, NAME, detail, mend),
    }
}

async fn sealing_key(parts: &Parts, findings: &mut Findings) {
    const NAME: &str = "sealing_key";
    let checked = match parts.store.read("doctor").await {
        Ok(mut tx) => sealing_keys::check(&mut tx).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => findings.good(NAME, NAME, "present, and what is sealed can be read with it"),
        Err(error) => {
            let mend = "name the key that sealed what is there as `sealing.key_file`, or, while nothing is sealed, make one \
                with `switchyard key generate --out /etc/switchyard/sealing.key`";
            findings.bad(NAME, NAME, error_chain(&error), mend);
        }
    }
}

async fn ours(parts: &Parts, findings: &mut Findings) -> Vec<PbxInstance> {
    const SUBJECT: &str = "instances";
    let caller = operator::platform(None);
    let mut all = match instances::list(&parts.app, &caller).await {
        Ok(all) => all,
        Err(error) => {
            findings.bad(SUBJECT, "instances", error_chain(&error), "mend the database");
            return Vec::new();
        }
    };
    all.retain(|instance| instance.node == parts.node);
    if all.is_empty() {
        let detail = format!("the host {} drives none", parts.node);
        let mend = "`switchyard pbx install` adds the Asterisk of this host";
        findings.add(SUBJECT, "instances", Outcome::Doubtful, detail, Some(mend));
    }
    for instance in &all {
        let subject = format!("instance {}", instance.name);
        match instance_checks::probe(&parts.app, &caller, instance.id).await {
            Ok(mut checks) => {
                checks.extend(unit::may_write_of(&instance.settings).await);
                for check in &checks {
                    findings.check(&subject, check);
                }
            }
            Err(error) => findings.bad(&subject, "test", error_chain(&error), "mend what stands above"),
        }
    }
    all
}

/// Whether what is kept for days grows old by the clock of this host.
async fn clock(parts: &Parts, findings: &mut Findings) {
    const NAME: &str = "clock";
    let clock = match trusted_time::look(&parts.app, &operator::platform(None)).await {
        Ok(clock) => clock,
        Err(error) => return findings.bad(NAME, NAME, error_chain(&error), "mend what stands above"),
    };
    let (wall, time) = (clock.wall, clock.known.time);
    let believe = "set the clock; where it is right, `switchyard clock believe --date` and the date of today";
    if clock.is_unreadable {
        let detail = format!("shows {wall}; what was noted of it cannot be read, so that nothing is old");
        return findings.add(NAME, NAME, Outcome::Doubtful, detail, Some(believe));
    }
    let Some(held_back) = clock.known.held_back else {
        return findings.good(NAME, NAME, format!("shows {wall}"));
    };
    let detail = format!("shows {wall}; what is kept for days is counted by {time}");
    if held_back.is_leap() {
        return findings.add(NAME, NAME, Outcome::Doubtful, detail, Some(believe));
    }
    let detail = format!("{detail}, until a daemon has been up for a day");
    if held_back.by > LEAP {
        let mend = "see that the clock of each host of this database is right from its start on";
        return findings.add(NAME, NAME, Outcome::Doubtful, detail, Some(mend));
    }
    findings.good(NAME, NAME, detail);
}

/// What leads from the Asterisk's own files to ours; only who may read them can look.
fn pbx(config: &Config, instance: &PbxInstance, findings: &mut Findings) {
    let subject = format!("pbx {}", instance.name);
    match own_pbx::status_of(config, instance) {
        Ok(status) => {
            for part in status.parts {
                let outcome = match part.state {
                    State::InPlace => Outcome::Good,
                    State::Doubtful => Outcome::Doubtful,
                    State::Missing | State::Blocked => Outcome::Bad,
                };
                findings.add(
                    subject.clone(),
                    part.name,
                    outcome,
                    part.detail,
                    part.mend.as_deref(),
                );
            }
        }
        Err(error) => {
            let mend = "run it as root, or see `switchyard pbx status --asterisk-dir`";
            findings.add(subject, "pbx", Outcome::Doubtful, error_chain(&error), Some(mend));
        }
    }
}
