//! The connection test: one check for each thing that a deploy needs, each with what to type or edit where it lacks.

use std::collections::BTreeMap;

use super::complaints;
use super::install::is_yes;
use super::log::LogWindow;
use super::rights::{self, ActionName, LackingRights, Right};
use super::session::{Arrival, Session};
use super::{AsteriskDriver, ended, hears, included, mail, verify};
use crate::domain::artifact::Artifact;
use crate::domain::instance::{AccountName, PbxKind};
use crate::domain::random::SystemRandom;
use crate::driver::{Check, DriverError, spool};
use crate::wire::ami::LinkError;

/// The oldest Asterisk that what is written and asked was measured with.
const OLDEST: u32 = 22;

impl AsteriskDriver {
    /// Every check that can be made; those that need a signed-in session are left out where there is none.
    pub(super) async fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let session = self.sign_in(&mut checks).await;
        if let Some(session) = &session {
            checks.push(version(session).await);
            for (name, file) in MODULES {
                checks.push(module(session, name, file).await);
            }
            checks.push(call_records(session).await);
            checks.push(mail::check(session).await);
        }
        let standing = self.files.checks("asterisk", &mut checks).await;
        if let Some(session) = &session
            && standing.is_some_and(|generation| generation > 0)
        {
            for (name, file) in INCLUDES {
                checks.push(self.included(session, name, file).await);
            }
        }
        checks.extend(self.log(session.as_ref()).await);
        let recordings = self.settings.recordings_dir.as_ref();
        checks.extend(spool::check(recordings, PbxKind::Asterisk, "asterisk").await);
        checks
    }

    /// The manager interface: reached, signed in, each right, and started.
    async fn sign_in(&self, checks: &mut Vec<Check>) -> Option<Session> {
        let settings = &self.settings;
        let account = &settings.ami_username;
        let address = format!("{}:{}", settings.ami_host, settings.ami_port);
        if !settings.has_pbx() {
            let mend = "start the demo with `--asterisk PATH`, or name host and port of an Asterisk";
            checks.push(Check::bad("ami", super::NO_PBX.to_owned(), mend));
            return None;
        }
        let mut arrival = match Arrival::sign_in(settings, &self.secret, &self.transport).await {
            Ok(arrival) => arrival,
            Err(error @ (LinkError::LoginRefused { .. } | LinkError::BadLogin(_))) => {
                checks.push(Check::good("ami", format!("something answers at {address}")));
                let mend = format!(
                    "name account and secret as they stand in manager.conf, there have `permit = 127.0.0.1/255.255.255.255` \
                     (or this host's address) under [{account}], then type `asterisk -rx 'manager reload'`"
                );
                checks.push(Check::bad("ami_login", chain(&error), mend));
                return None;
            }
            Err(
                error @ (LinkError::Tls { .. } | LinkError::Trust { .. } | LinkError::NoChallenge { .. }),
            ) => {
                let mend = format!(
                    "in manager.conf under [general] have `tlsenable = yes`, `tlsbindaddr = {address}` and in `tlscertfile` a \
                     certificate for {}, signed by one in the file that `ami.ca_file` names, or the instance's own \
                     `--ami-ca-file`; or have no TLS, by `--ami-tls off` for this instance or `ami.tls` for all",
                    settings.ami_host
                );
                checks.push(Check::bad("ami", chain(&error), mend));
                return None;
            }
            Err(error) => {
                let mend = format!(
                    "see that Asterisk runs (`asterisk -rx 'core show uptime'`), and in manager.conf have `enabled = yes`, \
                     `bindaddr = {}` and `port = {}` under [general], then type `asterisk -rx 'manager reload'`; or correct \
                     host and port of the instance",
                    settings.ami_host, settings.ami_port
                );
                checks.push(Check::bad("ami", chain(&error), mend));
                return None;
            }
        };
        checks.push(Check::good(
            "ami",
            format!("Asterisk's manager answers at {address}"),
        ));
        checks.push(Check::good("ami_login", format!("signed in as {account}")));
        let written = arrival.lacking().await.ok();
        let heard = arrival.has_heard();
        let started = arrival.started().await;
        let mut known = BTreeMap::new();
        if let Some(lacking) = &written {
            let told = [Right::WriteSystem, Right::WriteReporting];
            known.extend(told.map(|right| (right, !lacking.contains(&right))));
        }
        // It has started, and said so.
        let has_said = heard || started.is_ok();
        let refused = started.as_ref().err().is_some_and(lacks_the_start);
        known.insert(Right::ReadSystem, has_said && !refused);
        if let Ok(session) = &started {
            known.extend(heard_rights(session, account).await);
            known.extend(written_rights(session).await);
        }
        let is_lacking = known
            .iter()
            .any(|(right, has)| !has && (*right != Right::ReadSystem || refused));
        for right in Right::ALL {
            let detail = match known.get(right) {
                // Asterisk does not tell: nothing is said of it.
                None => continue,
                Some(true) => {
                    checks.push(Check::good(right.check(), format!("{account} has `{right}`")));
                    continue;
                }
                Some(false) if *right == Right::ReadSystem && !refused => {
                    "Asterisk did not say that it has started: it has not, or the account may not read it"
                        .to_owned()
                }
                Some(false) => format!("{account} lacks `{right}`"),
            };
            checks.push(Check::bad(right.check(), detail, rights::mend(account)));
        }
        if let Err(error) = &started
            && !is_lacking
        {
            let mend = "wait until `asterisk -rx 'core waitfullybooted'` returns, and test again";
            checks.push(Check::bad("asterisk_started", error.full(), mend));
        }
        started.ok()
    }

    /// Whether Asterisk has read our file, and would do so again.
    async fn included(&self, session: &Session, name: &'static str, file: Artifact) -> Check {
        let directory = &self.settings.config_dir;
        let asked = match verify::shown_marker(session, file).await {
            Ok(marker) => included::found(session, &self.files, file)
                .await
                .map(|found| (!marker.is_empty(), !found.is_missing())),
            Err(error) => Err(error),
        };
        let detail = match asked {
            Ok((true, true)) => return Check::good(name, format!("Asterisk has read our {file}")),
            Ok((true, false)) => format!(
                "Asterisk's own {file} does not lead to {} any more: it serves what it has read before, until it reads its \
                 files again",
                included::target(directory, file)
            ),
            Ok((false, _)) => format!("Asterisk has not read {}", included::target(directory, file)),
            Err(error) => return Check::bad(name, error.full(), "test again"),
        };
        let mend = format!(
            "{}, then type `asterisk -rx 'module reload {}'`",
            included::mend(directory, file),
            file.module()
        );
        Check::bad(name, detail, mend)
    }

    /// The log, where the instance has one: readable, and of the Asterisk that answers.
    async fn log(&self, session: Option<&Session>) -> Option<Check> {
        const NAME: &str = "log_file";
        let path = self.settings.log_file.as_ref()?;
        let user = rustix::process::geteuid().as_raw();
        let opened = LogWindow::open(path.as_path()).and_then(|window| window.lines().map(|_| window));
        let window = match opened {
            Ok(window) => window,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let name = path
                    .as_path()
                    .file_name()
                    .unwrap_or_default()
                    .display()
                    .to_string();
                let mend = format!(
                    "in logger.conf have `{name} => warning,error` under [logfiles], then type `asterisk -rx 'logger \
                     reload'`; or name the instance's log file as it is"
                );
                return Some(Check::bad(NAME, format!("{path}: {error}"), mend));
            }
            Err(error) => {
                let mend = format!(
                    "let the user {user} read it: `setfacl -m u:{user}:rX {path}` and its directory, or \
                     add that user to the file's group"
                );
                return Some(Check::bad(NAME, format!("{path}: {error}"), mend));
            }
        };
        let Some(session) = session else {
            return Some(Check::good(
                NAME,
                format!("{path} can be read; whether this Asterisk writes it was not asked"),
            ));
        };
        Some(match complaints::read(session, &window, &SystemRandom).await.1 {
            Ok(()) => Check::good(NAME, format!("{path} can be read, and this Asterisk writes it")),
            Err(reason) => {
                let mend = format!(
                    "name the file that this Asterisk writes its warnings and errors to (`asterisk -rx 'logger show \
                     channels'` lists them), or have it write {path} in logger.conf"
                );
                Check::bad(NAME, format!("{path}: {reason}"), mend)
            }
        })
    }
}

