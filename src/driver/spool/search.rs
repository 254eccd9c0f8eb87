//! The search for recordings below a directory, and what of it could not be looked at.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat2, statat};
use rustix::io::Errno;
use thiserror::Error;

use super::{DEEPEST, LANDMARK, Landmark, MOST_FILES, Spool, WITHIN, modified};
use crate::domain::instance::PbxKind;
use crate::domain::recording::{FoundRecording, RecordingPath};
use crate::domain::sip_domain::SipDomain;

/// What could not be looked at.
#[derive(Clone, Debug, Error)]
pub enum Unseen {
    /// The directory is not there, or holds nothing of what is known of it.
    #[error("it is not there, or none of the tenants' directories is in it")]
    Nothing,
    /// It may be another one.
    #[error("it cannot be told to be the one that it was, by the file {LANDMARK} in it or otherwise")]
    Landmark,
    /// There are more files than are looked at.
    #[error("it holds more than {MOST_FILES} files")]
    Rest,
    /// A directory below it.
    #[error("{directory} in it cannot be read")]
    Directory {
        /// Which.
        directory: String,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
}

impl Unseen {
    /// Whether a recording of this domain may have been missed by it.
    #[must_use]
    pub fn is_of(&self, domain: &SipDomain) -> bool {
        match self {
            Self::Nothing | Self::Landmark | Self::Rest => true,
            Self::Directory { directory, .. } => directory.split('/').next() == Some(domain.as_str()),
        }
    }
}

/// What a search came to.
#[derive(Debug)]
pub struct Seen {
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
    /// Those of the domains that were asked for which have a directory there.
    pub there: BTreeSet<SipDomain>,
    /// By what it is known again; none where it is not there.
    pub landmark: Option<Landmark>,
}

/// What became of looking at one directory.
enum Looked {
    NotThere,
    /// Whoever is told has enough.
    Enough,
    Whole {
        /// Those in it.
        deeper: Vec<String>,
    },
}

impl Spool {
    /// Tells each recording of these domains, until there are no more or whoever is told has enough; that is asked where nothing
    /// is told too.
    pub(super) fn search(
        &self,
        domains: &[SipDomain],
        has_enough: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(FoundRecording) -> ControlFlow<()>,
    ) -> io::Result<Seen> {
        let mut seen = Seen {
            unseen: Vec::new(),
            there: BTreeSet::new(),
            landmark: None,
        };
        let root = match self.root() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                seen.unseen.push(Unseen::Nothing);
                return Ok(seen);
            }
            root => root?,
        };
        seen.landmark = Some(Landmark::of(&root)?);
        let mut count = 0;
        let mut count_and_tell = |found| {
            if count >= self.most {
                return ControlFlow::Break(());
            }
            count += 1;
            tell(found)
        };
        let mut below: Vec<(String, usize)> = domains.iter().map(|domain| (domain.to_string(), 1)).collect();
        while let Some((directory, depth)) = below.pop() {
            let looked = self.search_one(&root, &directory, has_enough, &mut count_and_tell);
            if !matches!(looked, Ok(Looked::NotThere)) && depth == 1 {
                seen.there.extend(directory.parse::<SipDomain>().ok());
            }
            match looked {
                Ok(Looked::NotThere) => {}
                Ok(Looked::Enough) => {
                    seen.unseen.push(Unseen::Rest);
                    return Ok(seen);
                }
                Ok(Looked::Whole { deeper }) => {
                    let deeper = deeper.into_iter().map(|path| (path, depth + 1));
                    below.extend(deeper.filter(|(_, depth)| *depth <= DEEPEST));
                }
                Err(source) => {
                    let source = Arc::new(source);
                    seen.unseen.push(Unseen::Directory { directory, source });
                }
            }
        }
        Ok(seen)
    }

    /// Looks at one directory.
    fn search_one(
        &self,
        root: &File,
        directory: &str,
        has_enough: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(FoundRecording) -> ControlFlow<()>,
    ) -> io::Result<Looked> {
        let mut deeper = Vec::new();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = match openat2(root, directory, flags, Mode::empty(), WITHIN) {
            // It went, or it is a link.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => return Ok(Looked::NotThere),
            open => open?,
        };
        for entry in Dir::read_from(&open)? {
            let entry = entry?;
            if has_enough() {
                return Ok(Looked::Enough);
            }
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{directory}/{name}");
            let stat = match statat(&open, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => deeper.push(path),
                FileType::RegularFile => {
                    if let Some(found) = recording(&path, &stat, self.kind)
                        && tell(found).is_break()
                    {
                        return Ok(Looked::Enough);
                    }
                }
                _ => {}
            }
        }
        Ok(Looked::Whole { deeper })
    }
}

/// A file that is a recording, as far as its name tells; one that has another name besides may be anything.
pub(super) fn recording(path: &str, stat: &rustix::fs::Stat, kind: PbxKind) -> Option<FoundRecording> {
    let path: RecordingPath = path.parse().ok()?;
    path.format()?;
    if !path.is_of_call(kind) {
        return None;
    }
    let is_ours_alone = stat.st_nlink == 1;
    is_ours_alone.then_some(FoundRecording {
        path,
        bytes: stat.st_size,
        written_at: modified(stat)?,
    })
}
