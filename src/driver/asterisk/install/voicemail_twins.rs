//! The twins of `app_voicemail`, which register the same applications: one that fails to load takes `VoiceMail()` with it.

use super::edit::{edited, is_marked, removed};
use super::place;
use super::read::{is_yes, sections, value};
use super::text::{MARK, Text};
use super::{Found, InstallError, Site};

const NAME: &str = "voicemail_twins";
const FILE: &str = "modules.conf";
const SECTION: &str = "modules";
const OWN: &str = "app_voicemail.so";
/// The lines that have a module loaded whatever `autoload` says.
const LOADS: [&str; 4] = ["load", "preload", "require", "preload-require"];
const TWINS: [&str; 2] = ["app_voicemail_odbc.so", "app_voicemail_imap.so"];

/// Whether a twin that is installed would be loaded.
pub fn find(site: &Site) -> Result<Found, InstallError> {
    let path = site.file(FILE);
    let sections = sections(&site.directory, FILE)?;
    let named = |keys: &[&str], module: &str| {
        sections
            .iter()
            .filter(|section| section.name == SECTION)
            .flat_map(|section| &section.entries)
            .any(|(key, value)| {
                keys.contains(&key.as_str())
                    && value.trim_end_matches(".so") == module.trim_end_matches(".so")
            })
    };
    if named(&["noload"], OWN) {
        let mend = format!("take `noload => {OWN}` out of {}", path.display());
        return Ok(Found::doubtful(NAME, format!("{OWN} is kept from loading"), mend));
    }
    let Some(directory) = &site.modules_dir else {
        let mend = "name the directory of Asterisk's modules with --modules-dir";
        return Ok(Found::doubtful(
            NAME,
            "where Asterisk's modules are is not known",
            mend,
        ));
    };
    let there = |module: &&str| directory.join(module).exists();
    if !there(&OWN) {
        let detail = format!("{OWN} is not in {}", directory.display());
        return Ok(Found::doubtful(
            NAME,
            detail,
            "install Asterisk's voicemail with files",
        ));
    }
    let loaded: Vec<&str> = TWINS
        .into_iter()
        .filter(|twin| there(twin) && named(&LOADS, twin))
        .collect();
    if let Some(twin) = loaded.first() {
        let detail = format!(
            "{} loads {twin} on purpose; our mailboxes are files",
            path.display()
        );
        let mend = format!("take `load => {twin}` out, and have `noload => {twin}`");
        return Ok(Found::doubtful(NAME, detail, mend));
    }
    let autoload = value(&sections, SECTION, "autoload").is_some_and(is_yes);
    let harmful: Vec<&str> = TWINS
        .into_iter()
        .filter(|twin| autoload && there(twin) && !named(&["noload"], twin))
        .collect();
    let Some(file) = place::find(&path)? else {
        return Ok(Found::in_place(NAME, format!("{} is not there", path.display())));
    };
    if harmful.is_empty() {
        let text = Text::read(&file.content.bytes);
        let put_in = text.lines().iter().any(|line| line.ours);
        return Ok(Found::in_place(NAME, format!("no twin of {OWN} is loaded")).heeded_by_restart(put_in));
    }
    let mut after = file.content.bytes.clone();
    for twin in &harmful {
        let text = Text::read(&after);
        let Some(section) = text.section(SECTION) else {
            let detail = format!("{} has no section [{SECTION}] of its own", path.display());
            let mend = format!("have `noload => {twin}` where its [{SECTION}] is");
            return Ok(Found::blocked(NAME, detail, mend));
        };
        after = text.inserted_behind(section, &format!("noload => {twin}{MARK}"));
    }
    let detail = format!("{} would be loaded in the place of {OWN}", harmful.join(" and "));
    Ok(Found::missing(NAME, detail, edited(file, after)).heeded_by_restart(true))
}

/// Lets them load again.
pub fn removal(site: &Site) -> Result<Found, InstallError> {
    Ok(removed(NAME, &site.file(FILE), is_marked)?.heeded_by_restart(true))
}
