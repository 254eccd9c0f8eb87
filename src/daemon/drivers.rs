//! Makes the driver of an instance, with the shadow's program if this host has one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::deploy::DriverFactory;
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::driver::PbxDriver;
use crate::driver::asterisk::{AsteriskDriver, Program, RunAs, Shadow, Transport};

/// The drivers of this host.
pub struct Drivers {
    asterisk: Option<PathBuf>,
    transport: Transport,
}

impl Drivers {
    /// `asterisk`: the program to rehearse with; by default the one of the PATH. `transport`: how each is reached.
    #[must_use]
    pub fn new(asterisk: Option<PathBuf>, transport: Transport) -> Self {
        Self { asterisk, transport }
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
    fn driver(&self, instance: &PbxInstance, secret: SecretString) -> Box<dyn PbxDriver> {
        let InstanceSettings::Asterisk(settings) = &instance.settings;
        let shadow = self.shadow(settings.config_dir.as_path());
        let driver = AsteriskDriver::new(settings.clone(), secret, shadow);
        Box::new(driver.with_transport(self.transport.clone()))
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
