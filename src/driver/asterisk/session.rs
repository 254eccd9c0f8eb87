//! One manager session for the length of one order, with its errors told by what is known afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt as _;
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::rights::{self, ActionName, LackingRights, Right};
use super::transport::Transport;
use crate::domain::artifact::Artifact;
use crate::domain::instance::{AccountName, AsteriskSettings};
use crate::driver::DriverError;
use crate::wire::ami::{self, Action, Client, EventFeed, FeedError, LinkError, List, Message};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A question is answered in milliseconds; a reload of a large file takes many seconds (telephony facts: 18 s).
const ANSWER: Duration = Duration::from_secs(30);
/// A start with 20,000 endpoints took 17 s (telephony facts).
const BOOT: Duration = Duration::from_mins(1);
const RELOAD: Duration = Duration::from_mins(2);
/// Of a whole generation: reading 23 MB of endpoints took 13 s, 76 MB more than two minutes (measured), for it grows with
/// the square.
const READ_PER_MEGABYTE: Duration = Duration::from_secs(10);
/// Between two tries while another reload runs.
const PAUSE: Duration = Duration::from_millis(250);
/// How long an Asterisk that has started may take to say so; it does with the login, or in the moment it has started.
const SAY: Duration = Duration::from_secs(1);
/// A module that is not there. Asked to read it again, Asterisk says so once it has started, and before that only that
/// it will (measured). Nothing comes of either.
const NO_MODULE: &str = "switchyard-has-it-started";

/// A signed-in connection; it ends when this is dropped.
pub struct Session {
    client: Client,
    _connection: JoinSet<()>,
}

/// A session that has signed in; it may ask once it is known what the account may do, and that Asterisk has started.
pub struct Arrival {
    session: Session,
    events: EventFeed,
    account: AccountName,
    /// Whether Asterisk has said that it has started.
    heard: bool,
}

impl Arrival {
    /// Connects and signs in.
    pub async fn sign_in(
        settings: &AsteriskSettings,
        secret: &SecretString,
        transport: &Transport,
    ) -> Result<Self, LinkError> {
        let config = transport.config(settings, secret);
        let (client, connection) = ami::connect(&config).await?;
        let events = client.events();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // How the link ended reaches every request that was under way.
            let _ = connection.run(CancellationToken::new()).await;
        });
        let session = Session {
            client,
            _connection: tasks,
        };
        Ok(Self {
            session,
            events,
            account: settings.ami_username.clone(),
            heard: false,
        })
    }

    /// The rights that the account lacks, as far as Asterisk tells by itself; whether it has [`Right::ReadSystem`] shows
    /// only by what is heard.
    pub async fn lacking(&mut self) -> Result<Vec<Right>, DriverError> {
        let commands = self.session.ask(ActionName::ListCommands, &[]).await?;
        let allowed: BTreeSet<&str> = commands.fields().map(|(action, _)| action).collect();
        // What Asterisk said on its own came before that answer.
        self.listen(Duration::ZERO).await?;
        Ok(rights::lacking(&allowed))
    }

    /// Whether Asterisk has said that it has started, which it says to accounts that may read it.
    pub fn has_heard(&self) -> bool {
        self.heard
    }

    /// Waits until Asterisk has started.
    ///
    /// While it starts it accepts logins, but answers questions with "unknown command" or an empty value (measured):
    /// nothing it says before its `FullyBooted` may be believed. It sends that to each new session too, before it answers
    /// anything else, if the account may read it.
    pub async fn started(mut self) -> Result<Session, DriverError> {
        let lacking = match self.lacking().await {
            // In its first moments Asterisk refuses everything: that says nothing about the account.
            Err(error @ DriverError::Refused { .. }) if !self.heard => return Err(no_answer(&error)),
            lacking => lacking?,
        };
        if !lacking.is_empty() {
            return Err(self.lacks(lacking));
        }
        let deadline = Instant::now() + BOOT;
        while !self.heard {
            match self
                .session
                .ask(ActionName::Reload, &[("Module", NO_MODULE)])
                .await
            {
                Ok(_) => self.listen(SAY).await?,
                Err(DriverError::Refused { .. }) => {
                    self.listen(SAY).await?;
                    if !self.heard {
                        return Err(self.lacks(vec![Right::ReadSystem]));
                    }
                }
                Err(error) => return Err(no_answer(&error)),
            }
            if Instant::now() >= deadline && !self.heard {
                return Err(unreachable("Asterisk is still starting".into()));
            }
        }
        Ok(self.session)
    }

    /// Listens for at most this long to whether Asterisk says that it has started.
    async fn listen(&mut self, limit: Duration) -> Result<(), DriverError> {
        let heard = async {
            loop {
                match self.events.next().await {
                    Ok(event) if event.event() == Some("FullyBooted") => return Ok(true),
                    Ok(_) | Err(FeedError::Lost(_)) => {}
                    Err(error) => return Err(unreachable(error.into())),
                }
            }
        };
        let heard = if limit.is_zero() {
            heard.now_or_never()
        } else {
            timeout(limit, heard).await.ok()
        };
        self.heard |= heard.unwrap_or(Ok(false))?;
        Ok(())
    }

    fn lacks(&self, lacking: Vec<Right>) -> DriverError {
        let account = self.account.clone();
        DriverError::Refused {
            what: format!("the manager account {account}"),
            source: LackingRights { account, lacking }.into(),
        }
    }
}

