//! The recordings that a PBX of this host leaves: found below one directory, and nothing else reached by it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat, unlinkat};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

use crate::domain::instance::AbsolutePath;
use crate::domain::recording::{FoundRecording, RecordingPath};
use crate::domain::sip_domain::SipDomain;

/// How deep a recording lies at the most, as FusionPBX's `archive/<year>/<month>/<day>` below the tenant's directory.
const DEEPEST: usize = 5;
/// More files are not looked at in one go.
const MOST_FILES: usize = 1_000_000;
/// Nothing on the way may be a link, and nothing may lead out of the directory.
const WITHIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// The directory of an instance's recordings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spool {
    root: AbsolutePath,
}

impl Spool {
    /// Of a directory, which need not be there yet.
    #[must_use]
    pub const fn new(root: AbsolutePath) -> Self {
        Self { root }
    }

    /// Every recording of these domains.
    pub async fn find(&self, domains: Vec<SipDomain>) -> io::Result<Vec<FoundRecording>> {
        let spool = self.clone();
        blocking(move || spool.search(&domains)).await
    }

    /// Opens a recording to be read; one that is no file of its own is not there.
    pub async fn open(&self, path: &RecordingPath) -> io::Result<(File, Metadata)> {
        let (spool, path) = (self.clone(), path.clone());
        blocking(move || spool.open_file(&path)).await
    }

    /// Removes a recording; false where it is not there.
    pub async fn remove(&self, path: &RecordingPath) -> io::Result<bool> {
        let (spool, path) = (self.clone(), path.clone());
        blocking(move || spool.unlink(&path)).await
    }

    /// Removes the directories of a tenant's domain that are empty by now.
    pub async fn tidy(&self, domain: &SipDomain) -> io::Result<()> {
        let (spool, domain) = (self.clone(), domain.clone());
        blocking(move || spool.remove_empty(&domain)).await
    }

    fn root(&self) -> io::Result<File> {
        // The directory itself is the operator's choice, links on the way to it too.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(CWD, self.root.as_path(), flags, Mode::empty())?.into())
    }

    fn search(&self, domains: &[SipDomain]) -> io::Result<Vec<FoundRecording>> {
        let root = match self.root() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            root => root?,
        };
        let mut found = Vec::new();
        let mut below: Vec<(String, usize)> = domains.iter().map(|domain| (domain.to_string(), 1)).collect();
        while let Some((directory, depth)) = below.pop() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let open = match openat2(&root, directory.as_str(), flags, Mode::empty(), WITHIN) {
                // It went, or it is a link.
                Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => continue,
                open => open?,
            };
            for entry in Dir::read_from(&open)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().to_str() else {
                    continue;
                };
                if name.starts_with('.') || found.len() >= MOST_FILES {
                    continue;
                }
                let path = format!("{directory}/{name}");
                let Ok(stat) = statat(&open, name, AtFlags::SYMLINK_NOFOLLOW) else {
                    continue;
                };
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory if depth < DEEPEST => below.push((path, depth + 1)),
                    FileType::RegularFile => found.extend(recording(&path, &stat)),
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    fn open_file(&self, path: &RecordingPath) -> io::Result<(File, Metadata)> {
        // What is no file must not keep us waiting.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = openat2(self.root()?, path.relative(), flags, Mode::empty(), WITHIN)?.into();
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((file, metadata))
    }

    fn unlink(&self, path: &RecordingPath) -> io::Result<bool> {
        let relative = path.relative();
        let (Some(directory), Some(name)) = (relative.parent(), relative.file_name()) else {
            return Ok(false);
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = match self.root() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            root => root?,
        };
        let open = match openat2(root, directory, flags, Mode::empty(), WITHIN) {
            Err(Errno::NOENT) => return Ok(false),
            open => open?,
        };
        match unlinkat(open, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(false),
            removed => Ok(removed.map(|()| true)?),
        }
    }

    fn remove_empty(&self, domain: &SipDomain) -> io::Result<()> {
        let root = match self.root() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            root => root?,
        };
        let mut directories = vec![PathBuf::from(domain.as_str())];
        let mut at = 0;
        while let Some(directory) = directories.get(at).cloned() {
            at += 1;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let Ok(open) = openat2(&root, &directory, flags, Mode::empty(), WITHIN) else {
                continue;
            };
            for entry in Dir::read_from(&open)?.flatten() {
                let is_directory = entry.file_type() == FileType::Directory;
                if let Ok(name) = entry.file_name().to_str()
                    && is_directory
                    && !matches!(name, "." | "..")
                    && directory.components().count() < DEEPEST
                {
                    directories.push(directory.join(name));
                }
            }
        }
        for directory in directories.iter().rev() {
            // One that is not empty, or not ours to remove, stays.
            let _ = unlinkat(&root, directory, AtFlags::REMOVEDIR);
        }
        Ok(())
    }
}

