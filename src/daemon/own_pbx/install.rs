//! Puts in what leads from an Asterisk's own files to ours, and registers the instance.

use secrecy::{ExposeSecret as _, SecretString};

use super::work::{Interruptible, Known, look, with_parts};
use super::{FileChanged, OwnPbxError, asterisk, asterisk_dir};
use crate::app::instances::{self, NewInstance};
use crate::app::operator;
use crate::config::Config;
use crate::daemon::parts::Parts;
use crate::daemon::{identity, settings};
use crate::domain::instance::{
    AbsolutePath, AccountName, AsteriskSettings, EmergencyNumber, InstanceSettings, Tls,
};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::name::InstanceName;
use crate::domain::pbx_part::{Part, State};
use crate::domain::random::{self, Randomness};
use crate::driver::asterisk::install::{
    self as files, Aim, Manager, Site, Wanted, can_be_written, kept_secret,
};

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// 190 bits.
const SECRET_LENGTH: usize = 32;
/// The account's name, when no other is asked for.
pub(super) const ACCOUNT: &str = "switchyard";

/// What to install; what is absent is as it was before, or the usual.
pub struct InstallOptions {
    /// The instance.
    pub name: InstanceName,
    /// The directory of Asterisk's own files.
    pub asterisk_dir: Option<AbsolutePath>,
    /// Our directory.
    pub config_dir: Option<AbsolutePath>,
    /// The log of ours.
    pub log_file: Option<AbsolutePath>,
    /// Where Asterisk's modules are.
    pub modules_dir: Option<AbsolutePath>,
    /// The group that Asterisk runs with.
    pub group: Option<String>,
    /// Our account.
    pub account: Option<AccountName>,
    /// Whether its manager interface speaks TLS.
    pub tls: Option<TlsChoice>,
    /// Local emergency numbers.
    pub emergency_numbers: Vec<EmergencyNumber>,
    /// The running Asterisk is to read again all that leads to us.
    pub reload: bool,
    /// Nothing is changed.
    pub dry_run: bool,
}

/// What is asked for of an instance's TLS.
pub enum TlsChoice {
    /// As the host's configuration says.
    Host,
    /// Its own.
    Own(Tls),
}

/// What was done, or would be.
pub struct Installed {
    /// The directory of Asterisk's own files.
    pub asterisk_dir: AbsolutePath,
    /// Our directory.
    pub config_dir: AbsolutePath,
    /// What was found before.
    pub parts: Vec<Part>,
    /// What changed; empty where all was in place.
    pub changes: Vec<FileChanged>,
    /// The lines of Asterisk's console that have it heed the changes.
    pub reloads: Vec<String>,
    /// Whether Asterisk has to be restarted.
    pub restart: bool,
    /// Whether the instance was in the database already.
    pub known: bool,
}

