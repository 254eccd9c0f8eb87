//! The files that an include means: a path, or a pattern as the C library's `glob` has it, for Asterisk with braces.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

/// What makes a part of a path a pattern.
const MAGIC: [char; 4] = ['*', '?', '[', '{'];

/// The files that a path below a directory means, in order. One without a pattern means itself, whether it is there or not.
pub fn files(directory: &Path, path: &str, most: usize) -> io::Result<Vec<PathBuf>> {
    if !has_pattern(path.as_ref()) {
        return Ok(vec![directory.join(path)]);
    }
    let mut files = Vec::new();
    for path in without_braces(path, most)? {
        files.extend(matching(directory, Path::new(&path), most - files.len())?);
    }
    Ok(files)
}

/// The same without braces, of a path from the root.
pub fn globbed(path: &Path, most: usize) -> io::Result<Vec<PathBuf>> {
    if path.to_string_lossy().contains(['*', '?', '[']) {
        matching(Path::new("/"), path, most)
    } else {
        Ok(vec![path.to_owned()])
    }
}

/// Whether a name is one of a pattern. A hidden one has to be named with its dot.
pub fn fits(pattern: &str, name: &str) -> bool {
    let [pattern, name] = [pattern, name].map(|text| text.chars().collect::<Vec<_>>());
    fits_all(&pattern, &name)
}

fn fits_all(pattern: &[char], name: &[char]) -> bool {
    let is_hidden = name.first() == Some(&'.') && pattern.first() != Some(&'.');
    !is_hidden && matches(pattern, name)
}

fn has_pattern(part: &OsStr) -> bool {
    part.to_string_lossy().contains(MAGIC)
}

/// What `{a,b}` stands for, one after the other.
fn without_braces(text: &str, most: usize) -> io::Result<Vec<String>> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(text) = open.pop() {
        if done.len() + open.len() >= most {
            return Err(too_many(most));
        }
        match choice(&text) {
            None => done.push(text),
            // The first choice is taken up first.
            Some((head, choices, tail)) => {
                let whole = choices.iter().rev().map(|choice| format!("{head}{choice}{tail}"));
                open.extend(whole);
            }
        }
    }
    Ok(done)
}

