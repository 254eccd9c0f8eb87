//! The directory that Asterisk includes: whole generations side by side, and a `live` link that one rename moves.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::domain::artifact::ConfFile;
use crate::domain::digest::Digest;
use crate::driver::{Part, Staged, StagedFile};

/// `DIR/live -> generations/N`, `DIR/generations/N/{pjsip,extensions,voicemail}.conf`.
///
/// Files hold digests that sign in, so nobody but owner and group may read them; the directory's group (set-gid)
/// is the one Asterisk runs with.
#[derive(Clone, Debug)]
pub struct FileTree {
    root: PathBuf,
}

impl FileTree {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Where a generation lies.
    pub fn generation(&self, number: i64) -> PathBuf {
        self.root.join("generations").join(number.to_string())
    }

    /// Where the PBX reads a file.
    pub fn live(&self, file: ConfFile) -> PathBuf {
        self.root.join("live").join(file.as_str())
    }

    /// Writes a generation whole and synced; the live one is not touched. A leftover of the same number, from a
    /// deploy that was cut off, is replaced.
    pub fn stage(&self, number: i64, files: BTreeMap<ConfFile, StagedFile>) -> io::Result<Staged> {
        let target = self.generation(number);
        if self.standing()? == Some(number) {
            return Err(io::Error::other(format!(
                "generation {number} is the live one and is never rewritten"
            )));
        }
        let generations = self.root.join("generations");
        let making = generations.join(format!(".{number}.new"));
        directory(&generations)?;
        remove_directory(&making)?;
        directory(&making)?;
        let mut staged = Staged {
            files: BTreeMap::new(),
            drifted: Vec::new(),
        };
        for (file, StagedFile { parts, unchanged }) in files {
            let path = making.join(file.as_str());
            let live = self.live(file);
            let wanted = stream(&parts, io::sink())?;
            if digest(&live)? == Some(wanted.0) {
                // The link's target, not the link: `live` moves, the file stays.
                fs::hard_link(fs::canonicalize(live)?, path)?;
            } else {
                write(&path, &parts)?;
                if unchanged {
                    staged.drifted.push(file);
                }
            }
            staged.files.insert(file, wanted);
        }
        sync_directory(&making)?;
        remove_directory(&target)?;
        fs::rename(&making, &target)?;
        sync_directory(&generations)?;
        Ok(staged)
    }

    /// The live files that do not have these bytes.
    pub fn drifted(&self, files: &BTreeMap<ConfFile, StagedFile>) -> io::Result<Vec<ConfFile>> {
        let mut drifted = Vec::new();
        for (file, staged) in files {
            let wanted = stream(&staged.parts, io::sink())?;
            if digest(&self.live(*file))? != Some(wanted.0) {
                drifted.push(*file);
            }
        }
        Ok(drifted)
    }

