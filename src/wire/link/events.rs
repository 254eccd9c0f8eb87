//! Unsolicited events as a listener reads them.

use std::sync::Arc;

use tokio::sync::broadcast;

#[derive(Debug)]
pub(super) enum FeedItem<E> {
    Event(Arc<E>),
    /// One came that could not be read.
    Lost,
    LinkDown,
}

impl<E> Clone for FeedItem<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Event(event) => Self::Event(Arc::clone(event)),
            Self::Lost => Self::Lost,
            Self::LinkDown => Self::LinkDown,
        }
    }
}

/// Unsolicited events, in order.
#[derive(Debug)]
pub struct EventFeed<E> {
    pub(super) events: broadcast::Receiver<FeedItem<E>>,
}

/// Why there is no next event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The reader was too slow, or an event could not be read; the next call goes on after the gap.
    #[error("{0} events were lost")]
    Lost(u64),
    /// The PBX's events are missed from here until the link is up again; with a supervisor the feed then goes on.
    #[error("the link to the PBX broke")]
    LinkDown,
    #[error("there is neither link nor client any more")]
    Closed,
}

impl<E> EventFeed<E> {
    /// Waits for the next event. Cancel safe.
    pub async fn next(&mut self) -> Result<Arc<E>, FeedError> {
        match self.events.recv().await {
            Ok(FeedItem::Event(event)) => Ok(event),
            Ok(FeedItem::Lost) => Err(FeedError::Lost(1)),
            Ok(FeedItem::LinkDown) => Err(FeedError::LinkDown),
            Err(broadcast::error::RecvError::Lagged(lost)) => Err(FeedError::Lost(lost)),
            Err(broadcast::error::RecvError::Closed) => Err(FeedError::Closed),
        }
    }
}
