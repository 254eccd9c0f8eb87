//! Where a listener hands over what is on record of calls: it goes on listening, whatever the database does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lasting::last;
use super::records::{Keeper, write};
use super::tools::Tools;
use crate::domain::clock::Clock;
use crate::domain::ids::{InstanceId, SystemIds};
use crate::driver::feed::{News, Poll};

/// News that wait to be looked at. Those of the link are not counted: they are few, and without them nobody would know
/// what was missed.
const WAITING: usize = 4_096;
/// Between two tries while the database is away, and between two looks whether there is something to note.
const AGAIN: Duration = Duration::from_secs(1);
/// Calls that end meanwhile are on no record yet.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// At the end, for what waits still.
const PATIENCE: Duration = Duration::from_secs(5);

enum Heard {
    /// What came at which time, and the place that it takes.
    News(Box<News>, Timestamp, Option<OwnedSemaphorePermit>),
    /// The PBX is heard of, and may be asked what was missed.
    Up(Box<dyn Poll>),
}

/// When the first of the news came that found no room, in microseconds.
struct Overrun(AtomicI64);

impl Overrun {
    const NONE: i64 = i64::MAX;

    fn note(&self, at: Timestamp) {
        self.0.fetch_min(at.as_microsecond(), Ordering::Relaxed);
    }

    /// None where all found room since this was last asked.
    fn take(&self) -> Option<Timestamp> {
        let first = self.0.swap(Self::NONE, Ordering::Relaxed);
        Timestamp::from_microsecond(first).ok()
    }
}

/// Takes what is on record of the calls of one PBX.
pub struct Desk {
    sender: UnboundedSender<Heard>,
    room: Arc<Semaphore>,
    overrun: Arc<Overrun>,
    clock: Arc<dyn Clock>,
    /// Gives whether it came to its end.
    keeper: JoinSet<bool>,
    end: CancellationToken,
}

impl Desk {
    /// To be called inside a Tokio runtime.
    #[must_use]
    pub fn open(instance: InstanceId, tools: &Tools) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let overrun = Arc::new(Overrun(AtomicI64::new(Overrun::NONE)));
        let inbox = Arc::new(Mutex::new(Inbox {
            receiver,
            overrun: Arc::clone(&overrun),
            is_up: false,
        }));
        let (store, clock) = (tools.store.clone(), Arc::clone(&tools.clock));
        let mut tasks = JoinSet::new();
        let end = CancellationToken::new();
        let ends = end.clone();
        tasks.spawn(async move {
            let keeping = || {
                let (store, clock) = (store.clone(), Arc::clone(&clock));
                let keeper = Keeper::new(store, clock, Arc::new(SystemIds), instance);
                keep(keeper, Arc::clone(&inbox))
            };
            last(
                ("what keeps records of its calls", instance),
                LONGEST_REST,
                &ends,
                keeping,
            )
            .await
        });
        Self {
            sender,
            room: Arc::new(Semaphore::new(WAITING)),
            overrun,
            clock: Arc::clone(&tools.clock),
            keeper: tasks,
            end,
        }
    }

    /// Takes a piece of news, if it is about records; it counts as come now, whenever it is looked at.
    pub fn hear(&self, news: &News) {
        let at = self.clock.now();
        match news {
            News::LinkDown => self.send(Heard::News(Box::new(news.clone()), at, None)),
            News::Lost | News::RecordLost | News::Record(_) => {
                match Arc::clone(&self.room).try_acquire_owned() {
                    Ok(place) => self.send(Heard::News(Box::new(news.clone()), at, Some(place))),
                    Err(_) => self.overrun.note(at),
                }
            }
            _ => {}
        }
    }

    /// The PBX is heard of from here on.
    pub fn hear_up(&self, past: Box<dyn Poll>) {
        self.send(Heard::Up(past));
    }

    fn send(&self, heard: Heard) {
        // Whoever takes it ends behind this desk.
        let _ = self.sender.send(heard);
    }

    /// Has what waits written, for as long as that is worth waiting for.
    pub async fn close(self) {
        drop(self.sender);
        self.end.cancel();
        let mut keeper = self.keeper;
        let ended = timeout(PATIENCE, keeper.join_next()).await;
        if !matches!(ended, Ok(Some(Ok(true)))) {
            tracing::warn!("calls that are over were not written before the end");
        }
    }
}

/// What was handed over and not taken yet.
struct Inbox {
    receiver: UnboundedReceiver<Heard>,
    overrun: Arc<Overrun>,
    /// Whether the PBX is listened to, by what was taken.
    is_up: bool,
}

impl Inbox {
    fn give(&mut self, heard: Heard, keeper: &mut Keeper) {
        match heard {
            Heard::News(news, at, _place) => {
                self.is_up &= *news != News::LinkDown;
                keeper.hear_of(&news, at);
            }
            Heard::Up(past) => {
                self.is_up = true;
                keeper.hear_up(past);
            }
        }
    }
}

async fn keep(mut keeper: Keeper, inbox: Arc<Mutex<Inbox>>) {
    // Nobody else has it: one keeper comes after the other.
    let mut inbox = inbox.lock().await;
    if inbox.is_up {
        // What a keeper before it had taken and not written was missed.
        keeper.hear(&News::LinkUp);
    }
    loop {
        let first = timeout(AGAIN, inbox.receiver.recv()).await;
        match first {
            Ok(Some(heard)) => inbox.give(heard, &mut keeper),
            Ok(None) => break,
            Err(_) => {}
        }
        while let Ok(heard) = inbox.receiver.try_recv() {
            inbox.give(heard, &mut keeper);
        }
        if let Some(since) = inbox.overrun.take() {
            keeper.overran(since);
        }
        if keeper.has_work() {
            write(&mut keeper).await;
        }
    }
    keeper.hear(&News::LinkDown);
    write(&mut keeper).await;
}
