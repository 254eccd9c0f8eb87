//! What somebody made of our directory.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::{FileTree, at, read_from};
use crate::domain::artifact::Artifact;
use crate::driver::Foreign;

/// So many texts are read; what else is there is named.
const TEXTS: usize = 20;

/// What lies among the generations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Generation(i64),
    /// What a deploy left that was cut off while it wrote.
    CutOff,
    Foreign,
}

impl Place {
    fn of(entry: &DirEntry) -> io::Result<Self> {
        if !entry.file_type()?.is_dir() {
            return Ok(Self::Foreign);
        }
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new"));
        // `007` and `+7` are none of our names.
        let number = |name: &str| {
            name.parse()
                .ok()
                .filter(|number: &i64| number.to_string() == name)
        };
        Ok(match (number(name), inner.and_then(number)) {
            (Some(number), _) => Self::Generation(number),
            (None, Some(_)) => Self::CutOff,
            (None, None) => Self::Foreign,
        })
    }
}

impl FileTree {
    /// A live file's text; `None` where it is missing, or longer than `limit` bytes.
    pub fn live_text(&self, file: Artifact, limit: u64) -> io::Result<Option<String>> {
        let path = self.live(file);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(metadata) if metadata.len() > limit => Ok(None),
            Ok(_) => read_from(&path, 0, limit).map(Some),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Whether a live file is missing, or was written to since the link was moved.
    pub(super) fn is_touched(&self, file: Artifact) -> io::Result<bool> {
        let link = self.root.join("live");
        let moved = fs::symlink_metadata(&link).and_then(|metadata| metadata.modified());
        let path = self.live(file);
        match fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            // In the same tick of the file system's clock it may have been either.
            Ok(written) => Ok(written >= moved.map_err(at(&link))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Everything among the generations.
    pub(super) fn places(&self) -> io::Result<Vec<(PathBuf, Place)>> {
        let generations = self.root.join("generations");
        let mut places = Vec::new();
        for entry in entries(&generations)? {
            places.push((entry.path(), Place::of(&entry).map_err(at(&entry.path()))?));
        }
        Ok(places)
    }

    /// The directory of each generation that lies here, whole or as a deploy left it that was cut off.
    pub fn generations(&self) -> io::Result<Vec<PathBuf>> {
        let mut places = self.places()?;
        places.retain(|(_, place)| *place != Place::Foreign);
        Ok(places.into_iter().map(|(path, _)| path).collect())
    }

    /// Everything beside the link and the generations, among these, and beside the files of each.
    pub fn foreign(&self, limit: u64) -> io::Result<Vec<Foreign>> {
        let mut found = others(&self.root, |name| {
            matches!(name, "live" | "generations" | ".live.new")
        })?;
        for (path, place) in self.places()? {
            let is_ours = |name: &str| Artifact::of(self.kind).iter().any(|file| file.as_str() == name);
            match place {
                Place::Generation(_) | Place::CutOff => found.extend(others(&path, is_ours)?),
                Place::Foreign => found.push(path),
            }
        }
        found.sort();
        let mut texts = 0..TEXTS;
        let mut all = Vec::new();
        for path in found {
            let metadata = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(at(&path))?,
            };
            let is_read = metadata.is_file() && metadata.len() <= limit && texts.next().is_some();
            // What may not be read, or is no text, is named all the same.
            let bytes = is_read.then(|| fs::read(&path).ok()).flatten();
            all.push(Foreign {
                what: described(&path, &metadata),
                text: bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
                path,
            });
        }
        Ok(all)
    }
}

fn described(path: &Path, metadata: &Metadata) -> String {
    if metadata.is_dir() {
        "a directory".to_owned()
    } else if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        format!("a link to {}", target.display())
    } else if metadata.is_file() {
        format!("a file of {} bytes", metadata.len())
    } else {
        "neither a file nor a directory".to_owned()
    }
}

fn others(directory: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = entries(directory)?;
    found.retain(|entry| !entry.file_name().to_str().is_some_and(&is_ours));
    Ok(found.iter().map(DirEntry::path).collect())
}

fn entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.and_then(Iterator::collect).map_err(at(directory)),
    }
}
