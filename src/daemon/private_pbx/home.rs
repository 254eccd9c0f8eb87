//! The private PBX's directory: who may read and write what, and the configuration in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use secrecy::{ExposeSecret, SecretString};

use super::error::StartError;
use super::ports::Ports;
use crate::domain::instance::AbsolutePath;
use crate::driver::asterisk::RunAs;

/// What Asterisk is given to read, with `@NAMES@` in the place of what is known only when it starts.
const FILES: [(&str, &str); 17] = [
    ("acl.conf", include_str!("../../../pbx/demo/acl.conf")),
    ("asterisk.conf", include_str!("../../../pbx/demo/asterisk.conf")),
    ("ccss.conf", include_str!("../../../pbx/demo/ccss.conf")),
    ("cdr.conf", include_str!("../../../pbx/demo/cdr.conf")),
    (
        "cdr_manager.conf",
        include_str!("../../../pbx/demo/cdr_manager.conf"),
    ),
    ("cel.conf", include_str!("../../../pbx/demo/cel.conf")),
    (
        "extensions.conf",
        include_str!("../../../pbx/demo/extensions.conf"),
    ),
    ("features.conf", include_str!("../../../pbx/demo/features.conf")),
    (
        "indications.conf",
        include_str!("../../../pbx/demo/indications.conf"),
    ),
    ("logger.conf", include_str!("../../../pbx/demo/logger.conf")),
    ("manager.conf", include_str!("../../../pbx/demo/manager.conf")),
    ("modules.conf", include_str!("../../../pbx/demo/modules.conf")),
    ("pjproject.conf", include_str!("../../../pbx/demo/pjproject.conf")),
    ("pjsip.conf", include_str!("../../../pbx/demo/pjsip.conf")),
    ("rtp.conf", include_str!("../../../pbx/demo/rtp.conf")),
    ("udptl.conf", include_str!("../../../pbx/demo/udptl.conf")),
    ("voicemail.conf", include_str!("../../../pbx/demo/voicemail.conf")),
];

/// The longest directory: a Unix socket's name has 107 bytes, and Asterisk's is `DIR/run/asterisk.ctl`.
const LONGEST: usize = 107 - "/run/asterisk.ctl".len();
/// How much of Asterisk's words an error quotes.
const SHOWN_LINES: usize = 20;

/// The directory of a private PBX.
///
/// `etc` and `config` belong to us, and to the PBX's group for reading; in the others the PBX writes.
pub struct Home {
    directory: PathBuf,
    config: AbsolutePath,
    warnings: AbsolutePath,
    recordings: AbsolutePath,
    run_as: Option<RunAs>,
    lock: File,
}

/// The secrets of the two manager accounts.
pub struct Secrets {
    pub daemon: SecretString,
    pub outside: SecretString,
}

impl Home {
    /// Makes the directory, or takes it over as an earlier start left it: what was live and what was recorded stays.
    pub fn prepare(directory: &Path) -> Result<Self, StartError> {
        let refused = |reason: String| StartError::Name {
            directory: directory.display().to_string(),
            reason,
        };
        let directory = std::path::absolute(directory).map_err(|error| refused(error.to_string()))?;
        if directory.as_os_str().len() > LONGEST {
            return Err(refused(format!("it must have at most {LONGEST} characters")));
        }
        let path = |name: &str| {
            let path = directory.join(name).display().to_string();
            path.parse::<AbsolutePath>()
                .map_err(|invalid| refused(invalid.to_string()))
        };
        let (config, warnings) = (path("config")?, path("log/warnings")?);
        let recordings = path("spool/monitor/switchyard")?;

        fs::create_dir_all(&directory).map_err(|error| StartError::write(&directory, error))?;
        let run_as = run_as(&directory).map_err(|error| StartError::write(&directory, error))?;
        if let Some(run_as) = run_as
            && let Some(closed) = run_as.kept_from(&directory)
        {
            return Err(StartError::KeptFrom {
                uid: run_as.uid,
                closed: closed.display().to_string(),
            });
        }
        make_directories(&directory, run_as)?;
        Ok(Self {
            lock: lock(&directory)?,
            directory,
            config,
            warnings,
            recordings,
            run_as,
        })
    }

    /// Whom the PBX runs as, where that is not our own user.
    pub fn run_as(&self) -> Option<RunAs> {
        self.run_as
    }

    /// What the driver fills, and the PBX includes.
    pub fn config(&self) -> &AbsolutePath {
        &self.config
    }

    /// Asterisk's own configuration.
    pub fn main_file(&self) -> PathBuf {
        self.directory.join("etc/asterisk.conf")
    }

    /// Where the PBX puts the recordings of calls.
    pub fn recordings(&self) -> &AbsolutePath {
        &self.recordings
    }

    /// Asterisk's warnings and errors.
    pub fn warnings(&self) -> &AbsolutePath {
        &self.warnings
    }

    /// What Asterisk writes before its log is open, or where it cannot open it.
    pub fn console(&self) -> PathBuf {
        self.directory.join("log/console")
    }

    /// A new file for it.
    pub fn create_console(&self) -> io::Result<File> {
        create(&self.console())
    }

