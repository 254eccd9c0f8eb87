//! Requests that wait for their answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::action::Action;
use super::answer::{Collector, Expect, List};
use super::error::{AnswerError, LinkError, UnsentReason};
use super::message::Message;

/// An action on its way to the writer.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub id: u64,
    pub action: Action,
}

/// What the waiting side is told.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Result<List, AnswerError>),
    LinkBroke { sent: bool, reason: Arc<LinkError> },
}

/// What became of a request that its caller gave up.
#[derive(Debug)]
pub(super) enum GivenUp {
    Unsent,
    Sent,
    /// The outcome had been delivered already.
    Settled,
}

/// The table shared by the clients, which add to it, and the link, which answers from it.
#[derive(Debug)]
pub(super) struct Pending {
    table: Mutex<Table>,
    limit: usize,
}

#[derive(Debug)]
struct Table {
    /// `Some` while there is no link.
    down: Option<Arc<LinkError>>,
    next_id: u64,
    entries: HashMap<u64, Entry>,
    last_heard: Instant,
    /// The first written action that was given up since something was heard.
    doubted: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    sent: bool,
    answer: Collector,
    reply: oneshot::Sender<Outcome>,
}

impl Pending {
    pub fn new(limit: usize) -> Self {
        let table = Table {
            down: Some(Arc::new(LinkError::NotTried)),
            next_id: 1,
            entries: HashMap::new(),
            last_heard: Instant::now(),
            doubted: None,
        };
        Self {
            table: Mutex::new(table),
            limit,
        }
    }

    /// No code that holds the lock can leave the table half changed, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request and queues its action, both or none, so that the queue has the order of the table.
    pub fn submit(
        &self,
        queue: &mpsc::Sender<Outgoing>,
        action: Action,
        expect: Expect,
    ) -> Result<(u64, oneshot::Receiver<Outcome>), UnsentReason> {
        let mut table = self.lock();
        if let Some(reason) = &table.down {
            return Err(UnsentReason::LinkDown(Arc::clone(reason)));
        }
        let busy = UnsentReason::Busy { limit: self.limit };
        if table.entries.len() >= self.limit && !matches!(expect, Expect::LifeSign) {
            return Err(busy);
        }
        let id = table.next_id;
        queue.try_send(Outgoing { id, action }).map_err(|_| busy)?;
        table.next_id = id.wrapping_add(1);
        let (reply, outcome) = oneshot::channel();
        table.entries.insert(
            id,
            Entry {
                sent: false,
                answer: Collector::new(expect),
                reply,
            },
        );
        Ok((id, outcome))
    }

    /// The writer asks before the first byte: `false` if nobody waits for this one any longer.
    pub fn mark_sent(&self, id: u64) -> bool {
        match self.lock().entries.get_mut(&id) {
            Some(entry) => {
                entry.sent = true;
                true
            }
            None => false,
        }
    }

    /// The caller no longer waits.
    pub fn give_up(&self, id: u64) -> GivenUp {
        let mut table = self.lock();
        match table.entries.remove(&id) {
            Some(entry) if entry.sent => {
                table.doubted.get_or_insert(id);
                GivenUp::Sent
            }
            Some(_) => GivenUp::Unsent,
            None => GivenUp::Settled,
        }
    }

    /// A message that carries the id of one of our actions. Those nobody waits for are dropped.
    pub fn answer(&self, id: u64, message: Message) {
        let mut table = self.lock();
        let Some(entry) = table.entries.get_mut(&id) else {
            tracing::debug!(id, ?message, "dropped a late message");
            return;
        };
        if let Some(answer) = entry.answer.take(message)
            && let Some(entry) = table.entries.remove(&id)
        {
            // The caller may have gone in this very moment.
            let _ = entry.reply.send(Outcome::Answer(answer));
        }
    }

    /// A whole message arrived.
    pub fn heard(&self) {
        let mut table = self.lock();
        table.last_heard = Instant::now();
        table.doubted = None;
    }

