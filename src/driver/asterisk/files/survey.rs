//! What somebody made of our directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileTree, at, read_from};
use crate::domain::artifact::ConfFile;

impl FileTree {
    /// A live file's text; `None` where it is missing, or longer than `limit` bytes.
    pub fn live_text(&self, file: ConfFile, limit: u64) -> io::Result<Option<String>> {
        let path = self.live(file);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(metadata) if metadata.len() > limit => Ok(None),
            Ok(_) => read_from(&path, 0, limit).map(Some),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Everything beside the link, the generations, and the files of the live one.
    pub fn foreign(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = others(&self.root, |name| {
            matches!(name, "live" | "generations" | ".live.new")
        })?;
        if let Some(number) = self.standing()? {
            let ours = |name: &str| ConfFile::ALL.iter().any(|file| file.as_str() == name);
            found.extend(others(&self.generation(number), ours)?);
        }
        Ok(found)
    }
}

fn others(directory: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at(directory))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at(directory))?;
        if !entry.file_name().to_str().is_some_and(&is_ours) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
