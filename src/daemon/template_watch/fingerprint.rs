//! Tells whether anything below a directory is another than before, without reading a file.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How deep it looks, and at how many files: a link may lead in a circle, or a wrong path to the whole disk.
const DEEPEST: usize = 8;
const MOST: usize = 10_000;

/// Device, inode, size, and the times of the last change of content and of the file itself, in seconds and nanoseconds.
type Mark = (u64, u64, u64, (i64, i64), (i64, i64));

/// What a directory holds, by path; of what cannot be looked at, that it cannot.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Fingerprint(BTreeMap<PathBuf, Option<Mark>>);

impl Fingerprint {
    /// As it stands now. Links are followed, so that another target is another file.
    pub fn of(directory: &Path) -> Self {
        let mut found = Self::default();
        found.add(directory.to_owned(), 0);
        found
    }

    fn add(&mut self, path: PathBuf, depth: usize) {
        if depth > DEEPEST || self.0.len() >= MOST {
            return;
        }
        let metadata = fs::metadata(&path).ok();
        let is_directory = metadata.as_ref().is_some_and(Metadata::is_dir);
        let entries = is_directory.then(|| fs::read_dir(&path).ok()).flatten();
        // A directory's own times change with every swap file that an editor leaves beside what it edits.
        let mark = metadata.map(|metadata| {
            if is_directory {
                (metadata.dev(), metadata.ino(), 0, (0, 0), (0, 0))
            } else {
                mark(&metadata)
            }
        });
        self.0.insert(path, mark);
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !name.ends_with('~') {
                self.add(entry.path(), depth + 1);
            }
        }
    }
}

fn mark(metadata: &Metadata) -> Mark {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        (metadata.mtime(), metadata.mtime_nsec()),
        (metadata.ctime(), metadata.ctime_nsec()),
    )
}
