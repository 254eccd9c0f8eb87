//! The sections of a configuration file as Asterisk makes objects of them: with what their templates give them.

use std::collections::BTreeMap;
use std::path::Path;

use super::FoundError;
use super::files::{DEEPEST, Files};
use crate::driver::asterisk::install::text::Text;

/// More keys with values, those of templates counted wherever they are taken over, are no Asterisk's that one import reads.
const MOST_ENTRIES: usize = 2_000_000;

/// A section with all that holds for it.
pub struct Object {
    /// Its name.
    pub name: String,
    /// The file, and the line that opens it.
    pub place: String,
    /// Whether it is only there for others to begin with.
    template: bool,
    /// Keys and values in the order in which they take effect.
    entries: Vec<(String, String)>,
}

impl Object {
    /// The value that holds: the last.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values(key).last()
    }

    /// Every value of a key.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    /// Keys with their values.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether it is of this `type`.
    pub fn is(&self, kind: &str) -> bool {
        self.value("type")
            .is_some_and(|found| found.eq_ignore_ascii_case(kind))
    }
}

/// What a file of the directory makes.
#[derive(Default)]
pub struct Objects {
    /// In order, templates among them.
    all: Vec<Object>,
    /// Where each stands in there, by its name in small letters.
    by_name: BTreeMap<String, Vec<usize>>,
    entries: usize,
    /// Programs whose output Asterisk reads in the file's place. They are not run.
    pub programs: Vec<String>,
}

impl Objects {
    /// Reads a file of the directory with what it includes; one that is not there makes nothing.
    pub fn read(files: &mut Files, file: &str) -> Result<Self, FoundError> {
        let mut objects = Self::default();
        let mut open = None;
        objects.follow(files, &files.place(file), DEEPEST, &mut open)?;
        Ok(objects)
    }

    /// All in order, templates left out.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        self.all.iter().filter(|object| !object.template)
    }

    /// Those of exactly that name, templates left out.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Object> {
        let all = self.like(name).filter_map(|at| self.all.get(at));
        all.filter(move |object| object.name == name && !object.template)
    }

    /// Gives whether there was such a file. `open` is the place of the object that entries belong to: an included file goes on
    /// with it.
    fn follow(
        &mut self,
        files: &mut Files,
        path: &Path,
        deeper: usize,
        open: &mut Option<usize>,
    ) -> Result<bool, FoundError> {
        let Some(bytes) = files.bytes(path)? else {
            return Ok(false);
        };
        for (number, line) in (1..).zip(Text::read(&bytes).lines()) {
            let place = || format!("{}:{number}", files.shown(path));
            if let Some(header) = line.header() {
                *open = if header.adds {
                    self.added_to(header.name, &header.words)
                } else {
                    let entries = self.inherited(&header.words)?;
                    Some(self.begin(Object {
                        name: header.name.to_owned(),
                        place: place(),
                        template: header.template,
                        entries,
                    }))
                };
            } else if let Some(included) = line.include() {
                let place = place();
                let Some(deeper) = deeper.checked_sub(1) else {
                    return Err(FoundError::TooDeep { place });
                };
                let mut is_there = false;
                for file in files.included(&place, included)? {
                    is_there |= self.follow(files, &file, deeper, open)?;
                }
                if line.must_include() && !is_there {
                    let path = included.to_owned();
                    return Err(FoundError::NotIncluded { place, path });
                }
            } else if line.meaning.starts_with("#exec") {
                self.programs.push(format!("{}: {}", place(), line.meaning));
            } else if let Some(object) = open.and_then(|at| self.all.get_mut(at)) {
                let before = object.entries.len();
                line.set_in(&mut object.entries);
                self.entries += object.entries.len() - before;
            }
        }
        check_size(self.entries)?;
        Ok(true)
    }

    fn begin(&mut self, object: Object) -> usize {
        let at = self.all.len();
        let name = object.name.to_ascii_lowercase();
        self.by_name.entry(name).or_default().push(at);
        self.all.push(object);
        at
    }

    /// The places of those that Asterisk takes for that name, whatever the size of its letters.
    fn like(&self, name: &str) -> impl Iterator<Item = usize> {
        let places = self.by_name.get(&name.to_ascii_lowercase());
        places.into_iter().flatten().copied()
    }

    /// What the named templates give, in their order: of several of a name the last that was there before.
    fn inherited(&mut self, parents: &[&str]) -> Result<Vec<(String, String)>, FoundError> {
        let parents = parents
            .iter()
            .filter_map(|name| self.all.get(self.like(name).last()?));
        let parents: Vec<&Object> = parents.collect();
        let more: usize = parents.iter().map(|parent| parent.entries.len()).sum();
        let entries = self.entries.saturating_add(more);
        check_size(entries)?;
        let inherited = parents
            .into_iter()
            .flat_map(|parent| parent.entries.clone())
            .collect();
        self.entries = entries;
        Ok(inherited)
    }

    /// The first object of that name, and with that value where one is asked for.
    fn added_to(&self, name: &str, conditions: &[&str]) -> Option<usize> {
        let holds = |object: &Object| {
            conditions.iter().all(|condition| {
                condition
                    .split_once('=')
                    .is_none_or(|(key, value)| object.values(key.trim()).any(|found| found == value.trim()))
            })
        };
        self.like(name).find(|at| self.all.get(*at).is_some_and(holds))
    }
}

