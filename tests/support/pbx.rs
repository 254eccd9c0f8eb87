//! A private Asterisk for one test.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use switchyard::daemon::private_pbx::{Options, PrivatePbx};
use switchyard::domain::random::SystemRandom;
use tempfile::TempDir;

use super::ami::Ami;

/// The `asterisk` program to test with.
pub fn program() -> PathBuf {
    std::env::var_os("SWITCHYARD_TEST_ASTERISK")
        .map(PathBuf::from)
        .expect("SWITCHYARD_TEST_ASTERISK is not set; run ./scripts/test, it installs Asterisk")
}

/// A directory that other users may enter.
pub fn open_directory() -> TempDir {
    directory(0o755)
}

/// A directory that nobody else may enter.
pub fn closed_directory() -> TempDir {
    directory(0o700)
}

fn directory(mode: u32) -> TempDir {
    tempfile::Builder::new()
        .prefix("switchyard-test-")
        .permissions(Permissions::from_mode(mode))
        .tempdir()
        .unwrap()
}

/// The process of the Asterisk in a directory, as it wrote it down itself.
pub fn pid(home: &Path) -> u32 {
    let text = std::fs::read_to_string(home.join("run/asterisk.pid")).unwrap();
    text.trim().parse().unwrap()
}

/// Whether a process runs: one that has ended and was not waited for yet does not, once the last of its threads is gone.
/// Until then its sockets are open.
pub fn runs(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    threads.flatten().any(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status
            .lines()
            .any(|line| line.starts_with("State:") && !line.contains('Z') && !line.contains('X'))
    })
}

/// Kills a process that this test started and waits until it is gone.
pub fn kill(pid: u32) {
    let process = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    for _ in 0..3000 {
        if !runs(pid) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} cannot be killed");
}

/// A running private Asterisk; it is gone when this is dropped.
pub struct Pbx {
    pub private: PrivatePbx,
    pub directory: TempDir,
    pid: u32,
}

impl Pbx {
    pub async fn start() -> Self {
        let directory = open_directory();
        let options = Options {
            directory: directory.path().join("pbx"),
            program: Some(program()),
        };
        let private = PrivatePbx::start(&options, &SystemRandom).await.unwrap();
        let pid = pid(&options.directory);
        Self {
            private,
            directory,
            pid,
        }
    }

    /// Signs in from outside, with every right.
    pub fn ami(&self) -> Ami {
        Ami::outside(&self.private)
    }

    /// Gives it a further manager account, with these lines of `manager.conf` and the secret `secret`.
    pub fn add_account(&self, name: &str, lines: &str) {
        let path = self.home().join("etc/manager.conf");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\n[{name}]\nsecret = secret\n{lines}\n")).unwrap();
        self.ami().console("manager reload");
    }

    /// Where everything of it lies.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("pbx")
    }
}

/// Killed, since an orderly stop takes a second, and before its directory is removed.
impl Drop for Pbx {
    fn drop(&mut self) {
        if runs(self.pid) {
            kill(self.pid);
        }
    }
}

/// An Asterisk that was killed, again, on the same ports; gone when this is dropped.
pub struct Restarted(Child);

impl Restarted {
    pub fn start(pbx: &Pbx) -> Self {
        let program = pbx.private.program();
        let mut command = Command::new(program.path());
        command
            .arg("-f")
            .arg("-C")
            .arg(pbx.home().join("etc/asterisk.conf"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(user) = program.run_as() {
            command.uid(user.uid).gid(user.gid);
        }
        Self(command.spawn().unwrap())
    }
}

impl Drop for Restarted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