    /// The last of what Asterisk wrote, for an error message.
    pub fn last_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = [self.console(), self.messages()]
            .iter()
            .filter_map(|path| fs::read(path).ok())
            .flat_map(|bytes| {
                let text = String::from_utf8_lossy(&bytes);
                text.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        lines.drain(..lines.len().saturating_sub(SHOWN_LINES));
        lines
    }

    fn messages(&self) -> PathBuf {
        self.directory.join("log/messages")
    }

    /// What keeps a second start out, for as long as any copy of it is open.
    pub fn lock(&self) -> Result<File, StartError> {
        let copy = self.lock.try_clone();
        copy.map_err(|error| StartError::write(&self.directory, error))
    }

    /// The ports of the last start, to be had again where they are free.
    pub fn last_ports(&self) -> Option<[u16; 3]> {
        let text = fs::read_to_string(self.ports_file()).ok()?;
        let ports: Vec<u16> = text
            .split_whitespace()
            .map(|port| port.parse().ok())
            .collect::<Option<_>>()?;
        ports.try_into().ok()
    }

    fn ports_file(&self) -> PathBuf {
        self.directory.join("etc/ports")
    }

    /// Writes Asterisk's configuration, and empties its logs.
    pub fn write(&self, ports: &Ports, secrets: &Secrets) -> Result<(), StartError> {
        let values = [
            ("@ROOT@", self.directory.display().to_string()),
            ("@CONFIG_DIR@", self.config.to_string()),
            ("@SIP_PORT@", ports.sip.to_string()),
            ("@AMI_PORT@", ports.ami.to_string()),
            ("@RTP_FIRST@", ports.media.start().to_string()),
            ("@RTP_LAST@", ports.media.end().to_string()),
            ("@DAEMON_SECRET@", secrets.daemon.expose_secret().to_owned()),
            ("@OUTSIDE_SECRET@", secrets.outside.expose_secret().to_owned()),
        ];
        for (name, text) in FILES {
            let text = values
                .iter()
                .fold(text.to_owned(), |text, (key, value)| text.replace(key, value));
            let path = self.directory.join("etc").join(name);
            create(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|error| StartError::write(&path, error))?;
        }
        let path = self.ports_file();
        let [sip, ami, media] = ports.numbers();
        create(&path)
            .and_then(|mut file| writeln!(file, "{sip} {ami} {media}"))
            .map_err(|error| StartError::write(&path, error))?;
        for log in [self.messages(), self.warnings.as_path().to_owned()] {
            remove(&log).map_err(|error| StartError::write(&log, error))?;
        }
        Ok(())
    }
}

fn make_directories(directory: &Path, run_as: Option<RunAs>) -> Result<(), StartError> {
    let owner = run_as.map(|run_as| run_as.uid);
    let group = run_as.map(|run_as| run_as.gid);
    // Set-gid: what we write into it later has the group that may read it.
    let directories = [
        ("etc", 0o2750, None),
        ("config", 0o2750, None),
        ("lib", 0o750, owner),
        ("lib/keys", 0o750, owner),
        ("log", 0o750, owner),
        ("run", 0o750, owner),
        ("spool", 0o750, owner),
    ];
    for (name, mode, owner) in directories {
        let path = directory.join(name);
        make_directory(&path, mode, owner, group).map_err(|error| StartError::write(&path, error))?;
        let own = rustix::process::geteuid().as_raw();
        let found = fs::symlink_metadata(&path).map_err(|error| StartError::write(&path, error))?;
        if found.uid() != owner.unwrap_or(own) {
            return Err(StartError::Foreign {
                path: path.display().to_string(),
                owner: found.uid(),
                own,
            });
        }
    }
    Ok(())
}

/// Keeps a second start out while the first one runs: it would change the configuration under its feet.
fn lock(directory: &Path) -> Result<File, StartError> {
    let path = directory.join("etc/lock");
    // Opened, never emptied, and never through a link: the directory may belong to somebody else than us.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|error| StartError::write(&path, error.into()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse {
            directory: directory.display().to_string(),
        }),
        Err(TryLockError::Error(error)) => Err(StartError::write(&path, error)),
    }
}

fn make_directory(path: &Path, mode: u32, owner: Option<u32>, group: Option<u32>) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Through the open directory: where another user put a link in its place, root must not follow it.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())?;
    fchown(&directory, owner, group)?;
    match rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode)) {
        // Another user's, which whoever called finds out.
        Err(rustix::io::Errno::PERM) => Ok(()),
        changed => Ok(changed?),
    }
}

/// A new file in the place of whatever was there. Nobody but owner and group may read it, for it may hold secrets; the
/// directory gives it its group.
fn create(path: &Path) -> io::Result<File> {
    remove(path)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path)
}

/// Root does not run Asterisk as root, but as the directory's owner, or as nobody.
fn run_as(directory: &Path) -> io::Result<Option<RunAs>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let metadata = fs::metadata(directory)?;
    Ok(Some(if metadata.uid() == 0 {
        RunAs::NOBODY
    } else {
        RunAs {
            uid: metadata.uid(),
            gid: metadata.gid(),
        }
    }))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
