//! The sections of a configuration file as Asterisk makes objects of them: with what their templates give them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::FoundError;
use crate::driver::asterisk::install::read::files;
use crate::driver::asterisk::install::text::Text;

/// How deep includes are followed.
const DEEPEST: usize = 8;
/// A file of more bytes is none that a person or FreePBX writes.
const LARGEST: u64 = 64 * 1024 * 1024;

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

/// What a file of the directory makes, templates left out.
pub struct Objects {
    /// In order.
    pub all: Vec<Object>,
    /// Programs whose output Asterisk reads in the file's place. They are not run.
    pub programs: Vec<String>,
}

impl Objects {
    /// Reads a file of the directory with what it includes; one that is not there makes nothing.
    pub fn read(directory: &Path, file: &str) -> Result<Self, FoundError> {
        let mut objects = Self {
            all: Vec::new(),
            programs: Vec::new(),
        };
        let mut open = None;
        objects.follow(directory, &directory.join(file), DEEPEST, &mut open)?;
        objects.all.retain(|object| !object.template);
        Ok(objects)
    }

    /// `open` is the place of the object that entries belong to: an included file goes on with it.
    fn follow(
        &mut self,
        directory: &Path,
        path: &Path,
        deeper: usize,
        open: &mut Option<usize>,
    ) -> Result<(), FoundError> {
        let Some(bytes) = bytes(path)? else {
            return Ok(());
        };
        let shown = path.strip_prefix(directory).unwrap_or(path).display();
        for (number, line) in (1..).zip(Text::read(&bytes).lines()) {
            if let Some(header) = line.header() {
                *open = if header.adds {
                    self.added_to(header.name, &header.words)
                } else {
                    Some(self.begin(Object {
                        name: header.name.to_owned(),
                        place: format!("{shown}:{number}"),
                        template: header.template,
                        entries: self.inherited(&header.words),
                    }))
                };
            } else if let Some(pattern) = line.include() {
                if deeper > 0 {
                    for file in files(directory, pattern) {
                        self.follow(directory, &file, deeper - 1, open)?;
                    }
                }
            } else if line.meaning.starts_with("#exec") {
                self.programs.push(format!("{shown}:{number}: {}", line.meaning));
            } else if let Some((key, value)) = line.entry()
                && let Some(object) = open.and_then(|at| self.all.get_mut(at))
            {
                object.entries.push((key.to_owned(), value.to_owned()));
            }
        }
        Ok(())
    }

    fn begin(&mut self, object: Object) -> usize {
        self.all.push(object);
        self.all.len() - 1
    }

    /// What the named templates give, in their order.
    fn inherited(&self, parents: &[&str]) -> Vec<(String, String)> {
        let named = |name: &&&str| self.all.iter().rfind(|object| object.name == **name);
        let entries = parents.iter().filter_map(|name| named(&name));
        entries.flat_map(|parent| parent.entries.clone()).collect()
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
        self.all
            .iter()
            .position(|object| object.name == name && holds(object))
    }
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, FoundError> {
    let failed = |source| FoundError::Read {
        path: PathBuf::from(path),
        source,
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
        Ok(metadata) if !metadata.is_file() => Err(failed(io::Error::other("it is no regular file"))),
        Ok(metadata) if metadata.len() > LARGEST => Err(failed(io::Error::other("it has more than 64 MiB"))),
        Ok(_) => fs::read(path).map(Some).map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(files: &[(&str, &str)]) -> Objects {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Objects::read(directory.path(), "a.conf").unwrap()
    }

    #[test]
    fn an_object_begins_with_what_its_templates_have() {
        let read = objects(&[(
            "a.conf",
            "[base](!)\ncontext=from-internal\nallow=ulaw\n[more](!,base)\nallow=alaw\n[1001](more)\ncontext=acme\n",
        )]);
        let [only] = read.all.as_slice() else {
            panic!("{} objects", read.all.len())
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
