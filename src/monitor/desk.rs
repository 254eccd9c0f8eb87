//! Where a listener hands over what is on record of calls: it goes on listening, whatever the database does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

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
    keeper: JoinSet<()>,
}

impl Desk {
    /// To be called inside a Tokio runtime.
    #[must_use]
    pub fn open(instance: InstanceId, tools: &Tools) -> Self {
        let ids = Arc::new(SystemIds);
        let keeper = Keeper::new(tools.store.clone(), Arc::clone(&tools.clock), ids, instance);
        let (sender, receiver) = mpsc::unbounded_channel();
        let overrun = Arc::new(Overrun(AtomicI64::new(Overrun::NONE)));
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(keeper, receiver, Arc::clone(&overrun)));
        Self {
            sender,
            room: Arc::new(Semaphore::new(WAITING)),
            overrun,
            clock: Arc::clone(&tools.clock),
            keeper: tasks,
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
        if self.sender.send(heard).is_err() {
            // The keeper has ended, by a fault of its own.
            tracing::error!("nobody keeps records of the calls of a PBX any more");
        }
    }

    /// Has what waits written, for as long as that is worth waiting for.
    pub async fn close(self) {
        drop(self.sender);
        let mut keeper = self.keeper;
        if timeout(PATIENCE, keeper.join_next()).await.is_err() {
            tracing::warn!("calls that are over were not written before the end");
        }
    }
}

async fn keep(mut keeper: Keeper, mut receiver: UnboundedReceiver<Heard>, overrun: Arc<Overrun>) {
    loop {
        let first = timeout(AGAIN, receiver.recv()).await;
        match first {
            Ok(Some(heard)) => take(&mut keeper, heard),
            Ok(None) => break,
            Err(_) => {}
        }
        while let Ok(heard) = receiver.try_recv() {
            take(&mut keeper, heard);
        }
        if let Some(since) = overrun.take() {
            keeper.overran(since);
        }
        if keeper.has_work() {
            write(&mut keeper).await;
        }
    }
    keeper.hear(&News::LinkDown);
    write(&mut keeper).await;
}

fn take(keeper: &mut Keeper, heard: Heard) {
    match heard {
        Heard::News(news, at, _place) => keeper.hear_of(&news, at),
        Heard::Up(past) => keeper.hear_up(past),
    }
}
