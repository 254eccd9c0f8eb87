//! A purge: a run that removes what is older than a tenant keeps it, and its report.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::ids::{AuditId, InstanceId, PurgeId, TenantId};
use super::parsed::word_enum;
use super::retention::{Keep, RetentionKind, RetentionPolicy};

word_enum! {
    /// Where a purge stands.
    PurgeStatus {
        /// It removes.
        Running = "running",
        /// All that was to go has gone.
        Done = "done",
        /// Something was kept that was to go; its part says what and why. The next purge tries it again.
        Partial = "partial",
    }
}

/// What there is of a kind that is older than it is kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Amount {
    /// How many.
    pub found: i64,
    /// How many bytes, of recordings and of messages in mail boxes.
    pub bytes: i64,
}

/// Of one kind, and of recordings and messages of one PBX, what a purge removes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PurgePart {
    /// Its place in the purge, from 0 on.
    pub position: i64,
    /// What it removes.
    pub kind: RetentionKind,
    /// The PBX whose recordings or messages they are; none of other kinds.
    pub instance_id: Option<InstanceId>,
    /// What is older goes.
    pub cutoff: Timestamp,
    /// What there was when it began; none before that.
    pub found: Option<Amount>,
    /// How many were removed, or blanked.
    pub removed: i64,
    /// How many bytes were removed.
    pub bytes: i64,
    /// How many were to go and stay; at least 1 where nobody knows how many.
    pub kept: i64,
    /// What is to be said of that.
    pub detail: Option<String>,
    /// Behind which one it goes on: so it looks at none twice that stays.
    pub after: Option<PurgeCursor>,
    /// The audit entry that tells of blanked payloads.
    pub told_by: Option<AuditId>,
    /// When it ended; none while it goes on.
    pub ended_at: Option<Timestamp>,
    /// How often it failed so far.
    pub setbacks: i64,
    /// When it is tried again after it failed.
    pub retry_at: Option<Timestamp>,
}

/// A row of what goes, by its time and its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PurgeCursor {
    /// In microseconds; of audit entries their number, since they go in the order in which they were written.
    pub at: i64,
    /// The row's id.
    pub id: uuid::Uuid,
}

/// After so many setbacks a part ends with what it could not remove.
pub const MOST_SETBACKS: i64 = 10;
/// After the first setback; each time twice as long.
const SHORTEST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// Never longer.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

impl PurgePart {
    /// One that nothing was done for so far.
    #[must_use]
    pub const fn new(
        position: i64,
        kind: RetentionKind,
        instance_id: Option<InstanceId>,
        cutoff: Timestamp,
    ) -> Self {
        Self {
            position,
            kind,
            instance_id,
            cutoff,
            found: None,
            removed: 0,
            bytes: 0,
            kept: 0,
            detail: None,
            after: None,
            told_by: None,
            ended_at: None,
            setbacks: 0,
            retry_at: None,
        }
    }

    /// Whether it is tried now: it did not fail, or some time ago. A time that is further away than any pause was told by a
    /// wrong clock.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let left = self.retry_at.map(|at| at.duration_since(now));
        left.is_none_or(|left| !left.is_positive() || left > LONGEST_PAUSE)
    }

    /// For how long it rests after it has failed once more.
    #[must_use]
    pub fn pause(&self) -> SignedDuration {
        let doubled = 1_i32.checked_shl(self.setbacks.clamp(0, 30).try_into().unwrap_or(30));
        let pause = SHORTEST_PAUSE.checked_mul(doubled.unwrap_or(i32::MAX));
        pause.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
    }

    /// How many of those that were found are neither removed nor said to stay.
    #[must_use]
    pub fn left(&self) -> i64 {
        let found = self.found.map_or(0, |found| found.found);
        found
            .saturating_sub(self.removed)
            .saturating_sub(self.kept)
            .max(0)
    }

    /// What goes by now, where the policy and the time may be others than when the purge was asked for: never more than was
    /// asked for. None where all of it is kept by now.
    #[must_use]
    pub fn cutoff_by(&self, keep: Keep, time: Timestamp) -> Option<Timestamp> {
        keep.cutoff(time).map(|now| now.min(self.cutoff))
    }
}

/// What a batch of a part did.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Batch {
    /// How many were removed, or blanked.
    pub removed: i64,
    /// How many bytes were removed.
    pub bytes: i64,
    /// How many stay that were to go.
    pub kept: i64,
    /// Why, where something is to be said.
    pub detail: Option<String>,
    /// Behind which one it goes on.
    pub after: Option<PurgeCursor>,
    /// Whether nothing is left to do.
    pub is_last: bool,
}

