//! FreeSWITCH's own files, read as it reads them: which files they lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::artifact::Artifact;
use crate::domain::instance::PbxKind;
use crate::driver::pattern;

/// How deep FreeSWITCH lets files include files.
const DEPTH: usize = 100;
/// So many files are looked at; nobody has more, and a pattern that leads to itself ends.
const MOST: usize = 20_000;

/// Every file that `freeswitch.xml` of a directory leads to, whether it is there or not. What lies below `ours` is not read,
/// and what leads there by any way is named as our own settings name it. `globals`: what `$${name}` stands for.
///
/// An error says that a file may not be read; then it is not known where it leads.
pub(super) fn reached(
    conf: &Path,
    ours: &Path,
    globals: BTreeMap<String, String>,
) -> io::Result<BTreeSet<PathBuf>> {
    let mut walk = Walk {
        ours,
        globals,
        reached: BTreeSet::new(),
        left: MOST,
    };
    let root = conf.join("freeswitch.xml");
    let text = text(&root).map_err(|error| at(&root, &error))?;
    walk.read(&text, conf, 0)?;
    Ok(walk.reached)
}

struct Walk<'a> {
    ours: &'a Path,
    globals: BTreeMap<String, String>,
    reached: BTreeSet<PathBuf>,
    left: usize,
}

