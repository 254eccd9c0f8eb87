//! The directory that a PBX reads: whole generations side by side, and a `live` link that one rename moves.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

mod checks;
mod digesting;
mod leaving;
mod orders;
mod survey;

use self::digesting::{digest, stream};
use self::survey::Place;

use crate::domain::artifact::Artifact;
use crate::domain::digest::Digest;
use crate::domain::instance::PbxKind;
use crate::driver::{Closeness, Drifted, DriverError, Part, Staged, StagedFile, Warrant};

/// `DIR/live -> generations/N`, and in `DIR/generations/N` a file for each artifact.
///
/// Files hold digests that sign in, so nobody but owner and group may read them; the directory's group (set-gid)
/// is the one the PBX runs with.
#[derive(Clone)]
pub struct FileTree {
    root: PathBuf,
    kind: PbxKind,
    warrant: Warrant,
}

impl FileTree {
    pub fn new(root: &Path, kind: PbxKind) -> Self {
        Self {
            root: root.to_owned(),
            kind,
            warrant: Warrant::default(),
        }
    }

    /// Moves and removes something only as long as this holds.
    pub fn obey(&mut self, warrant: Warrant) {
        self.warrant = warrant;
    }

    /// Refused once nothing may be moved any more.
    pub fn warrant(&self) -> io::Result<()> {
        self.warrant.check()
    }

