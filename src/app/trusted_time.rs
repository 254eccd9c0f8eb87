//! The time that it is decided by what is old, which no jump of a clock makes run ahead.

use std::time::Instant;

use jiff::Timestamp;

use super::App;
use super::error::AppError;
use crate::domain::trusted_time::{Heart, HeldBack};
use crate::store::{StoreError, Tx, trusted_time};

/// What is known of the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownTime {
    /// What is believed.
    pub time: Timestamp,
    /// Where the clock shows more than that.
    pub held_back: Option<HeldBack>,
}

/// Notes where the clock stands, unless another daemon does.
pub async fn beat(app: &App, heart: &mut Heart) -> Result<(), AppError> {
    let mut tx = app.store.begin("beat").await?;
    let kept = trusted_time::lock(&mut tx).await?;
    let is_first = kept.is_none();
    if let Some(next) = heart.beat(kept, app.now(), Instant::now()) {
        if is_first {
            trusted_time::put_first(&mut tx, &next).await?;
        } else {
            trusted_time::put(&mut tx, &next).await?;
        }
    }
    Ok(tx.commit().await?)
}

impl App {
    /// The time that is believed, never ahead of the clock.
    pub(super) async fn known_time(&self, tx: &mut Tx) -> Result<KnownTime, AppError> {
        let wall = self.now();
        // Before the first beat, or where that cannot be read, there is nothing that the clock could be held to: nothing is old.
        let beat = match trusted_time::find(tx).await {
            Err(StoreError::Corrupt { .. }) => None,
            beat => beat?,
        };
        let Some(beat) = beat else {
            return Ok(KnownTime {
                time: Timestamp::UNIX_EPOCH.min(wall),
                held_back: None,
            });
        };
        Ok(KnownTime {
            time: beat.time.time().min(wall),
            held_back: beat.time.held_back(),
        })
    }
}