impl Walk<'_> {
    /// Line by line, as FreeSWITCH does before it parses any XML: a comment hides no instruction.
    fn read(&mut self, text: &str, folder: &Path, depth: usize) -> io::Result<()> {
        for line in text.lines() {
            let line = self.expanded(line);
            let Some((command, data)) = instruction(&line) else {
                continue;
            };
            match command.to_ascii_lowercase().as_str() {
                "set" => {
                    let set = data.split_once('=');
                    let set =
                        set.map(|(name, value)| (name.trim_end().to_owned(), value.trim_start().to_owned()));
                    self.globals.extend(set);
                }
                "include" if depth < DEPTH => self.include(folder, &data, depth)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn include(&mut self, folder: &Path, pattern: &str, depth: usize) -> io::Result<()> {
        let pattern = folder.join(pattern);
        self.note_ours(&pattern)?;
        for file in matching(&pattern)? {
            let left = self.left.checked_sub(1);
            self.left =
                left.ok_or_else(|| io::Error::other("FreeSWITCH's own files lead to too many others"))?;
            if !file.starts_with(self.ours) {
                let folder = file.parent().unwrap_or(folder);
                if let Ok(target) = fs::read_link(&file) {
                    self.note_ours(&folder.join(target))?;
                }
                match text(&file) {
                    Ok(text) => self.read(&text, folder, depth + 1)?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(at(&file, &error)),
                }
            }
            self.reached.insert(file);
        }
        Ok(())
    }

    /// Notes the files of ours that a pattern names, also those that are not there: whatever somebody removed, the next deploy
    /// writes.
    fn note_ours(&mut self, pattern: &Path) -> io::Result<()> {
        let mut upwards = pattern.ancestors();
        let mut name = || upwards.next()?.file_name()?.to_str();
        let (Some(file), Some(live)) = (name(), name()) else {
            return Ok(());
        };
        let wanted = Artifact::of(PbxKind::FreeSwitch).iter();
        let wanted: Vec<&Artifact> = wanted.filter(|ours| pattern::fits(file, ours.as_str())).collect();
        let folder = pattern.ancestors().nth(2).filter(|_| pattern::fits(live, "live"));
        let Some(folder) = folder.filter(|_| !wanted.is_empty()) else {
            return Ok(());
        };
        if matching(folder)?.iter().any(|folder| self.is_ours(folder)) {
            let ours = |file: &Artifact| self.ours.join("live").join(file.as_str());
            self.reached.extend(wanted.into_iter().map(ours));
        }
        Ok(())
    }

    fn is_ours(&self, folder: &Path) -> bool {
        let same = (fs::canonicalize(folder), fs::canonicalize(self.ours));
        folder == self.ours || matches!(same, (Ok(one), Ok(other)) if one == other)
    }

    fn expanded(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("$${") {
            let Some((name, behind)) = after.split_once('}') else {
                break;
            };
            out.push_str(before);
            out.push_str(self.globals.get(name).map_or("", String::as_str));
            rest = behind;
        }
        out.push_str(rest);
        out
    }
}

/// Command and data of the instruction in a line, in either way of writing one.
fn instruction(line: &str) -> Option<(String, String)> {
    element(line).or_else(|| comment(line))
}

/// `<!--#include "a.xml"-->`
fn comment(line: &str) -> Option<(String, String)> {
    let written = line.split_once("<!--#")?.1.split_once("-->")?.0;
    let (command, data) = written.split_once(' ')?;
    let data = data.split_once('"').map_or(data, |(_, quoted)| quoted);
    let data = data.split_once('"').map_or(data, |(data, _)| data);
    Some((command.to_owned(), data.trim().to_owned()))
}

/// `<X-PRE-PROCESS cmd="include" data="a.xml"/>`
fn element(line: &str) -> Option<(String, String)> {
    const NAME: &str = "<x-pre-process";
    let at = line.to_ascii_lowercase().find(NAME)?;
    let written = line.get(at + NAME.len()..)?;
    let written = written.split_once("/>").map_or(written, |(written, _)| written);
    let (command, rest) = value(written, "cmd")?;
    let (data, _) = value(rest, "data")?;
    Some((command.to_owned(), data.to_owned()))
}

/// The value in quotation marks behind a name, and what follows.
fn value<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let at = text.to_ascii_lowercase().find(name)? + name.len();
    let (_, behind) = text.get(at..)?.split_once('=')?;
    behind.split_once('"')?.1.split_once('"')
}

/// The files that a pattern names, in order; what has no pattern in it names itself.
fn matching(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    pattern::globbed(pattern, MOST).map_err(|error| at(pattern, &error))
}

/// A file's text. What is no UTF-8 in it names no file of ours.
fn text(path: &Path) -> io::Result<String> {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn reached_below(folder: &tempfile::TempDir) -> Vec<String> {
        let ours = folder.path().join("ours");
        let all = reached(folder.path(), &ours, BTreeMap::new()).unwrap();
        let below = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
        all.iter().map(below).collect()
    }

    #[test]
    fn patterns_variables_and_files_in_files_are_followed() {
        let folder = tree(&[
            (
                "freeswitch.xml",
                "<X-PRE-PROCESS cmd=\"include\" data=\"vars.xml\"/>\n<section name=\"directory\">\n \
                 <x-pre-process cmd=\"include\" data=\"$${users}/*.xml\"/> <!-- more -->\n</section>\n\
                 <!-- <X-PRE-PROCESS cmd=\"include\" data=\"hidden/a?.xml\"/> -->\n",
            ),
            (
                "vars.xml",
                "<X-PRE-PROCESS cmd=\"set\" data=\"users=directory\"/>\n",
            ),
            (
                "directory/b.xml",
                "<X-PRE-PROCESS cmd=\"include\" data=\"more/c.xml\"/>\n",
            ),
            (
                "directory/more/c.xml",
                "X-PRE-PROCESS cmd=\"include\" data=\"d.xml\"\n",
            ),
            ("directory/more/d.xml", ""),
            ("directory/.e.xml", ""),
            ("directory/f.txt", ""),
            ("hidden/a1.xml", ""),
            ("hidden/a12.xml", ""),
        ]);
        assert_eq!(
            reached_below(&folder),
            [
                "directory/b.xml",
                "directory/more/c.xml",
                "hidden/a1.xml",
                "vars.xml"
            ]
        );
    }

    #[test]
    fn ours_are_named_and_not_read() {
        let folder = tree(&[
            (
                "freeswitch.xml",
                "<X-PRE-PROCESS cmd=\"include\" data=\"ours/*.xml\"/>\n",
            ),
            ("ours/a.xml", "<X-PRE-PROCESS cmd=\"include\" data=\"b.xml\"/>\n"),
        ]);
        assert_eq!(reached_below(&folder), ["ours/a.xml"]);
    }

    #[test]
    fn the_older_way_of_writing_an_instruction_is_one_and_a_set_of_characters_is_a_pattern() {
        let folder = tree(&[
            (
                "freeswitch.xml",
                "<!--#set \"users=directory\"-->\n<!--#include \"$${users}/[a-b]*.xml\"-->\n<!-- include \"no.xml\" -->\n\
                 <!--#exec \"ls\"-->\n",
            ),
            ("directory/a.xml", ""),
            (
                "directory/b1.xml",
                "<X-PRE-PROCESS cmd=\"include\" data=\"[!c].xml\"/>\n",
            ),
            ("directory/c.xml", ""),
            ("directory/{d}.xml", ""),
        ]);
        assert_eq!(reached_below(&folder), ["directory/a.xml", "directory/b1.xml"]);
    }

    /// Each `*` tried anew at each place takes longer than anybody waits.
    #[test]
    fn many_stars_in_a_pattern_are_no_more_work_than_one() {
        let line = format!(
            "<X-PRE-PROCESS cmd=\"include\" data=\"ours/live/{}x\"/>\n",
            "*r".repeat(40)
        );
        let folder = tree(&[("freeswitch.xml", line.as_str()), ("ours/live/none", "")]);
        let name = "r".repeat(250);
        fs::write(folder.path().join("ours/live").join(name), "").unwrap();
        assert_eq!(reached_below(&folder), Vec::<String>::new());
    }

    /// Whatever somebody removed of ours, the line is there.
    #[test]
    fn files_of_ours_are_named_by_whichever_way_leads_there_although_they_are_not_there() {
        for line in [
            "ours/live/*.xml",
            "o*/live/d?rectory.xml",
            "[m-p]urs/live/[a-d]irectory.xml",
            "linked/live/*ory.xml",
            "linked.xml",
        ] {
            let text = format!("<X-PRE-PROCESS cmd=\"include\" data=\"{line}\"/>\n");
            let folder = tree(&[("freeswitch.xml", text.as_str())]);
            fs::create_dir(folder.path().join("ours")).unwrap();
            std::os::unix::fs::symlink("ours", folder.path().join("linked")).unwrap();
            std::os::unix::fs::symlink("ours/live/directory.xml", folder.path().join("linked.xml")).unwrap();
            let reached = reached_below(&folder);
            assert!(
                reached.contains(&"ours/live/directory.xml".to_owned()),
                "{line}: {reached:?}"
            );
            let is_both = line == "ours/live/*.xml";
            assert_eq!(
                reached.contains(&"ours/live/dialplan.xml".to_owned()),
                is_both,
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_utf8_in_a_file_hides_nothing_behind_it() {
        let folder = tree(&[]);
        let text = b"<!-- B\xfcro -->\n<X-PRE-PROCESS cmd=\"include\" data=\"none/x.xml\"/>\n";
        fs::write(folder.path().join("freeswitch.xml"), text).unwrap();
        assert_eq!(reached_below(&folder), ["none/x.xml"]);
    }

    #[test]
    fn a_file_that_leads_to_itself_ends_and_one_that_is_not_there_is_named() {
        let folder = tree(&[(
            "freeswitch.xml",
            "<X-PRE-PROCESS cmd=\"include\" data=\"freeswitch.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"none/x.xml\"/>\n",
        )]);
        assert_eq!(reached_below(&folder), ["freeswitch.xml", "none/x.xml"]);
        let nothing = tree(&[]);
        assert!(reached(nothing.path(), Path::new("/ours"), BTreeMap::new()).is_err());
    }
}
