//! The log channel with Asterisk's warnings and errors, so that a deployment's record can quote them.

use super::edit::{created, edited, is_marked, removed, unclosed};
use super::place;
use super::read::sections;
use super::text::{MARK, Text};
use super::{Found, InstallError, Site};

const NAME: &str = "log_channel";
const FILE: &str = "logger.conf";
const SECTION: &str = "logfiles";
/// What the driver reads.
const LEVELS: [&str; 2] = ["warning", "error"];

/// Whether the channel is there and gets what the driver reads.
pub fn find(site: &Site) -> Result<Found, InstallError> {
    let path = site.file(FILE);
    let log = site.log_file.as_path();
    // In its own log directory Asterisk wants the name alone.
    let channel = match log.file_name() {
        Some(name) if log.parent() == Some(&site.log_dir) => name.display().to_string(),
        _ => site.log_file.to_string(),
    };
    let sections = sections(&site.directory, FILE)?;
    let there = sections
        .iter()
        .filter(|section| section.name == SECTION)
        .flat_map(|section| &section.entries)
        .find(|(key, _)| *key == channel || key.as_str() == site.log_file.as_str());
    if let Some((_, levels)) = there {
        let has = |level: &str| {
            levels
                .split(',')
                .any(|word| word.trim() == level || word.trim() == "*")
        };
        if LEVELS.into_iter().all(has) {
            return Ok(Found::in_place(
                NAME,
                format!("Asterisk logs to {}", site.log_file),
            ));
        }
        let detail = format!("{} gets `{levels}` only", site.log_file);
        let mend = format!("in {} have `{channel} => {}`", path.display(), LEVELS.join(","));
        return Ok(Found::doubtful(NAME, detail, mend));
    }
    let line = format!("{channel} => {}{MARK}", LEVELS.join(","));
    let heading = format!("[{SECTION}]{MARK}");
    let Some(file) = place::find(&path)? else {
        let detail = format!("{} is not there; it is made, with our channel", path.display());
        let bytes = format!("{heading}\n{line}\n").into_bytes();
        return Ok(Found::missing(NAME, detail, created(site, &path, bytes)));
    };
    let text = Text::read(&file.content.bytes);
    let after = if let Some(section) = text.section(SECTION) {
        text.inserted_behind(section, &line)
    } else if text.ends_in_comment() {
        return Ok(unclosed(NAME, &path));
    } else {
        Text::read(&text.appended(&heading)).appended(&line)
    };
    let detail = format!("{} has no channel that writes {}", path.display(), site.log_file);
    Ok(Found::missing(NAME, detail, edited(file, after)))
}

/// Takes it out.
pub fn removal(site: &Site) -> Result<Found, InstallError> {
    removed(NAME, &site.file(FILE), is_marked)
}
