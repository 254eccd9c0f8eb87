//! The line at the end of each of the operator's three files that has Asterisk read ours.

use std::path::{Path, PathBuf};

use super::super::included;
use super::edit::{created, edited, removed, unclosed};
use super::place;
use super::text::{MARK, Text};
use super::{Found, InstallError, Site};
use crate::domain::artifact::Artifact;

const NAMES: [(&str, Artifact); 3] = [
    ("include_pjsip", Artifact::Pjsip),
    ("include_dialplan", Artifact::Extensions),
    ("include_voicemail", Artifact::Voicemail),
];

/// Whether each line is there.
pub fn find(site: &Site) -> Result<Vec<Found>, InstallError> {
    // Before the first deploy there is nothing to be read.
    let deployed = site.config_dir.as_path().join("live").exists();
    let find = |(name, file): &(&'static str, Artifact)| {
        let found = find_one(site, name, *file)?;
        Ok(if deployed {
            found.heeded_by(reload(*file))
        } else {
            found
        })
    };
    NAMES.iter().map(find).collect()
}

/// Takes each out that leads to one of these directories: those to the first whoever put them in, the others as far as
/// they carry our mark.
pub fn removal(site: &Site, directories: &[PathBuf]) -> Result<Vec<Found>, InstallError> {
    let remove = |(name, file): &(&'static str, Artifact)| {
        removed(name, &site.file(file.as_str()), |text, index| {
            let Some(line) = text.lines().get(index) else {
                return false;
            };
            let of = line.include().and_then(|included| directory(included, *file));
            of.is_some_and(|of| {
                directories.iter().any(|one| one == of) && (line.ours || of == site.config_dir.as_path())
            })
        })
        .map(|found| found.heeded_by(reload(*file)))
    };
    NAMES.iter().map(remove).collect()
}

/// A directory of ours, or of somebody who has one like it, that a file of the operator's leads to.
pub struct Lead {
    /// The directory.
    pub directory: PathBuf,
    /// Whether the line carries our mark.
    pub marked: bool,
}

/// Where the operator's three files lead to.
pub fn leads(site: &Site) -> Result<Vec<Lead>, InstallError> {
    let mut leads = Vec::new();
    for (_, file) in NAMES {
        let Some(found) = place::find(&site.file(file.as_str()))? else {
            continue;
        };
        for line in Text::read(&found.content.bytes).lines() {
            if let Some(directory) = line.include().and_then(|included| directory(included, file)) {
                leads.push(Lead {
                    directory: directory.to_owned(),
                    marked: line.ours,
                });
            }
        }
    }
    Ok(leads)
}

/// The directory behind whose `live` link an included file lies.
fn directory(included: &str, file: Artifact) -> Option<&Path> {
    let directory = included.strip_suffix(file.as_str())?.strip_suffix("/live/")?;
    directory.starts_with('/').then(|| Path::new(directory))
}

fn reload(file: Artifact) -> String {
    format!("module reload {}", file.module())
}

fn find_one(site: &Site, name: &'static str, conf: Artifact) -> Result<Found, InstallError> {
    let path = site.file(conf.as_str());
    let target = included::target(&site.config_dir, conf);
    let line = format!("{}{MARK}", included::line(&site.config_dir, conf));
    let Some(file) = place::find(&path)? else {
        let detail = format!("{} is not there; it is made, with the one line", path.display());
        let bytes = format!("{line}\n").into_bytes();
        return Ok(Found::missing(name, detail, created(site, &path, bytes)));
    };
    let text = Text::read(&file.content.bytes);
    let at = text
        .lines()
        .iter()
        .position(|line| line.include() == Some(target.as_str()));
    if let Some(at) = at {
        if text.is_closed_behind(at) {
            return Ok(Found::in_place(
                name,
                format!("{} includes {target}", path.display()),
            ));
        }
        let detail = format!(
            "{} includes {target} in the middle: the lines behind it belong to a section of ours",
            path.display()
        );
        return Ok(Found::doubtful(
            name,
            detail,
            format!("move `#tryinclude {target}` to the end of the file"),
        ));
    }
    // Of another instance, or of this one in another directory: Asterisk would serve both at once.
    let other = text
        .lines()
        .iter()
        .filter_map(|line| line.include())
        .find(|included| directory(included, conf).is_some());
    if let Some(other) = other {
        return Ok(Found::blocked(
            name,
            format!(
                "{} includes {other}, which another installation put there",
                path.display()
            ),
            "one Asterisk takes one instance in one directory: take the other out with `switchyard pbx remove NAME` first",
        ));
    }
    if text.ends_in_comment() {
        return Ok(unclosed(name, &path));
    }
    let after = text.appended(&line);
    let detail = format!("{} does not include {target}", path.display());
    Ok(Found::missing(name, detail, edited(file, after)))
}
