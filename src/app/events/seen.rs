//! The name of an event as one reader got it: with what they had been shown by then, so that who comes again goes on only where
//! that still holds.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::app::calls::Sight;
use crate::domain::ids::ExtensionId;
use crate::monitor::stream::EventId;

/// What a reader had been shown of the calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Picture {
    /// Which of them.
    pub(super) sight: Sight,
    /// Whether it had been told that they may be otherwise.
    pub(super) stale: bool,
}

/// Names an event of a stream, and what its reader had been shown with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    pub(super) event: EventId,
    /// None before all calls were told: nothing can go on from there.
    pub(super) picture: Option<Picture>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Picture { sight, stale }) = self.picture else {
            return write!(f, "{}-none", self.event);
        };
        let known = if stale { "stale" } else { "known" };
        write!(f, "{}-{known}.", self.event)?;
        match sight {
            Sight::All => f.write_str("all"),
            Sight::Own(None) => f.write_str("own"),
            // Without the dashes, which stand between the parts.
            Sight::Own(Some(extension)) => write!(f, "{}", extension.uuid().simple()),
        }
    }
}

impl FromStr for Seen {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (event, picture) = text.rsplit_once('-').ok_or(())?;
        let event = event.parse()?;
        if picture == "none" {
            return Ok(Self { event, picture: None });
        }
        let (known, sight) = picture.split_once('.').ok_or(())?;
        let stale = match known {
            "stale" => true,
            "known" => false,
            _ => return Err(()),
        };
        let sight = match sight {
            "all" => Sight::All,
            "own" => Sight::Own(None),
            extension => {
                let extension = Uuid::try_parse(extension).map_err(|_| ())?;
                Sight::Own(Some(ExtensionId::from_uuid(extension)))
            }
        };
        Ok(Self {
            event,
            picture: Some(Picture { sight, stale }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o10_the_name_of_an_event_says_what_was_shown_with_it_and_what_is_none_is_none() {
        let event: EventId = "0000002a-3-17".parse().unwrap();
        let own = Sight::Own(Some(ExtensionId::from_uuid(Uuid::from_u128(9))));
        let pictures = [Sight::All, Sight::Own(None), own]
            .into_iter()
            .flat_map(|sight| [true, false].map(|stale| Some(Picture { sight, stale })));
        let mut names = Vec::new();
        for picture in pictures.chain([None]) {
            let seen = Seen { event, picture };
            let name = seen.to_string();
            assert_eq!(name.parse(), Ok(seen), "{name}");
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 7);
        for none in [
            "",
            "none",
            "-none",
            "0000002a-3-17",
            "0000002a-3-17-",
            "0000002a-3-17-known",
            "0000002a-3-17-known.",
            "0000002a-3-17-known.x",
            "0000002a-3-17-fresh.all",
            "0000002a-3-17-known.all.all",
            "0000002a-3-17-4-known.all",
        ] {
            assert_eq!(none.parse::<Seen>(), Err(()), "{none}");
        }
    }
}
