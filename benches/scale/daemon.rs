//! The program as it is installed, serving a box: how soon it is ready, and what memory it takes.

use std::io::{Write as _, stdout};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UnixDatagram;
use tokio::time::{sleep, timeout};

use super::Outcome;
use super::box_of_tenants::{Shadow, variables};
use super::memory::{memory, processor_time};
use super::times::Times;

const ROUNDS: usize = 9;
/// A start or a stop that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(30);
/// Between two tries to be answered.
const LOOK: Duration = Duration::from_millis(1);

/// A daemon; it ends with this.
pub struct Daemon {
    process: Child,
    url: String,
    client: Client,
    /// Stands for the service manager.
    manager: UnixDatagram,
    /// From the start of the process until it told the service manager.
    told: Duration,
    /// The same until it answered that it is ready.
    answered: Duration,
}

impl Daemon {
    /// Starts it and waits until it is ready.
    pub async fn start(directory: &Path, shadow: Shadow) -> Outcome<Self> {
        Self::start_with(directory, shadow, &[]).await
    }

    /// The same with more of its environment.
    pub async fn start_with(directory: &Path, shadow: Shadow, more: &[(&str, &str)]) -> Outcome<Self> {
        let notify = directory.join("notify");
        let manager = socket(&notify)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("NOTIFY_SOCKET", &notify)
            .env("SWITCHYARD_HTTP_LISTEN", address.to_string())
            .envs(variables(directory, shadow)?)
            .envs(more.iter().copied())
            .stdin(Stdio::null());
        let client = Client::builder().no_proxy().build()?;
        let begun = Instant::now();
        let process = command.spawn()?;
        let mut daemon = Self {
            process,
            url: format!("http://{address}"),
            client,
            manager,
            told: Duration::ZERO,
            answered: Duration::ZERO,
        };
        let told = async {
            let mut word = [0; 4096];
            let length = daemon.manager.recv(&mut word).await?;
            let word = String::from_utf8_lossy(word.get(..length).unwrap_or_default()).into_owned();
            Ok::<_, std::io::Error>((word, begun.elapsed()))
        };
        let answered = async {
            while !daemon.is_ready().await {
                sleep(LOOK).await;
            }
            begun.elapsed()
        };
        let (told, answered) = timeout(LONGEST, async { tokio::join!(told, answered) }).await?;
        let (word, told) = told?;
        if !word.lines().any(|line| line == "READY=1") {
            return Err(format!("instead of being ready it says {word}").into());
        }
        (daemon.told, daemon.answered) = (told, answered);
        Ok(daemon)
    }

    async fn is_ready(&self) -> bool {
        let asked = self.client.get(format!("{}/readyz", self.url)).send().await;
        asked.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// Where it answers.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or(&self.url)
    }

    /// A line of its status, in kB.
    pub fn memory(&self, name: &str) -> Outcome<u64> {
        Ok(memory(self.process.id(), name)?)
    }

    /// What it has used of the processor so far.
    pub fn processor_time(&self) -> Outcome<Duration> {
        Ok(processor_time(self.process.id())?)
    }

    /// Ends it in order.
    pub async fn stop(mut self) -> Outcome<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("no process")?, Signal::TERM)?;
        let ended = async {
            loop {
                match self.process.try_wait() {
                    Ok(None) => sleep(LOOK).await,
                    ended => return ended,
                }
            }
        };
        match timeout(LONGEST, ended).await??.and_then(|status| status.code()) {
            Some(0) => Ok(()),
            code => Err(format!("the daemon ended with {code:?}").into()),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already where it was stopped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(path: &Path) -> Outcome<UnixDatagram> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    Ok(UnixDatagram::bind(path)?)
}

/// From the start of the process to being ready.
pub async fn measure_start(directory: &Path) -> Outcome<()> {
    let [mut told, mut answered] = [Times::default(), Times::default()];
    for _ in 0..ROUNDS {
        let daemon = Daemon::start(directory, Shadow::Never).await?;
        told.push(daemon.told);
        answered.push(daemon.answered);
        daemon.stop().await?;
    }
    writeln!(
        stdout(),
        "start to ready: told to the service manager after {told}, /readyz answered after {answered}"
    )?;
    Ok(())
}