/// A file that is a recording, as far as its name tells; one that has another name besides may be anything.
fn recording(path: &str, stat: &rustix::fs::Stat) -> Option<FoundRecording> {
    let path: RecordingPath = path.parse().ok()?;
    path.format()?;
    let is_ours_alone = stat.st_nlink == 1;
    let micros = i64::try_from(stat.st_mtime)
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(i64::try_from(stat.st_mtime_nsec).ok()? / 1_000)?;
    is_ours_alone.then_some(FoundRecording {
        path,
        bytes: stat.st_size,
        written_at: Timestamp::from_microsecond(micros).ok()?,
    })
}

/// When a file was last written to.
#[must_use]
pub fn written_at(metadata: &Metadata) -> Option<Timestamp> {
    let modified: SystemTime = metadata.modified().ok()?;
    Timestamp::try_from(modified).ok()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn spool() -> (TempDir, Spool) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("spool");
        fs::create_dir_all(root.join("acme.example.com/archive/2026/Nov")).unwrap();
        fs::create_dir_all(root.join("globex.example.com")).unwrap();
        fs::write(root.join("acme.example.com/1.0.wav"), "sound").unwrap();
        fs::write(root.join("acme.example.com/archive/2026/Nov/a-b.mp3"), "old").unwrap();
        fs::write(root.join("globex.example.com/2.0.wav"), "theirs").unwrap();
        fs::write(directory.path().join("secret.wav"), "secret").unwrap();
        let root = root.display().to_string().parse().unwrap();
        (directory, Spool::new(root))
    }

    fn path(text: &str) -> RecordingPath {
        text.parse().unwrap()
    }

    async fn found(spool: &Spool, domain: &str) -> Vec<String> {
        let found = spool.find(vec![domain.parse().unwrap()]).await.unwrap();
        let mut paths: Vec<String> = found.iter().map(|found| found.path.to_string()).collect();
        paths.sort();
        paths
    }

    #[tokio::test]
    async fn a12_recordings_of_a_domain_are_found_and_nobody_elses() {
        let (_directory, spool) = spool();
        assert_eq!(
            found(&spool, "acme.example.com").await,
            [
                "acme.example.com/1.0.wav",
                "acme.example.com/archive/2026/Nov/a-b.mp3"
            ]
        );
        assert!(found(&spool, "example.com").await.is_empty());
        let (_, metadata) = spool.open(&path("acme.example.com/1.0.wav")).await.unwrap();
        assert_eq!(metadata.len(), 5);
    }

    #[tokio::test]
    async fn a12_no_link_is_followed_whatever_it_leads_to() {
        let (directory, spool) = spool();
        let own = directory.path().join("spool/acme.example.com");
        let theirs = directory.path().join("spool/globex.example.com");
        symlink(directory.path().join("secret.wav"), own.join("3.0.wav")).unwrap();
        symlink(&theirs, own.join("sub")).unwrap();
        symlink(&theirs, directory.path().join("spool/evil.example.com")).unwrap();
        fs::hard_link(directory.path().join("secret.wav"), own.join("4.0.wav")).unwrap();
        assert_eq!(found(&spool, "acme.example.com").await.len(), 2);
        assert!(found(&spool, "evil.example.com").await.is_empty());
        for text in [
            "acme.example.com/3.0.wav",
            "acme.example.com/4.0.wav",
            "acme.example.com/sub/2.0.wav",
            "evil.example.com/2.0.wav",
        ] {
            assert!(spool.open(&path(text)).await.is_err(), "{text}");
        }
        assert!(spool.remove(&path("acme.example.com/sub/2.0.wav")).await.is_err());
        assert!(theirs.join("2.0.wav").exists());
        // A link goes itself, never what it leads to.
        assert!(spool.remove(&path("acme.example.com/3.0.wav")).await.unwrap());
        assert!(directory.path().join("secret.wav").exists());
    }

    #[tokio::test]
    async fn a13_a_removed_recording_is_gone_and_removing_it_again_is_no_error() {
        let (directory, spool) = spool();
        let one = path("acme.example.com/1.0.wav");
        assert!(spool.remove(&one).await.unwrap());
        assert!(!directory.path().join("spool/acme.example.com/1.0.wav").exists());
        assert!(!spool.remove(&one).await.unwrap());
        let domain: SipDomain = "acme.example.com".parse().unwrap();
        spool.tidy(&domain).await.unwrap();
        assert!(
            directory
                .path()
                .join("spool/acme.example.com/archive/2026/Nov/a-b.mp3")
                .exists()
        );
        spool
            .remove(&path("acme.example.com/archive/2026/Nov/a-b.mp3"))
            .await
            .unwrap();
        spool.tidy(&domain).await.unwrap();
        assert!(!directory.path().join("spool/acme.example.com").exists());
        assert!(directory.path().join("spool/globex.example.com/2.0.wav").exists());
    }

    #[tokio::test]
    async fn what_is_not_there_yet_has_no_recordings() {
        let spool = Spool::new("/no/such/spool".parse().unwrap());
        assert!(found(&spool, "acme.example.com").await.is_empty());
        assert!(!spool.remove(&path("acme.example.com/1.0.wav")).await.unwrap());
        spool.tidy(&"acme.example.com".parse().unwrap()).await.unwrap();
    }
}
