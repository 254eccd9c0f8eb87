//! A single connection that is not opened again, and what a link's state looks like from outside.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hub::{Handle, Hub};
use super::lookup::Lookup;
use super::pending::Outgoing;
use super::timing::Timing;
use super::{LinkFailure as _, Protocol};

/// Whether requests can be sent.
#[derive(Debug)]
pub enum LinkState<L> {
    Connected {
        since: Instant,
    },
    Down {
        reason: Arc<L>,
        /// `None`: nothing will be tried any more, or a try is under way.
        next_try: Option<Instant>,
    },
}

impl<L> Clone for LinkState<L> {
    fn clone(&self) -> Self {
        match self {
            Self::Connected { since } => Self::Connected { since: *since },
            Self::Down { reason, next_try } => Self::Down {
                reason: Arc::clone(reason),
                next_try: *next_try,
            },
        }
    }
}

impl<L> LinkState<L> {
    pub(super) fn not_tried() -> Self
    where
        L: super::LinkFailure,
    {
        Self::Down {
            reason: Arc::new(L::not_tried()),
            next_try: None,
        }
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}

/// Connects and signs in. Requests are answered once [`Connection::run`] is polled.
pub async fn connect<P: Protocol>(config: &P::Config) -> Result<(Handle<P>, Connection<P>), P::LinkError> {
    let line = P::open(config, &mut Lookup::default()).await?;
    let (handle, queue) = Handle::new(P::room(config));
    handle.hub().link_up(Instant::now());
    let connection = Connection {
        line,
        handle: handle.clone(),
        queue,
        timing: P::timing(config).clone(),
    };
    Ok((handle, connection))
}

/// The work of one connection; its owner spawns or polls [`Self::run`].
#[derive(Debug)]
#[must_use = "a connection does nothing unless it is run"]
pub struct Connection<P: Protocol> {
    line: P::Line,
    handle: Handle<P>,
    queue: mpsc::Receiver<Outgoing<P>>,
    timing: Timing,
}

impl<P: Protocol> Connection<P> {
    /// Serves until `stop` is cancelled (`Ok`) or the link breaks. Requests under way end with an error either way.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Arc<P::LinkError>> {
        let served = serve(&mut self.line, &self.handle, &mut self.queue, &self.timing);
        match stop.run_until_cancelled(served).await {
            Some(reason) => Err(self.handle.hub().link_down(reason, None)),
            None => Ok(()),
        }
    }
}

/// Serves the requests of `handle` and its clones until the link breaks or falls silent; says why it ended.
pub(super) async fn serve<P: Protocol>(
    line: &mut P::Line,
    handle: &Handle<P>,
    queue: &mut mpsc::Receiver<Outgoing<P>>,
    timing: &Timing,
) -> P::LinkError {
    tokio::select! {
        error = P::serve(line, handle.hub(), queue) => error,
        error = timing.keep_alive(handle) => error,
    }
}

/// However the work ends, also by a dropped future, nobody is left waiting for it.
impl<P: Protocol> Drop for Connection<P> {
    fn drop(&mut self) {
        let hub: &Hub<P> = self.handle.hub();
        if hub.pending.is_up() {
            hub.link_down(P::LinkError::stopped(), None);
        }
    }
}
