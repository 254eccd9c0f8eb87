//! The shadow's process: started without a network where the system allows it, and never left behind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::ShadowError;

/// How often a console command is tried while the shadow starts; each try takes some 10 ms.
const PAUSE: Duration = Duration::from_millis(20);

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
    pub async fn find(run_as: Option<(u32, u32)>) -> Self {
        let namespace: &[&str] = if run_as.is_some() {
            &["unshare", "--net", "--"]
        } else {
            &["unshare", "--user", "--map-current-user", "--net", "--"]
        };
        let mut privileges = vec!["setpriv".to_owned(), "--pdeathsig".to_owned(), "KILL".to_owned()];
        if let Some((uid, gid)) = run_as {
            privileges.extend([
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
            ]);
        }
        privileges.push("--".to_owned());
        let prefix = |namespace: &[&str]| -> Vec<OsString> {
            namespace
                .iter()
                .map(|word| (*word).to_owned())
                .chain(privileges.clone())
                .map(OsString::from)
                .collect()
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
        command.args(words).stdin(Stdio::null());
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

/// A running shadow; dropping it kills it.
pub struct Process {
    child: Child,
    program: PathBuf,
    conf: PathBuf,
    run_as: Option<(u32, u32)>,
}

impl Process {
    pub fn start(
        program: &Path,
        home: &Path,
        isolation: &Isolation,
        run_as: Option<(u32, u32)>,
    ) -> Result<Self, ShadowError> {
        let conf = home.join("etc/asterisk.conf");
        let child = isolation
            .command(program)
            .arg("-C")
            .arg(&conf)
            .arg("-f")
            .current_dir(home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| ShadowError::Start {
                program: program.display().to_string(),
                source,
            })?;
        Ok(Self {
            child,
            program: program.to_owned(),
            conf,
            run_as,
        })
    }

    /// Runs a command on the shadow's console, trying again until it listens.
    pub async fn console(&mut self, line: &str) -> Result<(), ShadowError> {
        loop {
            self.check_alive()?;
            let mut command = Command::new(&self.program);
            command
                .arg("-C")
                .arg(&self.conf)
                .arg("-rx")
                .arg(line)
                .stdin(Stdio::null());
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true);
            if let Some((uid, gid)) = self.run_as {
                command.uid(uid).gid(gid);
            }
            let status = command.status().await.map_err(|source| ShadowError::Start {
                program: self.program.display().to_string(),
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
            Ok(Some(status)) => Err(ShadowError::Ended(status.to_string())),
            Err(error) => Err(ShadowError::Ended(error.to_string())),
        }
    }

    /// Kills it: it holds nothing that an orderly stop would save.
    pub async fn end(mut self) {
        let _ = self.child.kill().await;
    }
}
