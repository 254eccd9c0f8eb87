//! A host of its own for each test: a directory with database, key and state, and the program with nothing else set.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::support::database::{Backend, Bench};

/// The SIP domain of the tenant that [`Host::with_tenant`] makes.
pub const ACME: &str = "acme.example.com";

/// A host, gone with the value.
pub struct Host {
    directory: TempDir,
    variables: Vec<(String, String)>,
    // Dropped with the host.
    _postgres: Option<Bench>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Host {
    /// SQLite is configured, and nothing is made yet.
    pub fn bare() -> Self {
        Self::on(None)
    }

    /// With a migrated database and a sealing key.
    pub fn ready() -> Self {
        Self::bare().prepared()
    }

    /// The same on PostgreSQL.
    pub fn on_postgres() -> Self {
        Self::on(Some(postgres())).prepared()
    }

    /// With an instance `pbx1` that nothing answers for, and one tenant on it.
    pub fn with_tenant() -> Self {
        let host = Self::ready();
        host.add_tenant();
        host
    }

    fn on(postgres: Option<Bench>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("switchyard.db");
        let database = match &postgres {
            Some(postgres) => postgres.text.clone(),
            None => format!("sqlite:{}", file.display()),
        };
        let mut host = Self {
            directory,
            variables: Vec::new(),
            _postgres: postgres,
        };
        host.set("SWITCHYARD_DATABASE_URL", &database);
        host.set("SWITCHYARD_STATE_DIR", &host.path("state").display().to_string());
        host.set("SWITCHYARD_NODE_NAME", "here");
        host
    }

    fn prepared(mut self) -> Self {
        self.ok(&["db", "migrate"]);
        let key = self.path("sealing.key").display().to_string();
        self.ok(&["key", "generate", "--out", &key]);
        self.set("SWITCHYARD_SEALING_KEY_FILE", &key);
        self
    }

    /// Adds an instance `pbx1` that nothing answers for, and a tenant on it.
    pub fn add_tenant(&self) {
        self.add_instance("pbx1");
        self.ok(&["tenant", "add", "--name", "Acme Inc.", "--domain", ACME]);
    }

    /// Adds an instance whose manager port nobody listens on.
    pub fn add_instance(&self, name: &str) {
        self.add_instance_with(name, &[]);
    }

    /// The same with more arguments.
    pub fn add_instance_with(&self, name: &str, more: &[&str]) {
        let directory = self.path(&format!("config-{name}"));
        fs::create_dir_all(&directory).unwrap();
        let directory = directory.display().to_string();
        let secret = self.file("ami-secret", "hunter2hunter2\n");
        let mut words = vec!["instance", "add", "--name", name, "--ami-port", "1"];
        words.extend(["--ami-username", "switchyard", "--ami-secret-file", &secret]);
        words.extend(["--config-dir", &directory]);
        words.extend(more);
        self.ok(&words);
    }

    /// Adds an extension to the tenant that [`Host::add_tenant`] makes; gives it with its secrets.
    #[track_caller]
    pub fn add_extension(&self, number: &str, name: &str) -> Value {
        let words = [
            "extension",
            "add",
            "--tenant",
            ACME,
            "--number",
            number,
            "--name",
            name,
        ];
        self.json(&words)
    }

    /// Sets an environment variable of the program.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Takes an environment variable away.
    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(other, _)| other != name);
    }

    /// A path in the host's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file that only its owner reads, and gives its path.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    /// The program, with this host's environment and no other.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(Path::new("/"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs a command that reads this from standard input.
    pub fn typed(&self, arguments: &[&str], text: &str) -> Ended {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Runs a command that must do as asked without a word on standard error; gives its output.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(
            (ended.code, ended.err.as_str()),
            (0, ""),
            "{arguments:?}: {ended:?}"
        );
        ended.out
    }

    /// The same with `--json`; gives the value.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut words = vec!["--json"];
        words.extend(arguments);
        serde_json::from_str(&self.ok(&words)).unwrap()
    }

    /// Runs a command that must end with this code and without a result; gives what it says.
    #[track_caller]
    pub fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (code, ""),
            "{arguments:?}: {ended:?}"
        );
        ended.err
    }
}

/// An empty database; made on a thread of its own, since a test may be in the middle of an asynchronous one.
fn postgres() -> Bench {
    let made = std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(Bench::empty(Backend::Postgres))
    });
    made.join().unwrap()
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
