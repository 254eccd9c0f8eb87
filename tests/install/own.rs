//! An Asterisk of an operator's: stock configuration in a directory of its own, on ports of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::geteuid;
use tempfile::TempDir;

use super::host::{Ended, Host};
use super::support::pbx::{open_directory, program};
use super::support::stock::{asterisk_group, copy, modules, stock};
use super::support::wait::until;

/// What of the stock modules would listen on fixed ports, or on other addresses than loopback.
const LISTENERS: [&str; 5] = [
    "chan_iax2.so",
    "pbx_dundi.so",
    "chan_unistim.so",
    "chan_ooh323.so",
    "chan_mgcp.so",
];

/// A file or a directory.
#[derive(PartialEq, Eq)]
pub struct Entry {
    pub bytes: Option<Vec<u8>>,
    uid: u32,
    gid: u32,
    mode: u32,
    changed: Option<i64>,
}

/// All of a directory, by path.
pub type Everything = BTreeMap<PathBuf, Entry>;

/// The same, whenever it was written.
pub fn timeless(mut all: Everything) -> Everything {
    for entry in all.values_mut() {
        entry.changed = None;
    }
    all
}

/// The operator's Asterisk, and the host that it is on.
pub struct Own {
    pub host: Host,
    directory: TempDir,
    process: Option<Child>,
}

impl Own {
    /// Configured, and not started.
    pub fn stock() -> Self {
        Self::stock_on(Host::ready())
    }

    /// The same on a host that is ready.
    pub fn stock_on(host: Host) -> Self {
        let directory = open_directory();
        let own = Self {
            host,
            directory,
            process: None,
        };
        fs::create_dir(own.path("etc")).unwrap();
        copy(&stock(), &own.path("etc"));
        for name in ["lib", "lib/keys", "log", "run", "spool", "cache"] {
            fs::create_dir(own.path(name)).unwrap();
        }
        own.settle();
        own.give_to_asterisk();
        own
    }

    /// Directories and ports of its own, as an operator has a transport of his own.
    fn settle(&self) {
        let home = self.directory.path().display();
        let main = format!(
            "[directories]\nastetcdir => {home}/etc\nastvarlibdir => {home}/lib\nastdbdir => {home}/lib\nastkeydir => \
             {home}/lib\nastspooldir => {home}/spool\nastrundir => {home}/run\nastlogdir => {home}/log\nastcachedir => \
             {home}/cache\n"
        );
        fs::write(self.etc("asterisk.conf"), main).unwrap();
        let ami = free_tcp();
        self.edit("manager.conf", |text| {
            text.replacen("port = 5038", &format!("port = {ami}"), 1)
        });
        let sip = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        self.edit("pjsip.conf", |text| {
            format!("{text}\n[mine]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{sip}\n")
        });
        let noloads = format!("noload => {}\n", LISTENERS.join("\nnoload => "));
        self.edit("modules.conf", |text| {
            text.replacen("[modules]\n", &format!("[modules]\n{noloads}"), 1)
        });
    }

    fn give_to_asterisk(&self) {
        if geteuid().is_root() {
            for path in below(self.directory.path()) {
                chown(path, Some(asterisk_user()), Some(asterisk_group())).unwrap();
            }
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of the operator's configuration.
    pub fn etc(&self, name: &str) -> PathBuf {
        self.path("etc").join(name)
    }

    /// Changes one of them as the operator would: owner and mode stay.
    pub fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let path = self.etc(name);
        let text = fs::read_to_string(&path).unwrap();
        let changed = change(text.clone());
        assert_ne!(changed, text, "{name}");
        fs::write(&path, changed).unwrap();
    }

    /// The words of `pbx install` for this one.
    pub fn install(&self, more: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = ["pbx", "install", "pbx1", "--asterisk-dir"]
            .map(str::to_owned)
            .to_vec();
        words.push(self.path("etc").display().to_string());
        words.push("--asterisk-group".to_owned());
        words.push(asterisk_group().to_string());
        words.push("--modules-dir".to_owned());
        words.push(modules().display().to_string());
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[String]) -> Ended {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.host.run(&words)
    }

    /// Every file and directory below the configuration.
    pub fn everything(&self) -> Everything {
        below(&self.path("etc"))
            .into_iter()
            .filter(|path| *path != self.path("etc"))
            .map(|path| {
                let found = fs::symlink_metadata(&path).unwrap();
                let entry = Entry {
                    bytes: found.is_file().then(|| fs::read(&path).unwrap()),
                    uid: found.uid(),
                    gid: found.gid(),
                    mode: found.mode(),
                    changed: found.is_file().then(|| found.mtime_nsec()),
                };
                (path, entry)
            })
            .collect()
    }

    /// The same, whenever it was written.
    pub fn content(&self) -> Everything {
        timeless(self.everything())
    }

    /// Starts it, and returns when it is up.
    pub async fn start(&mut self) {
        let mut command = Command::new(program());
        command
            .args(["-f", "-C"])
            .arg(self.etc("asterisk.conf"))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if geteuid().is_root() {
            command.uid(asterisk_user()).gid(asterisk_group());
        }
        self.process = Some(command.spawn().unwrap());
        until("Asterisk is up", || {
            self.try_console("core waitfullybooted")
                .is_some_and(|said| said.contains("fully booted"))
        })
        .await;
    }

    fn try_console(&self, line: &str) -> Option<String> {
        let mut command = Command::new(program());
        command
            .arg("-C")
            .arg(self.etc("asterisk.conf"))
            .args(["-rx", line])
            .current_dir("/");
        let ended = command.output().unwrap();
        ended
            .status
            .success()
            .then(|| String::from_utf8_lossy(&ended.stdout).into_owned())
    }

    /// What a line of its console prints.
    pub fn console(&self, line: &str) -> String {
        self.try_console(line).unwrap()
    }
}

/// Killed, and waited for, before its directory is removed.
impl Drop for Own {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Whom Asterisk runs as: nobody where root runs the tests, else whoever does.
pub fn asterisk_user() -> u32 {
    if geteuid().is_root() {
        65534
    } else {
        geteuid().as_raw()
    }
}

pub fn free_tcp() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn below(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_owned()];
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            all.extend(below(&entry.unwrap().path()));
        }
    }
    all
}
