//! A host whose Asterisk is watched, and the commands that are typed there.

use std::process::Output;
use std::sync::Mutex;

use serde_json::Value;
use switchyard::domain::deployment::DeploymentStatus;
use tokio::process::Command;

use super::support::database::Backend;
use super::support::host::Host;
use super::support::victim::Victim;
use super::watch::Watch;

/// The tenants that every host has.
pub const ACME: &str = "acme.example.com";
pub const GLOBEX: &str = "globex.example.com";
/// The platform's button.
pub const PLATFORM: [&str; 3] = ["apply", "--instance", "main"];

/// How often each hand does what it does.
pub fn rounds() -> usize {
    let long = std::env::var_os("SWITCHYARD_TEST_ALL").is_some();
    if long { 12 } else { 3 }
}

/// Who drives the PBX for a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// The command, or a daemon: whoever is first.
    Anybody,
    /// A daemon: the command is typed on another host.
    Daemon,
    /// A daemon too, and the command does not wait for it.
    LaterDaemon,
}

impl By {
    /// One after the other.
    pub fn turn(round: usize) -> Self {
        if round.is_multiple_of(2) {
            Self::Anybody
        } else {
            Self::Daemon
        }
    }
}

/// A press of a button, and what came of it.
#[derive(Clone, Debug)]
pub struct Pressed {
    pub code: i32,
    pub record: Value,
}

impl Pressed {
    pub fn id(&self) -> &str {
        self.record["id"].as_str().unwrap()
    }

    /// As it stood when the command ended.
    pub fn status(&self) -> DeploymentStatus {
        self.record["status"].as_str().unwrap().parse().unwrap()
    }

    #[track_caller]
    pub fn expect(self, allowed: &[DeploymentStatus]) -> Self {
        assert!(allowed.contains(&self.status()), "{self:#?}");
        self
    }
}

pub struct Office {
    pub host: Host,
    pub watch: Watch,
    /// Every press of a button.
    pub pressed: Mutex<Vec<Pressed>>,
}

impl Office {
    /// Two tenants of two extensions, live.
    pub async fn new(backend: Backend) -> Self {
        let mut watch = None;
        let host = Host::behind(backend, 2, |port| watch.insert(Watch::before(port)).port).await;
        Self {
            host,
            watch: watch.unwrap(),
            pressed: Mutex::default(),
        }
    }

    /// A command on this host; nothing that somebody may go back to is removed.
    pub fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.host.command(words);
        command.env("SWITCHYARD_DEPLOY_KEEP_GENERATIONS", "100");
        command
    }

    pub fn daemon(&self) -> Victim {
        Victim::spawn(&mut self.command(&["serve"]))
    }

    /// A daemon of another host with the same database.
    pub fn daemon_on(&self, node: &str) -> Victim {
        let mut command = self.command(&["serve"]);
        command.env("SWITCHYARD_NODE_NAME", node);
        command.env("SWITCHYARD_STATE_DIR", self.host.state_dir().join(node));
        Victim::spawn(&mut command)
    }

    /// `switchyard deploy …`, to its end.
    pub async fn press(&self, by: By, words: &[&str]) -> Pressed {
        let mut all = vec!["--json", "deploy"];
        all.extend(words);
        if by == By::LaterDaemon {
            all.extend(["--timeout", "0"]);
        }
        let mut command = self.command(&all);
        if by != By::Anybody {
            command.env("SWITCHYARD_NODE_NAME", "elsewhere");
        }
        let Output {
            status,
            stdout,
            stderr,
        } = Command::from(command).output().await.unwrap();
        let said = String::from_utf8_lossy(&stderr);
        let record = serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{words:?}: {status} {said}"));
        let pressed = Pressed {
            code: status.code().unwrap(),
            record,
        };
        self.pressed.lock().unwrap().push(pressed.clone());
        pressed
    }
}
