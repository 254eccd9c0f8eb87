//! What Asterisk tells of its calls and phones: one manager connection that is kept, its events, and its lists.

mod bridges;
mod contact;
mod leg;
mod past;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use self::bridges::Bridges;
use super::rights::{ActionName, Right};
use super::session::{action, told};
use super::transport::Transport;
use super::{ended, hears};
use crate::domain::instance::{AccountName, AsteriskSettings};
use crate::domain::leg::{Contact, Leg};
use crate::driver::DriverError;
use crate::driver::feed::{Feed, News, Past, Poll};
use crate::wire::ami::{
    self, Action, AnswerError, Backoff, Client, EventFeed, EventMask, FeedError, LinkState, List, Message,
    Timing,
};

/// The classes of events that are asked for: calls, their records, and phones that sign in.
const CLASSES: [&str; 3] = ["system", "call", "cdr"];
/// Of those classes, the events that say nothing to us, each by how its name begins. Asterisk does not send them, where the
/// account may say so. Never a list of those that say something: while it is made, and when only half of it was, what
/// it does not hold is not sent, and nobody learns that a call ended. And no alternatives in one: Asterisk 22 takes
/// extended regular expressions (measured), earlier ones took basic ones. What is here means the same in both.
const UNREAD: [&str; 16] = [
    "BridgeCreate",
    "BridgeInfo",
    "BridgeLeave",
    "BridgeMerge",
    "BridgeVideo",
    "Dial",
    "Local",
    "HangupRequest",
    "SoftHangupRequest",
    "OriginateResponse",
    "MusicOnHold",
    "Hold",
    "Unhold",
    "DeviceState",
    "ExtensionStatus",
    "PeerStatus",
];
/// The most bridges that are kept in mind.
const BRIDGES: usize = 20_000;
/// A link that is silent for longer than both of these together is none: nobody is told a count that is older.
const TIMING: Timing = Timing {
    // What was sent into a path that is gone is not sent again soon: then a new try is faster.
    connect: Duration::from_secs(2),
    sign_in: Duration::from_secs(10),
    idle: Duration::from_secs(3),
    ping: Duration::from_secs(3),
};
/// Once the PBX can be reached again, its calls are known within two seconds: of these a poll needs some too.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(250),
    max: Duration::from_millis(500),
    refused: Duration::from_secs(15),
};
/// Events that wait while we are at something else: some seconds of a large PBX. Beyond that a poll is cheaper.
const WAITING: usize = 16_384;
/// A poll of 1,000 channels takes some 20 ms (measured).
const ANSWER: Duration = Duration::from_secs(5);

/// In which second the last part of a call ended that was told; before all time where none was.
type Newest = Arc<AtomicI64>;

/// The feed of one Asterisk.
pub struct ManagerFeed {
    account: AccountName,
    client: Client,
    events: EventFeed,
    link: watch::Receiver<LinkState>,
    is_up: bool,
    records: Option<PathBuf>,
    bridges: Bridges,
    /// What the last event said besides.
    besides: Option<News>,
    newest: Newest,
    tasks: JoinSet<()>,
}

impl ManagerFeed {
    /// Begins to connect. `chance` spreads tries that follow each other.
    pub fn open(
        settings: &AsteriskSettings,
        secret: &SecretString,
        transport: &Transport,
        chance: impl FnMut() -> u32 + Send + 'static,
    ) -> Self {
        let mut config = transport.config(settings, secret);
        config.events = EventMask::Classes(CLASSES.map(str::to_owned).to_vec());
        config.timing = TIMING;
        config.limits.events = WAITING;
        let (client, supervisor) = ami::supervise(config, BACKOFF, chance);
        let (events, link) = (client.events(), client.link());
        let mut tasks = JoinSet::new();
        tasks.spawn(supervisor.run(CancellationToken::new()));
        Self {
            account: settings.ami_username.clone(),
            client,
            events,
            link,
            is_up: false,
            records: records(settings),
            bridges: Bridges::new(BRIDGES),
            besides: None,
            newest: Arc::new(AtomicI64::new(i64::MIN)),
            tasks,
        }
    }

    /// Whether a link has come up since the last was lost; waits for that.
    async fn came_up(link: &mut watch::Receiver<LinkState>) {
        // The other side of it is held by the client, as long as this feed is.
        let _ = link.wait_for(LinkState::is_connected).await;
    }
}

