//! The markers in a file of ours as it stands on disk: what Asterisk shows must be this file, and no other directory's.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use crate::domain::artifact::Artifact;
use crate::driver::DriverError;
use crate::driver::files::FileTree;

/// A section that stands in every file of ours, also in those that serve nothing.
pub const SECTION: &str = "switchyard-marker";

/// How a marker begins; sixteen hex digits follow.
const HEAD: &str = "sy-";
const DIGITS: usize = 16;

/// What stands in a live file's section; `None` where there is no such file. One by an older version that serves nothing has
/// none.
pub async fn written(files: &FileTree, file: Artifact) -> Result<Option<BTreeSet<String>>, DriverError> {
    let read = move |tree: FileTree| match File::open(tree.live(file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => in_section(BufReader::new(opened?)).map(Some),
    };
    files.on_disk("reading the marker of a live file", read).await
}

fn in_section(mut text: impl BufRead) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut is_inside = false;
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line)? > 0 {
        let read = String::from_utf8_lossy(&line);
        let read = read.trim_start();
        if let Some(rest) = read.strip_prefix('[') {
            is_inside = rest.split(']').next() == Some(SECTION);
        } else if is_inside && !read.starts_with(';') {
            found.extend(markers(read));
        }
        line.clear();
    }
    Ok(found)
}

/// Every marker in a text.
pub fn markers(text: &str) -> impl Iterator<Item = String> {
    text.match_indices(HEAD).filter_map(|(at, _)| {
        let digits = at.checked_add(HEAD.len())?;
        let marker = text.get(at..digits.checked_add(DIGITS)?)?;
        let is_marker = marker
            .bytes()
            .skip(HEAD.len())
            .all(|byte| byte.is_ascii_hexdigit());
        is_marker.then(|| marker.to_owned())
    })
}

/// Whether a section that Asterisk shows with these markers is the one of our file.
pub fn is_same(shown: &BTreeSet<String>, written: Option<&BTreeSet<String>>) -> bool {
    match written {
        None => false,
        Some(written) if written.is_empty() => shown.is_empty(),
        Some(written) => !written.is_disjoint(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(markers: &[&str]) -> BTreeSet<String> {
        markers.iter().map(|marker| (*marker).to_owned()).collect()
    }

    #[test]
    fn only_what_stands_in_the_section_marks_a_file() {
        let text = "[a]\nx=sy-0000000000000000\n[switchyard-marker](!)\n; sy-1111111111111111\n0 => -0,sy-22222222222222aa\n\
                    y=sy-3\n[b]\nx=sy-4444444444444444\n";
        let found = in_section(text.as_bytes()).unwrap();
        assert_eq!(found, set(&["sy-22222222222222aa"]));
    }

    #[test]
    fn another_directorys_file_is_not_taken_for_ours() {
        let (one, other) = (set(&["sy-1"]), set(&["sy-2"]));
        let both = set(&["sy-1", "sy-2"]);
        assert!(is_same(&one, Some(&one)) && is_same(&both, Some(&one)));
        assert!(!is_same(&other, Some(&one)) && !is_same(&set(&[]), Some(&one)));
        assert!(!is_same(&one, None) && !is_same(&set(&[]), None));
        assert!(is_same(&set(&[]), Some(&set(&[]))) && !is_same(&one, Some(&set(&[]))));
    }
}
