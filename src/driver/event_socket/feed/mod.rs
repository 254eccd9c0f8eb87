//! What FreeSWITCH tells of its calls and phones: one connection to the event socket that is kept, its events, and its
//! tables.

mod contact;
mod leg;
mod said;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::said::Said;
use super::halves::Halves;
use super::{asked, ended};
use crate::domain::instance::HostName;
use crate::domain::leg::{Contact, Leg};
use crate::driver::DriverError;
use crate::driver::feed::{Feed, News, Poll};
use crate::wire::esl::{
    self, Backoff, Channel, Client, Config, Event, EventFeed, FeedError, Format, LinkState, Password,
    Subscription, SubscriptionError, Timing, Word,
};

/// The events that say something of a leg.
const EVENTS: [&str; 7] = [
    "CHANNEL_CREATE",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_ANSWER",
    "CHANNEL_BRIDGE",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_DESTROY",
];
/// Those that say something of a phone.
const PHONES: [&str; 3] = ["sofia::register", "sofia::unregister", "sofia::expire"];
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
/// Events that wait while we are at something else. One has some 7 KB.
const WAITING: usize = 8_192;
/// 800 legs are 693 KB, in 11 ms (measured).
const ANSWER: Duration = Duration::from_secs(5);
/// The table of legs is 60 to 275 ms behind (measured).
const LAG: Duration = Duration::from_millis(300);

/// The feed of one FreeSWITCH.
pub struct SocketFeed {
    client: Client,
    events: EventFeed,
    link: watch::Receiver<LinkState>,
    is_up: bool,
    /// What the last event said besides.
    besides: Option<News>,
    said: Said,
    halves: Halves,
    _keeper: JoinSet<()>,
}

impl SocketFeed {
    /// Begins to connect; `None` where the password cannot be sent, which the connection test tells. `chance` spreads tries
    /// that follow each other.
    pub fn open(
        host: &HostName,
        port: u16,
        password: &SecretString,
        chance: impl FnMut() -> u32 + Send + 'static,
    ) -> Option<Self> {
        let password = Password::new(password.clone()).ok()?;
        let mut config = Config::new(host.as_str(), port, password);
        config.events = subscription().ok()?;
        config.timing = TIMING;
        config.limits.events = WAITING;
        let (client, supervisor) = esl::supervise(config, BACKOFF, chance);
        let (events, link) = (client.events(), client.link());
        let mut keeper = JoinSet::new();
        keeper.spawn(supervisor.run(CancellationToken::new()));
        Some(Self {
            client,
            events,
            link,
            is_up: false,
            besides: None,
            said: Said::default(),
            halves: Halves::default(),
            _keeper: keeper,
        })
    }

    async fn came_up(link: &mut watch::Receiver<LinkState>) {
        // The other side of it is held by the client, as long as this feed is.
        let _ = link.wait_for(LinkState::is_connected).await;
    }
}

fn subscription() -> Result<Subscription, SubscriptionError> {
    let mut subscription = Subscription::new(Format::Json);
    for name in EVENTS.iter().filter_map(|name| Word::new(*name).ok()) {
        subscription = subscription.event(name)?;
    }
    let phones = PHONES.iter().filter_map(|name| Word::new(*name).ok());
    Ok(phones.fold(subscription, Subscription::custom))
}

#[async_trait]
impl Feed for SocketFeed {
    async fn next(&mut self) -> Option<News> {
        if let Some(news) = self.besides.take() {
            return Some(news);
        }
        loop {
            tokio::select! {
                // What was heard comes before what is heard next: the end of one link before the begin of another.
                biased;
                event = self.events.next() => match event {
                    Ok(event) => {
                        self.besides = record(&event, &mut self.halves);
                        if let Some(news) = take(&event, &self.said).or_else(|| self.besides.take()) {
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
                    return Some(News::LinkUp);
                }
            }
        }
    }

    fn poll(&self) -> Box<dyn Poll> {
        Box::new(SocketPoll {
            client: self.client.clone(),
            said: self.said.clone(),
        })
    }
}

/// What an event says together with those before it.
fn take(event: &Event, said: &Said) -> Option<News> {
    said.hear(event);
    let mut news = read(event)?;
    if let News::Leg(leg) = &mut news {
        leg.call = said.call(&leg.call);
    }
    Some(news)
}

/// What a table says together with the events.
fn take_rows(channels: &[Channel], said: &Said) -> Vec<Leg> {
    said.see(channels);
    let legs = channels.iter().filter_map(|channel| {
        let leg = leg::listed(channel, said.domain(channel).as_ref())?;
        let call = said.call(&leg.call);
        Some(Leg { call, ..leg })
    });
    legs.collect()
}

/// What an event says, if it says anything of a call or a phone. One that should and cannot be read was lost.
fn read(event: &Event) -> Option<News> {
    match event.name()? {
        // Its record is lost with it.
        "CHANNEL_HANGUP_COMPLETE" => Some(leg::ended(event).unwrap_or(News::Lost)),
        "CHANNEL_DESTROY" => Some(leg::ended(event).unwrap_or(News::LegLost)),
        name if name.starts_with("CHANNEL_") => Some(leg::read(event).map_or(News::LegLost, News::Leg)),
        "CUSTOM" => contact::news(event),
        _ => None,
    }
}

/// What is on record of a leg that is over.
fn record(event: &Event, halves: &mut Halves) -> Option<News> {
    halves.hear(event);
    match ended::ended(event, halves)? {
        Ok(part) => Some(News::Record(Box::new(part))),
        Err(error) => {
            tracing::warn!(%error, "what FreeSWITCH tells of a call is of no use");
            Some(News::RecordLost)
        }
    }
}

struct SocketPoll {
    client: Client,
    said: Said,
}

#[async_trait]
impl Poll for SocketPoll {
    fn lag(&self) -> Duration {
        LAG
    }

    async fn legs(&self, _: Timestamp) -> Result<Vec<Leg>, DriverError> {
        let channels = self.client.channels(ANSWER).await.map_err(asked)?;
        Ok(take_rows(&channels, &self.said))
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DriverError> {
        let mut found = Vec::new();
        for profile in self.client.profiles(ANSWER).await.map_err(asked)? {
            let contacts = self.client.contacts(&profile, ANSWER).await.map_err(asked)?;
            found.extend(contacts.iter().filter_map(contact::listed));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
