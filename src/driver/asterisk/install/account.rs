//! The daemon's account of the manager interface: a file of ours, which Asterisk's own includes.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::edit::{created, edited, gone, removed, unclosed};
use super::foreign::Manager;
use super::place;
use super::read::{Section, sections};
use super::swap::Shown;
use super::text::Text;
use super::{Aim, Found, InstallError, Site};
use crate::driver::asterisk::account_lines;

const NAME: &str = "manager_account";
const FILE: &str = "manager.conf";
/// The name of our file, in a directory of the operator's that manager.conf reads whole.
const IN_DIRECTORY: &str = "switchyard.conf";

/// The secret in our file, where there is one that can be kept.
pub fn kept_secret(site: &Site) -> Result<Option<SecretString>, InstallError> {
    for path in possible_files(site)? {
        if let Some(file) = place::find(&path)?.filter(|file| is_made_by_us(&file.content.bytes)) {
            let text = Text::read(&file.content.bytes);
            let secret = text
                .lines()
                .iter()
                .filter_map(|line| line.entry())
                .find(|(key, _)| *key == "secret");
            if let Some((_, secret)) = secret.filter(|(_, secret)| can_be_written(secret)) {
                return Ok(Some(secret.to_owned().into()));
            }
        }
    }
    Ok(None)
}

