//! What has Asterisk tell of calls that are over: its records as events, with what tells which call each is of and when.

use super::edit::{created, edited, is_marked, removed, unclosed};
use super::place;
use super::read::{Section, is_yes, sections, value};
use super::text::{MARK, Text};
use super::{Found, InstallError, Site};
use crate::driver::asterisk::ended::MAPPINGS;

const NAME: &str = "call_records";
const MODULE: &str = "call_records_modules";
const FILE: &str = "cdr_manager.conf";
const GENERAL: &str = "general";
const ENABLED: &str = "enabled";
const WANTED: &str = "mappings";
const RELOAD: &str = "module reload cdr_manager.so";
/// What the records are made and told by.
const MODULES: [&str; 2] = ["func_cdr.so", "cdr_manager.so"];
/// The lines that have a module loaded whatever `autoload` says.
const LOADS: [&str; 4] = ["load", "preload", "require", "preload-require"];

/// Whether the events are told whole, and what would keep them from being told at all.
pub fn find(site: &Site) -> Result<Vec<Found>, InstallError> {
    let mut found = vec![events(site)?.heeded_by(RELOAD)];
    found.extend(modules(site)?);
    Ok(found)
}

/// Has them told no more.
pub fn removal(site: &Site) -> Result<Found, InstallError> {
    Ok(removed(NAME, &site.file(FILE), is_marked)?.heeded_by(RELOAD))
}

fn events(site: &Site) -> Result<Found, InstallError> {
    let path = site.file(FILE);
    let all = sections(&site.directory, FILE)?;
    let mut lacking = Vec::new();
    if !value(&all, GENERAL, ENABLED).is_some_and(is_yes) {
        lacking.push((GENERAL, format!("{ENABLED} = yes")));
    }
    for (field, name) in MAPPINGS {
        if !is_mapped(&all, field, name) {
            lacking.push((WANTED, format!("{field} => {name}")));
        }
    }
    if lacking.is_empty() {
        let detail = format!("{} has calls that are over told", path.display());
        return Ok(Found::in_place(NAME, detail));
    }
    let Some(file) = place::find(&path)? else {
        let detail = format!("{} is not there; it is made", path.display());
        return Ok(Found::missing(
            NAME,
            detail,
            created(site, &path, with(Vec::new(), &lacking)),
        ));
    };
    let text = Text::read(&file.content.bytes);
    if text.ends_in_comment() {
        return Ok(unclosed(NAME, &path));
    }
    let overruled = |(_, wanted): &&(&str, String)| {
        text.lines()
            .iter()
            .any(|line| line.ours && line.meaning == *wanted)
    };
    if let Some((section, line)) = lacking.iter().find(overruled) {
        let detail = format!(
            "{} has our `{line}`, and what it reads behind that says otherwise",
            path.display()
        );
        let mend = format!("have no other such line under [{section}], there or in a file that it includes");
        return Ok(Found::doubtful(NAME, detail, mend));
    }
    let after = with(file.content.bytes.clone(), &lacking);
    let detail = format!(
        "{} has no calls that are over told, or less of them",
        path.display()
    );
    Ok(Found::missing(NAME, detail, edited(file, after)))
}

fn is_mapped(all: &[Section], field: &str, name: &str) -> bool {
    value(all, WANTED, field).is_some_and(|value| value == name)
}

/// The same bytes with these lines, each in its section.
fn with(mut bytes: Vec<u8>, lines: &[(&str, String)]) -> Vec<u8> {
    // Each goes as far up in its section as it counts: the last first.
    for (section, line) in lines.iter().rev() {
        if Text::read(&bytes).section(section).is_none() {
            bytes = Text::read(&bytes).appended(&format!("[{section}]{MARK}"));
        }
        let text = Text::read(&bytes);
        if let Some(at) = last_said(&text, section, line).or_else(|| text.section(section)) {
            bytes = text.inserted_behind(at, &format!("{line}{MARK}"));
        }
    }
    bytes
}

/// Where the section says something else about what a line says, for the last time: of two, Asterisk heeds the latter. It is
/// shipped with `enabled = no`, so that to say so does not show that anyone wanted it.
fn last_said(text: &Text<'_>, section: &str, line: &str) -> Option<usize> {
    let (wanted, _) = line.split_once(' ')?;
    let mut inside = false;
    let mut last = None;
    for (index, line) in text.lines().iter().enumerate() {
        if let Some(header) = line.header() {
            inside = header.name == section && !header.template;
        } else if inside
            && line
                .entry()
                .is_some_and(|(key, _)| key.eq_ignore_ascii_case(wanted))
        {
            last = Some(index);
        }
    }
    last
}

/// What is loaded, and whether there are records at all, is the operator's.
fn modules(site: &Site) -> Result<Option<Found>, InstallError> {
    let cdr = sections(&site.directory, "cdr.conf")?;
    if value(&cdr, GENERAL, "enable").is_some_and(|word| !is_yes(word)) {
        let path = site.file("cdr.conf");
        let detail = format!("{} says on purpose that no call is on record", path.display());
        let mend =
            format!("have `enable = yes` under [{GENERAL}] there, then type `asterisk -rx 'cdr reload'`");
        return Ok(Some(Found::doubtful(MODULE, detail, mend)));
    }
    let all = sections(&site.directory, "modules.conf")?;
    if all.is_empty() {
        return Ok(None);
    }
    let named = |keys: &[&str], module: &str| {
        let own = all.iter().filter(|section| section.name == "modules");
        let mut entries = own.flat_map(|section| &section.entries);
        let bare = module.trim_end_matches(".so");
        entries.any(|(key, value)| keys.contains(&key.as_str()) && value.trim_end_matches(".so") == bare)
    };
    let autoload = value(&all, "modules", "autoload").is_some_and(is_yes);
    let is_kept_out = |module: &&&str| named(&["noload"], module) || !(autoload || named(&LOADS, module));
    Ok(MODULES.iter().find(is_kept_out).map(|module| {
        let path = site.file("modules.conf");
        let detail = format!("{} keeps {module} from loading: no call that is over is told", path.display());
        let mend = format!(
            "have `load => {module}` under [modules] and no `noload` of it, then type `asterisk -rx 'module load {module}'`"
        );
        Found::doubtful(MODULE, detail, mend)
    }))
}
