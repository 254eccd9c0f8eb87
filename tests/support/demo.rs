//! A demo as a process of its own, in a directory of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::pbx::{open_directory, program, runs};

/// Far longer than anything takes.
const LONGEST: Duration = Duration::from_mins(1);

/// Where demos lie, one after the other.
pub struct Place {
    root: TempDir,
}

/// A demo that was started.
pub struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// Reads its log, for a log that nobody reads would stop it.
    log: Option<JoinHandle<String>>,
    /// What it has said so far, line by line.
    pub said: Vec<String>,
}

/// How a demo ended.
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        let root = open_directory();
        // Everything temporary of it too, so that what it starts can be found by this name.
        for name in ["tmp", "empty"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        Self { root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn demo(&self) -> PathBuf {
        self.path("demo")
    }

    /// The demo in this place, with an Asterisk.
    pub fn command(&self) -> Command {
        let mut command = self.any_command();
        command.arg("--asterisk").arg(program());
        command
    }

    /// The demo in this place, on a host without Asterisk.
    pub fn bare_command(&self) -> Command {
        let mut command = self.any_command();
        command.env("PATH", self.path("empty"));
        command
    }

    fn any_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .arg("demo")
            .arg("--dir")
            .arg(self.demo())
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// With one template broken.
    pub fn break_template(&self, whole: &str, broken: &str) -> PathBuf {
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/asterisk/pjsip.conf");
        let text = std::fs::read_to_string(built_in).unwrap();
        assert!(text.contains(whole));
        let directory = self.path("templates");
        std::fs::create_dir_all(directory.join("asterisk")).unwrap();
        std::fs::write(
            directory.join("asterisk/pjsip.conf"),
            text.replacen(whole, broken, 1),
        )
        .unwrap();
        directory
    }

    pub fn start(&self) -> Running {
        Running::start(self.command())
    }

    /// One that has said that it is ready.
    pub fn ready(&self) -> Running {
        let mut running = self.start();
        running.until_ready();
        running
    }

    pub fn record(&self) -> Value {
        let text = std::fs::read_to_string(self.demo().join("demo.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The processes that were started with this place in their arguments, the demo itself left out.
    pub fn asterisks(&self) -> Vec<u32> {
        let here = self.root.path().display().to_string();
        let of_demo = |words: &[String]| words.first().is_some_and(|word| word.ends_with("/switchyard"));
        processes()
            .into_iter()
            .filter(|(pid, words)| {
                words.iter().any(|word| word.contains(&here)) && !of_demo(words) && runs(*pid)
            })
            .map(|(pid, _)| pid)
            .collect()
    }

    /// Asserts that soon no process of this place is left.
    pub fn assert_nothing_is_left(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.asterisks().is_empty() {
            assert!(
                Instant::now() < deadline,
                "{what}: {:?} are left",
                self.asterisks()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut err = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = err.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self {
            child,
            lines,
            log: Some(log),
            said: Vec::new(),
        }
    }

    pub fn until_ready(&mut self) {
        loop {
            match self.lines.recv_timeout(LONGEST) {
                Ok(line) => {
                    let is_ready = line == "ready";
                    self.said.push(line);
                    if is_ready {
                        return;
                    }
                }
                Err(error) => {
                    let _ = self.child.kill();
                    let errors = self.errors();
                    panic!("it was never ready ({error}): {:?} {errors}", self.said);
                }
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }

    pub fn wait(mut self) -> Ended {
        let deadline = Instant::now() + LONGEST;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("it did not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        self.said.extend(self.lines.iter());
        let err = self.errors();
        Ended {
            status,
            out: self.said.join("\n"),
            err,
        }
    }

    /// The orderly end.
    pub fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    fn errors(&mut self) -> String {
        self.log
            .take()
            .map_or_else(String::new, |log| log.join().unwrap())
    }
}

/// A test that fails leaves no demo behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The exit code; none after a signal.
    pub fn code(&self) -> Option<i32> {
        assert_eq!(self.status.signal(), None, "{}", self.err);
        self.status.code()
    }
}

/// Runs a demo to its end.
pub fn run(command: Command) -> Ended {
    Running::start(command).wait()
}

/// Where phones sign in.
pub fn sip(record: &Value) -> SocketAddr {
    record["pbx"]["sip"].as_str().unwrap().parse().unwrap()
}

/// A token of one of a demo's users.
pub async fn sign_in(record: &Value, user: &Value) -> String {
    let login = reqwest::Client::new()
        .post(format!(
            "{}/api/v1/auth/user-login",
            record["api"].as_str().unwrap()
        ))
        .json(&json!({"email": user["email"], "password": user["password"]}));
    let answer = login.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let login: Value = answer.json().await.unwrap();
    assert_eq!(login["user"]["id"], user["id"]);
    login["token"].as_str().unwrap().to_owned()
}

/// The processes of this host with their arguments.
fn processes() -> Vec<(u32, Vec<String>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended meanwhile.
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let words = line
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned());
        found.push((pid, words.collect()));
    }
    found
}
