//! What a record calls the things that a PBX reads: files behind a link, or rows with a note.

use crate::domain::artifact::Artifact;
use crate::domain::instance::InstanceSettings;
use crate::driver::Drifted;

/// The words for one kind of place.
pub(super) struct Words {
    is_local: bool,
    /// What was done to make a generation live, in front of the artifacts that differ.
    pub applied: &'static str,
    /// Why a deploy goes no further that nobody asked for.
    pub held_back: &'static str,
    /// What could not be compared any more.
    pub not_compared: &'static str,
}

const FILES: Words = Words {
    is_local: true,
    applied: "swapped; reloaded",
    held_back: "held back: our files are not as they were written",
    not_compared: "the files could not be compared: fragments in the state directory are lost; the next deploy renders them again",
};

const ROWS: Words = Words {
    is_local: false,
    applied: "written to the database, and FreeSWITCH told to look anew",
    held_back: "held back: our rows are not as they were written",
    not_compared: "the rows could not be compared: fragments in the state directory are lost; the next deploy renders them again",
};

impl Words {
    /// Those for what an instance reads.
    pub const fn of(settings: &InstanceSettings) -> &'static Self {
        if settings.is_local() { &FILES } else { &ROWS }
    }

    /// What somebody did.
    pub fn happened(&self, artifact: Artifact, how: Drifted) -> String {
        match (self.is_local, how) {
            (true, Drifted::Edited) => format!("{artifact} was edited in place since the last deploy"),
            (true, Drifted::Missing) => {
                format!("{artifact} is missing: somebody removed it since the last deploy")
            }
            (false, Drifted::Edited) => {
                format!(
                    "rows of {artifact} were edited, removed or added in the database since the last deploy"
                )
            }
            (false, Drifted::Missing) => {
                format!(
                    "no row of {artifact} is in the database any more: somebody removed them since the last deploy"
                )
            }
            (_, Drifted::Lost) => format!(
                "what was written for {artifact} is no longer staged on this host, so that nobody can say whether it was edited"
            ),
        }
    }

    /// What stands in place of the generation that was proven last.
    pub fn misplaced(&self, standing: Option<i64>, live: i64) -> String {
        let found = match (self.is_local, standing) {
            (true, Some(number)) => format!("the live link leads to generation {number}"),
            (true, None) => "the live link is missing".to_owned(),
            (false, Some(number)) => format!("the note in the database names generation {number}"),
            (false, None) => "the note in the database is missing".to_owned(),
        };
        format!("{found}, although generation {live} was proven last")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&FILES, "link")]
    #[case(&ROWS, "note in the database")]
    fn rows_are_never_called_files(#[case] words: &Words, #[case] place: &str) {
        let mut told = vec![
            words.applied.to_owned(),
            words.held_back.to_owned(),
            words.not_compared.to_owned(),
        ];
        for how in [Drifted::Edited, Drifted::Missing, Drifted::Lost] {
            told.push(words.happened(Artifact::ExtensionRows, how));
        }
        for standing in [None, Some(3)] {
            let misplaced = words.misplaced(standing, 4);
            assert!(misplaced.contains(place), "{misplaced}");
            told.push(misplaced);
        }
        if !words.is_local {
            assert!(
                told.iter()
                    .all(|text| !text.contains("file") && !text.contains("link")),
                "{told:?}"
            );
        }
    }
}
