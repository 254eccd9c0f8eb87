//! A single connection that is not opened again, and what a link's state looks like from outside.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::config::{Config, Timing};
use super::error::LinkError;
use super::link::Link;
use super::pending::Outgoing;

/// Whether requests can be sent.
#[derive(Debug, Clone)]
pub enum LinkState {
    Connected {
        since: Instant,
    },
    Down {
        reason: Arc<LinkError>,
        /// `None`: nothing will be tried any more, or a try is under way.
        next_try: Option<Instant>,
    },
}

impl LinkState {
    pub(super) fn not_tried() -> Self {
        Self::Down {
            reason: Arc::new(LinkError::NotTried),
            next_try: None,
        }
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}

/// Connects and signs in. Requests are answered once [`Connection::run`] is polled.
pub async fn connect(config: &Config) -> Result<(Client, Connection), LinkError> {
    let link = Link::open(config).await?;
    let (client, queue) = Client::new(&config.limits);
    client.hub().link_up(Instant::now());
    let connection = Connection {
        link,
        client: client.clone(),
        queue,
        timing: config.timing.clone(),
    };
    Ok((client, connection))
}

/// The work of one connection; its owner spawns or polls [`Self::run`].
#[derive(Debug)]
#[must_use = "a connection does nothing unless it is run"]
pub struct Connection {
    link: Link,
    client: Client,
    queue: mpsc::Receiver<Outgoing>,
    timing: Timing,
}

impl Connection {
    /// Serves until `stop` is cancelled (`Ok`) or the link breaks. Requests under way end with an error either way.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Arc<LinkError>> {
        let served = self.link.run(&self.client, &mut self.queue, &self.timing);
        match stop.run_until_cancelled(served).await {
            Some(reason) => Err(self.client.hub().link_down(reason, None)),
            None => Ok(()),
        }
    }
}

/// However the work ends, also by a dropped future, nobody is left waiting for it.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.client.hub().pending.is_up() {
            self.client.hub().link_down(LinkError::Stopped, None);
        }
    }
}
