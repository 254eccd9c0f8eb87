//! A moment as people and programs write it.

use std::str::FromStr;

use jiff::Timestamp;

use super::invalid::Invalid;
use super::parsed::text_schema;

/// RFC 3339 with an offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(Timestamp);

text_schema! {
    /// RFC 3339 with an offset.
    Moment, { "format": "date-time" }
}

impl Moment {
    /// To the microsecond, as everything that is stored.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl FromStr for Moment {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |_| Invalid::new("must be a time such as `2026-11-20T10:00:00Z`");
        let exact: Timestamp = text.parse().map_err(refused)?;
        let micros = Timestamp::from_microsecond(exact.as_microsecond());
        micros.map(Self).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2026-11-20T10:00:00Z")]
    #[case("2026-11-20T11:00:00+01:00")]
    #[case("2026-11-20T10:00:00.0000009Z")]
    fn the_same_moment_is_written_in_several_ways(#[case] text: &str) {
        let moment: Moment = text.parse().unwrap();
        assert_eq!(moment.timestamp(), "2026-11-20T10:00:00Z".parse().unwrap());
    }

    #[rstest]
    #[case("")]
    #[case("yesterday")]
    #[case("2026-11-20")]
    #[case("2026-11-20T10:00:00")]
    #[case("2026-11-20T10:00:00 01:00")]
    #[case("2026-02-30T10:00:00Z")]
    #[case("99999-11-20T10:00:00Z")]
    #[case("1800000000")]
    fn anything_else_is_no_moment(#[case] text: &str) {
        assert!(text.parse::<Moment>().is_err());
    }
}
