//! Requests that wait for their answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::error::UnsentReason;
use super::{LinkFailure as _, Protocol};

/// A request on its way to the writer.
#[derive(Debug)]
pub struct Outgoing<P: Protocol> {
    pub id: u64,
    pub request: P::Request,
}

/// A request in the table, as its caller sees it.
#[derive(Debug)]
pub struct Waiting<P: Protocol> {
    pub id: u64,
    pub outcome: oneshot::Receiver<Outcome<P>>,
}

/// What the waiting side is told.
#[derive(Debug)]
pub enum Outcome<P: Protocol> {
    Answer(Result<P::Answer, P::AnswerError>),
    LinkBroke { sent: bool, reason: Arc<P::LinkError> },
}

/// What became of a request that its caller gave up.
#[derive(Debug)]
pub enum GivenUp {
    Unsent,
    Sent,
    /// The outcome had been delivered already.
    Settled,
}

type Submitted<P> = Result<Waiting<P>, UnsentReason<<P as Protocol>::LinkError, <P as Protocol>::BuildError>>;

/// The table shared by the clients, which add to it, and the link, which answers from it.
#[derive(Debug)]
pub struct Pending<P: Protocol> {
    table: Mutex<Table<P>>,
    limit: usize,
}

#[derive(Debug)]
struct Table<P: Protocol> {
    /// `Some` while there is no link.
    down: Option<Arc<P::LinkError>>,
    next_id: u64,
    entries: HashMap<u64, Entry<P>>,
    last_heard: Instant,
    /// The first written request that was given up since something was heard.
    doubted: Option<u64>,
}

#[derive(Debug)]
struct Entry<P: Protocol> {
    sent: bool,
    /// Whether the PBX works at it without keeping others waiting.
    in_background: bool,
    answer: P::Collector,
    reply: oneshot::Sender<Outcome<P>>,
}

impl<P: Protocol> Pending<P> {
    pub fn new(limit: usize) -> Self {
        let table = Table {
            down: Some(Arc::new(P::LinkError::not_tried())),
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
    fn lock(&self) -> MutexGuard<'_, Table<P>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request and queues it, both or none, so that the queue has the order of the table.
    pub fn submit(
        &self,
        queue: &mpsc::Sender<Outgoing<P>>,
        request: P::Request,
        answer: P::Collector,
    ) -> Submitted<P> {
        self.add(queue, request, answer, self.limit)
    }

    /// The same for what the link itself wants, however many requests wait already.
    pub fn submit_urgent(
        &self,
        queue: &mpsc::Sender<Outgoing<P>>,
        request: P::Request,
        answer: P::Collector,
    ) -> Submitted<P> {
        self.add(queue, request, answer, usize::MAX)
    }

    fn add(
        &self,
        queue: &mpsc::Sender<Outgoing<P>>,
        request: P::Request,
        answer: P::Collector,
        limit: usize,
    ) -> Submitted<P> {
        let mut table = self.lock();
        if let Some(reason) = &table.down {
            return Err(UnsentReason::LinkDown(Arc::clone(reason)));
        }
        let busy = UnsentReason::Busy { limit: self.limit };
        if table.entries.len() >= limit {
            return Err(busy);
        }
        let id = table.next_id;
        queue.try_send(Outgoing { id, request }).map_err(|_| busy)?;
        table.next_id = id.wrapping_add(1);
        let (reply, outcome) = oneshot::channel();
        let entry = Entry {
            sent: false,
            in_background: false,
            answer,
            reply,
        };
        table.entries.insert(id, entry);
        Ok(Waiting { id, outcome })
    }

    /// The writer asks before the first byte: `false` if nobody waits for this one any longer.
    pub fn mark_sent(&self, id: u64) -> bool {
        self.mark(id, |entry| entry.sent = true)
    }

    /// The PBX goes on with this one while it answers others. `false` if nobody waits for it any longer.
    pub fn in_background(&self, id: u64) -> bool {
        self.mark(id, |entry| entry.in_background = true)
    }

    fn mark(&self, id: u64, mark: impl FnOnce(&mut Entry<P>)) -> bool {
        self.lock().entries.get_mut(&id).map(mark).is_some()
    }

    /// The caller no longer waits.
    pub fn give_up(&self, id: u64) -> GivenUp {
        let mut table = self.lock();
        match table.entries.remove(&id) {
            Some(entry) if entry.sent => {
                // One that goes on in the background was answered so far: its delay says nothing about the link.
                if !entry.in_background {
                    table.doubted.get_or_insert(id);
                }
                GivenUp::Sent
            }
            Some(_) => GivenUp::Unsent,
            None => GivenUp::Settled,
        }
    }

    /// A part of the answer to this request. Those nobody waits for are dropped.
    pub fn answer(&self, id: u64, part: P::Part) {
        let mut table = self.lock();
        let Some(entry) = table.entries.get_mut(&id) else {
            tracing::debug!(id, ?part, "dropped a late message");
            return;
        };
        if let Some(answer) = P::collect(&mut entry.answer, part)
            && let Some(entry) = table.entries.remove(&id)
        {
            // The caller may have gone in this very moment.
            let _ = entry.reply.send(Outcome::Answer(answer));
        }
    }

    /// Whether somebody still waits for this one.
    pub fn is_awaited(&self, id: u64) -> bool {
        self.lock().entries.contains_key(&id)
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

    /// Whether asking for a sign of life would tell anything. While an answer is owed the PBX may be at work on it and
    /// silent for good reason: the request's own deadline speaks first. Once that has passed the link is in doubt,
    /// whatever younger requests wait behind.
    pub fn may_ping(&self) -> bool {
        let table = self.lock();
        table
            .entries
            .iter()
            .all(|(id, entry)| entry.in_background || table.doubted.is_some_and(|doubted| doubted < *id))
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
    pub fn link_down(&self, reason: &Arc<P::LinkError>) -> bool {
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
mod tests;
