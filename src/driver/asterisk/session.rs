//! One manager session for the length of one order, with its errors told by what is known afterwards.

use std::time::Duration;

use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::domain::artifact::ConfFile;
use crate::domain::instance::AsteriskSettings;
use crate::driver::DriverError;
use crate::wire::ami::{self, Action, Client, Config, EventMask, FeedError, List, Message};

type Source = Box<dyn std::error::Error + Send + Sync>;

const NOT_BOOTED: &str =
    "Asterisk did not say that it has started; give the account `read = system` in manager.conf";

/// A question is answered in milliseconds; a reload of a large file takes many seconds (telephony facts: 18 s).
const ANSWER: Duration = Duration::from_secs(30);
/// A start with 20,000 endpoints took 17 s (telephony facts).
const BOOT: Duration = Duration::from_mins(1);
const RELOAD: Duration = Duration::from_mins(2);
/// Reading 23 MB of endpoints took 13 s, 76 MB more than two minutes (measured): it grows with the square.
const RELOAD_PER_MEGABYTE: Duration = Duration::from_secs(5);
/// Between two tries while another reload runs.
const PAUSE: Duration = Duration::from_millis(250);

/// A signed-in connection; it ends when this is dropped.
pub struct Session {
    client: Client,
    _connection: JoinSet<()>,
}

impl Session {
    /// Connects, signs in, and waits until Asterisk has started.
    ///
    /// While it starts it accepts logins, but answers questions with "unknown command" or an empty value (measured):
    /// nothing it says before its `FullyBooted` may be believed. It sends that to each new session too.
    pub async fn open(settings: &AsteriskSettings, secret: &SecretString) -> Result<Self, DriverError> {
        let unreachable = |source: Source| DriverError::Unreachable {
            what: "the manager interface".to_owned(),
            source,
        };
        let mut config = Config::new(
            settings.ami_host.as_str(),
            settings.ami_port,
            settings.ami_username.as_str(),
            secret.clone(),
        );
        config.events = EventMask::Classes(vec!["system".to_owned()]);
        let (client, connection) = ami::connect(&config)
            .await
            .map_err(|error| unreachable(error.into()))?;
        let mut events = client.events();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // How the link ended reaches every request that was under way.
            let _ = connection.run(CancellationToken::new()).await;
        });
        let booted = async {
            loop {
                match events.next().await {
                    Ok(event) if event.event() == Some("FullyBooted") => return Ok(()),
                    Ok(_) | Err(FeedError::Lost(_)) => {}
                    Err(error) => return Err(unreachable(error.into())),
                }
            }
        };
        match timeout(BOOT, booted).await {
            Ok(booted) => booted?,
            Err(_) => return Err(unreachable(NOT_BOOTED.into())),
        }
        Ok(Self {
            client,
            _connection: tasks,
        })
    }

    /// One action with one answer.
    pub async fn ask(&self, name: &str, headers: &[(&str, &str)]) -> Result<Message, DriverError> {
        let action = action(name, headers)?;
        self.client
            .request(action, ANSWER)
            .await
            .map_err(|error| told(name, error))
    }

    /// One action with a list; `None` where Asterisk says that there is nothing.
    pub async fn list(&self, name: &str, headers: &[(&str, &str)]) -> Result<Option<List>, DriverError> {
        let action = action(name, headers)?;
        match self.client.list(action, ANSWER).await {
            Ok(list) => Ok(Some(list)),
            // How Asterisk 22 words an empty answer: an unknown endpoint, an unknown context; a mailbox that is not
            // there gets a "Success" without a list.
            Err(ami::Error::Refused { message, .. }) if says_absent(&message) => Ok(None),
            Err(ami::Error::Answer {
                reason: ami::AnswerError::NotAList { .. },
                ..
            }) => Ok(None),
            Err(error) => Err(told(name, error)),
        }
    }

    /// The value of a dialplan function or global variable; empty where there is none.
    pub async fn variable(&self, name: &str) -> Result<String, DriverError> {
        let answer = self.ask("Getvar", &[("Variable", name)]).await?;
        Ok(answer.get("Value").unwrap_or_default().to_owned())
    }

    /// Has Asterisk read one of our files again, of `size` bytes. Its "Success" says nothing about the file.
    pub async fn reload(&self, file: ConfFile, size: u64) -> Result<(), DriverError> {
        let megabytes = u32::try_from(size / 1_000_000).unwrap_or(u32::MAX);
        let limit = RELOAD.saturating_add(RELOAD_PER_MEGABYTE.saturating_mul(megabytes));
        let end = Instant::now() + limit;
        loop {
            let action = action("Reload", &[("Module", file.module())])?;
            match self.client.request(action, limit).await {
                Ok(_) => return Ok(()),
                // Somebody else's, or one of ours that nobody waited for any more.
                Err(ami::Error::Refused { message, .. })
                    if message.contains("reload is in progress") && Instant::now() < end =>
                {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(told("Reload", error)),
            }
        }
    }
}

fn action(name: &str, headers: &[(&str, &str)]) -> Result<Action, DriverError> {
    let mut action = Action::new(name).map_err(|error| DriverError::not_applied(name, error))?;
    for (key, value) in headers {
        action = action
            .header(*key, *value)
            .map_err(|error| DriverError::not_applied(name, error))?;
    }
    Ok(action)
}

fn says_absent(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["unable to retrieve", "did not find"]
        .iter()
        .any(|words| message.contains(words))
}

fn told(what: &str, error: ami::Error) -> DriverError {
    let what = what.to_owned();
    match error {
        ami::Error::Refused { .. } => DriverError::Refused {
            what,
            source: error.into(),
        },
        ami::Error::Unsent { .. } => DriverError::Unreachable {
            what,
            source: error.into(),
        },
        ami::Error::Unknown { .. } | ami::Error::Answer { .. } => DriverError::Unknown {
            what,
            source: error.into(),
        },
    }
}