impl Session {
    /// Connects, signs in, sees that the account may do all that is asked here, and waits until Asterisk has started.
    pub async fn open(
        settings: &AsteriskSettings,
        secret: &SecretString,
        transport: &Transport,
    ) -> Result<Self, DriverError> {
        let arrival = Arrival::sign_in(settings, secret, transport).await;
        arrival
            .map_err(|error| unreachable(error.into()))?
            .started()
            .await
    }

    /// One action with one answer.
    pub async fn ask(&self, name: ActionName, headers: &[(&str, &str)]) -> Result<Message, DriverError> {
        let action = action(name, headers)?;
        self.client
            .request(action, ANSWER)
            .await
            .map_err(|error| told(name, error))
    }

    /// One action with a list; `None` where Asterisk says that there is nothing.
    pub async fn list(
        &self,
        name: ActionName,
        headers: &[(&str, &str)],
    ) -> Result<Option<List>, DriverError> {
        let action = action(name, headers)?;
        match self.client.list(action, ANSWER).await {
            Ok(list) => Ok(Some(list)),
            // How Asterisk 22 words an empty answer: an unknown endpoint, an unknown context; a mailbox that is not
            // there, and nothing else, gets a "Success" without a list.
            Err(ami::Error::Refused { message, .. }) if says_absent(&message) => Ok(None),
            Err(ami::Error::Answer {
                reason: ami::AnswerError::NotAList { .. },
                ..
            }) if matches!(name, ActionName::VoicemailUserStatus) => Ok(None),
            Err(error) => Err(told(name, error)),
        }
    }

    /// The value of a dialplan function or global variable; empty where there is none.
    pub async fn variable(&self, name: &str) -> Result<String, DriverError> {
        let answer = self.ask(ActionName::Getvar, &[("Variable", name)]).await?;
        Ok(answer.get("Value").unwrap_or_default().to_owned())
    }

    /// Has Asterisk read one of our files again, of a generation of `size` bytes: a short file of mailboxes takes about as
    /// long as the long one of endpoints. Its "Success" says nothing about the file.
    pub async fn reload(&self, file: Artifact, size: u64) -> Result<(), DriverError> {
        let limit = RELOAD.saturating_add(reading_limit(size));
        let end = Instant::now() + limit;
        loop {
            let action = action(ActionName::Reload, &[("Module", file.module())])?;
            match self.client.request(action, limit).await {
                Ok(_) => return Ok(()),
                // Somebody else's, or one of ours that nobody waited for any more.
                Err(ami::Error::Refused { message, .. })
                    if message.contains("reload is in progress") && Instant::now() < end =>
                {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(told(ActionName::Reload, error)),
            }
        }
    }
}

/// What Asterisk may take to read so many bytes of ours.
pub fn reading_limit(size: u64) -> Duration {
    let megabytes = u32::try_from(size / 1_000_000).unwrap_or(u32::MAX);
    READ_PER_MEGABYTE.saturating_mul(megabytes)
}

fn no_answer(error: &DriverError) -> DriverError {
    unreachable(error.full().into())
}

fn unreachable(source: Source) -> DriverError {
    DriverError::Unreachable {
        what: "the manager interface".to_owned(),
        source,
    }
}

/// An action with its headers.
pub fn action(name: ActionName, headers: &[(&str, &str)]) -> Result<Action, DriverError> {
    let name = name.as_str();
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

/// What is known after an action failed.
pub fn told(what: ActionName, error: ami::Error) -> DriverError {
    let what = what.to_string();
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