/// What stands before the first braces, between their commas, and behind them.
fn choice(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    let (head, rest) = text.split_once('{')?;
    let (mut depth, mut start) = (0_usize, 0);
    let mut choices = Vec::new();
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                choices.push(rest.get(start..at)?);
                start = at + 1;
            }
            '}' if depth == 0 => {
                choices.push(rest.get(start..at)?);
                return Some((head, choices, rest.get(at + 1..)?));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn matching(directory: &Path, path: &Path, most: usize) -> io::Result<Vec<PathBuf>> {
    let mut there = vec![directory.to_owned()];
    for part in path.components() {
        match part {
            Component::Normal(name) if has_pattern(name) => {
                let pattern: Vec<char> = name.to_string_lossy().chars().collect();
                let mut found = Vec::new();
                for folder in &there {
                    found.extend(inside(folder, &pattern, most - found.len())?);
                }
                there = found;
            }
            part => there.iter_mut().for_each(|path| path.push(part)),
        }
    }
    // A link that leads nowhere is there.
    there.retain(|path| path.symlink_metadata().is_ok());
    Ok(there)
}

/// What a folder has by names that match, in order.
fn inside(folder: &Path, pattern: &[char], most: usize) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name: Vec<char> = entry.file_name().to_string_lossy().chars().collect();
        if fits_all(pattern, &name) {
            if found.len() == most {
                return Err(too_many(most));
            }
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn too_many(most: usize) -> io::Error {
    io::Error::other(format!("the pattern means more than {most} files"))
}

/// Whether a name is one of a pattern. Of several `*` only the last is ever tried anew, so that it takes no longer than
/// both are long, multiplied.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    let mut again: Option<(&[char], &[char])> = None;
    loop {
        let next = match (pattern.split_first(), name.split_first()) {
            (Some(('*', rest)), _) => {
                again = name.get(1..).map(|name| (rest, name));
                Some((rest, name))
            }
            (Some(_), Some((c, behind))) => one(pattern, *c).map(|rest| (rest, behind)),
            (None, None) => return true,
            _ => None,
        };
        (pattern, name) = match (next, again) {
            (Some(next), _) => next,
            (None, Some((rest, name))) => {
                again = name.get(1..).map(|name| (rest, name));
                (rest, name)
            }
            (None, None) => return false,
        };
    }
}

/// What is left of a pattern behind what stands for this one character, if it does.
fn one(pattern: &[char], c: char) -> Option<&[char]> {
    match pattern {
        ['?', rest @ ..] => Some(rest),
        ['\\', escaped, rest @ ..] => (*escaped == c).then_some(rest),
        ['[', set @ ..] => match in_set(set, c) {
            Some((is_in, rest)) => is_in.then_some(rest),
            None => (c == '[').then_some(set),
        },
        [plain, rest @ ..] => (*plain == c).then_some(rest),
        [] => None,
    }
}

/// Whether a character is in `a-z]`, `!a-z]` or `^a-z]`, with what stands behind it; none where nothing closes it.
fn in_set(set: &[char], c: char) -> Option<(bool, &[char])> {
    let (negated, mut rest) = match set {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut is_in = false;
    let mut first = true;
    loop {
        rest = match rest {
            [']', rest @ ..] if !first => return Some((is_in != negated, rest)),
            [low, '-', high, rest @ ..] if *high != ']' => {
                is_in |= (*low..=*high).contains(&c);
                rest
            }
            [one, rest @ ..] => {
                is_in |= *one == c;
                rest
            }
            [] => return None,
        };
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("*.conf", "a.conf", true)]
    #[case("*.conf", "a.conf.bak", false)]
    #[case("a*b*c", "axxbyybzzc", true)]
    #[case("a*b*c", "axxbyybzz", false)]
    #[case("ext?.conf", "ext1.conf", true)]
    #[case("ext?.conf", "ext12.conf", false)]
    #[case("[a-m]*.conf", "bob.conf", true)]
    #[case("[a-m]*.conf", "zoe.conf", false)]
    #[case("[!a-m]*", "zoe", true)]
    #[case("[]x]", "]", true)]
    #[case("[a-]", "-", true)]
    #[case("a[b", "a[b", true)]
    #[case("\\*", "*", true)]
    #[case("\\*", "a", false)]
    #[case("**", "", true)]
    fn a_name_matches_as_the_c_library_has_it(
        #[case] pattern: &str,
        #[case] name: &str,
        #[case] expected: bool,
    ) {
        let [pattern, name] = [pattern, name].map(|text| text.chars().collect::<Vec<_>>());
        assert_eq!(matches(&pattern, &name), expected);
    }

    #[test]
    fn a_pattern_may_stand_in_any_part_of_a_path_and_braces_are_choices() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["d/b/2.conf", "d/a/1.conf", "d/a/.x.conf", "d/c.conf", "e/1.conf"] {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let files = files(directory.path(), pattern, 10).unwrap();
            let shown = |file: &PathBuf| file.strip_prefix(directory.path()).unwrap().display().to_string();
            files.iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(found("d/*/*.conf"), ["d/a/1.conf", "d/b/2.conf"]);
        assert_eq!(
            found("[de]/{b/2,c,1}.conf"),
            ["d/b/2.conf", "d/c.conf", "e/1.conf"]
        );
        assert_eq!(found("*/nothing"), Vec::<String>::new());
        assert_eq!(found("plain"), ["plain"]);
    }

    #[test]
    fn what_means_too_many_files_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["1", "2", "3"] {
            std::fs::write(directory.path().join(file), "").unwrap();
        }
        for pattern in ["*", "{1,2}*{,,}", &"{a,b}".repeat(40)] {
            let error = files(directory.path(), pattern, 2).unwrap_err().to_string();
            assert!(error.contains("more than 2 files"), "{pattern}: {error}");
        }
    }
}
