//! What Asterisk reads from a configuration file, with the files that it includes.

use std::path::{Path, PathBuf};

use super::place::{self, PlaceError};
use super::text::Text;
use crate::driver::pattern;

/// How deep includes are followed.
const DEEPEST: usize = 8;
/// More files in one include are none that an operator keeps a few accounts in.
const MOST_FILES: usize = 10_000;

/// A section as it takes effect. One that is opened twice is here twice.
pub struct Section {
    /// Its name; empty for what stands before the first.
    pub name: String,
    /// The file that it stands in.
    pub file: PathBuf,
    /// Its keys and values in order.
    pub entries: Vec<(String, String)>,
}

/// The sections of a file of the directory, templates left out. A file that is not there has none.
pub fn sections(directory: &Path, file: &str) -> Result<Vec<Section>, PlaceError> {
    let mut sections = Vec::new();
    read(directory, &directory.join(file), DEEPEST, &mut sections)?;
    sections.retain(|(_, template)| !template);
    Ok(sections.into_iter().map(|(section, _)| section).collect())
}

/// The last value of a key in every section of that name.
pub fn value<'a>(sections: &'a [Section], section: &str, key: &str) -> Option<&'a str> {
    sections
        .iter()
        .filter(|found| found.name == section)
        .flat_map(|found| &found.entries)
        .rfind(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| value.as_str())
}

/// What Asterisk takes for "yes".
pub fn is_yes(value: &str) -> bool {
    ["yes", "true", "y", "t", "1", "on"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word))
}

fn read(
    directory: &Path,
    path: &Path,
    deeper: usize,
    sections: &mut Vec<(Section, bool)>,
) -> Result<(), PlaceError> {
    let Some(found) = place::find(path)? else {
        return Ok(());
    };
    for line in Text::read(&found.content.bytes).lines() {
        if let Some(header) = line.header() {
            let section = Section {
                name: header.name.to_owned(),
                file: path.to_owned(),
                entries: Vec::new(),
            };
            sections.push((section, header.template));
        } else if let Some(pattern) = line.include() {
            if deeper > 0 {
                for file in files(directory, pattern) {
                    read(directory, &file, deeper - 1, sections)?;
                }
            }
        } else if let Some((section, _)) = sections.last_mut() {
            line.set_in(&mut section.entries);
        }
    }
    Ok(())
}

/// The files that an include means, in order; what cannot be looked into has none.
fn files(directory: &Path, included: &str) -> Vec<PathBuf> {
    pattern::files(directory, included, MOST_FILES).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn includes_are_followed_and_templates_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        fs::create_dir(directory.path().join("d")).unwrap();
        write(
            "a.conf",
            "x=0\n[t](!)\nx=9\n[one]\nx=1\n#include \"d/*.conf\"\ny=3\n#tryinclude nowhere.conf\n",
        );
        write("d/b.conf", "[two]\nx => 2\n");
        write("d/b.txt", "[no]\n");
        let sections = sections(directory.path(), "a.conf").unwrap();
        let names: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(value(&sections, "two", "X"), Some("2"));
        assert_eq!(value(&sections, "two", "y"), Some("3"));
        assert!(value(&sections, "t", "x").is_none());
    }

    #[test]
    fn a_file_that_includes_itself_comes_to_an_end() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.conf"), "[s]\n#include a.conf\n").unwrap();
        assert!(sections(directory.path(), "a.conf").unwrap().len() <= DEEPEST + 1);
    }
}
