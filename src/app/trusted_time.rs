//! The time that it is decided by what is old, which no jump of a clock makes run ahead.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::App;
use super::error::AppError;
use crate::domain::trusted_time::{Heart, HeldBack};
use crate::store::{Tx, trusted_time};

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
        let (time, held_back) = trusted_time::known(tx, self.now()).await?;
        Ok(KnownTime { time, held_back })
    }

    /// Whether so much time has passed since the host's clock showed that. What was stamped as so much later than now, a clock that
    /// was wrong has stamped: nobody knows when that was.
    pub(super) async fn has_passed(
        &self,
        tx: &mut Tx,
        since: Timestamp,
        long: SignedDuration,
    ) -> Result<bool, AppError> {
        let time = self.known_time(tx).await?.time;
        Ok(time.duration_since(since) >= long || since.duration_since(self.now()) >= long)
    }
}
