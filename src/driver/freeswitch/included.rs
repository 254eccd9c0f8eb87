//! Whether FreeSWITCH's own files lead to ours, before it is told to read them: a reload without ours would end what runs.

use std::path::PathBuf;

use tokio::task::spawn_blocking;

use super::own_files::reached;
use super::{FreeSwitchDriver, asked, verify};
use crate::domain::artifact::Artifact;
use crate::domain::finding::{Finding, Severity};
use crate::domain::instance::{AbsolutePath, PbxKind};
use crate::driver::event_socket::ANSWER;
use crate::driver::{DriverError, Inclusion};

/// Where FreeSWITCH says its own files are.
const CONF_DIR: &str = "conf_dir";

/// The line that leads to a file of ours. FreeSWITCH passes over it where the file is not there, and drops what else stands
/// on the line.
pub(super) fn line(config_dir: &AbsolutePath, file: Artifact) -> String {
    let target = target(config_dir, file);
    format!("<X-PRE-PROCESS cmd=\"include\" data=\"{}\"/>", target.display())
}

fn target(config_dir: &AbsolutePath, file: Artifact) -> PathBuf {
    config_dir.as_path().join("live").join(file.as_str())
}

/// What puts it right.
pub(super) fn mend(config_dir: &AbsolutePath, file: Artifact) -> String {
    format!(
        "Have the line `{}`, alone on its line, in a file of FreeSWITCH's that stands in its section `{}`, such as {}/switchyard.xml, \
         and let FreeSWITCH's group read {config_dir}",
        line(config_dir, file),
        file.module(),
        file.module()
    )
}

/// Where FreeSWITCH's own files lead.
pub(super) enum Leads {
    /// To these files of ours.
    To(Vec<Artifact>),
    /// They may not be read, or are not where FreeSWITCH says.
    Unknown(String),
}

/// Reads them as FreeSWITCH would.
pub(super) async fn leads(driver: &FreeSwitchDriver) -> Result<Leads, DriverError> {
    let switch = driver.switch().await?;
    let globals = switch.client().globals(ANSWER).await.map_err(asked)?;
    let Some(conf) = globals.get(CONF_DIR).map(PathBuf::from) else {
        let unknown = format!("FreeSWITCH does not say where its files are (`{CONF_DIR}`)");
        return Ok(Leads::Unknown(unknown));
    };
    let config_dir = driver.settings.config_dir.clone();
    let read = spawn_blocking(move || {
        let reached = reached(&conf, config_dir.as_path(), globals)?;
        let is_reached = |file: &Artifact| reached.contains(&target(&config_dir, *file));
        let files = Artifact::of(PbxKind::FreeSwitch).iter().copied();
        Ok::<_, std::io::Error>(files.filter(is_reached).collect())
    });
    match read.await {
        Ok(Ok(files)) => Ok(Leads::To(files)),
        Ok(Err(error)) => Ok(Leads::Unknown(error.to_string())),
        Err(error) => Err(DriverError::not_applied("reading FreeSWITCH's own files", error)),
    }
}

/// The files that FreeSWITCH would not find, each with what is known and what to do. What is written in them has no part in
/// it. Where its own may not be read, the markers tell afterwards.
pub(super) async fn look(driver: &FreeSwitchDriver) -> Result<Inclusion, DriverError> {
    let mut inclusion = Inclusion::default();
    let found = match leads(driver).await? {
        Leads::To(found) => found,
        Leads::Unknown(why) => {
            let message = format!(
                "it was not looked at whether FreeSWITCH's own files lead to ours: {why}. A reload without the lines there would \
                 end what runs; let the daemon's group read FreeSWITCH's own files"
            );
            let remark = Finding::new(Severity::Info, "include_not_checked", message);
            inclusion.remarks.push(remark);
            return Ok(inclusion);
        }
    };
    let config_dir = &driver.settings.config_dir;
    for file in Artifact::of(PbxKind::FreeSwitch) {
        if found.contains(file) {
            continue;
        }
        let known = match verify::shown(&driver.switch().await?, *file).await? {
            Some(_) => "It serves what it has read before, until it reads its files again",
            None => "It serves nothing of it",
        };
        let message = format!(
            "FreeSWITCH's own files do not lead to {}. {known}. {}",
            target(config_dir, *file).display(),
            mend(config_dir, *file)
        );
        let finding = Finding::error("include_missing", message).about(file.as_str());
        inclusion.missing.insert(*file, finding);
    }
    Ok(inclusion)
}