const MODULES: [(&str, Artifact); 3] = [
    ("module_pjsip", Artifact::Pjsip),
    ("module_dialplan", Artifact::Extensions),
    ("module_voicemail", Artifact::Voicemail),
];

const INCLUDES: [(&str, Artifact); 3] = [
    ("include_pjsip", Artifact::Pjsip),
    ("include_dialplan", Artifact::Extensions),
    ("include_voicemail", Artifact::Voicemail),
];

async fn version(session: &Session) -> Check {
    const NAME: &str = "asterisk_version";
    let mend = format!("install Asterisk {OLDEST} or newer");
    let said = match session.ask(ActionName::CoreSettings, &[]).await {
        Ok(answer) => answer.get("AsteriskVersion").unwrap_or_default().to_owned(),
        Err(error) => return Check::bad(NAME, error.full(), mend),
    };
    match major(&said) {
        Some(major) if major >= OLDEST => Check::good(NAME, format!("Asterisk {said}")),
        _ => Check::bad(
            NAME,
            format!("Asterisk {said}; it must be {OLDEST} or newer"),
            mend,
        ),
    }
}

/// The first number of `22.10.1`, `certified-20.7-cert2` or `GIT-22-1234567`.
fn major(version: &str) -> Option<u32> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| !part.is_empty())?
        .parse()
        .ok()
}

