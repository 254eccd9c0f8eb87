//! What leads from an Asterisk's own files to ours, part by part.

use super::work::{look as look_up, with_parts};
use super::{OwnPbxError, asterisk, asterisk_dir};
use crate::config::Config;
use crate::daemon::{identity, settings};
use crate::domain::instance::{AbsolutePath, PbxInstance};
use crate::domain::name::InstanceName;
use crate::domain::pbx_part::{Part, State};
use crate::driver::asterisk::install::{self as files, Aim, Site, Wanted};

/// What was found.
pub struct Status {
    /// The directory of Asterisk's own files.
    pub asterisk_dir: AbsolutePath,
    /// Every part, each that is not in place with what to do.
    pub parts: Vec<Part>,
}

/// Looks at the instance of that name.
pub fn status(
    config: &Config,
    name: &InstanceName,
    named: Option<AbsolutePath>,
) -> Result<Status, OwnPbxError> {
    let known = with_parts(config, async |parts| look_up(parts, name).await)?
        .known
        .ok_or_else(|| OwnPbxError::Absent(name.clone()))?;
    look(config, &known.instance, known.secret.as_ref(), named)
}

/// Looks at an instance without its secret.
pub fn status_of(config: &Config, instance: &PbxInstance) -> Result<Status, OwnPbxError> {
    look(config, instance, None, None)
}

fn look(
    config: &Config,
    instance: &PbxInstance,
    secret: Option<&secrecy::SecretString>,
    named: Option<AbsolutePath>,
) -> Result<Status, OwnPbxError> {
    let asterisk_dir = asterisk_dir(named, Some(instance))?;
    let site = site(config, asterisk_dir.clone(), instance)?;
    let mut parts = files::survey(&site, Aim::Tell(secret))?.parts;
    for part in parts.iter_mut().filter(|part| part.state == State::Missing) {
        part.mend = Some(format!("type `switchyard pbx install {}` as root", instance.name));
    }
    Ok(Status { asterisk_dir, parts })
}

/// The Asterisk of an instance of this host.
pub fn site(
    config: &Config,
    asterisk_dir: AbsolutePath,
    instance: &PbxInstance,
) -> Result<Site, OwnPbxError> {
    let settings = asterisk(instance)?;
    Ok(Site::survey(Wanted {
        asterisk_dir,
        config_dir: Some(settings.config_dir.clone()),
        log_file: settings.log_file.clone(),
        modules_dir: None,
        group: None,
        account: settings.ami_username.clone(),
        owner: identity::user(config)?,
        tls: settings::transport(config)
            .tls_of(settings.ami_tls.as_ref())
            .is_some(),
    })?)
}
