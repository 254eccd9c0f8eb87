//! What clients and link share, and how one request is asked through it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, timeout};

use super::connection::LinkState;
use super::error::{Error, UnknownReason, UnsentReason};
use super::events::{EventFeed, FeedItem};
use super::pending::{GivenUp, Outcome, Outgoing, Pending, Waiting};
use super::{Protocol, Room};

/// The most that [`Room`] may ask for.
const MAX_WAITING: usize = 65_536;

pub type ErrorOf<P> =
    Error<<P as Protocol>::LinkError, <P as Protocol>::BuildError, <P as Protocol>::AnswerError>;

/// What clients and link share.
#[derive(Debug)]
pub struct Hub<P: Protocol> {
    pub pending: Pending<P>,
    state: watch::Sender<LinkState<P::LinkError>>,
    events: broadcast::Sender<FeedItem<P::Event>>,
}

impl<P: Protocol> Hub<P> {
    /// Hands an unsolicited event to whoever listens.
    pub fn publish(&self, event: P::Event) {
        // No listener is no error.
        let _ = self.events.send(FeedItem::Event(Arc::new(event)));
    }

    /// Tells whoever listens that an event came which could not be read.
    pub fn lost_event(&self) {
        let _ = self.events.send(FeedItem::Lost);
    }

    pub(super) fn link_up(&self, since: Instant) {
        self.pending.link_up();
        self.state.send_replace(LinkState::Connected { since });
    }

    /// Ends what is under way; gives the reason back in the form in which all share it.
    pub(super) fn link_down(&self, reason: P::LinkError, next_try: Option<Instant>) -> Arc<P::LinkError> {
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

/// A client's hold on a link. Clones share it.
#[derive(Debug, Clone)]
pub struct Handle<P: Protocol> {
    hub: Arc<Hub<P>>,
    queue: mpsc::Sender<Outgoing<P>>,
}

impl<P: Protocol> Handle<P> {
    pub(super) fn new(room: Room) -> (Self, mpsc::Receiver<Outgoing<P>>) {
        // A withdrawn request keeps its place in the queue until the writer comes by, hence twice the room.
        let pending = room.pending.clamp(1, MAX_WAITING);
        let (queue, outgoing) = mpsc::channel(pending * 2);
        let hub = Hub {
            pending: Pending::new(pending),
            state: watch::Sender::new(LinkState::not_tried()),
            events: broadcast::Sender::new(room.events.clamp(1, MAX_WAITING)),
        };
        let hub = Arc::new(hub);
        (Self { hub, queue }, outgoing)
    }

    pub(super) fn hub(&self) -> &Hub<P> {
        &self.hub
    }

    /// Listens to the unsolicited events from now on.
    pub fn events(&self) -> EventFeed<P::Event> {
        EventFeed {
            events: self.hub.events.subscribe(),
        }
    }

    /// The link's state and its changes.
    pub fn link(&self) -> watch::Receiver<LinkState<P::LinkError>> {
        self.hub.state.subscribe()
    }

    /// Sends a request that errors call `name`, and waits for the whole of its answer.
    pub async fn exchange(
        &self,
        name: &str,
        request: P::Request,
        collector: P::Collector,
        limit: Duration,
    ) -> Result<P::Answer, ErrorOf<P>> {
        let waiting = self
            .hub
            .pending
            .submit(&self.queue, request, collector)
            .map_err(|reason| unsent::<P>(name, reason))?;
        self.wait(name, waiting, limit).await
    }

    /// Whether the PBX answers, with whatever.
    pub(super) async fn is_alive(&self, limit: Duration) -> bool {
        let (request, collector) = P::life_sign();
        let Ok(waiting) = self.hub.pending.submit_urgent(&self.queue, request, collector) else {
            return false;
        };
        match self.wait("a sign of life", waiting, limit).await {
            Ok(_) | Err(Error::Refused { .. } | Error::Answer { .. }) => true,
            Err(Error::Unsent { .. } | Error::Unknown { .. }) => false,
        }
    }

    async fn wait(
        &self,
        name: &str,
        Waiting { id, mut outcome }: Waiting<P>,
        limit: Duration,
    ) -> Result<P::Answer, ErrorOf<P>> {
        let unknown = |reason| Error::Unknown {
            action: name.to_owned(),
            reason,
        };
        let ticket = Ticket {
            pending: &self.hub.pending,
            id,
        };
        let settled = match timeout(limit, &mut outcome).await {
            Ok(settled) => settled.ok(),
            Err(_) => match ticket.pending.give_up(id) {
                GivenUp::Unsent => return Err(unsent::<P>(name, UnsentReason::TimedOut { after: limit })),
                GivenUp::Sent => None,
                // It came between the deadline and our looking.
                GivenUp::Settled => outcome.try_recv().ok(),
            },
        };
        match settled {
            Some(Outcome::Answer(Ok(answer))) => Ok(answer),
            Some(Outcome::Answer(Err(reason))) => Err(Error::Answer {
                action: name.to_owned(),
                reason,
            }),
            Some(Outcome::LinkBroke { sent: true, reason }) => Err(unknown(UnknownReason::LinkBroke(reason))),
            Some(Outcome::LinkBroke { sent: false, reason }) => {
                Err(unsent::<P>(name, UnsentReason::LinkDown(reason)))
            }
            None => Err(unknown(UnknownReason::TimedOut { after: limit })),
        }
    }

    #[cfg(test)]
    pub fn pending_requests(&self) -> usize {
        self.hub.pending.len()
    }
}

fn unsent<P: Protocol>(name: &str, reason: UnsentReason<P::LinkError, P::BuildError>) -> ErrorOf<P> {
    Error::Unsent {
        action: name.to_owned(),
        reason,
    }
}

/// Takes the request out of the table when its future is dropped.
struct Ticket<'a, P: Protocol> {
    pending: &'a Pending<P>,
    id: u64,
}

impl<P: Protocol> Drop for Ticket<'_, P> {
    fn drop(&mut self) {
        self.pending.give_up(self.id);
    }
}