async fn module(session: &Session, name: &'static str, file: Artifact) -> Check {
    let module = file.module();
    match session.ask(ActionName::ModuleCheck, &[("Module", module)]).await {
        Ok(_) => Check::good(name, format!("{module} is loaded")),
        Err(error) => {
            let twins = if file == Artifact::Voicemail {
                ", and `noload => app_voicemail_odbc.so` and `noload => app_voicemail_imap.so`, which take its place"
            } else {
                ""
            };
            let mend = format!(
                "in modules.conf have `load => {module}`{twins}, then type `asterisk -rx 'module load {module}'`"
            );
            Check::bad(name, error.full(), mend)
        }
    }
}

/// Which of the rights to hear the account has, of those of which Asterisk's own file tells.
async fn heard_rights(session: &Session, account: &AccountName) -> BTreeMap<Right, bool> {
    let Ok(section) = session
        .ask(ActionName::GetConfig, &hears::question(account))
        .await
    else {
        return BTreeMap::new();
    };
    let told = [Right::ReadCall, Right::ReadCdr].map(|right| Some((right, hears::has(&section, right)?)));
    told.into_iter().flatten().collect()
}

/// Which of the rights that no deploy needs the account has, of those of which Asterisk tells: it knows nothing of mail boxes
/// where their module is not loaded.
async fn written_rights(session: &Session) -> BTreeMap<Right, bool> {
    let Ok(commands) = session.ask(ActionName::ListCommands, &[]).await else {
        return BTreeMap::new();
    };
    let may = |name: ActionName| commands.fields().any(|(action, _)| action == name.as_str());
    let mut known = BTreeMap::from([(Right::WriteOriginate, may(ActionName::Originate))]);
    if may(ActionName::VoicemailUserStatus) {
        known.insert(Right::WriteUser, may(ActionName::VoicemailRemove));
    }
    known
}

/// Whether Asterisk has started and did not say so to this account.
fn lacks_the_start(error: &DriverError) -> bool {
    let DriverError::Refused { source, .. } = error else {
        return false;
    };
    let found = source.downcast_ref::<LackingRights>();
    found.is_some_and(|found| found.lacking.contains(&Right::ReadSystem))
}

/// Keys and values of a section of Asterisk's own files, as far as it shows them.
async fn section(session: &Session, file: &str, name: &str) -> Vec<(String, String)> {
    let asked = [("Filename", file), ("Category", name)];
    let Ok(section) = session.ask(ActionName::GetConfig, &asked).await else {
        return Vec::new();
    };
    let lines = hears::lines(&section);
    lines
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Whether Asterisk tells of calls that are over what is read of them.
async fn call_records(session: &Session) -> Check {
    const NAME: &str = "call_records";
    const FILE: &str = "cdr_manager.conf";
    let mend = "`switchyard pbx install` puts in what is missing; then type `asterisk -rx 'module reload cdr_manager.so'`, or \
                `module load cdr_manager.so` and `module load func_cdr.so` where they are not loaded";
    for module in ["cdr_manager.so", "func_cdr.so"] {
        let asked = session.ask(ActionName::ModuleCheck, &[("Module", module)]).await;
        if let Err(error) = asked {
            let detail = format!(
                "{module} is not loaded: no call that is over is on record ({})",
                error.full()
            );
            return Check::bad(NAME, detail, mend);
        }
    }
    let general = section(session, FILE, "general").await;
    let is_on = general
        .iter()
        .any(|(key, value)| key == "enabled" && is_yes(value));
    if !is_on {
        let detail = format!("{FILE} has no `enabled = yes`: no call that is over is on record");
        return Check::bad(NAME, detail, mend);
    }
    let mappings = section(session, FILE, "mappings").await;
    for (field, name) in ended::MAPPINGS {
        if !mappings.iter().any(|(key, value)| key == field && value == name) {
            let detail = format!("{FILE} has no `{field} => {name}`: no call that is over is on record");
            return Check::bad(NAME, detail, mend);
        }
    }
    Check::good(NAME, "Asterisk tells of calls that are over".to_owned())
}

fn chain(error: &LinkError) -> String {
    crate::domain::error_chain::error_chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("22.10.1+dfsg+~cs6.17.60671434-1", Some(22))]
    #[case("certified-20.7-cert2", Some(20))]
    #[case("GIT-23-1a2b3c4", Some(23))]
    #[case("", None)]
    fn the_major_version_is_the_first_number(#[case] version: &str, #[case] expected: Option<u32>) {
        assert_eq!(major(version), expected);
    }
}
