//! SIP phones by `sipp`: accounts that sign in, call and are called over real SIP, and what they were told.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::wait::came;

/// The `sipp` program.
fn program() -> PathBuf {
    let on_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut candidates = std::env::split_paths(&path).map(|directory| directory.join("sipp"));
        candidates.find(|candidate| candidate.is_file())
    };
    std::env::var_os("SWITCHYARD_TEST_SIPP")
        .map(PathBuf::from)
        .or_else(on_path)
        .expect("there is no sipp; run ./scripts/test, it installs it (Debian's package sip-tester)")
}

/// An account as a phone is set up with it.
#[derive(Clone)]
pub struct Account {
    pub number: String,
    pub domain: String,
    pub secret: String,
    /// The phone's own port.
    pub port: u16,
}

impl Account {
    pub fn new(number: &str, domain: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self {
            number: number.to_owned(),
            domain: domain.to_owned(),
            secret: super::tenants::secret(number, domain),
            port: socket.local_addr().unwrap().port(),
        }
    }

    pub fn address(&self) -> String {
        format!("{}@{}", self.number, self.domain)
    }
}

/// A message of SIP, and which way it went.
#[derive(Clone, Debug)]
pub struct SipMessage {
    pub received: bool,
    pub text: String,
}

impl SipMessage {
    /// The status, if it is a response.
    pub fn status(&self) -> Option<u16> {
        self.text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Whether it is a request of this method.
    pub fn is(&self, method: &str) -> bool {
        self.text.split(' ').next() == Some(method)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A running scenario; it is killed when this is dropped.
pub struct Sipp {
    child: Child,
    messages: PathBuf,
    screen: PathBuf,
}

impl Sipp {
    /// Runs a scenario of `tests/asterisk/sipp` as an account.
    pub fn start(
        scenario: &str,
        pbx: SocketAddr,
        account: &Account,
        keys: &[(&str, &str)],
        directory: &Path,
    ) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/asterisk/sipp/{scenario}.xml"));
        let own = tempfile::Builder::new()
            .prefix(&format!("{scenario}-{}-", account.number))
            .tempdir_in(directory)
            .unwrap()
            .keep();
        let (messages, screen) = (own.join("messages"), own.join("screen"));
        let output = File::create(&screen).unwrap();
        let mut command = Command::new(program());
        command
            .arg(pbx.to_string())
            .args(["-sf".as_ref(), file.as_os_str()])
            .args(["-i", "127.0.0.1", "-p", &account.port.to_string(), "-nostdin"])
            .args(["-au", &account.number, "-ap", &account.secret])
            .args([
                "-key",
                "number",
                &account.number,
                "-key",
                "domain",
                &account.domain,
            ])
            .args([
                "-trace_msg".as_ref(),
                "-message_file".as_ref(),
                messages.as_os_str(),
            ])
            .current_dir(&own)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        for (key, value) in keys {
            command.args(["-key", key, value]);
        }
        if matches!(scenario, "register" | "call") {
            // These begin by themselves, and are at their end after one round.
            command.args(["-m", "1", "-timeout", "60s", "-timeout_error"]);
        }
        Self {
            child: command.spawn().unwrap(),
            messages,
            screen,
        }
    }

    /// What was sent and received so far, in order.
    pub fn heard(&self) -> Vec<SipMessage> {
        let log = std::fs::read(&self.messages).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.split("-----------------------------------------------")
            .filter_map(|entry| {
                let (head, text) = entry.split_once("\n\n")?;
                Some(SipMessage {
                    received: head.contains("received"),
                    text: text.trim_start().to_owned(),
                })
            })
            .collect()
    }

    /// The statuses that were received, without repetition.
    pub fn statuses(&self) -> Vec<u16> {
        let mut statuses: Vec<u16> = self
            .heard()
            .iter()
            .filter(|message| message.received)
            .filter_map(SipMessage::status)
            .collect();
        statuses.dedup();
        statuses
    }

    /// The first request of a method that was received.
    pub fn request(&self, method: &str) -> Option<SipMessage> {
        let mut heard = self.heard().into_iter();
        heard.find(|message| message.received && message.is(method))
    }

    /// Where the other side of an answered call listens.
    pub fn media_of_the_other_side(&self) -> SocketAddr {
        let heard = self.heard();
        let answer = heard
            .iter()
            .rfind(|message| message.status() == Some(200))
            .unwrap();
        let line = answer
            .text
            .lines()
            .find_map(|line| line.strip_prefix("m=audio "))
            .unwrap();
        let port = line.split(' ').next().unwrap();
        SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
    }

    /// Waits until a status has come.
    pub async fn status(&self, status: u16) {
        let came = came(|| self.statuses().contains(&status)).await;
        assert!(came, "{status} did not come: {:#?}", self.heard());
    }

    /// Waits for the end of a scenario that ends by itself, blocking; whether it came to its last line.
    pub fn wait(&mut self) -> bool {
        self.child.wait().unwrap().success()
    }

    /// Waits for the end of the scenario; whether it came to its last line.
    pub async fn ended(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            let screen = || std::fs::read_to_string(&self.screen).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "sipp does not end: {:#?}\n{}",
                self.heard(),
                screen()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
