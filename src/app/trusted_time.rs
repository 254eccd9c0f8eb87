//! The time that it is decided by what is old, which no jump of a clock makes run ahead.

use std::time::Instant;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::App;
use super::audit::Changed;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::invalid::FieldErrors;
use crate::domain::permission::PlatformPermission;
use crate::domain::trusted_time::{Beat, Heart, HeldBack, TrustedTime};
use crate::store::trusted_time::{self, Known};
use crate::store::{StoreError, Tx};

/// What the host's clock shows, and what is made of that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// What it shows.
    pub wall: Timestamp,
    /// What is known of the time.
    pub known: Known,
    /// Whether what was noted of it cannot be read.
    pub is_unreadable: bool,
}

/// What there is to go by when somebody says that the clock is right.
enum Kept {
    Nothing,
    Unreadable,
    Beat(Beat),
}

/// Notes where the clock stands, unless another daemon does; whether somebody has to say that it is right.
pub async fn beat(app: &App, heart: &mut Heart) -> Result<bool, AppError> {
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
    let known = app.known_time(&mut tx).await?;
    tx.commit().await?;
    Ok(known.held_back.is_some_and(HeldBack::is_leap))
}

/// What the clock of this host shows and what is believed.
pub async fn look(app: &App, caller: &Caller) -> Result<Clock, AppError> {
    caller.platform(PlatformPermission::Dashboard)?;
    let mut tx = app.store.read("look_at_clock").await?;
    app.clock(&mut tx).await
}

/// Has the clock of this host believed by who knows that this is the date, in UTC, also where what was noted of it cannot be read.
/// Where it is believed already, or no daemon has looked at it so far, nothing changes.
pub async fn believe(app: &App, caller: &Caller, today: Date) -> Result<Clock, AppError> {
    let right = PlatformPermission::TenantsWrite;
    let (mut tx, caller) = app
        .begin_on_platform(caller, right, None, "believe_clock")
        .await?;
    let kept = match trusted_time::lock(&mut tx).await {
        Err(StoreError::Corrupt { .. }) => Kept::Unreadable,
        kept => kept?.map_or(Kept::Nothing, Kept::Beat),
    };
    let before = app.clock(&mut tx).await?;
    if before.wall.to_zoned(TimeZone::UTC).date() != today {
        let mut errors = FieldErrors::default();
        // It is not said: whoever reads it would type it.
        errors.add(
            "date",
            "this host's clock shows another one in UTC: set the clock, or name the date that it is",
        );
        return Err(errors.into());
    }
    let beat = match kept {
        Kept::Unreadable => Beat {
            number: 1,
            time: TrustedTime::first(before.wall),
        },
        Kept::Beat(Beat { number, time }) if before.known.held_back.is_some() => Beat {
            number,
            time: time.believing(before.wall),
        },
        Kept::Beat(_) | Kept::Nothing => return Ok(before),
    };
    trusted_time::put(&mut tx, &beat).await?;
    let after = app.clock(&mut tx).await?;
    let entry = Changed {
        action: "clock.believe",
        resource: "clock",
        target: "host".to_owned(),
        tenant_id: None,
        before: Some(json!({"time": before.known.time})),
        after: Some(json!({"time": after.known.time, "clock": after.wall, "node": app.engine.node()})),
    };
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok(after)
}

impl App {
    async fn clock(&self, tx: &mut Tx) -> Result<Clock, AppError> {
        let wall = self.now();
        let known = trusted_time::known(tx, wall).await?;
        let is_unreadable = matches!(trusted_time::find(tx).await, Err(StoreError::Corrupt { .. }));
        Ok(Clock {
            wall,
            known,
            is_unreadable,
        })
    }

    /// The time that is believed, never ahead of the clock.
    pub(super) async fn known_time(&self, tx: &mut Tx) -> Result<Known, AppError> {
        Ok(trusted_time::known(tx, self.now()).await?)
    }

    /// Whether so much time has passed since the host's clock showed that. What was stamped as so much later than now, a clock that
    /// was wrong has stamped: nobody knows when that was.
    pub(super) async fn has_passed(
        &self,
        tx: &mut Tx,
        since: Timestamp,
        long: SignedDuration,
    ) -> Result<bool, AppError> {
        let time = self.known_time(tx).await?.waited;
        Ok(time.duration_since(since) >= long || since.duration_since(self.now()) >= long)
    }
}
