//! A private Asterisk for the demo and for tests: our child, on loopback ports of its own, in a directory of its own.

mod error;
mod home;
mod ports;
mod process;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub use self::error::StartError;
use self::home::{Home, Secrets};
use self::ports::Ports;
use self::process::Process;
use crate::domain::instance::AsteriskSettings;
use crate::domain::invalid::Invalid;
use crate::domain::random::{self, Randomness};
use crate::driver::asterisk::Program;
use crate::wire::ami::{self, Config};

/// It is up in half a second (measured); a busy machine needs longer.
const LONGEST_START: Duration = Duration::from_mins(1);
/// How often the ports are chosen anew when somebody took one.
const TRIES: usize = 3;
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HOST: &str = "127.0.0.1";
const DAEMON: &str = "switchyard";
const OUTSIDE: &str = "outside";

/// What a private PBX is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything of it lies; made if it is missing, taken over if it is there.
    pub directory: PathBuf,
    /// The `asterisk` program; by default the one of the PATH.
    pub program: Option<PathBuf>,
}

/// An account of the manager interface.
pub struct ManagerAccount {
    /// Its name.
    pub username: String,
    /// Its secret.
    pub secret: SecretString,
}

/// A running private PBX. It stops when this is dropped, and dies with the daemon however that ends.
pub struct PrivatePbx {
    process: Process,
    program: Program,
    settings: AsteriskSettings,
    sip: SocketAddr,
    secrets: Secrets,
}

impl PrivatePbx {
    /// Starts one and returns when it is up and answers.
    pub async fn start(options: &Options, random: &dyn Randomness) -> Result<Self, StartError> {
        let home = Home::prepare(&options.directory)?;
        let program = match &options.program {
            Some(path) => Program::new(path.clone(), home.run_as()),
            None => Program::on_path(home.run_as())?,
        };
        let version = program.version().await?;
        tracing::debug!(version, program = %program.path().display(), "starting a private PBX");
        let mut tries = 1;
        loop {
            match Self::boot(&home, &program, random).await {
                Err(StartError::PortTaken(_)) if tries < TRIES => tries += 1,
                result => return result,
            }
        }
    }

    /// How the driver reaches it.
    #[must_use]
    pub fn settings(&self) -> &AsteriskSettings {
        &self.settings
    }

    /// The secret of the account in the settings.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.secrets.daemon
    }

    /// A second account with every right, for looking from outside.
    #[must_use]
    pub fn outside(&self) -> ManagerAccount {
        ManagerAccount {
            username: OUTSIDE.to_owned(),
            secret: self.secrets.outside.clone(),
        }
    }

    /// Where phones sign in, over UDP and TCP.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// The program that runs, with its user: also good for rehearsals.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Waits until it has ended by itself, and tells how.
    pub async fn ended(&mut self) -> String {
        self.process.ended().await
    }

    /// Stops it and waits for its end.
    pub async fn stop(self) {
        self.process.stop().await;
    }

    async fn boot(home: &Home, program: &Program, random: &dyn Randomness) -> Result<Self, StartError> {
        let secret = || random::text(random, LETTERS, 32).map(SecretString::from);
        let secrets = Secrets {
            daemon: secret()?,
            outside: secret()?,
        };
        let ports = Ports::find(home.last_ports()).map_err(StartError::Ports)?;
        home.write(&ports, &secrets)?;
        let settings = settings(home, ports.ami)?;
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.sip));
        let command = command(home, program)?;
        // Asterisk is about to open them.
        drop(ports);
        let process = Process::start(command, home.lock()?)
            .await
            .map_err(|source| StartError::Start {
                program: program.path().display().to_string(),
                source,
            })?;
        let pbx = Self {
            process,
            program: program.clone(),
            settings,
            sip,
            secrets,
        };
        match pbx.wait_until_up(home).await {
            Ok(()) => Ok(pbx),
            Err(error) => {
                pbx.stop().await;
                Err(error)
            }
        }
    }

    async fn wait_until_up(&self, home: &Home) -> Result<(), StartError> {
        let deadline = Instant::now() + LONGEST_START;
        loop {
            let up = tokio::time::timeout_at(deadline, self.is_up()).await;
            // Before the answer counts: it might come from whoever took the port.
            let log = home.last_lines();
            if let Some(line) = log.iter().find(|line| line.contains("Address already in use")) {
                return Err(StartError::PortTaken(line.clone()));
            }
            if up == Ok(true) {
                return Ok(());
            }
            let log = log.join("\n");
            if let Some(how) = self.process.has_ended() {
                return Err(StartError::Ended { how, log });
            }
            if Instant::now() >= deadline {
                return Err(StartError::TooSlow {
                    seconds: LONGEST_START.as_secs(),
                    log,
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Signs in, and has Asterisk answer when it has started everything.
    async fn is_up(&self) -> bool {
        let config = Config::new(
            HOST,
            self.settings.ami_port,
            OUTSIDE,
            self.secrets.outside.clone(),
        );
        let Ok((client, connection)) = ami::connect(&config).await else {
            return false;
        };
        tokio::select! {
            answer = client.command("core waitfullybooted", LONGEST_START) => answer.is_ok(),
            _ = connection.run(CancellationToken::new()) => false,
        }
    }
}

fn settings(home: &Home, ami_port: u16) -> Result<AsteriskSettings, Invalid> {
    Ok(AsteriskSettings {
        ami_host: HOST.parse()?,
        ami_port,
        ami_username: DAEMON.parse()?,
        config_dir: home.config().clone(),
        ami_tls: None,
        log_file: Some(home.warnings().clone()),
        recordings_dir: Some(home.recordings().clone()),
        emergency_numbers: Vec::new(),
    })
}

/// Asterisk in the foreground, as its own user and tied to the thread that starts it.
fn command(home: &Home, program: &Program) -> Result<Command, StartError> {
    let console = home.console();
    let output = home
        .create_console()
        .and_then(|file| Ok((file.try_clone()?, file)))
        .map_err(|error| StartError::write(&console, error))?;
    let mut words = program
        .tied_to_us()
        .into_iter()
        .chain([program.path().as_os_str().to_owned()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command
        .args(words)
        .arg("-f")
        .arg("-C")
        .arg(home.main_file())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output.0)
        .stderr(output.1);
    Ok(command)
}
