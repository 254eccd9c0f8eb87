//! The test of a directory of recordings: whether the service may find, play and remove what a PBX leaves there.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags, Stat, accessat, fstat, openat2, statat};
use rustix::io::Errno;
use rustix::process::Uid;
use rustix::thread::{CapabilitySet, capabilities};

use super::asking::patiently;
use super::search::recording;
use super::{DEEPEST, Spool, WITHIN};
use crate::domain::instance::{AbsolutePath, PbxKind};
use crate::domain::sip_domain::SipDomain;
use crate::driver::Check;

const NAME: &str = "recordings_dir";
const SLOW: &str = "see whether the disk that it lies on answers";
/// The disk may take so long for its first answer.
const LONGEST: Duration = Duration::from_secs(5);
/// More files and directories are not tried, nor for longer: what holds for these, a PBX made as it makes the others.
const ENOUGH: Limits = Limits {
    tried: 1_000,
    time: Duration::from_secs(2),
};

/// How much is tried.
#[derive(Clone, Copy)]
struct Limits {
    tried: usize,
    time: Duration,
}

/// What the service may do there.
enum Standing {
    /// It is to be made, by the PBX or, where that runs as another user, by the operator.
    Absent { is_anothers: bool },
    /// Nobody knows how the PBX makes directories there.
    Empty,
    /// Nothing of it was looked at in time.
    Unlooked,
    /// All that is needed.
    Whole,
    /// Not find or not play what is there.
    Unreadable(String, Errno),
    /// The same of a directory beside others that can be read: it may be of no domain that is ours.
    Shut(String, Errno),
    /// Not remove it.
    Kept(String, Errno),
}

/// The check of an instance's directory, where it has one. `group`: what its PBX runs with as a rule.
pub async fn check(directory: Option<&AbsolutePath>, kind: PbxKind, group: &str) -> Option<Check> {
    Some(Spool::new(directory?.clone(), kind).check(group).await)
}

impl Spool {
    async fn check(&self, group: &str) -> Check {
        let spool = self.clone();
        let looked = patiently(self.root.as_path(), LONGEST, move || {
            spool.standing(own(), ENOUGH)
        })
        .await;
        self.told(looked, group)
    }

    fn told(&self, looked: io::Result<Standing>, group: &str) -> Check {
        let user = rustix::process::geteuid().as_raw();
        let directory = &self.root;
        let allow = format!("`setfacl -R -m u:{user}:rwX,d:u:{user}:rwX {directory}`");
        let let_in = format!(
            "let the user {user} in: type {allow}, and `setfacl -m u:{user}:x` with each directory above that it may not \
             pass; or add that user to the group {group}, with `SupplementaryGroups={group}` in the service's unit"
        );
        let doubtful = |detail, mend| Check {
            mend: Some(mend),
            ..Check::good(NAME, detail)
        };
        match looked {
            Ok(Standing::Whole) => Check::good(
                NAME,
                format!("what is recorded in {directory} can be played and removed"),
            ),
            Ok(Standing::Empty) => Check::good(NAME, format!("nothing is recorded in {directory} yet")),
            Ok(Standing::Unlooked) => doubtful(
                format!("what is in {directory} could not be looked at in time"),
                SLOW.to_owned(),
            ),
            Ok(Standing::Absent { is_anothers: false }) => {
                Check::good(NAME, format!("{directory} is not there yet"))
            }
            Ok(Standing::Absent { is_anothers: true }) => doubtful(
                format!(
                    "{directory} is not there yet: where the PBX makes it, it may be so that the service cannot remove what is recorded there"
                ),
                format!(
                    "type `install -d -o {group} -g {group} -m 2770 {directory}`, with the user and the group that the PBX runs \
                     with, and {allow}; then `systemctl restart switchyard`"
                ),
            ),
            Ok(Standing::Unreadable(place, error)) => Check::bad(
                NAME,
                format!("{place} cannot be read, so what is in it is neither found nor played: {error}"),
                let_in,
            ),
            Ok(Standing::Shut(place, error)) => doubtful(
                format!(
                    "{place} cannot be read: {error}. Where it is a tenant's, what is in it is neither found nor played"
                ),
                let_in,
            ),
            Ok(Standing::Kept(place, Errno::ROFS)) => doubtful(
                format!("what is recorded in {place} cannot be removed: {}", Errno::ROFS),
                format!(
                    "have its file system mounted for writing; a service may write only to what its unit names and what was there \
                     when it was started: type `systemctl restart switchyard`, where {directory} is none of the unit's \
                     `ReadWritePaths` after a drop-in that adds it"
                ),
            ),
            Ok(Standing::Kept(place, Errno::PERM)) => doubtful(
                format!("what is recorded in {place} cannot be removed: {}", Errno::PERM),
                format!(
                    "type `chmod -R a-t {directory}`: in a sticky directory everybody removes what is their own alone; and \
                     `chattr -R -ia {directory}` where `lsattr -d {place}` shows an `i` or an `a`"
                ),
            ),
            Ok(Standing::Kept(place, error)) => doubtful(
                format!("what is recorded in {place} cannot be removed: {error}"),
                format!("type {allow}; an upgrade of the PBX's package may take that away again"),
            ),
            Err(error) => Check::bad(NAME, format!("{directory}: {error}"), SLOW),
        }
    }

