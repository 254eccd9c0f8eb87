//! Where a listener hands over what is on record of calls: it goes on listening, whatever the database does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::listener::Tools;
use super::records::{Keeper, write};
use crate::domain::ids::{InstanceId, SystemIds};
use crate::driver::feed::{News, Poll};

/// News that wait to be looked at.
const WAITING: usize = 4_096;
/// Between two tries while the database is away, and between two looks whether there is something to note.
const AGAIN: Duration = Duration::from_secs(1);
/// At the end, for what waits still.
const PATIENCE: Duration = Duration::from_secs(5);

enum Heard {
    News(News),
    /// The PBX is heard of, and may be asked what was missed.
    Up(Box<dyn Poll>),
}

/// Takes what is on record of the calls of one PBX.
pub struct Desk {
    sender: Sender<Heard>,
    /// Whether something was not taken.
    overrun: Arc<AtomicBool>,
    keeper: JoinSet<()>,
}

impl Desk {
    /// To be called inside a Tokio runtime.
    pub fn open(instance: InstanceId, tools: &Tools) -> Self {
        let ids = Arc::new(SystemIds);
        let keeper = Keeper::new(tools.store.clone(), Arc::clone(&tools.clock), ids, instance);
        let (sender, receiver) = mpsc::channel(WAITING);
        let overrun = Arc::<AtomicBool>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(keeper, receiver, Arc::clone(&overrun)));
        Self {
            sender,
            overrun,
            keeper: tasks,
        }
    }

    /// Takes a piece of news, if it is about records.
    pub fn hear(&self, news: &News) {
        let concerns = matches!(news, News::LinkDown | News::Lost | News::Record(_));
        if concerns {
            self.send(Heard::News(news.clone()));
        }
    }

    /// The PBX is heard of from here on.
    pub fn hear_up(&self, past: Box<dyn Poll>) {
        self.send(Heard::Up(past));
    }

    fn send(&self, heard: Heard) {
        if self.sender.try_send(heard).is_err() {
            self.overrun.store(true, Ordering::Relaxed);
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

async fn keep(mut keeper: Keeper, mut receiver: Receiver<Heard>, overrun: Arc<AtomicBool>) {
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
        if overrun.swap(false, Ordering::Relaxed) {
            keeper.hear(&News::Lost);
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
        Heard::News(news) => keeper.hear(&news),
        Heard::Up(past) => keeper.hear_up(past),
    }
}