fn check_size(entries: usize) -> Result<(), FoundError> {
    if entries > MOST_ENTRIES {
        let what = format!("{MOST_ENTRIES} keys with values");
        return Err(FoundError::TooMuch { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn objects(files: &[(&str, &str)]) -> Objects {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Objects::read(&mut Files::of(directory.path()), "a.conf").unwrap()
    }

    #[test]
    fn an_object_begins_with_what_its_templates_have() {
        let read = objects(&[(
            "a.conf",
            "[base](!)\ncontext=from-internal\nallow=ulaw\n[more](!,base)\nallow=alaw\n[1001](more)\ncontext=acme\n",
        )]);
        let all: Vec<&Object> = read.all().collect();
        let [only] = all.as_slice() else {
            panic!("{} objects", all.len())
        };
        assert_eq!((only.name.as_str(), only.place.as_str()), ("1001", "a.conf:6"));
        assert_eq!(only.value("Context"), Some("acme"));
        assert_eq!(only.values("allow").collect::<Vec<_>>(), ["ulaw", "alaw"]);
    }

    #[test]
    fn a_section_is_gone_on_with_where_it_says_so() {
        let read = objects(&[
            (
                "a.conf",
                "[1001]\ntype=aor\n[1001]\ntype=endpoint\n#include b.conf\n",
            ),
            (
                "b.conf",
                "[1001](+type=endpoint)\ncallerid=Ann\n[1001](+)\nmax_contacts=2\n[no](+)\nx=y\n",
            ),
        ]);
        assert_eq!(read.all[0].value("max_contacts"), Some("2"));
        assert_eq!(read.all[1].value("callerid"), Some("Ann"));
        assert_eq!(read.all.len(), 2);
    }

    #[test]
    fn an_included_file_goes_on_with_the_section_that_is_open() {
        let read = objects(&[
            ("a.conf", "[default]\n#include b.conf\n1002 => 2\n"),
            ("b.conf", "1001 => 1\n"),
        ]);
        let entries: Vec<_> = read.all[0].entries().collect();
        assert_eq!(entries, [("1001", "1"), ("1002", "2")]);
    }

    #[test]
    fn a_program_is_named_and_not_run() {
        let read = objects(&[("a.conf", "#exec /bin/false\n[x]\n")]);
        assert_eq!(read.programs, ["a.conf:1: #exec /bin/false"]);
    }
}