impl Batch {
    /// Nothing is left, for this reason.
    #[must_use]
    pub fn over(detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            is_last: true,
            ..Self::default()
        }
    }
}

/// A purge of a tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purge {
    /// Its id.
    pub id: PurgeId,
    /// Whose things it removes.
    pub tenant_id: TenantId,
    /// Who asked for it, as audit entries name them.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// What the tenant kept then.
    pub policy: RetentionPolicy,
    /// The time that its cutoffs were counted from.
    pub time: Timestamp,
    /// Where it stands.
    pub status: PurgeStatus,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it removes, in this order.
    pub parts: Vec<PurgePart>,
}

impl Purge {
    /// How it ends, once each of its parts has.
    #[must_use]
    pub fn outcome(&self) -> PurgeStatus {
        let is_open = self.parts.iter().any(|part| part.ended_at.is_none());
        match (is_open, self.parts.iter().any(|part| part.kept > 0)) {
            (true, _) => PurgeStatus::Running,
            (false, true) => PurgeStatus::Partial,
            (false, false) => PurgeStatus::Done,
        }
    }
}

/// What a purge would remove, had it been asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PurgePreview {
    /// What the tenant keeps.
    pub policy: RetentionPolicy,
    /// The time that the cutoffs were counted from.
    pub time: Timestamp,
    /// Of each kind that is not kept forever: what is older goes, and how much there is of it.
    pub parts: Vec<(RetentionKind, Timestamp, Amount)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::retention::Days;

    fn part(kept: i64, ended: bool) -> PurgePart {
        let cutoff = Timestamp::from_second(1_000_000_000).unwrap();
        PurgePart {
            kept,
            ended_at: ended.then_some(Timestamp::UNIX_EPOCH),
            ..PurgePart::new(0, RetentionKind::CallRecords, None, cutoff)
        }
    }

    #[test]
    fn a20_a_part_that_failed_rests_longer_each_time_and_never_for_more_than_an_hour() {
        let pauses = (0..MOST_SETBACKS).map(|setbacks| {
            let part = PurgePart {
                setbacks,
                ..part(0, false)
            };
            part.pause().as_secs()
        });
        let seconds: Vec<i64> = pauses.collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let due_in = |seconds: i64| {
            let part = PurgePart {
                retry_at: Some(now + SignedDuration::from_secs(seconds)),
                ..part(0, false)
            };
            part.is_due(now)
        };
        assert!(part(0, false).is_due(now));
        // The last was noted by a clock that was put back since.
        assert_eq!([0, 1, 3600, 3601].map(due_in), [true, false, false, true]);
    }

    #[test]
    fn a20_a_part_never_removes_more_than_was_asked_for_nor_than_is_kept_by_now() {
        let part = part(0, false);
        let asked = part.cutoff;
        let days = |days| Keep::Days(Days::new(days).unwrap());
        let time = asked + SignedDuration::from_hours(24 * 10);
        assert_eq!(part.cutoff_by(days(10), time), Some(asked));
        assert_eq!(part.cutoff_by(days(1), time), Some(asked));
        let day = SignedDuration::from_hours(24);
        assert_eq!(part.cutoff_by(days(11), time), Some(asked - day));
        // The clock was put right.
        assert_eq!(part.cutoff_by(days(10), time - day), Some(asked - day));
        assert_eq!(part.cutoff_by(Keep::Forever, time), None);
    }

    #[test]
    fn a20_a_purge_ends_with_its_last_part_and_says_whether_something_stayed() {
        let purge = |parts| Purge {
            id: PurgeId::from_uuid(uuid::Uuid::nil()),
            tenant_id: TenantId::from_uuid(uuid::Uuid::nil()),
            requested_by: String::new(),
            requested_at: Timestamp::UNIX_EPOCH,
            policy: RetentionPolicy::default(),
            time: Timestamp::UNIX_EPOCH,
            status: PurgeStatus::Running,
            ended_at: None,
            parts,
        };
        assert_eq!(purge(vec![]).outcome(), PurgeStatus::Done);
        assert_eq!(
            purge(vec![part(0, true), part(1, false)]).outcome(),
            PurgeStatus::Running
        );
        assert_eq!(
            purge(vec![part(0, true), part(1, true)]).outcome(),
            PurgeStatus::Partial
        );
        assert_eq!(purge(vec![part(0, true)]).outcome(), PurgeStatus::Done);
    }
}
