//! When all phones are asked for since one came beside others of its extension: it may be another's successor, as one that was
//! started anew, and no news tell of those that are replaced.

use std::time::Duration;

use tokio::time::Instant;

/// After it came.
const SOON: Duration = Duration::from_secs(5);
/// Between two times: where hundreds of phones change their contact all the time, each would have all asked for.
const AGAIN: Duration = Duration::from_mins(1);
/// As often as asking takes itself.
const SHARE: u32 = 20;

/// When that was last so.
#[derive(Debug, Default)]
pub struct Beside {
    /// Not before.
    from: Option<Instant>,
}

impl Beside {
    /// One came beside others. Gives when all are to be asked for, where nothing has them asked for before that.
    pub fn hear(&mut self, now: Instant, due: Instant) -> Instant {
        let wanted = self.from.map_or(now + SOON, |from| from.max(now + SOON));
        if wanted >= due {
            return due;
        }
        self.from = Some(wanted + AGAIN);
        wanted
    }

    /// All were asked for, which took so long.
    pub fn asked(&mut self, now: Instant, took: Duration) {
        let from = now + took.saturating_mul(SHARE);
        self.from = self.from.max(Some(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o10_however_many_phones_come_beside_others_all_are_asked_for_once_a_minute() {
        let begun = Instant::now();
        let (later, mut beside) = (begun + Duration::from_hours(1), Beside::default());
        let (mut due, mut asked) = (later, Vec::new());
        for second in 0..180 {
            let now = begun + Duration::from_secs(second);
            if now >= due {
                asked.push(second);
                beside.asked(now, Duration::from_millis(10));
                due = later;
            }
            due = beside.hear(now, due);
        }
        assert_eq!(asked, [5, 65, 125]);
    }

    #[test]
    fn o10_what_takes_long_is_asked_for_less_often() {
        let begun = Instant::now();
        let mut beside = Beside::default();
        beside.asked(begun, Duration::from_secs(30));
        let later = begun + Duration::from_hours(1);
        assert_eq!(beside.hear(begun, later), begun + Duration::from_mins(10));
    }
}
