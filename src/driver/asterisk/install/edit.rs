//! Edits of the operator's files: made, put in, and taken out again without a trace.

use std::fs;
use std::path::Path;

use super::place::{self, Found as File};
use super::swap::{FileChange, backup_of};
use super::text::Text;
use super::{Found, InstallError, Site};

/// An edit of a file of the operator's.
pub fn edited(file: File, after: Vec<u8>) -> FileChange {
    FileChange {
        path: file.path,
        before: Some(file.bytes),
        after: Some(after),
        uid: file.uid,
        gid: file.gid,
        mode: file.mode,
        backup: true,
        secret: false,
    }
}

/// A file that the operator does not have; Asterisk's group reads it, and nobody but us writes it.
pub fn created(site: &Site, path: &Path, bytes: Vec<u8>) -> FileChange {
    FileChange {
        path: path.to_owned(),
        before: None,
        after: Some(bytes),
        uid: rustix::process::geteuid().as_raw(),
        gid: site.group,
        mode: 0o640,
        backup: false,
        secret: false,
    }
}

/// What is appended would be a comment.
pub fn unclosed(name: &'static str, path: &Path) -> Found {
    let detail = format!("{} ends inside of a comment that `;--` opens", path.display());
    Found::blocked(name, detail, "close the comment with `--;`")
}

/// Takes the lines of ours out of a file of the operator's. What is then as its copy loses the copy, and a file that
/// holds nothing else goes if we made it: one of the operator's has a copy.
pub fn removed(
    name: &'static str,
    path: &Path,
    ours: impl Fn(&Text<'_>, usize) -> bool,
) -> Result<Found, InstallError> {
    let Some(file) = place::find(path)? else {
        return Ok(Found::in_place(name, format!("{} is not there", path.display())));
    };
    let mut after = file.bytes.clone();
    while let Some(shorter) = without_one(&after, &ours) {
        after = shorter;
    }
    if after == file.bytes {
        return Ok(Found::in_place(
            name,
            format!("{} has no line of ours", path.display()),
        ));
    }
    let detail = format!("{} loses what was put in", path.display());
    let backup = backup_of(&file.path);
    let kept = fs::read(&backup).ok();
    let mut change = edited(file, after);
    change.backup = false;
    let same = kept.is_some() && kept == change.after;
    let copy = FileChange {
        path: backup,
        before: kept,
        after: None,
        ..change
    };
    if copy.before.is_none() {
        change.after = change.after.filter(|bytes| !bytes.is_empty());
    }
    let mut found = Found::missing(name, detail, change);
    if same {
        found.changes.push(copy.into());
    }
    Ok(found)
}

fn without_one(bytes: &[u8], ours: &impl Fn(&Text<'_>, usize) -> bool) -> Option<Vec<u8>> {
    let text = Text::read(bytes);
    let index = (0..text.lines().len()).find(|index| ours(&text, *index))?;
    Some(text.without(index))
}

/// Whether a line carries our mark; a header does not go while lines of the operator's need it.
pub fn is_marked(text: &Text<'_>, index: usize) -> bool {
    let line = text.lines().get(index);
    line.is_some_and(|line| line.ours && (line.header().is_none() || text.is_closed_behind(index)))
}
