//! How long a message waits for its next attempt.

use std::time::Duration;

use crate::domain::outbox::FARTHEST;
use crate::domain::random::Randomness;

const FIRST: Duration = Duration::from_secs(10);
/// The longest pause, and the one after a refusal for good.
pub(super) const LONGEST: Duration = Duration::from_hours(1);
const _: () = assert!(LONGEST.as_secs() < FARTHEST.as_secs());

/// Twice as long after each attempt, up to an hour; a part of it is drawn, so that what failed together does not come back
/// together.
pub(super) fn pause(attempt: i64, random: &dyn Randomness) -> Duration {
    let doublings = attempt.saturating_sub(1).clamp(0, 20);
    let whole = FIRST.saturating_mul(1_u32 << doublings).min(LONGEST);
    let mut drawn = [0_u8; 1];
    // Without randomness: the whole of it.
    if random.fill(&mut drawn).is_err() {
        return whole;
    }
    let [drawn] = drawn;
    whole / 2 + (whole / 2) * u32::from(drawn) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::NoRandomness;

    struct Drawn(Result<u8, NoRandomness>);

    impl Randomness for Drawn {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
            buffer.fill(self.0?);
            Ok(())
        }
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_half_of_each_is_drawn() {
        let seconds = |attempt, drawn| pause(attempt, &Drawn(drawn)).as_secs();
        let longest: Vec<u64> = (1..=12).map(|attempt| seconds(attempt, Ok(255))).collect();
        assert_eq!(
            longest,
            [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]
        );
        let shortest: Vec<u64> = (1..=10).map(|attempt| seconds(attempt, Ok(0))).collect();
        assert_eq!(shortest, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800]);
        assert_eq!(seconds(3, Err(NoRandomness)), 40);
        assert_eq!(seconds(i64::MAX, Ok(255)), 3600);
        assert_eq!(seconds(0, Ok(255)), 10);
    }
}
