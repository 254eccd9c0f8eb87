//! The handle that the rest of the program holds: ask, list, run a command, listen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, timeout};

use super::action::Action;
use super::answer::{Expect, List};
use super::config::Limits;
use super::connection::LinkState;
use super::error::{AnswerError, Error, LinkError, UnknownReason, UnsentReason};
use super::events::{EventFeed, FeedItem};
use super::message::Message;
use super::pending::{GivenUp, Outcome, Outgoing, Pending};

/// The most that `Limits` may ask for where room is set aside.
const MAX_WAITING: usize = 65_536;

/// What clients and link share.
#[derive(Debug)]
pub(super) struct Hub {
    pub pending: Pending,
    pub state: watch::Sender<LinkState>,
    events: broadcast::Sender<FeedItem>,
    list_limit: usize,
}

impl Hub {
    /// Hands an unsolicited event to whoever listens.
    pub fn publish(&self, event: Message) {
        // No listener is no error.
        let _ = self.events.send(FeedItem::Event(Arc::new(event)));
    }

    pub fn link_up(&self, since: Instant) {
        self.pending.link_up();
        self.state.send_replace(LinkState::Connected { since });
    }

    /// Ends what is under way; gives the reason back in the form in which all share it.
    pub fn link_down(&self, reason: LinkError, next_try: Option<Instant>) -> Arc<LinkError> {
        let reason = Arc::new(reason);
        if self.pending.link_down(&reason) {
            let _ = self.events.send(FeedItem::LinkDown);
        }
        self.state.send_replace(LinkState::Down {
            reason: Arc::clone(&reason),
            next_try,
        });
        reason
    }
}

/// Asks things of one Asterisk. Clones share the link.
///
/// Dropping a future of this type withdraws the request: unsent it is never sent, sent its answer is dropped.
#[derive(Debug, Clone)]
pub struct Client {
    hub: Arc<Hub>,
    queue: mpsc::Sender<Outgoing>,
}

impl Client {
    pub(super) fn new(limits: &Limits) -> (Self, mpsc::Receiver<Outgoing>) {
        // A withdrawn request keeps its place in the queue until the writer comes by, hence twice the room.
        let pending = limits.pending.clamp(1, MAX_WAITING);
        let (queue, outgoing) = mpsc::channel(pending * 2);
        let hub = Hub {
            pending: Pending::new(pending),
            state: watch::Sender::new(LinkState::not_tried()),
            events: broadcast::Sender::new(limits.events.clamp(1, MAX_WAITING)),
            list_limit: limits.list,
        };
        (
            Self {
                hub: Arc::new(hub),
                queue,
            },
            outgoing,
        )
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Sends an action that is answered by a single response.
    pub async fn request(&self, action: Action, limit: Duration) -> Result<Message, Error> {
        let name = action.name().to_owned();
        let answer = self.exchange(&name, action, Expect::One, limit).await?;
        succeeded(&name, answer.response)
    }

    /// Sends an action that is answered by a list of events, and waits for the whole of it.
    ///
    /// Some actions answer an empty list with an error ("No Contacts found"): that is [`Error::Refused`].
    pub async fn list(&self, action: Action, limit: Duration) -> Result<List, Error> {
        let name = action.name().to_owned();
        let expect = Expect::List {
            limit: self.hub.list_limit,
        };
        let List { response, events } = self.exchange(&name, action, expect, limit).await?;
        Ok(List {
            response: succeeded(&name, response)?,
            events,
        })
    }

    /// Runs a line of Asterisk's command line; gives its output, line by line.
    ///
    /// Many commands say `Success` whatever they did. What a refused one printed is in the error's message.
    pub async fn command(&self, line: &str, limit: Duration) -> Result<Vec<String>, Error> {
        let action = Action::command(line).map_err(|e| Error::Unsent {
            action: "Command".to_owned(),
            reason: UnsentReason::Action(e),
        })?;
        let response = self.request(action, limit).await?;
        Ok(response.all("Output").map(str::to_owned).collect())
    }

    /// Listens to the unsolicited events from now on. Events that answer an action of ours are not among them.
    #[must_use]
    pub fn events(&self) -> EventFeed {
        EventFeed {
            events: self.hub.events.subscribe(),
        }
    }

    /// The link's state and its changes.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.hub.state.subscribe()
    }

    async fn exchange(
        &self,
        name: &str,
        action: Action,
        expect: Expect,
        limit: Duration,
    ) -> Result<List, Error> {
        let unsent = |reason| Error::Unsent {
            action: name.to_owned(),
            reason,
        };
        let unknown = |reason| Error::Unknown {
            action: name.to_owned(),
            reason,
        };

        let (id, mut outcome) = self
            .hub
            .pending
            .submit(&self.queue, action, expect)
            .map_err(unsent)?;
        let ticket = Ticket {
            pending: &self.hub.pending,
            id,
        };
        let settled = match timeout(limit, &mut outcome).await {
            Ok(settled) => settled.ok(),
            Err(_) => match ticket.pending.give_up(id) {
                GivenUp::Unsent => return Err(unsent(UnsentReason::TimedOut { after: limit })),
                GivenUp::Sent => None,
                // It came between the deadline and our looking.
                GivenUp::Settled => outcome.try_recv().ok(),
            },
        };
        match settled {
            Some(Outcome::Answer(Ok(list))) => Ok(list),
            Some(Outcome::Answer(Err(reason))) => Err(Error::Answer {
                action: name.to_owned(),
                reason,
            }),
            Some(Outcome::LinkBroke { sent: true, reason }) => Err(unknown(UnknownReason::LinkBroke(reason))),
            Some(Outcome::LinkBroke { sent: false, reason }) => Err(unsent(UnsentReason::LinkDown(reason))),
            None => Err(unknown(UnknownReason::TimedOut { after: limit })),
        }
    }

    /// Whether Asterisk answers, with whatever.
    pub(super) async fn is_alive(&self, limit: Duration) -> bool {
        match self
            .exchange("Ping", Action::ping(), Expect::LifeSign, limit)
            .await
        {
            Ok(_) | Err(Error::Refused { .. } | Error::Answer { .. }) => true,
            Err(Error::Unsent { .. } | Error::Unknown { .. }) => false,
        }
    }

    #[cfg(test)]
    pub(super) fn pending_requests(&self) -> usize {
        self.hub.pending.len()
    }
}

/// Takes the request out of the table when its future is dropped.
struct Ticket<'a> {
    pending: &'a Pending,
    id: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.pending.give_up(self.id);
    }
}

/// How much of a refused command's output goes into the error.
const REFUSAL_CHARS: usize = 2000;

fn succeeded(action: &str, response: Message) -> Result<Message, Error> {
    if response.is_success() {
        return Ok(response);
    }
    let action = action.to_owned();
    if !response.is_error() {
        let response = response.response().unwrap_or_default().to_owned();
        return Err(Error::Answer {
            action,
            reason: AnswerError::Response { response },
        });
    }
    // A refused command has its reason in the output; its message only says that output follows.
    let output: Vec<&str> = response.all("Output").collect();
    let message = if output.is_empty() {
        response.get("Message").unwrap_or("no reason given").to_owned()
    } else {
        output.join("\n")
    };
    Err(Error::Refused {
        action,
        message: message.trim().chars().take(REFUSAL_CHARS).collect(),
    })
}
