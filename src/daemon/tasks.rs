//! The daemon's tasks: each is named and tracked, and none ends unseen or outlives the daemon.

use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::error_chain::error_chain;

/// Any error, as a task may return it.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// Why the daemon cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TaskFailure {
    /// A task returned an error.
    #[error("the task `{name}` failed")]
    Failed {
        /// Which task.
        name: &'static str,
        /// What it said.
        #[source]
        source: TaskError,
    },
    /// A task ended although nobody asked it to.
    #[error("the task `{name}` ended by itself")]
    Ended {
        /// Which task.
        name: &'static str,
    },
    /// A task panicked: a fault of the program.
    #[error("the task `{name}` panicked")]
    Panicked {
        /// Which task.
        name: &'static str,
    },
}

/// Starts tasks, and asks all of them to stop.
#[derive(Clone, Default)]
pub struct Tasks {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    failure: Arc<Mutex<Option<TaskFailure>>>,
}

impl Tasks {
    /// Cancelled when tasks should finish what they are at, and end.
    #[must_use]
    pub fn soft_stop(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Asks every task to end.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Starts a task that runs until the soft stop.
    ///
    /// When it fails, panics or ends before that, the daemon stops: one that does half of its work would look healthy.
    /// At the hard stop it is dropped wherever it stands.
    pub fn spawn<E>(&self, name: &'static str, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<TaskError> + 'static,
    {
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let ended = tokio::select! {
                biased;
                () = tasks.hard.cancelled() => return tracing::warn!(task = name, "task was cut off"),
                ended = AssertUnwindSafe(task).catch_unwind() => ended,
            };
            let failure = match ended {
                Ok(Ok(())) if tasks.soft.is_cancelled() => return tracing::debug!(task = name, "task ended"),
                Ok(Ok(())) => TaskFailure::Ended { name },
                Ok(Err(error)) => TaskFailure::Failed {
                    name,
                    source: error.into(),
                },
                Err(_) => TaskFailure::Panicked { name },
            };
            tracing::error!(error = error_chain(&failure), "stopping, because a task is gone");
            // Only the first failure is kept: the others follow from it.
            tasks.failure().get_or_insert(failure);
            tasks.stop();
        });
    }

    /// Drops every task where it stands.
    pub(super) fn cut_off(&self) {
        self.hard.cancel();
    }

    /// Waits until every task has ended; to be called after the stop.
    pub(super) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// How many tasks run.
    pub(super) fn running(&self) -> usize {
        self.tracker.len()
    }

    /// The first failure.
    pub(super) fn take_failure(&self) -> Option<TaskFailure> {
        self.failure().take()
    }

    fn failure(&self) -> MutexGuard<'_, Option<TaskFailure>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
