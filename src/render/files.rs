//! Where template files come from: the program carries some, and an operator's own go before them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use rust_embed::RustEmbed;

use super::RenderError;

#[derive(RustEmbed)]
#[folder = "templates"]
struct BuiltIn;

/// The folder of the mails' templates: they are no part of what goes to a PBX.
const MAIL: &str = "mail";

/// The longest template that is read; a longer file is a mistake, not a template.
const LONGEST: u64 = 1024 * 1024;

/// Names below `templates`, and texts.
pub(super) type Files = BTreeMap<String, String>;

/// What the program carries for a PBX.
pub(super) fn built_in() -> Files {
    all_built_in().filter(|(name, _)| !is_of_mails(name)).collect()
}

/// What the program carries for mails.
pub(super) fn built_in_mails() -> Files {
    all_built_in().filter(|(name, _)| is_of_mails(name)).collect()
}

/// An operator's own files for a PBX, and what of the directory cannot be used.
pub(super) fn overrides(directory: &Path) -> (Files, Vec<RenderError>) {
    let (mut files, mut problems) = (Files::new(), Vec::new());
    read_directory(directory, "", &mut files, &mut problems);
    (known(files, &mut problems), problems)
}

/// An operator's own files for mails, where there is a folder of them.
pub(super) fn mail_overrides(directory: &Path) -> (Files, Vec<RenderError>) {
    let (mut files, mut problems) = (Files::new(), Vec::new());
    let folder = directory.join(MAIL);
    if !matches!(fs::symlink_metadata(&folder), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        read_directory(&folder, MAIL, &mut files, &mut problems);
    }
    (known(files, &mut problems), problems)
}

/// Makes something of the own files and those in front of them, without the ones that cannot be used.
pub(super) fn usable<T>(
    mut files: Files,
    overrides: Files,
    problems: &mut Vec<RenderError>,
    make: impl Fn(Files) -> Result<T, RenderError>,
) -> Result<T, RenderError> {
    let mut whole = files.clone();
    whole.extend(overrides.clone());
    if let Ok(made) = make(whole) {
        return Ok(made);
    }
    for (name, text) in overrides {
        let mut with = files.clone();
        with.insert(name, text);
        match make(with.clone()) {
            Ok(_) => files = with,
            Err(problem) => problems.push(problem),
        }
    }
    make(files)
}

fn is_of_mails(name: &str) -> bool {
    name.split('/').next() == Some(MAIL)
}

/// Without those that override nothing.
fn known(mut files: Files, problems: &mut Vec<RenderError>) -> Files {
    let known: Files = all_built_in().collect();
    files.retain(|name, _| {
        let is_known = known.contains_key(name);
        if !is_known {
            problems.push(RenderError::UnknownOverride {
                name: name.clone(),
                known: known.keys().cloned().collect::<Vec<_>>().join(", "),
            });
        }
        is_known
    });
    files
}

fn all_built_in() -> impl Iterator<Item = (String, String)> {
    BuiltIn::iter().filter_map(|name| {
        let file = BuiltIn::get(&name)?;
        let text = String::from_utf8_lossy(&file.data).into_owned();
        Some((name.into_owned(), text))
    })
}

/// Reads every file below a directory; what cannot be read is a problem, and not in the way of the others.
fn read_directory(directory: &Path, prefix: &str, files: &mut Files, problems: &mut Vec<RenderError>) {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(source) => return problems.push(unreadable(directory, source)),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let file_name = entry.file_name().to_string_lossy().into_owned();
        // Editors leave swap and backup files beside what they edit.
        if file_name.starts_with('.') || file_name.ends_with('~') {
            continue;
        }
        let name = if prefix.is_empty() {
            file_name
        } else {
            format!("{prefix}/{file_name}")
        };
        // Theirs is a folder at the top, which is read by itself.
        if name == MAIL {
            continue;
        }
        if path.is_dir() {
            read_directory(&path, &name, files, problems);
            continue;
        }
        match read_file(&path, &name) {
            Ok(text) => {
                files.insert(name, text);
            }
            Err(problem) => problems.push(problem),
        }
    }
}

fn read_file(path: &Path, name: &str) -> Result<String, RenderError> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text))
        .map_err(|source| unreadable(path, source))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(RenderError::Template {
            template: name.to_owned(),
            reason: "is longer than 1 MiB".to_owned(),
        });
    }
    Ok(text)
}

fn unreadable(path: &Path, source: io::Error) -> RenderError {
    RenderError::Directory {
        path: path.display().to_string(),
        source,
    }
}