/// Whether Asterisk would read a secret as it is.
#[must_use]
pub fn can_be_written(secret: &str) -> bool {
    (12..=64).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether the account is there, as it must be.
pub fn find(site: &Site, manager: &Manager, aim: Aim<'_>) -> Result<Found, InstallError> {
    let account = &site.account;
    let path = site.file(FILE);
    let Some(main) = place::find(&path)? else {
        let detail = format!("{} is not there", path.display());
        return Ok(Found::blocked(
            NAME,
            detail,
            "install Asterisk's sample configuration, or write it",
        ));
    };
    let possible = possible_files(site)?;
    let all = sections(&site.directory, FILE)?;
    let is_ours = |section: &&Section| possible.contains(&section.file);
    let foreign = all
        .iter()
        .find(|section| section.name == account.as_str() && !is_ours(section));
    if let Some(section) = foreign {
        if let Aim::Tell(_) = aim {
            let detail = format!("[{account}] is in {}, by hand", section.file.display());
            return Ok(Found::in_place(NAME, detail));
        }
        return Ok(by_hand(site, section));
    }
    let text = Text::read(&main.content.bytes);
    let whole = whole_directory(site, &text);
    let separate = site.account_file();
    let target = whole.clone().unwrap_or_else(|| separate.clone());
    let there = place::find(&target)?;
    if there
        .as_ref()
        .is_some_and(|file| !is_made_by_us(&file.content.bytes))
    {
        let detail = format!("{} is there already, and not of ours", target.display());
        return Ok(Found::blocked(
            NAME,
            detail,
            "give it another name, or move it out of the way",
        ));
    }
    let (Aim::Install(secret) | Aim::Tell(Some(secret))) = aim else {
        return Ok(match there {
            Some(_) if all.iter().any(|section| section.file == target) => {
                Found::in_place(NAME, format!("[{account}] is in {}", target.display()))
            }
            _ => Found::missing_here(NAME, format!("the account [{account}] is not there")),
        });
    };
    let wanted = section(site, manager, secret);
    let mut found = Found::in_place(NAME, format!("[{account}] is in {}", target.display()));
    let mut change = created(site, &target, wanted.into_bytes());
    change.shown = Shown::WithoutSecret;
    if let (Some(file), Some(after)) = (there, &mut change.after) {
        after.standing.uid = file.content.standing.uid;
        change.before = Some(file.content);
    }
    let same = matches!((&change.before, &change.after), (Some(before), Some(after)) if before.is(after));
    if !same {
        let detail = format!(
            "the account [{account}] is not in {} as it must be",
            target.display()
        );
        found = Found::missing(NAME, detail, change);
    }
    if whole.is_none() && !includes(&text, site, &separate) {
        if text.ends_in_comment() {
            return Ok(unclosed(NAME, &path));
        }
        let line = format!("#tryinclude {}", separate.display());
        let after = text.appended(&line);
        let change = edited(main, after);
        let mut include = Found::missing(
            NAME,
            format!("{} does not include {}", path.display(), separate.display()),
            change,
        );
        // The account before the line that has it read.
        std::mem::swap(&mut found.changes, &mut include.changes);
        include.changes.append(&mut found.changes);
        found = include;
    }
    Ok(found)
}

/// Takes the account away, and the line that leads to it.
pub fn removal(site: &Site) -> Result<Found, InstallError> {
    let separate = site.account_file();
    let mut found = removed(NAME, &site.file(FILE), |text, index| {
        let line = text.lines().get(index).and_then(|line| line.include());
        line.is_some_and(|pattern| site.directory.join(pattern) == separate)
    })?;
    for path in possible_files(site)? {
        if let Some(file) = place::find(&path)? {
            if !is_made_by_us(&file.content.bytes) {
                continue;
            }
            found.part.detail = format!("the account in {} goes", path.display());
            found
                .changes
                .push(gone(&file.path, file.content, Shown::WithoutSecret));
        }
    }
    Ok(found)
}

const HEAD: &str =
    "; Made by `switchyard pbx install`, and taken away by `switchyard pbx remove`. Edits are overwritten.";

fn is_made_by_us(bytes: &[u8]) -> bool {
    bytes.starts_with(HEAD.as_bytes())
}

fn section(site: &Site, manager: &Manager, secret: &SecretString) -> String {
    let mut lines = vec![
        HEAD.to_owned(),
        format!("[{}]", site.account),
        format!("secret = {}", secret.expose_secret()),
        // Without the second, every IPv6 address is let in.
        "deny = 0.0.0.0/0.0.0.0".to_owned(),
        "deny = ::/0".to_owned(),
        manager.permit(),
    ];
    lines.extend(account_lines());
    lines.join("\n") + "\n"
}

/// An account that the operator wrote, which is left alone.
fn by_hand(site: &Site, section: &Section) -> Found {
    let account = &site.account;
    let detail = format!(
        "the account [{account}] in {} is not of ours",
        section.file.display()
    );
    let mend = format!("take the section [{account}] out, or name another account with --ami-username");
    Found::blocked(NAME, detail, mend)
}

/// Where our file may be: in each directory that manager.conf reads whole, or beside it.
pub fn possible_files(site: &Site) -> Result<Vec<PathBuf>, InstallError> {
    let mut files = vec![site.account_file()];
    if let Some(main) = place::find(&site.file(FILE))? {
        let text = Text::read(&main.content.bytes);
        files.extend(
            text.lines()
                .iter()
                .filter_map(|line| in_whole_directory(site, line.include()?)),
        );
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Our file in a directory that manager.conf reads whole, by a line where what we write cannot swallow what follows.
fn whole_directory(site: &Site, text: &Text<'_>) -> Option<PathBuf> {
    text.lines().iter().enumerate().find_map(|(index, line)| {
        let path = in_whole_directory(site, line.include()?)?;
        (text.is_closed_behind(index) && path.parent().is_some_and(Path::is_dir)).then_some(path)
    })
}

fn in_whole_directory(site: &Site, pattern: &str) -> Option<PathBuf> {
    let folder = pattern
        .strip_suffix("/*.conf")
        .filter(|folder| !folder.contains('*'))?;
    Some(site.directory.join(folder).join(IN_DIRECTORY))
}

fn includes(text: &Text<'_>, site: &Site, file: &Path) -> bool {
    text.lines()
        .iter()
        .filter_map(|line| line.include())
        .any(|pattern| site.directory.join(pattern) == file)
}
