//! A directory of configuration files as FreeSWITCH makes one document of it.
//!
//! It goes line by line, before it reads any XML:
//! - a line that holds `<include>`, `</include>` or `<?` is dropped **whole**, with whatever else stands on it;
//! - of a line with `X-PRE-PROCESS` nothing else counts, what stands before or behind it is dropped;
//! - a comment of XML hides no `X-PRE-PROCESS`;
//! - `set` takes effect at once, so it outlives a document that is then found malformed, and a name that is set no longer
//!   keeps its value.
//!
//! Nothing of it is told to whoever asked for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::xml::{self, Element};

pub type Globals = BTreeMap<String, String>;

/// How deep files may include files.
const DEPTH: usize = 100;

/// Reads `freeswitch.xml` of a directory, or tells what `reloadxml` prints in its brackets.
pub fn load(conf: &Path, globals: &mut Globals) -> Result<Element, String> {
    let mut document = String::new();
    if !read(&conf.join("freeswitch.xml"), conf, globals, &mut document, 0) {
        return Err("Cannot Open log directory or XML Root!".to_owned());
    }
    xml::parse(&document)
}

/// Adds a file to the document; whether it could be opened.
fn read(file: &Path, folder: &Path, globals: &mut Globals, document: &mut String, depth: usize) -> bool {
    let Ok(text) = std::fs::read_to_string(file) else {
        return false;
    };
    for line in text.split_inclusive('\n') {
        let line = expanded(line, globals);
        if ["<include>", "</include>", "<?"]
            .iter()
            .any(|mark| line.contains(mark))
        {
            continue;
        }
        match Line::read(&line) {
            Line::Xml => document.push_str(&line),
            Line::Nothing => {}
            Line::Instruction { command, data } => obey(&command, &data, folder, globals, document, depth),
        }
    }
    true
}

fn obey(
    command: &str,
    data: &str,
    folder: &Path,
    globals: &mut Globals,
    document: &mut String,
    depth: usize,
) {
    match command.to_ascii_lowercase().as_str() {
        "set" => {
            if let Some((name, value)) = data.split_once('=') {
                globals.insert(
                    name.trim_end_matches(' ').to_owned(),
                    value.trim_start_matches(' ').to_owned(),
                );
            }
        }
        "include" if depth < DEPTH => {
            for file in matching(folder, data) {
                let folder = file.parent().unwrap_or(folder).to_owned();
                read(&file, &folder, globals, document, depth + 1);
            }
        }
        _ => {}
    }
}

/// What a line is for.
enum Line {
    Xml,
    /// It names an instruction and holds none that can be read; it is dropped all the same.
    Nothing,
    Instruction {
        command: String,
        data: String,
    },
}

impl Line {
    fn read(line: &str) -> Self {
        let Some(at) = line.to_ascii_lowercase().find("x-pre-process") else {
            return Self::Xml;
        };
        let (before, written) = line.split_at(at);
        let written = written.split_once("/>").map_or(written, |(written, _)| written);
        let read = || {
            let (command, rest) = quoted(written, "cmd")?;
            let (data, _) = quoted(&rest, "data")?;
            Some(Self::Instruction { command, data })
        };
        if before.ends_with('<') {
            read().unwrap_or(Self::Nothing)
        } else {
            Self::Nothing
        }
    }
}

/// The value that stands in quotation marks behind a name, and what follows.
fn quoted(text: &str, name: &str) -> Option<(String, String)> {
    let from = text.to_ascii_lowercase().find(name)? + name.len();
    let (_, behind) = text.split_at(from).1.split_once('=')?;
    let (value, rest) = behind.split_once('"')?.1.split_once('"')?;
    Some((value.to_owned(), rest.to_owned()))
}

/// Puts the values of `$${name}` into a line; a name without one is nothing.
fn expanded(line: &str, globals: &Globals) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("$${") {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        out.push_str(globals.get(name).map_or("", String::as_str));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The files that a pattern names, in the order of their names.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![if pattern.starts_with('/') {
        PathBuf::from("/")
    } else {
        folder.to_owned()
    }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in found {
            if !part.contains(['*', '?']) {
                next.push(folder.join(part));
                continue;
            }
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            let hidden = |name: &String| name.starts_with('.') && !part.starts_with('.');
            let mut names: Vec<String> = names.filter(|name| !hidden(name) && fits(name, part)).collect();
            names.sort_unstable();
            next.extend(names.into_iter().map(|name| folder.join(name)));
        }
        found = next;
    }
    found.retain(|file| file.is_file());
    found
}

fn fits(name: &str, pattern: &str) -> bool {
    let mut wanted = pattern.chars();
    let Some(letter) = wanted.next() else {
        return name.is_empty();
    };
    let mut left = name.chars();
    if letter == '*' {
        return fits(name, wanted.as_str()) || left.next().is_some() && fits(left.as_str(), pattern);
    }
    left.next()
        .is_some_and(|c| (letter == '?' || letter == c) && fits(left.as_str(), wanted.as_str()))
}
