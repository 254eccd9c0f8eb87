//! A walk through the recordings of some domains, told portion by portion: a large disk is never held in memory.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::asking::{Asking, Question, Waiting};
use super::{Seen, Spool};
use crate::domain::recording::FoundRecording;
use crate::domain::sip_domain::SipDomain;

/// Recordings that are told at once.
const PORTION: usize = 1_000;
/// A walk that somebody listens to may take as long as it takes.
const LONGEST: Duration = Duration::from_hours(10_000);

/// A walk that is under way; it ends where nobody listens to it any more.
#[derive(Debug)]
pub struct Walk {
    pub(super) portions: mpsc::Receiver<Vec<FoundRecording>>,
    pub(super) walking: JoinHandle<io::Result<Seen>>,
    _waiting: Waiting,
}

impl Walk {
    /// None where the directory owes somebody an answer.
    pub(super) fn begin(spool: Spool, domains: Vec<SipDomain>) -> Option<Self> {
        let question = Question::to(spool.root.as_path(), LONGEST)?;
        let (waiting, asking) = (Waiting(question.clone()), Asking(question));
        // One is worked on while the next one is found.
        let (told, portions) = mpsc::channel(1);
        let walking = spawn_blocking(move || {
            let mut portion = Vec::new();
            let has_enough = || told.is_closed();
            let seen = spool.search(&domains, &has_enough, &mut |found| {
                portion.push(found);
                if portion.len() < PORTION {
                    return ControlFlow::Continue(());
                }
                match told.blocking_send(std::mem::take(&mut portion)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
            drop(asking);
            // Where nobody listens any more, nobody asks what was missed either.
            let _ = told.blocking_send(portion);
            Ok(seen)
        });
        Some(Self {
            portions,
            walking,
            _waiting: waiting,
        })
    }

    /// The next recordings, no more than 1,000; none once all were told.
    pub async fn next(&mut self) -> Option<Vec<FoundRecording>> {
        self.portions.recv().await
    }

    /// What it came to. What was not told until now is passed over.
    pub async fn end(mut self) -> io::Result<Seen> {
        while self.next().await.is_some() {}
        self.walking.await.map_err(io::Error::other)?
    }
}
