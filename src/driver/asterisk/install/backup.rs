//! Where a file of the operator's is kept as it was before an install changed it.

use std::fs;
use std::path::{Path, PathBuf};

use super::content::Content;
use super::place::Found;

/// Stands behind the name of a file's copy; from the second copy on, with a number behind it.
const SUFFIX: &str = ".before-switchyard";

/// Where a file is to be kept as it is now: in the copy that holds just that already, or in a new one. A copy is never
/// written over: what it holds may be nowhere else.
pub fn place_for(file: &Found) -> PathBuf {
    let copies = numbered(&file.path);
    let same = copies
        .iter()
        .find(|(_, copy)| Content::read(copy).is_ok_and(|copy| copy.bytes == file.content.bytes));
    if let Some((_, copy)) = same {
        return copy.clone();
    }
    let mut name = file.path.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    if let Some((last, _)) = copies.last() {
        name.push(format!(".{}", last + 1));
    }
    file.path.with_file_name(name)
}

/// The copies of a file, the oldest first.
pub fn all_of(path: &Path) -> Vec<PathBuf> {
    numbered(path).into_iter().map(|(_, copy)| copy).collect()
}

fn numbered(path: &Path) -> Vec<(u32, PathBuf)> {
    let Some(entries) = path.parent().and_then(|folder| fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let mut copies: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let behind = name.to_str()?.strip_prefix(path.file_name()?.to_str()?)?;
            Some((number(behind.strip_prefix(SUFFIX)?)?, entry.path()))
        })
        .collect();
    copies.sort();
    copies
}

fn number(behind: &str) -> Option<u32> {
    match behind.strip_prefix('.') {
        None => behind.is_empty().then_some(1),
        Some(digits) => digits.parse().ok().filter(|number| *number > 1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::place;
    use super::*;

    #[test]
    fn each_state_that_was_changed_has_a_copy_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let copy_of = |bytes: &str| {
            fs::write(at("a.conf"), bytes).unwrap();
            let copy = place_for(&place::find(&at("a.conf")).unwrap().unwrap());
            fs::write(&copy, bytes).unwrap();
            copy.file_name().unwrap().to_str().unwrap().to_owned()
        };
        for other in [
            "a.conf.before-switchyard.old",
            "a.conf.before-switchyardx",
            "b.conf.before-switchyard.9",
        ] {
            fs::write(at(other), "").unwrap();
        }
        assert_eq!(copy_of("one"), "a.conf.before-switchyard");
        assert_eq!(copy_of("two"), "a.conf.before-switchyard.2");
        assert_eq!(copy_of("one"), "a.conf.before-switchyard");
        fs::rename(
            at("a.conf.before-switchyard.2"),
            at("a.conf.before-switchyard.10"),
        )
        .unwrap();
        assert_eq!(copy_of("three"), "a.conf.before-switchyard.11");
        assert_eq!(all_of(&at("a.conf")).len(), 3);
        assert_eq!(fs::read(at("a.conf.before-switchyard")).unwrap(), b"one");
    }
}
