//! How long an export puts up with a disk that does not answer: a while, as one that was asleep needs, and then it asks less and
//! less often.

/// How often it is asked again while nothing else is done.
const TRIES: u32 = 10;
/// Recordings that are left out then before it is asked again, at first and at most.
const FEWEST: u64 = 100;
const MOST: u64 = 10_000;

/// What there is to do where a disk gives no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// The same is to be asked again in a moment.
    Again,
    /// This one is left out.
    Leave,
}

/// A disk as an export knows it.
#[derive(Default)]
pub(super) struct Disk {
    tries: u32,
    /// How many are left out in a row.
    pause: u64,
    left: u64,
}

impl Disk {
    /// Whether it is to be asked for the next recording.
    pub(super) const fn is_asked(&mut self) -> bool {
        if self.left == 0 {
            return true;
        }
        self.left -= 1;
        false
    }

    /// It has given no answer in time.
    pub(super) fn gave_none(&mut self) -> Next {
        if self.tries < TRIES {
            self.tries += 1;
            return Next::Again;
        }
        self.pause = self.pause.saturating_mul(2).clamp(FEWEST, MOST);
        self.left = self.pause;
        Next::Leave
    }

    /// It was waited for already: as many are left out as of one that has given no answer so often.
    pub(super) fn is_away(&mut self) {
        self.tries = TRIES;
        self.gave_none();
    }

    /// It has answered: nothing is held against it.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are left out until it is asked.
    fn left_out(disk: &mut Disk) -> u64 {
        let mut count = 0;
        while !disk.is_asked() {
            count += 1;
            assert!(count <= MOST, "it is never asked again");
        }
        count
    }

    #[test]
    fn a46_a_disk_that_is_slow_once_loses_nothing_and_one_that_hangs_is_asked_again_less_and_less_often() {
        let mut disk = Disk::default();
        for _ in 0..TRIES {
            assert!(disk.is_asked());
            assert_eq!(disk.gave_none(), Next::Again);
        }
        disk.answered();
        assert!(disk.is_asked());
        for _ in 0..TRIES {
            assert_eq!(disk.gave_none(), Next::Again);
        }
        let mut pauses = Vec::new();
        for _ in 0..9 {
            assert_eq!(disk.gave_none(), Next::Leave);
            pauses.push(left_out(&mut disk));
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        disk.answered();
        assert!(disk.is_asked());
        assert_eq!(disk.gave_none(), Next::Again);
        // Nobody waits twice for a PBX that is down.
        for expected in [100, 200] {
            disk.is_away();
            assert_eq!(left_out(&mut disk), expected);
        }
    }
}