    /// `own`: whoever asks; none where the owner of a file does not matter to them.
    fn standing(&self, own: Option<Uid>, limits: Limits) -> io::Result<Standing> {
        let root = match self.root() {
            Ok(root) => root,
            Err(error) => {
                return match Errno::from_io_error(&error) {
                    Some(Errno::NOENT) => Ok(self.absent()),
                    Some(errno) => Ok(Standing::Unreadable(self.root.to_string(), errno)),
                    None => Err(error),
                };
            }
        };
        let mut trial = Trial {
            spool: self,
            root: &root,
            own,
            left: limits.tried,
            until: Instant::now() + limits.time,
            is_cut: false,
        };
        let (mut kept, mut shut, mut is_any_open) = (None, None, false);
        let mut below: Vec<(PathBuf, usize)> = vec![(PathBuf::from("."), 0)];
        while let Some((directory, depth)) = below.pop()
            && !trial.is_late()
        {
            let place = |errno| (self.place_of(&directory), errno);
            match trial.of_one(&directory, depth) {
                Err(errno) => return Ok(Standing::Unreadable(self.place_of(&directory), errno)),
                Ok(Tried::NotThere) => {}
                Ok(Tried::Shut(errno)) => shut = shut.or_else(|| Some(place(errno))),
                Ok(Tried::Open { kept: why, deeper }) => {
                    is_any_open |= depth > 0;
                    kept = kept.or_else(|| why.map(place));
                    if depth < DEEPEST {
                        below.extend(deeper.into_iter().map(|path| (path, depth + 1)));
                    }
                }
            }
        }
        Ok(match (kept, shut) {
            (_, Some((place, errno))) if !is_any_open => Standing::Unreadable(place, errno),
            (Some((place, errno)), _) => Standing::Kept(place, errno),
            (None, Some((place, errno))) => Standing::Shut(place, errno),
            (None, None) if is_any_open => Standing::Whole,
            (None, None) if trial.is_cut => Standing::Unlooked,
            (None, None) => Standing::Empty,
        })
    }

    fn place_of(&self, directory: &Path) -> String {
        // Without the `.` of the first.
        let below = directory.components().skip(1);
        let place: PathBuf = self.root.as_path().components().chain(below).collect();
        place.display().to_string()
    }

    /// The PBX makes it, as the user that the place above belongs to.
    fn absent(&self) -> Standing {
        let user = rustix::process::geteuid();
        let mut above = self.root.as_path().ancestors().skip(1);
        let owner = above
            .find_map(|above| Path::metadata(above).ok())
            .map(|above| above.uid());
        Standing::Absent {
            is_anothers: !user.is_root() && owner != Some(user.as_raw()),
        }
    }
}

/// Who asks, where the owner of a file decides what they may do.
pub fn own() -> Option<Uid> {
    let is_any_owner = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::FOWNER));
    (!is_any_owner).then(rustix::process::geteuid)
}

/// What became of one directory.
enum Tried {
    /// It went, or it is a link.
    NotThere,
    /// One beside the domains' own, or one of these, into which nobody of ours may look.
    Shut(Errno),
    Open {
        /// Why something in it cannot be removed.
        kept: Option<Errno>,
        deeper: Vec<PathBuf>,
    },
}

/// A trial of some of what is there.
struct Trial<'a> {
    spool: &'a Spool,
    root: &'a File,
    own: Option<Uid>,
    left: usize,
    until: Instant,
    /// Whether there was more than was tried.
    is_cut: bool,
}

impl Trial<'_> {
    fn is_late(&mut self) -> bool {
        let is_late = Instant::now() >= self.until;
        self.is_cut |= is_late;
        is_late
    }

    /// Tries one directory: an error where it, or a recording in it, cannot be read.
    fn of_one(&mut self, directory: &Path, depth: usize) -> Result<Tried, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = match openat2(self.root, directory, flags, Mode::empty(), WITHIN) {
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => return Ok(Tried::NotThere),
            Err(errno @ (Errno::ACCESS | Errno::PERM)) if depth == 1 => return Ok(Tried::Shut(errno)),
            open => open?,
        };
        let (mut kept, mut deeper) = (None, Vec::new());
        // Recordings are in the domains' own.
        if depth > 0 {
            kept = accessat(&open, ".", Access::WRITE_OK, AtFlags::EACCESS).err();
        }
        let is_sticky = self.is_sticky(&fstat(&open)?);
        for entry in Dir::read_from(&open)? {
            let entry = entry?;
            if self.is_late() {
                break;
            }
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            // Beside the domains' own there may be anything, such as `lost+found`, or what a PBX records of nobody in particular.
            let is_nobodys = || {
                let may_be_directory = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
                !may_be_directory || name.parse::<SipDomain>().is_err()
            };
            if name.starts_with('.') || depth == 0 && is_nobodys() {
                continue;
            }
            if self.left == 0 {
                self.is_cut = true;
                break;
            }
            let stat = match statat(&open, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            let path = directory.join(name);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                deeper.push(path);
            } else if depth == 0 {
                continue;
            } else if self.is_recording(&path, &stat) {
                match accessat(&open, name, Access::READ_OK, AtFlags::EACCESS) {
                    Err(Errno::NOENT) => {}
                    read => read?,
                }
                if is_sticky && !self.is_own(&stat) {
                    kept = kept.or(Some(Errno::PERM));
                }
            }
            self.left -= 1;
        }
        Ok(Tried::Open { kept, deeper })
    }

    /// Whether what is in a directory is removed by its own owner only.
    fn is_sticky(&self, stat: &Stat) -> bool {
        Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX) && !self.is_own(stat)
    }

    fn is_own(&self, stat: &Stat) -> bool {
        self.own.is_none_or(|own| stat.st_uid == own.as_raw())
    }

    fn is_recording(&self, path: &Path, stat: &Stat) -> bool {
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let path = path.strip_prefix(".").unwrap_or(path).to_str();
        is_file && path.is_some_and(|path| recording(path, stat, self.spool.kind).is_some())
    }
}

#[cfg(test)]
mod tests;
