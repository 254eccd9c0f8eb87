//! The daemon's life: it serves until a signal or a failure, then stops softly, and hard when that takes too long.

use std::future::pending;
use std::io;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use super::supervisor::Supervisor;
use super::tasks::{TaskFailure, Tasks};

/// How long tasks may take to finish after a soft stop.
const GRACE: Duration = Duration::from_secs(30);

/// How long dropped tasks may take to be gone: longer only where one blocks its thread.
const CUT_OFF: Duration = Duration::from_secs(5);

/// How a life ends other than well.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// A task is gone.
    #[error(transparent)]
    Task(#[from] TaskFailure),
    /// The stop took too long, or was hurried by a second signal.
    #[error("{running} task(s) were cut off before they had finished")]
    CutOff {
        /// How many were left.
        running: usize,
    },
}

/// Owns signals, tasks and what systemd is told.
pub struct Lifecycle {
    tasks: Tasks,
    signals: BoxStream<'static, ()>,
    supervisor: Supervisor,
    grace: Duration,
}

impl Lifecycle {
    /// Takes over SIGTERM and SIGINT: the first of them stops softly, the second hard.
    ///
    /// Inside a Tokio runtime only.
    pub fn of_process() -> io::Result<Self> {
        let terminate = received(signal(SignalKind::terminate())?);
        let interrupt = received(signal(SignalKind::interrupt())?);
        Ok(Self {
            tasks: Tasks::default(),
            signals: stream::select(terminate, interrupt).boxed(),
            supervisor: Supervisor::of_process(),
            grace: GRACE,
        })
    }

    /// For starting tasks; can be cloned and handed on.
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Says that the daemon is ready, and returns once all tasks have ended.
    ///
    /// Everything that could still keep the daemon from serving must have been done before.
    pub async fn run(mut self) -> Result<(), LifecycleError> {
        self.supervisor.ready();
        let mut watchdog = self.supervisor.watchdog_interval().map(ticking);
        let soft = self.tasks.soft_stop();
        loop {
            tokio::select! {
                biased;
                () = soft.cancelled() => break,
                Some(()) = self.signals.next() => self.tasks.stop(),
                () = tick(watchdog.as_mut()) => self.supervisor.alive(),
            }
        }
        self.supervisor.stopping();
        tracing::info!(running = self.tasks.running(), "stopping");

        let deadline = Instant::now() + self.grace;
        let mut cut_off = None;
        loop {
            tokio::select! {
                biased;
                () = self.tasks.ended() => break,
                Some(()) = self.signals.next() => {
                    cut_off = Some(self.tasks.running());
                    break;
                }
                () = sleep_until(deadline) => {
                    cut_off = Some(self.tasks.running());
                    break;
                }
                () = tick(watchdog.as_mut()) => self.supervisor.alive(),
            }
        }
        if let Some(running) = cut_off {
            tracing::warn!(running, "cutting tasks off");
            self.tasks.cut_off();
            if timeout(CUT_OFF, self.tasks.ended()).await.is_err() {
                tracing::error!(running = self.tasks.running(), "some tasks do not end");
            }
        }
        let failure = self.tasks.take_failure().map(LifecycleError::Task);
        failure
            .or(cut_off.map(|running| LifecycleError::CutOff { running }))
            .map_or(Ok(()), Err)
    }
}

fn received(signal: Signal) -> BoxStream<'static, ()> {
    stream::unfold(signal, async |mut signal| {
        signal.recv().await.map(|()| ((), signal))
    })
    .boxed()
}

fn ticking(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(watchdog: Option<&mut Interval>) {
    match watchdog {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
