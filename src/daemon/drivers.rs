//! Makes the driver of an instance, with the shadow's program if this host has one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::deploy::DriverFactory;
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::driver::PbxDriver;
use crate::driver::asterisk::{AsteriskDriver, Program, RunAs, Shadow, Transport};
use crate::driver::freeswitch::FreeSwitchDriver;
use crate::driver::fusionpbx::{self, FusionPbxDriver};

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
