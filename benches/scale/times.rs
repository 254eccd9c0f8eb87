//! Times of several rounds, told as their middle with the extremes.

use std::fmt;
use std::time::Duration;

/// Times of one thing, one for each round.
#[derive(Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
        self.0.sort();
    }

    /// The middle one counts: of several, one may well be disturbed.
    pub fn middle(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// How many times as long the middle is as another's.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        self.middle().as_secs_f64() / other.middle().as_secs_f64()
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(least), Some(most)) = (self.0.first(), self.0.last()) else {
            return f.write_str("not measured");
        };
        write!(f, "{} ({} to {})", ms(self.middle()), ms(*least), ms(*most))
    }
}

/// In milliseconds, with as many digits as mean something.
pub fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1_000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.0} ms")
    }
}