    /// Whether a line of Asterisk's log is about a file of ours.
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
        match fs::remove_file(&making) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(&target, &making)?;
        fs::rename(&making, self.root.join("live"))?;
        sync_directory(&self.root)
    }

    /// The generation behind the live link.
    pub fn standing(&self) -> io::Result<Option<i64>> {
        match fs::read_link(self.root.join("live")) {
            Ok(target) => {
                let number = target
                    .file_name()
                    .and_then(|name| name.to_str())
                    .and_then(|name| name.parse().ok());
                number.map(Some).ok_or_else(|| {
                    io::Error::other(format!(
                        "the live link points at {}, which is no generation",
                        target.display()
                    ))
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes every other generation, and what cut-off deploys left. The live one always stays.
    pub fn keep_only(&self, keep: &[i64]) -> io::Result<()> {
        let live = self.standing()?;
        let entries = match fs::read_dir(self.root.join("generations")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i64>().ok());
            if number.is_none_or(|number| Some(number) != live && !keep.contains(&number)) {
                remove_directory(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// The digest of a file's contents; `None` where there is no file.
fn digest(path: &Path) -> io::Result<Option<Digest>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let mut digesting = Digesting::new(io::sink());
            io::copy(&mut file?, &mut digesting)?;
            Ok(Some(digesting.finish().0))
        }
    }
}

/// Writes a file whole and synced.
fn write(path: &Path, parts: &[Part]) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path)?;
    let mut out = io::BufWriter::new(file);
    stream(parts, &mut out)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

/// Writes the parts in order; gives digest and size of the whole.
fn stream(parts: &[Part], to: impl Write) -> io::Result<(Digest, u64)> {
    let mut out = Digesting::new(to);
    for part in parts {
        match part {
            Part::Bytes(bytes) => out.write_all(bytes)?,
            Part::File { path, digest } => {
                let mut from = Digesting::new(&mut out);
                io::copy(&mut File::open(path)?, &mut from)?;
                if from.finish().0 != *digest {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!(
                            "{} is not what was rendered; remove it and deploy again",
                            path.display()
                        ),
                    ));
                }
            }
        }
    }
    out.flush()?;
    Ok(out.finish())
}

/// Passes bytes on and digests them.
struct Digesting<W> {
    inner: W,
    hasher: blake3::Hasher,
    size: u64,
}

impl<W> Digesting<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
            size: 0,
        }
    }

    fn finish(self) -> (Digest, u64) {
        (self.hasher.finalize().into(), self.size)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        if let Some(bytes) = bytes.get(..written) {
            self.hasher.update(bytes);
            self.size += u64::try_from(written).unwrap_or(u64::MAX);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o750).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
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
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn text(text: &str, unchanged: bool) -> StagedFile {
        StagedFile {
            parts: vec![Part::Bytes(text.into())],
            unchanged,
        }
    }

    fn generation(pjsip: StagedFile, extensions: StagedFile) -> BTreeMap<ConfFile, StagedFile> {
        BTreeMap::from([(ConfFile::Pjsip, pjsip), (ConfFile::Extensions, extensions)])
    }

    fn tree() -> (tempfile::TempDir, FileTree) {
        let directory = tempfile::tempdir().unwrap();
        let tree = FileTree::new(directory.path());
        (directory, tree)
    }

    #[test]
    fn nothing_is_live_before_the_swap() {
        let (directory, tree) = tree();
        tree.stage(1, generation(text("a", false), text("b", false)))
            .unwrap();
        assert_eq!(tree.standing().unwrap(), None);
        tree.swap(1).unwrap();
        assert_eq!(tree.standing().unwrap(), Some(1));
        assert_eq!(
            fs::read_to_string(directory.path().join("live/pjsip.conf")).unwrap(),
            "a"
        );
    }

    #[test]
    fn a_kept_file_keeps_inode_and_mtime() {
        let (directory, tree) = tree();
        tree.stage(1, generation(text("a", false), text("b", false)))
            .unwrap();
        tree.swap(1).unwrap();
        let before = fs::metadata(directory.path().join("live/pjsip.conf")).unwrap();
        let staged = tree
            .stage(2, generation(text("a", true), text("c", false)))
            .unwrap();
        tree.swap(2).unwrap();
        let after = fs::metadata(directory.path().join("live/pjsip.conf")).unwrap();
        assert_eq!(
            (before.ino(), before.mtime_nsec()),
            (after.ino(), after.mtime_nsec())
        );
        assert_eq!(staged.drifted, []);
        assert_eq!(
            fs::read_to_string(directory.path().join("live/extensions.conf")).unwrap(),
            "c"
        );
    }

    #[test]
    fn a_file_that_was_edited_in_place_is_written_anew_and_named() {
        let (directory, tree) = tree();
        tree.stage(1, generation(text("a", false), text("b", false)))
            .unwrap();
        tree.swap(1).unwrap();
        fs::write(directory.path().join("live/pjsip.conf"), "hand-edited").unwrap();
        let staged = tree
            .stage(2, generation(text("a", true), text("b", false)))
            .unwrap();
        assert_eq!(staged.drifted, [ConfFile::Pjsip]);
        tree.swap(2).unwrap();
        assert_eq!(
            fs::read_to_string(directory.path().join("live/pjsip.conf")).unwrap(),
            "a"
        );
    }

    #[test]
    fn the_live_generation_is_never_rewritten_or_removed() {
        let (_directory, tree) = tree();
        tree.stage(1, generation(text("a", false), text("b", false)))
            .unwrap();
        tree.swap(1).unwrap();
        assert!(
            tree.stage(1, generation(text("x", false), text("y", false)))
                .is_err()
        );
        tree.stage(2, generation(text("x", false), text("y", false)))
            .unwrap();
        tree.keep_only(&[]).unwrap();
        assert_eq!(tree.standing().unwrap(), Some(1));
        assert!(tree.generation(1).exists() && !tree.generation(2).exists());
    }

    #[test]
    fn a_damaged_fragment_fails_the_staging_and_leaves_the_live_one() {
        let (directory, tree) = tree();
        let fragment = directory.path().join("fragment");
        fs::write(&fragment, "damaged").unwrap();
        let part = Part::File {
            path: fragment,
            digest: Digest::of("whole"),
        };
        let files = BTreeMap::from([(
            ConfFile::Pjsip,
            StagedFile {
                parts: vec![part],
                unchanged: false,
            },
        )]);
        assert!(tree.stage(1, files).is_err());
        assert_eq!(tree.standing().unwrap(), None);
        assert!(!tree.generation(1).exists());
    }

    #[test]
    fn files_are_for_owner_and_group_only() {
        let (_directory, tree) = tree();
        tree.stage(1, generation(text("a", false), text("b", false)))
            .unwrap();
        let mode = fs::metadata(tree.generation(1).join("pjsip.conf"))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o777 & !0o640, 0);
    }
}