#[async_trait]
impl Feed for ManagerFeed {
    async fn next(&mut self) -> Option<News> {
        if let Some(news) = self.besides.take() {
            return Some(news);
        }
        loop {
            tokio::select! {
                // What was heard comes before what is heard next: the end of one link before the begin of another.
                biased;
                event = self.events.next() => match event {
                    Ok(message) => {
                        self.besides = self.bridges.hear(&message).then_some(News::Moved);
                        if let Some(news) = read(&message).or_else(|| self.besides.take()) {
                            if let News::Record(told) = &news {
                                self.newest.fetch_max(told.part.ended.as_second(), Ordering::Relaxed);
                            }
                            return Some(news);
                        }
                    }
                    Err(FeedError::Lost(_)) => return Some(News::Lost),
                    Err(FeedError::LinkDown) => {
                        self.is_up = false;
                        return Some(News::LinkDown);
                    }
                    Err(FeedError::Closed) => return None,
                },
                () = Self::came_up(&mut self.link), if !self.is_up => {
                    self.is_up = true;
                    self.tasks.spawn(restrict(self.client.clone()));
                    return Some(News::LinkUp);
                }
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn poll(&self) -> Box<dyn Poll> {
        Box::new(ManagerPoll {
            account: self.account.clone(),
            client: self.client.clone(),
            records: self.records.clone(),
            newest: Arc::clone(&self.newest),
        })
    }
}

/// Beside the log that the instance names.
fn records(settings: &AsteriskSettings) -> Option<PathBuf> {
    let log = settings.log_file.as_ref()?.as_path();
    Some(log.parent()?.join(past::FILE))
}

/// Has Asterisk send no events that nobody reads. Without that it works too, and costs both sides more.
async fn restrict(client: Client) {
    for event in UNREAD {
        let filter = Action::new(ActionName::Filter.as_str())
            .and_then(|action| action.header("Operation", "Add"))
            // At the very beginning: what somebody calls themselves hides nothing.
            .and_then(|action| action.header("Filter", format!("!^Event: {event}")));
        let Ok(filter) = filter else { return };
        if let Err(error) = client.request(filter, ANSWER).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "Asterisk sends events that nobody reads"
            );
            return;
        }
    }
}

/// What an event says, if it says anything of a call or a phone. One that should and cannot be read was lost.
fn read(message: &Message) -> Option<News> {
    match message.event()? {
        "Hangup" => Some(leg::ended(message).unwrap_or(News::LegLost)),
        "Newchannel" => Some(leg::read(message, true).map_or(News::LegLost, News::Leg)),
        "Newstate" | "NewCallerid" | "NewConnectedLine" | "NewAccountCode" | "BridgeEnter" => {
            Some(leg::read(message, false).map_or(News::LegLost, News::Leg))
        }
        "Cdr" => record(message),
        "ContactStatus" => contact::news(message),
        // Another channel takes the place of this one.
        "Rename" => Some(News::Moved),
        _ => None,
    }
}

/// What is on record of a part of a call.
fn record(message: &Message) -> Option<News> {
    match ended::ended(message)? {
        Ok(part) => Some(News::Record(Box::new(part))),
        Err(error) => {
            tracing::warn!(%error, "a call record of Asterisk is of no use");
            Some(News::RecordLost)
        }
    }
}

struct ManagerPoll {
    account: AccountName,
    client: Client,
    /// Asterisk's own file of call records, where it is known.
    records: Option<PathBuf>,
    newest: Newest,
}

impl ManagerPoll {
    async fn list(&self, name: ActionName) -> Result<Option<List>, DriverError> {
        match self.client.list(action(name, &[])?, ANSWER).await {
            Ok(list) => Ok(Some(list)),
            // How Asterisk words that there is none.
            Err(ami::Error::Refused { message, .. }) if message.starts_with("No Contacts") => Ok(None),
            Err(error) => Err(told(name, error)),
        }
    }
}

#[async_trait]
impl Poll for ManagerPoll {
    /// The list is of the channels as they are, and events come after them.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    async fn legs(&self, _: Timestamp) -> Result<Vec<Leg>, DriverError> {
        let name = ActionName::CoreShowChannels;
        let Some(list) = self.list(name).await? else {
            return Ok(Vec::new());
        };
        let legs = list.events.iter().map(|channel| leg::read(channel, false));
        let legs: Option<Vec<Leg>> = legs.collect();
        legs.ok_or_else(|| {
            let source = AnswerError::NotAList {
                message: "a channel without an id".to_owned(),
            };
            DriverError::unknown(name.to_string(), source)
        })
    }

    async fn hears_calls(&self) -> Option<bool> {
        let question = action(ActionName::GetConfig, &hears::question(&self.account)).ok()?;
        let section = self.client.request(question, ANSWER).await.ok()?;
        hears::has(&section, Right::ReadCall)
    }

    async fn ended_since(&self, since: Timestamp) -> Option<Past> {
        let path = self.records.clone()?;
        let newest = Timestamp::from_second(self.newest.load(Ordering::Relaxed)).ok();
        let read = spawn_blocking(move || past::read(&path, since, newest))
            .await
            .ok()?;
        read.inspect_err(|error| tracing::debug!(%error, "Asterisk's own call records cannot be read"))
            .ok()
            .flatten()
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DriverError> {
        let Some(list) = self.list(ActionName::PjsipShowContacts).await? else {
            return Ok(Vec::new());
        };
        Ok(list.events.iter().filter_map(contact::listed).collect())
    }
}

#[cfg(test)]
mod tests;
