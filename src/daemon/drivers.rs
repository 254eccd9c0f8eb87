//! Makes the driver of an instance, with the shadow's program if this host has one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::deploy::DriverFactory;
use crate::domain::instance::{HostName, InstanceSettings, PbxInstance};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::random::{Randomness as _, SystemRandom};
use crate::driver::asterisk::{AsteriskDriver, ManagerFeed, Program, RunAs, Shadow, Transport};
use crate::driver::feed::{Archive, Feed, FeedFactory};
use crate::driver::freeswitch::FreeSwitchDriver;
use crate::driver::fusionpbx::{self, CallArchive, FusionPbxDriver};
use crate::driver::{PbxDriver, SocketFeed};

/// The drivers of this host.
pub struct Drivers {
    state_dir: PathBuf,
    asterisk: Option<PathBuf>,
    transport: Transport,
}

impl Drivers {
    /// `state_dir`: the daemon's own directory. `asterisk`: the program to rehearse with; by default the one of the PATH. `transport`: how each is reached.
    #[must_use]
    pub fn new(state_dir: PathBuf, asterisk: Option<PathBuf>, transport: Transport) -> Self {
        Self {
            state_dir,
            asterisk,
            transport,
        }
    }

    fn shadow(&self, config_dir: &Path) -> Option<Shadow> {
        let run_as = rustix::process::geteuid().is_root().then(|| reader(config_dir));
        let program = match &self.asterisk {
            Some(path) => Some(Program::new(path.clone(), run_as)),
            None => Program::on_path(run_as).ok(),
        };
        program.map(Shadow::new)
    }
}

/// Spreads tries that follow each other; nothing secret hangs on it.
fn chance() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness all tries wait equally long.
    let _ = SystemRandom.fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

impl FeedFactory for Drivers {
    fn feed(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Option<Box<dyn Feed>> {
        let socket = |host: &HostName, port: u16| {
            let feed = SocketFeed::open(host, port, &secrets.control, chance)?;
            Some(Box::new(feed) as Box<dyn Feed>)
        };
        match &instance.settings {
            InstanceSettings::Asterisk(settings) => settings.has_pbx().then(|| {
                let feed = ManagerFeed::open(settings, &secrets.control, &self.transport, chance);
                Box::new(feed) as Box<dyn Feed>
            }),
            InstanceSettings::FreeSwitch(settings) => {
                socket(&settings.event_socket_host, settings.event_socket_port)
            }
            InstanceSettings::FusionPbx(settings) => {
                socket(&settings.event_socket_host, settings.event_socket_port)
            }
        }
    }

    fn archive(&self, instance: &PbxInstance, secrets: &InstanceSecrets) -> Option<Box<dyn Archive>> {
        match &instance.settings {
            InstanceSettings::FusionPbx(settings) => Some(Box::new(CallArchive::new(settings, secrets))),
            InstanceSettings::Asterisk(_) | InstanceSettings::FreeSwitch(_) => None,
        }
    }
}

impl DriverFactory for Drivers {
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Box<dyn PbxDriver> {
        match &instance.settings {
            InstanceSettings::Asterisk(settings) => {
                let shadow = self.shadow(settings.config_dir.as_path());
                let driver = AsteriskDriver::new(settings.clone(), secrets.control, shadow);
                Box::new(driver.with_transport(self.transport.clone()))
            }
            InstanceSettings::FreeSwitch(settings) => {
                Box::new(FreeSwitchDriver::new(settings.clone(), secrets))
            }
            InstanceSettings::FusionPbx(settings) => {
                let staging = fusionpbx::staging(&self.state_dir, instance.id);
                Box::new(FusionPbxDriver::new(
                    instance.id,
                    settings.clone(),
                    secrets,
                    &staging,
                ))
            }
        }
    }
}

/// An ordinary user that may read what the PBX reads: the directory's group is the one Asterisk runs with.
fn reader(config_dir: &Path) -> RunAs {
    let gid = std::fs::metadata(config_dir).map_or(RunAs::NOBODY.gid, |metadata| metadata.gid());
    RunAs {
        uid: RunAs::NOBODY.uid,
        gid,
    }
}
