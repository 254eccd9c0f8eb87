//! An `asterisk` program that we start ourselves: found, checked, run as an ordinary user, and never outliving us.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;
use tokio::time::timeout;

/// How long `asterisk -V` may take; it answers within milliseconds.
const VERSION: Duration = Duration::from_secs(10);

/// The user and group that a program runs as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunAs {
    /// The user's id.
    pub uid: u32,
    /// The group's id.
    pub gid: u32,
}

impl RunAs {
    /// Who owns nothing: uid and gid 65534.
    pub const NOBODY: Self = Self {
        uid: 65534,
        gid: 65534,
    };

    /// The first directory on the way to `path`, or `path` itself, that this user may not enter or run, as far as its
    /// mode tells.
    #[must_use]
    pub fn kept_from(self, path: &Path) -> Option<PathBuf> {
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        let closed = way.into_iter().find(|step| {
            std::fs::metadata(step).is_ok_and(|metadata| {
                let class = if metadata.uid() == self.uid {
                    0o100
                } else if metadata.gid() == self.gid {
                    0o010
                } else {
                    0o001
                };
                metadata.permissions().mode() & class == 0
            })
        });
        closed.map(Path::to_owned)
    }
}

/// Why a program cannot be used as an Asterisk.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// No such program.
    #[error(
        "there is no Asterisk at {program}; install Asterisk 22 and have it on the PATH, or run `scripts/get-asterisk DIR` \
         and name DIR/bin/asterisk"
    )]
    NotFound {
        /// What was looked for.
        program: String,
    },
    /// The user that it is to run as does not get to it.
    #[error(
        "{program} cannot be run by uid {uid}, since {closed} is closed to it; root does not run Asterisk as root: have \
         the program where everybody may run it, for instance with `scripts/get-asterisk /var/cache/asterisk`"
    )]
    KeptFrom {
        /// The program.
        program: String,
        /// The user.
        uid: u32,
        /// What is closed.
        closed: String,
    },
    /// The system would not start it.
    #[error("{program} could not be started")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("{program} is not an Asterisk: `-V` answered \"{said}\"")]
    Other {
        /// The program.
        program: String,
        /// The first line of its answer.
        said: String,
    },
    /// It does not answer.
    #[error("{program} is not a working Asterisk: `-V` was not answered within {} s", VERSION.as_secs())]
    Silent {
        /// The program.
        program: String,
    },
}

/// An `asterisk` program and the user to run it as.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    run_as: Option<RunAs>,
}

impl Program {
    /// The program at `path`. A daemon that runs as root names another user to run it as.
    #[must_use]
    pub fn new(path: PathBuf, run_as: Option<RunAs>) -> Self {
        // It is started in other directories than ours.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, run_as }
    }

    /// The `asterisk` of the PATH.
    pub fn on_path(run_as: Option<RunAs>) -> Result<Self, ProgramError> {
        let directories = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&directories)
            .map(|directory| directory.join("asterisk"))
            .find(|path| path.is_file())
            .map(|path| Self::new(path, run_as))
            .ok_or_else(|| ProgramError::NotFound {
                program: "`asterisk` on the PATH".to_owned(),
            })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who it is run as, where that is not the daemon's own user.
    #[must_use]
    pub fn run_as(&self) -> Option<RunAs> {
        self.run_as
    }

    /// Its version, such as `Asterisk 22.10.1`; an error that says what to do if it is no Asterisk that we could run.
    pub async fn version(&self) -> Result<String, ProgramError> {
        let program = self.path.display().to_string();
        if !self.path.is_file() {
            return Err(ProgramError::NotFound { program });
        }
        let mut command = self.command();
        command.arg("-V").stdout(Stdio::piped()).stderr(Stdio::null());
        let output = timeout(VERSION, command.output());
        let output = match output.await {
            Err(_) => return Err(ProgramError::Silent { program }),
            Ok(Err(source)) => return Err(self.not_started(source)),
            Ok(Ok(output)) => output,
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let said: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
        if said.starts_with("Asterisk ") {
            Ok(said)
        } else {
            Err(ProgramError::Other { program, said })
        }
    }

    /// The program as its user, without input; dropping what is spawned from it kills it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::null()).kill_on_drop(true);
        if let Some(RunAs { uid, gid }) = self.run_as {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// The words before a program that is to run as this one's user and to end when the thread that started it ends,
    /// in whatever way: the kernel kills it then.
    ///
    /// The shell closes the gap before `setpriv` had asked for that: if we were gone already, it has another parent.
    #[must_use]
    pub fn tied_to_us(&self) -> Vec<OsString> {
        let mut words = vec!["setpriv".to_owned(), "--pdeathsig=KILL".to_owned()];
        if let Some(RunAs { uid, gid }) = self.run_as {
            words.extend([
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
            ]);
        }
        let guard = r#"[ "$PPID" = "$1" ] || exit 1; shift; exec "$@""#;
        words.extend(["--", "sh", "-c", guard, "sh"].map(str::to_owned));
        words.push(std::process::id().to_string());
        words.into_iter().map(OsString::from).collect()
    }

    fn not_started(&self, source: io::Error) -> ProgramError {
        let program = self.path.display().to_string();
        let resolved = std::fs::canonicalize(&self.path);
        let closed = self
            .run_as
            .zip(resolved.ok())
            .and_then(|(run_as, path)| Some((run_as, run_as.kept_from(&path)?)));
        match closed {
            Some((run_as, closed)) => ProgramError::KeptFrom {
                program,
                uid: run_as.uid,
                closed: closed.display().to_string(),
            },
            None => ProgramError::Start { program, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_directory_on_the_way_is_named() {
        let closed = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().permissions(closed).tempdir().unwrap();
        let inside = directory.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        assert_eq!(
            RunAs::NOBODY.kept_from(&inside).as_deref(),
            Some(directory.path())
        );
        assert_eq!(RunAs::NOBODY.kept_from(Path::new("/")), None);
    }

    #[test]
    fn a_relative_path_is_taken_from_here() {
        let program = Program::new("bin/asterisk".into(), None);
        assert_eq!(
            program.path(),
            std::env::current_dir().unwrap().join("bin/asterisk")
        );
    }

    #[tokio::test]
    async fn what_is_no_asterisk_is_told_so() {
        let program = |path: &str| Program::new(path.into(), None);
        let missing = program("/nowhere/asterisk").version().await.unwrap_err();
        assert!(missing.to_string().contains("scripts/get-asterisk"), "{missing}");
        let other = program("/bin/true").version().await.unwrap_err();
        assert!(matches!(other, ProgramError::Other { .. }), "{other}");
        let plain_file = program("/etc/passwd").version().await.unwrap_err();
        assert!(matches!(plain_file, ProgramError::Start { .. }), "{plain_file}");
    }
}
