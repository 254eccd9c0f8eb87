//! What the built program tells the service manager that started it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);
/// After this long without a word systemd would end the service.
const WATCHDOG: Duration = Duration::from_secs(1);

/// Stands for systemd: a socket to be told on, and a program that was started with it.
struct Manager {
    directory: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        let manager = Self { directory, socket };
        let migrated = manager.command(&["db", "migrate"]).status().unwrap();
        assert!(migrated.success());
        manager
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let at = |name: &str| self.directory.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .args(arguments)
            .env_clear()
            .env("NOTIFY_SOCKET", at("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env(
                "SWITCHYARD_DATABASE_URL",
                format!("sqlite:{}", at("test.db").display()),
            )
            .env("SWITCHYARD_STATE_DIR", at("state"))
            .env("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:0")
            .env("SWITCHYARD_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The next that it is told; nothing when nobody says anything for so long.
    fn hear(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }
}

/// Killed when the test does not get to its end.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended already where the test came to its end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Started {
    fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn health(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn ready_when_it_serves_alive_in_time_and_stopping_at_its_end() {
    let manager = Manager::new();
    let mut serve = Started(
        manager
            .command(&["serve"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut log = BufReader::new(serve.0.stderr.take().unwrap());
    let ready = manager.hear(LONG).expect("it says nothing");
    assert!(ready.lines().any(|line| line == "READY=1"), "{ready}");
    let address = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
        let event: Value = serde_json::from_str(&line).unwrap();
        if let Some(address) = event["address"].as_str() {
            break address.to_owned();
        }
    };
    assert!(health(&address).starts_with("HTTP/1.1 200"));

    let began = Instant::now();
    let mut beats = 0;
    while began.elapsed() < WATCHDOG * 3 {
        let word = manager.hear(WATCHDOG).expect("the watchdog would have ended it");
        assert_eq!(word.trim_end(), "WATCHDOG=1");
        beats += 1;
    }
    assert!(
        (4..=8).contains(&beats),
        "{beats} in three times the watchdog's time"
    );

    kill_process(
        Pid::from_raw(serve.0.id().try_into().unwrap()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    let stopping = loop {
        let word = manager.hear(LONG).expect("it does not say that it stops");
        if word.trim_end() != "WATCHDOG=1" {
            break word;
        }
    };
    assert!(stopping.lines().any(|line| line == "STOPPING=1"), "{stopping}");
    assert_eq!(serve.ended(), Some(0));
}

#[test]
fn never_ready_when_it_cannot_serve() {
    let manager = Manager::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = manager.command(&["serve"]);
    let mut serve = Started(command.env("SWITCHYARD_HTTP_LISTEN", address).spawn().unwrap());
    assert_eq!(serve.ended(), Some(1));
    assert_eq!(manager.hear(Duration::from_millis(50)), None);
}

/// As the unit hands it over: a file named like the key, below a directory that the environment names.
#[test]
fn the_sealing_key_comes_as_a_credential() {
    let manager = Manager::new();
    let credentials = manager.directory.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("sealing.key"), "a".repeat(64)).unwrap();
    let mut command = manager.command(&["config", "check", "--json"]);
    let checked = command
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(checked.status.success());
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.contains("credential") && !said.contains("aaaa"), "{said}");
}
