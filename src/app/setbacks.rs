//! What failed by itself and is tried again more and more seldom: after a minute, then after twice the time, up to an hour.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::error::AppError;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::TenantId;

const FIRST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// How long after so many setbacks in a row the next attempt is made.
pub(super) fn pause(times: u32) -> SignedDuration {
    let doubled = 1_i32
        .checked_shl(times.saturating_sub(1).min(16))
        .unwrap_or(i32::MAX);
    (FIRST * doubled).min(LONGEST)
}

/// What this process failed in, tenant by tenant and by what was to be done. In memory: what fails here (a directory that
/// cannot be removed, a database that refuses) may not fail on another host or after a start.
#[derive(Default, Debug)]
pub struct Setbacks(BTreeMap<(&'static str, TenantId), Setback>);

#[derive(Debug)]
struct Setback {
    times: u32,
    again: Timestamp,
    reason: String,
}

impl Setbacks {
    /// Those of the tenants whose turn it is. What has to be done of no other is forgotten.
    pub(super) fn due(
        &mut self,
        what: &'static str,
        tenants: impl IntoIterator<Item = TenantId>,
        now: Timestamp,
    ) -> Vec<TenantId> {
        let is_due = |id: &TenantId| {
            self.0
                .get(&(what, *id))
                .is_none_or(|setback| setback.again <= now)
        };
        tenants.into_iter().filter(is_due).collect()
    }

    /// Notes how it went; the reason of a failure is logged when it is another than the last time.
    pub(super) fn note(
        &mut self,
        what: &'static str,
        tenant: TenantId,
        done: Result<(), AppError>,
        now: Timestamp,
    ) {
        let error = match done {
            // Another host may have been faster: then there is nothing to do any more.
            Ok(()) | Err(AppError::NotFound) => {
                self.0.remove(&(what, tenant));
                return;
            }
            Err(error) => error_chain(&error),
        };
        let before = self.0.remove(&(what, tenant));
        if before.as_ref().is_none_or(|before| before.reason != error) {
            tracing::error!(%tenant, what, error, "a tenant could not be looked after; it is tried again more and more seldom");
        }
        let times = before.map_or(1, |before| before.times.saturating_add(1));
        let setback = Setback {
            times,
            again: now + pause(times),
            reason: error,
        };
        self.0.insert((what, tenant), setback);
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use uuid::Uuid;

    use super::*;

    const ID: TenantId = TenantId::from_uuid(Uuid::nil());

    #[test]
    fn a_pause_doubles_up_to_an_hour() {
        let minutes: Vec<i64> = (0..9).map(|times| pause(times).as_mins()).collect();
        assert_eq!(minutes, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }

    #[test]
    fn what_failed_waits_and_what_went_well_does_not() {
        let mut setbacks = Setbacks::default();
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + minutes.minutes();
        let failed = || Err(AppError::conflict("in_use", "it is in use"));
        setbacks.note("deletion", ID, failed(), at(0));
        assert_eq!(setbacks.due("deletion", [ID], at(0)), []);
        assert_eq!(setbacks.due("expired_aliases", [ID], at(0)), [ID]);
        assert_eq!(setbacks.due("deletion", [ID], at(1)), [ID]);
        setbacks.note("deletion", ID, failed(), at(1));
        assert_eq!(setbacks.due("deletion", [ID], at(2)), []);
        assert_eq!(setbacks.due("deletion", [ID], at(3)), [ID]);
        setbacks.note("deletion", ID, Ok(()), at(3));
        assert_eq!(setbacks.due("deletion", [ID], at(3)), [ID]);
    }
}