    pub fn last_heard(&self) -> Instant {
        self.lock().last_heard
    }

    /// Whether a ping would tell anything. While an answer is owed Asterisk may be at work on it and silent for
    /// good reason: the request's own deadline speaks first. Once that has passed the link is in doubt, whatever
    /// younger requests wait behind.
    pub fn may_ping(&self) -> bool {
        let table = self.lock();
        table
            .entries
            .keys()
            .all(|id| table.doubted.is_some_and(|doubted| doubted < *id))
    }

    pub fn is_up(&self) -> bool {
        self.lock().down.is_none()
    }

    pub fn link_up(&self) {
        let mut table = self.lock();
        table.down = None;
        table.last_heard = Instant::now();
        table.doubted = None;
    }

    /// Ends all requests, and refuses new ones until the link is up again. Says whether it was up.
    pub fn link_down(&self, reason: &Arc<LinkError>) -> bool {
        let mut table = self.lock();
        let was_up = table.down.replace(Arc::clone(reason)).is_none();
        for (_, entry) in table.entries.drain() {
            let reason = Arc::clone(reason);
            let _ = entry.reply.send(Outcome::LinkBroke {
                sent: entry.sent,
                reason,
            });
        }
        was_up
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table whose link is up, and room for its actions.
    fn table(limit: usize) -> (Pending, mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>) {
        let pending = Pending::new(limit);
        pending.link_up();
        let (queue, outgoing) = mpsc::channel(limit * 2);
        (pending, queue, outgoing)
    }

    fn submit(
        pending: &Pending,
        queue: &mpsc::Sender<Outgoing>,
        expect: Expect,
    ) -> Result<u64, UnsentReason> {
        pending.submit(queue, Action::ping(), expect).map(|(id, _)| id)
    }

    #[test]
    fn a_sign_of_life_finds_room_in_a_full_table() {
        let (pending, queue, _outgoing) = table(2);
        for _ in 0..2 {
            submit(&pending, &queue, Expect::One).unwrap();
        }
        assert!(matches!(
            submit(&pending, &queue, Expect::One),
            Err(UnsentReason::Busy { limit: 2 })
        ));
        assert!(submit(&pending, &queue, Expect::LifeSign).is_ok());
    }

    #[test]
    fn a_full_queue_registers_nothing() {
        let (pending, queue, _outgoing) = table(2);
        for _ in 0..4 {
            let id = submit(&pending, &queue, Expect::One).unwrap();
            assert!(matches!(pending.give_up(id), GivenUp::Unsent));
        }
        assert!(matches!(
            submit(&pending, &queue, Expect::One),
            Err(UnsentReason::Busy { .. })
        ));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn the_link_is_in_doubt_from_a_given_up_action_until_something_is_heard() {
        let (pending, queue, _outgoing) = table(9);
        assert!(pending.may_ping());
        let [older, given_up, _younger] = [(); 3].map(|()| submit(&pending, &queue, Expect::One).unwrap());
        assert!(pending.mark_sent(given_up));
        assert!(matches!(pending.give_up(given_up), GivenUp::Sent));
        assert!(!pending.may_ping(), "Asterisk may be at work on the older one");
        assert!(matches!(pending.give_up(older), GivenUp::Unsent));
        assert!(
            pending.may_ping(),
            "the younger one waits behind the one given up"
        );
        pending.heard();
        assert!(
            !pending.may_ping(),
            "something was heard, the younger one may be at work"
        );
    }

    #[test]
    fn a_link_goes_down_once_and_refuses_with_the_last_reason() {
        let (pending, queue, _outgoing) = table(2);
        assert!(pending.link_down(&Arc::new(LinkError::Closed)));
        assert!(!pending.link_down(&Arc::new(LinkError::Stopped)));
        let error = submit(&pending, &queue, Expect::One).unwrap_err();
        assert!(matches!(error, UnsentReason::LinkDown(reason) if matches!(*reason, LinkError::Stopped)));
    }
}
