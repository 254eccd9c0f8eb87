//! What failed by itself and is tried again more and more seldom: after a minute, then after twice the time, up to an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::error::AppError;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, TenantId};

const FIRST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// How long after so many setbacks in a row the next attempt is made.
pub(super) fn pause(times: u32) -> SignedDuration {
    let doubled = 1_i32
        .checked_shl(times.saturating_sub(1).min(16))
        .unwrap_or(i32::MAX);
    (FIRST * doubled).min(LONGEST)
}

/// Something that has to become of a tenant by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Task {
    /// Its former domains whose time is over are given up.
    ExpiredAliases(TenantId),
    /// An instance that serves something else of it than its status says is told.
    ServedOtherwise(InstanceId, TenantId),
    /// It goes.
    Deletion(TenantId),
}

/// What this process failed in. In memory: what fails here (a directory that cannot be removed, a database that refuses) may
/// not fail on another host or after a start. By a clock that nobody sets: one that was ahead would have it rest until then.
#[derive(Debug)]
pub struct Setbacks<T>(BTreeMap<T, Setback>);

impl<T> Default for Setbacks<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[derive(Debug)]
struct Setback {
    times: u32,
    again: Instant,
    reason: String,
}

impl<T: Ord + Copy + Debug> Setbacks<T> {
    /// Those of all the tasks there are whose turn it is. What failed once and is no task any more is forgotten.
    pub(super) fn due(&mut self, tasks: impl IntoIterator<Item = T>, now: Instant) -> BTreeSet<T> {
        let mut tasks: BTreeSet<T> = tasks.into_iter().collect();
        self.0.retain(|task, _| tasks.contains(task));
        tasks.retain(|task| self.0.get(task).is_none_or(|setback| setback.again <= now));
        tasks
    }

    /// Notes how it went; the reason of a failure is logged when it is another than the last time.
    pub(super) fn note(&mut self, task: T, done: Result<(), AppError>, now: Instant) {
        let before = self.0.remove(&task);
        let error = match done {
            // Another host may have been faster: then there is nothing to do any more.
            Ok(()) | Err(AppError::NotFound) => return,
            Err(error) => error_chain(&error),
        };
        if before.as_ref().is_none_or(|before| before.reason != error) {
            tracing::error!(
                ?task,
                error,
                "a tenant could not be looked after; it is tried again more and more seldom"
            );
        }
        let times = before.map_or(1, |before| before.times.saturating_add(1));
        let setback = Setback {
            times,
            again: now + pause(times).unsigned_abs(),
            reason: error,
        };
        self.0.insert(task, setback);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId::from_uuid(Uuid::nil());
    const GOES: Task = Task::Deletion(TENANT);

    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

    fn at(minutes: u64) -> Instant {
        *BEGINNING + Duration::from_mins(minutes)
    }

    fn failed() -> Result<(), AppError> {
        Err(AppError::conflict("in_use", "it is in use"))
    }

    /// Whether its turn has come, with nothing else to do.
    fn is_due(setbacks: &mut Setbacks<Task>, task: Task, minutes: u64) -> bool {
        !setbacks.due([task], at(minutes)).is_empty()
    }

    #[test]
    fn a_pause_doubles_up_to_an_hour() {
        let minutes: Vec<i64> = (0..9).map(|times| pause(times).as_mins()).collect();
        assert_eq!(minutes, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }

    #[test]
    fn what_failed_waits_and_what_went_well_does_not() {
        let mut setbacks = Setbacks::default();
        setbacks.note(GOES, failed(), at(0));
        assert!(!is_due(&mut setbacks, GOES, 0));
        assert!(is_due(&mut setbacks, GOES, 1));
        setbacks.note(GOES, failed(), at(1));
        assert!(!is_due(&mut setbacks, GOES, 2));
        assert!(is_due(&mut setbacks, GOES, 3));
        setbacks.note(GOES, Ok(()), at(3));
        assert!(is_due(&mut setbacks, GOES, 3));
    }

    #[test]
    fn what_fails_on_one_instance_keeps_no_other_one_waiting() {
        let [one, other] = [1, 2].map(|id| InstanceId::from_uuid(Uuid::from_u128(id)));
        let [one, other] = [one, other].map(|instance| Task::ServedOtherwise(instance, TENANT));
        let all = [one, other, GOES, Task::ExpiredAliases(TENANT)];
        let mut setbacks = Setbacks::default();
        setbacks.note(one, failed(), at(0));
        assert_eq!(setbacks.due(all, at(0)), all.into_iter().skip(1).collect());
        setbacks.note(other, Ok(()), at(0));
        assert_eq!(setbacks.due(all, at(0)), all.into_iter().skip(1).collect());
    }

    /// Another host did it, or the tenant went otherwise.
    #[test]
    fn what_is_no_task_any_more_is_forgotten() {
        let mut setbacks = Setbacks::default();
        setbacks.note(GOES, failed(), at(0));
        let aliases = Task::ExpiredAliases(TENANT);
        setbacks.note(aliases, failed(), at(0));
        assert!(!is_due(&mut setbacks, GOES, 0));
        assert_eq!(setbacks.0.keys().collect::<Vec<_>>(), [&GOES]);
        assert!(setbacks.due([], at(0)).is_empty() && setbacks.0.is_empty());
    }
}
