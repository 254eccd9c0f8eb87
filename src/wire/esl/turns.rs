//! Whose turn it is: answers bear no name, and come in the order of the commands.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::command::Kind;
use super::config::JOB;
use super::error::LinkError;
use super::event::Event;
use super::link::{Answer, Esl, out_of_step};
use super::message::Message;
use crate::wire::link::Hub;

/// Jobs that are kept in mind before those are forgotten whose callers have gone.
const MANY_JOBS: usize = 64;

/// A command that was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub id: u64,
    pub kind: Kind,
}

/// Hands what is read to whoever it is for.
#[derive(Debug)]
pub(super) struct Turns {
    order: mpsc::Receiver<Turn>,
    /// The request behind each job that is under way.
    jobs: HashMap<String, u64>,
    /// How many jobs there may be before it is looked who still waits.
    many: usize,
}

impl Turns {
    pub fn new(order: mpsc::Receiver<Turn>) -> Self {
        Self {
            order,
            jobs: HashMap::new(),
            many: MANY_JOBS,
        }
    }

    /// `Err` where it is not known any longer which answer is whose.
    pub fn take(&mut self, hub: &Hub<Esl>, message: Message) -> Result<(), LinkError> {
        match message {
            Message::Reply(_) | Message::Api(_) => self.answer(hub, message),
            Message::Event(event) if event.name() == Some(JOB) => {
                self.finish(hub, event);
                Ok(())
            }
            Message::Event(event) => {
                hub.publish(event);
                Ok(())
            }
            Message::Unreadable(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "skipped an event");
                hub.lost_event();
                Ok(())
            }
            Message::Other { content_type } => {
                tracing::debug!(content_type, "dropped what nobody asked for");
                Ok(())
            }
            Message::Disconnect => Err(LinkError::Dismissed),
            Message::AuthRequest | Message::Rejected => Err(out_of_step(&message)),
        }
    }

    fn answer(&mut self, hub: &Hub<Esl>, message: Message) -> Result<(), LinkError> {
        let Ok(Turn { id, kind }) = self.order.try_recv() else {
            return Err(out_of_step(&message));
        };
        match (kind, message) {
            (Kind::Api, Message::Api(text)) => hub.pending.answer(id, Answer(text)),
            (Kind::Reply, Message::Reply(reply)) => hub.pending.answer(id, Answer(reply.text)),
            // Refused before it became a call or a job.
            (Kind::Api | Kind::Job, Message::Reply(reply)) if reply.is_error() => {
                hub.pending.answer(id, Answer(reply.text));
            }
            (Kind::Job, Message::Reply(reply)) if reply.job.is_some() => {
                self.begin(hub, id, reply.job.unwrap_or_default());
            }
            (_, other) => return Err(out_of_step(&other)),
        }
        Ok(())
    }

    fn begin(&mut self, hub: &Hub<Esl>, id: u64, job: String) {
        if self.jobs.len() >= self.many {
            self.jobs.retain(|_, id| hub.pending.is_awaited(*id));
            self.many = MANY_JOBS.max(self.jobs.len() * 2);
        }
        if hub.pending.in_background(id) {
            self.jobs.insert(job, id);
        }
    }

    fn finish(&mut self, hub: &Hub<Esl>, event: Event) {
        // Jobs of other sessions are told to all.
        if let Some(id) = event.get("Job-UUID").and_then(|job| self.jobs.remove(job)) {
            hub.pending
                .answer(id, Answer(event.into_body().unwrap_or_default()));
        }
    }
}
