//! Edits of the operator's files: made, put in, and taken out again without a trace.

use std::path::Path;

use super::backup;
use super::content::{Content, Standing};
use super::place::{self, Found as File};
use super::swap::{Change, FileChange, Shown};
use super::text::Text;
use super::{Found, InstallError, Site};
use crate::domain::pbx_part::State;

/// An edit of a file of the operator's.
pub fn edited(file: File, after: Vec<u8>) -> FileChange {
    FileChange {
        backup: Some(backup::place_for(&file)),
        path: file.path,
        after: Some(file.content.with(after)),
        before: Some(file.content),
        shown: Shown::Changed,
    }
}

/// A file that the operator does not have; Asterisk's group reads it, and nobody but us writes it.
pub fn created(site: &Site, path: &Path, bytes: Vec<u8>) -> FileChange {
    let standing = Standing {
        uid: rustix::process::geteuid().as_raw(),
        gid: site.group,
        mode: 0o640,
    };
    FileChange {
        path: path.to_owned(),
        before: None,
        after: Some(Content::new(bytes, standing)),
        backup: None,
        shown: Shown::Changed,
    }
}

/// A file that goes.
pub fn gone(path: &Path, content: Content, shown: Shown) -> Change {
    let change = FileChange {
        path: path.to_owned(),
        before: Some(content),
        after: None,
        backup: None,
        shown,
    };
    change.into()
}

/// What is appended would be a comment.
pub fn unclosed(name: &'static str, path: &Path) -> Found {
    let detail = format!("{} ends inside of a comment that `;--` opens", path.display());
    Found::blocked(name, detail, "close the comment with `--;`")
}

/// Takes the lines of ours out of a file of the operator's. A copy of it that would say no more than the file itself goes
/// too, and a file that holds nothing else goes if we made it: one of the operator's has a copy without any line of ours.
pub fn removed(
    name: &'static str,
    path: &Path,
    ours: impl Fn(&Text<'_>, usize) -> bool,
) -> Result<Found, InstallError> {
    let Some(file) = place::find(path)? else {
        return Ok(Found::in_place(name, format!("{} is not there", path.display())));
    };
    let after = without(&file.content.bytes, &ours);
    let copies: Vec<File> = backup::all_of(&file.path)
        .into_iter()
        .filter_map(|path| place::find(&path).ok().flatten())
        .collect();
    let is_of_ours = |copy: &File| without(&copy.content.bytes, &ours) != copy.content.bytes;
    let goes = after.is_empty() && copies.iter().all(is_of_ours) && is_of_ours(&file);
    let mut found = Found::in_place(name, format!("{} has no line of ours", path.display()));
    for copy in copies {
        if without(&copy.content.bytes, &ours) == after {
            found.changes.push(gone(&copy.path, copy.content, Shown::Nothing));
        }
    }
    if is_of_ours(&file) {
        found.part.state = State::Missing;
        found.part.detail = format!("{} loses what was put in", path.display());
        let mut change = FileChange {
            backup: None,
            ..edited(file, after)
        };
        if goes {
            change.after = None;
        }
        // Cut off in between, a file of the operator's has lost our lines and may still have its copy; one that goes has
        // lost its copies first, or they would be of nothing.
        let at = if goes { found.changes.len() } else { 0 };
        found.changes.insert(at, change.into());
    }
    Ok(found)
}

fn without(bytes: &[u8], ours: &impl Fn(&Text<'_>, usize) -> bool) -> Vec<u8> {
    let mut rest = bytes.to_vec();
    while let Some(shorter) = without_one(&rest, ours) {
        rest = shorter;
    }
    rest
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
