//! What everybody who listens to a PBX works with.

use std::sync::Arc;
use std::time::Duration;

use super::board::Board;
use crate::domain::clock::Clock;
use crate::store::Store;

/// What a listener works with.
#[derive(Clone)]
pub struct Tools {
    /// Whose a domain is, and which extension has which number.
    pub store: Store,
    /// Where it reports.
    pub board: Board,
    /// When it is.
    pub clock: Arc<dyn Clock>,
    /// How often it polls.
    pub period: Duration,
    /// For how long a link is kept on which nothing is heard that should be, as [`super::ANEW`].
    pub anew: [Duration; 4],
}
