//! The shadow's process: started without a network where the system allows it, and never left behind.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::ShadowError;
use super::home::Home;
use crate::driver::asterisk::program::Program;

/// How often a console command is tried while the shadow starts; each try takes some 10 ms.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is looked whether the console is open.
const LOOK: Duration = Duration::from_millis(5);
/// How often it is looked whether a killed shadow is gone; it takes milliseconds.
const LOOKS: usize = 2_000;

/// What the shadow is put into.
#[derive(Clone, Debug)]
pub struct Isolation {
    /// Words before the program.
    prefix: Vec<OsString>,
    own_network: bool,
}

impl Isolation {
    /// The strongest isolation that this system allows: a network namespace of its own, in which the shadow can open
    /// any port and reach nobody.
    pub async fn find(program: &Program) -> Self {
        let namespace: &[&str] = if program.run_as().is_some() {
            &["unshare", "--net", "--"]
        } else {
            &["unshare", "--user", "--map-current-user", "--net", "--"]
        };
        let prefix = |namespace: &[&str]| -> Vec<OsString> {
            let namespace = namespace.iter().map(OsString::from);
            namespace.chain(program.tied_to_us()).collect()
        };
        let isolated = Self {
            prefix: prefix(namespace),
            own_network: true,
        };
        if isolated.works().await {
            isolated
        } else {
            Self {
                prefix: prefix(&[]),
                own_network: false,
            }
        }
    }

    /// Whether the shadow cannot reach anybody.
    pub fn own_network(&self) -> bool {
        self.own_network
    }

    fn command(&self, program: &Path) -> Command {
        let mut words = self
            .prefix
            .iter()
            .cloned()
            .chain([program.as_os_str().to_owned()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn works(&self) -> bool {
        let tried = self
            .command(Path::new("true"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await;
        tried.is_ok_and(|status| status.success())
    }
}

/// A running shadow with its directory; dropping it kills the one and removes the other.
pub struct Process {
    child: Child,
    program: Program,
    home: Home,
}

impl Process {
    pub fn start(program: &Program, home: Home, isolation: &Isolation) -> Result<Self, ShadowError> {
        let said = File::create(home.path().join("said")).map_err(ShadowError::Prepare)?;
        let child = isolation
            .command(program.path())
            .arg("-C")
            .arg(home.path().join("etc/asterisk.conf"))
            .arg("-f")
            .current_dir(home.path())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|source| ShadowError::Start {
                program: program.path().display().to_string(),
                source,
            })?;
        Ok(Self {
            child,
            program: program.clone(),
            home,
        })
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits until the shadow's console is open. A command that is tried before that costs a process of its own, while the
    /// shadow could do with the processor.
    pub async fn opened(&mut self) -> Result<(), ShadowError> {
        let socket = self.home().join("run/asterisk.ctl");
        while !socket.exists() {
            self.check_alive()?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Runs a command on the shadow's console, trying again until it listens.
    pub async fn console(&mut self, line: &str) -> Result<(), ShadowError> {
        loop {
            self.check_alive()?;
            let mut command = self.program.command();
            let status = command
                .arg("-C")
                .arg(self.home().join("etc/asterisk.conf"))
                .arg("-rx")
                .arg(line)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .await
                .map_err(|source| ShadowError::Start {
                    program: self.program.path().display().to_string(),
                    source,
                })?;
            if status.success() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub fn check_alive(&mut self) -> Result<(), ShadowError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Err(error) => Err(ShadowError::Prepare(error)),
        }
    }

    fn ended(&self, status: ExitStatus) -> ShadowError {
        let said = std::fs::read(self.home().join("said")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        ShadowError::Ended {
            how: status.to_string(),
            said: last.unwrap_or("nothing").to_owned(),
        }
    }
}

/// It holds nothing that an orderly stop would save. Its end is waited for here, since a directory into which
/// somebody still writes cannot be removed.
impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.start_kill();
        for _ in 0..LOOKS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