/// Installs: everything is looked at first, then all files are changed, then the instance is registered; a failure leaves
/// everything as it was, and so does a signal. One that was killed is ended by the next, or by a removal.
pub fn install(
    config: &Config,
    options: InstallOptions,
    random: &dyn Randomness,
) -> Result<Installed, OwnPbxError> {
    let name = &options.name;
    let known = with_parts(config, async |parts| look(parts, name).await)?.known;
    let before = match &known {
        Some(known) => Some(asterisk(&known.instance)?.clone()),
        None => None,
    };
    let asterisk_dir = asterisk_dir(
        options.asterisk_dir.clone(),
        known.as_ref().map(|known| &known.instance),
    )?;
    let tls = match options.tls {
        Some(TlsChoice::Host) => None,
        Some(TlsChoice::Own(own)) => Some(own),
        None => before.as_ref().and_then(|before| before.ami_tls.clone()),
    };
    let site = Site::survey(Wanted {
        asterisk_dir: asterisk_dir.clone(),
        config_dir: options
            .config_dir
            .clone()
            .or(before.as_ref().map(|before| before.config_dir.clone())),
        log_file: options
            .log_file
            .clone()
            .or(before.as_ref().and_then(|before| before.log_file.clone())),
        modules_dir: options.modules_dir.clone(),
        group: options.group.clone(),
        account: match (&options.account, &before) {
            (Some(account), _) => account.clone(),
            (None, Some(before)) => before.ami_username.clone(),
            (None, None) => ACCOUNT.parse()?,
        },
        owner: identity::user(config)?,
        tls: settings::transport(config).tls_of(tls.as_ref()).is_some(),
    })?;
    let _held = (!options.dry_run).then(|| files::hold(&site)).transpose()?;
    let secret = secret(&site, known.as_ref(), random)?;
    let plan = files::survey(&site, Aim::Install(&secret))?;
    let blocked: Vec<Part> = plan
        .parts
        .iter()
        .filter(|part| part.state == State::Blocked)
        .cloned()
        .collect();
    if !blocked.is_empty() {
        return Err(OwnPbxError::Blocked(blocked));
    }
    let settings = asterisk_settings(
        &site,
        plan.manager,
        tls,
        options.emergency_numbers,
        before.as_ref(),
    )?;
    let installed = Installed {
        asterisk_dir,
        config_dir: site.config_dir.clone(),
        changes: plan.changes.iter().map(FileChanged::of).collect(),
        parts: plan.parts,
        // Of one that was cut off, nobody knows what Asterisk has read.
        restart: plan.heed_changes.restart || known.is_none() && plan.heed_all.restart,
        reloads: if options.reload || known.is_none() {
            plan.heed_all.reloads
        } else {
            plan.heed_changes.reloads
        },
        known: known.is_some(),
    };
    if options.dry_run {
        return Ok(installed);
    }
    let registering = Interruptible::begin()?;
    let swapped = files::swap(plan.changes)?;
    let registered = registering.with_parts(config, async |parts| {
        register(parts, &options.name, known.as_ref(), settings, secret).await
    });
    match registered {
        Ok(Some(())) => Ok(installed),
        Ok(None) => Err(OwnPbxError::Interrupted(swapped.undo())),
        Err(source) => Err(OwnPbxError::NotRegistered {
            left: swapped.undo(),
            source: Box::new(source),
        }),
    }
}

/// The secret that Asterisk reads already, or the one that the database holds, or a new one.
fn secret(site: &Site, known: Option<&Known>, random: &dyn Randomness) -> Result<SecretString, OwnPbxError> {
    if let Some(secret) = kept_secret(site)? {
        return Ok(secret);
    }
    let sealed = known
        .and_then(|known| known.secret.clone())
        .filter(|secret| can_be_written(secret.expose_secret()));
    match sealed {
        Some(secret) => Ok(secret),
        None => Ok(random::text(random, LETTERS, SECRET_LENGTH)?.into()),
    }
}

fn asterisk_settings(
    site: &Site,
    manager: Manager,
    ami_tls: Option<Tls>,
    emergency_numbers: Vec<EmergencyNumber>,
    before: Option<&AsteriskSettings>,
) -> Result<AsteriskSettings, OwnPbxError> {
    Ok(AsteriskSettings {
        ami_host: manager.host.to_string().parse()?,
        ami_port: manager.port,
        ami_username: site.account.clone(),
        ami_tls,
        config_dir: site.config_dir.clone(),
        log_file: Some(site.log_file.clone()),
        recordings_dir: Some(
            before
                .and_then(|before| before.recordings_dir.clone())
                .unwrap_or_else(|| site.recordings_dir.clone()),
        ),
        emergency_numbers: match before {
            Some(before) if emergency_numbers.is_empty() => before.emergency_numbers.clone(),
            _ => emergency_numbers,
        },
    })
}

async fn register(
    parts: &Parts,
    name: &InstanceName,
    known: Option<&Known>,
    settings: AsteriskSettings,
    secret: SecretString,
) -> Result<(), OwnPbxError> {
    let caller = operator::platform(None);
    let settings = InstanceSettings::Asterisk(settings);
    let secrets = InstanceSecrets::of_control(secret);
    if let Some(known) = known {
        instances::change_settings(&parts.app, &caller, known.instance.id, settings, &secrets).await?;
        return Ok(());
    }
    let new = NewInstance {
        name: name.clone(),
        node: parts.node.clone(),
        settings,
        secrets,
    };
    instances::create(&parts.app, &caller, new).await?;
    Ok(())
}