    /// Runs blocking work off the async threads.
    pub async fn on_disk<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce(Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, DriverError> {
        let tree = self.clone();
        match tokio::task::spawn_blocking(move || work(tree)).await {
            Ok(result) => result.map_err(|source| DriverError::not_applied(what, source)),
            Err(source) => Err(DriverError::unknown(what, source)),
        }
    }

    /// Makes the directory where there is none, for nobody else to look into.
    pub fn make(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(at(&self.root))
    }

    /// Where a generation lies.
    pub fn generation(&self, number: i64) -> PathBuf {
        self.root.join("generations").join(number.to_string())
    }

    /// Where the PBX reads a file.
    pub fn live(&self, file: Artifact) -> PathBuf {
        self.root.join("live").join(file.as_str())
    }

    /// Writes a generation whole and synced; the live one is not touched. A leftover of the same number, from a
    /// deploy that was cut off, is replaced.
    pub fn stage(&self, number: i64, files: BTreeMap<Artifact, StagedFile>) -> io::Result<Staged> {
        let target = self.generation(number);
        if self.standing()? == Some(number) {
            return Err(io::Error::other(format!(
                "generation {number} is the live one and is never rewritten"
            )));
        }
        let generations = self.root.join("generations");
        let making = generations.join(format!(".{number}.new"));
        directory(&generations)?;
        self.make_room(&making)?;
        directory(&making)?;
        let mut staged = Staged::default();
        for (file, staged_file) in files {
            let StagedFile {
                parts,
                unchanged,
                written,
            } = staged_file;
            let path = making.join(file.as_str());
            let live = self.live(file);
            let found = digest(&live)?;
            let wanted = match written {
                Some(written) if unchanged && found == Some(written) => {
                    (written, fs::metadata(&live).map_err(at(&live))?.len())
                }
                _ => stream(&parts, io::sink())?,
            };
            if found == Some(wanted.0) {
                // The link's target, not the link: `live` moves, the file stays.
                let live = fs::canonicalize(&live).map_err(at(&live))?;
                fs::hard_link(live, &path).map_err(at(&path))?;
            } else {
                write(&path, &parts)?;
                if unchanged {
                    staged.drifted.insert(file, drifted(found));
                }
            }
            staged.files.insert(file, wanted);
        }
        sync_directory(&making)?;
        self.warrant.check()?;
        self.make_room(&target)?;
        fs::rename(&making, &target).map_err(at(&target))?;
        sync_directory(&generations)?;
        Ok(staged)
    }

    /// The live files that do not have these bytes.
    pub fn drifted(
        &self,
        files: &BTreeMap<Artifact, StagedFile>,
        closeness: Closeness,
    ) -> io::Result<BTreeMap<Artifact, Drifted>> {
        let mut all = BTreeMap::new();
        for (file, staged) in files {
            if closeness == Closeness::Touched && !self.is_touched(*file)? {
                continue;
            }
            let wanted = match staged.written {
                Some(written) => written,
                None => stream(&staged.parts, io::sink())?.0,
            };
            let found = digest(&self.live(*file))?;
            if found != Some(wanted) {
                all.insert(*file, drifted(found));
            }
        }
        Ok(all)
    }

    /// Whether a line of the PBX's log is about a file of ours.
    pub fn is_named_in(&self, line: &str) -> bool {
        line.contains(&format!("{}/", self.root.display()))
    }

    /// Makes a staged generation the live one: one rename, whole before and after.
    pub fn swap(&self, number: i64) -> io::Result<()> {
        let target = PathBuf::from("generations").join(number.to_string());
        if !self.root.join(&target).is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("generation {number} is not staged"),
            ));
        }
        let making = self.root.join(".live.new");
        gone(fs::remove_file(&making)).map_err(at(&making))?;
        symlink(&target, &making).map_err(at(&making))?;
        let live = self.root.join("live");
        self.warrant.check()?;
        fs::rename(&making, &live).map_err(at(&live))?;
        sync_directory(&self.root)
    }

    /// The generation behind the live link.
    pub fn standing(&self) -> io::Result<Option<i64>> {
        let live = self.root.join("live");
        match fs::read_link(&live) {
            Ok(target) => {
                let number = target
                    .file_name()
                    .and_then(|name| name.to_str())
                    .and_then(|name| name.parse().ok());
                number.map(Some).ok_or_else(|| {
                    io::Error::other(format!(
                        "the link {} points at {}, which is no generation",
                        live.display(),
                        target.display()
                    ))
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&live)(error)),
        }
    }

    /// Tries to write where generations are written, and leaves nothing behind.
    pub fn try_writing(&self) -> io::Result<()> {
        let generations = self.root.join("generations");
        tempfile::tempfile_in(&self.root).map_err(at(&self.root))?;
        match tempfile::tempfile_in(&generations) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            made => made.map(drop).map_err(at(&generations)),
        }
    }

    /// The same where the directory may not have been made yet: then it could be. Nothing is.
    pub fn try_making(&self) -> io::Result<()> {
        let there = self.root.ancestors().find(|path| path.is_dir());
        match there {
            Some(there) if there == self.root => self.try_writing(),
            there => {
                let there = there.unwrap_or(&self.root);
                tempfile::tempfile_in(there).map(drop).map_err(at(there))
            }
        }
    }

    /// Removes every other generation, and what cut-off deploys left. The live one always stays, and so does what is not
    /// ours. What cannot be removed keeps nothing else from being removed.
    pub fn keep_only(&self, keep: &[i64]) -> io::Result<()> {
        let live = self.standing()?;
        let mut done = Ok(());
        for (path, place) in self.places()? {
            self.warrant.check()?;
            let goes = match place {
                Place::Generation(number) => Some(number) != live && !keep.contains(&number),
                Place::CutOff => true,
                Place::Foreign => false,
            };
            if goes && let Err(error) = self.remove_ours(&path) {
                done = done.and(Err(error));
            }
        }
        done
    }

    /// Removes a generation's directory; whether nothing is there any more. What is not ours stays, and the directory with it.
    fn remove_ours(&self, path: &Path) -> io::Result<bool> {
        let there = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            there => there.map_err(at(path))?,
        };
        if !there.is_dir() {
            return Ok(false);
        }
        for file in Artifact::of(self.kind) {
            let file = path.join(file.as_str());
            match fs::remove_file(&file) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory
                    ) => {}
                removed => removed.map_err(at(&file))?,
            }
        }
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            removed => removed.map(|()| true).map_err(at(path)),
        }
    }

    /// Makes room for a directory of ours. What is in the way and not ours is moved aside, under a name that is not ours.
    fn make_room(&self, path: &Path) -> io::Result<()> {
        if self.remove_ours(path)? {
            return Ok(());
        }
        let aside = |number: u32| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".foreign{number}"));
            PathBuf::from(name)
        };
        let free = (1..1_000)
            .map(aside)
            .find(|path| path.symlink_metadata().is_err());
        fs::rename(path, free.unwrap_or_default()).map_err(at(path))
    }
}

/// What was not there is gone.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn drifted(found: Option<Digest>) -> Drifted {
    match found {
        Some(_) => Drifted::Edited,
        None => Drifted::Missing,
    }
}

/// How many bytes a staged generation has.
pub fn size(generation: &Path, kind: PbxKind) -> io::Result<u64> {
    let sizes = Artifact::of(kind)
        .iter()
        .map(|file| Ok(fs::metadata(generation.join(file.as_str()))?.len()));
    sizes.sum()
}

/// Writes a file whole and synced.
fn write(path: &Path, parts: &[Part]) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path)
        .map_err(at(path))?;
    let mut out = io::BufWriter::new(file);
    stream(parts, &mut out).map_err(at(path))?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(at(path))
}

fn directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o750).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(at(path)),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(at(path))
}

/// Says where it happened, which the system does not.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Reads at most `limit` bytes of a text file from `offset` on.
pub fn read_from(path: &Path, offset: u64, limit: u64) -> io::Result<String> {
    use std::io::Seek;
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
