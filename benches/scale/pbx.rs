//! A private Asterisk, spoken to from outside with every right.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use switchyard::daemon::private_pbx::{Options, PrivatePbx};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::random::SystemRandom;
use switchyard::wire::ami::{self, Action, Client, Config, Message};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Outcome;

/// What takes longer than this is told as such, and ends the part.
const LONGEST: Duration = Duration::from_mins(5);

/// The `asterisk` program.
pub fn asterisk() -> Outcome<PathBuf> {
    if let Some(named) = std::env::var_os("SWITCHYARD_TEST_ASTERISK") {
        return Ok(std::path::absolute(named)?);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&path).map(|directory| directory.join("asterisk"));
    let there = all.find(|path| path.is_file());
    Ok(there.ok_or("there is no `asterisk` on the PATH")?)
}

/// A directory that the ordinary user may pass who Asterisk runs as when root measures.
pub fn open_directory() -> Outcome<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let rights = std::fs::Permissions::from_mode(0o711);
    Ok(tempfile::Builder::new().permissions(rights).tempdir()?)
}

/// A running Asterisk.
pub struct Pbx {
    pub private: PrivatePbx,
    client: Client,
    _connection: JoinSet<()>,
}

impl Pbx {
    pub async fn start(directory: &Path) -> Outcome<Self> {
        let options = Options {
            directory: directory.join("pbx"),
            program: Some(asterisk()?),
        };
        let private = PrivatePbx::start(&options, &SystemRandom).await?;
        let account = private.outside();
        let port = private.settings().ami_port;
        let config = Config::new("127.0.0.1", port, account.username, account.secret);
        let (client, connection) = ami::connect(&config).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // How the link ended reaches every request that was under way.
            let _ = connection.run(CancellationToken::new()).await;
        });
        Ok(Self {
            private,
            client,
            _connection: tasks,
        })
    }

    /// Where Asterisk reads a file of ours.
    pub fn live(&self, file: Artifact) -> PathBuf {
        let directory = self.private.settings().config_dir.as_path().join("live");
        directory.join(file.as_str())
    }

    /// Gives files a new time, so that Asterisk reads them again, though they hold the same bytes.
    pub fn touch(&self, files: &[Artifact]) -> Outcome<()> {
        for file in files {
            let file = File::options().append(true).open(self.live(*file))?;
            file.set_modified(SystemClock.now().into())?;
        }
        Ok(())
    }

    /// The bare `module reload` of the modules that read these files, and nothing else.
    pub async fn reload(&self, files: &[Artifact]) -> Outcome<Duration> {
        let begun = Instant::now();
        for file in files {
            let action = Action::new("Reload")?.header("Module", file.module())?;
            self.client.request(action, LONGEST).await?;
        }
        Ok(begun.elapsed())
    }

    /// Every channel.
    pub async fn channels(&self) -> Outcome<Vec<Message>> {
        let action = Action::new("CoreShowChannels")?;
        Ok(self.client.list(action, LONGEST).await?.events)
    }

    /// The last line that a command prints.
    pub async fn console(&self, line: &str) -> Outcome<String> {
        let lines = self.client.command(line, LONGEST).await?;
        Ok(lines
            .into_iter()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or_default())
    }
}
