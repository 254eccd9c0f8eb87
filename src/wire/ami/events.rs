//! Unsolicited events as a listener reads them.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::message::Message;

#[derive(Debug, Clone)]
pub(super) enum FeedItem {
    Event(Arc<Message>),
    LinkDown,
}

/// Unsolicited events, in order.
#[derive(Debug)]
pub struct EventFeed {
    pub(super) events: broadcast::Receiver<FeedItem>,
}

/// Why there is no next event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The reader was too slow; the next call goes on after the gap.
    #[error("{0} events were lost")]
    Lost(u64),
    /// Asterisk's events are missed from here until the link is up again; with a supervisor the feed then goes on.
    #[error("the link to the manager broke")]
    LinkDown,
    #[error("there is neither link nor client any more")]
    Closed,
}

impl EventFeed {
    /// Waits for the next event. Cancel safe.
    pub async fn next(&mut self) -> Result<Arc<Message>, FeedError> {
        match self.events.recv().await {
            Ok(FeedItem::Event(event)) => Ok(event),
            Ok(FeedItem::LinkDown) => Err(FeedError::LinkDown),
            Err(broadcast::error::RecvError::Lagged(lost)) => Err(FeedError::Lost(lost)),
            Err(broadcast::error::RecvError::Closed) => Err(FeedError::Closed),
        }
    }
}
