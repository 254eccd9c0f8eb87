//! The test of a directory of recordings: whether the service may find, play and remove what a PBX leaves there.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags, Stat, accessat, openat2, statat};
use rustix::io::Errno;

use super::reading::patiently;
use super::search::recording;
use super::{DEEPEST, Spool, WITHIN};
use crate::domain::instance::{AbsolutePath, PbxKind};
use crate::domain::sip_domain::SipDomain;
use crate::driver::Check;

const NAME: &str = "recordings_dir";
/// The disk may take so long for its first answer.
const LONGEST: Duration = Duration::from_secs(5);
/// More files and directories are not tried, nor for longer: what holds for these, a PBX made as it makes the others.
const TRIED: usize = 1_000;
const ENOUGH: Duration = Duration::from_secs(2);

/// What the service may do there.
enum Standing {
    /// It is to be made, by the PBX or, where that runs as another user, by the operator.
    Absent { is_anothers: bool },
    /// Nobody knows how the PBX makes directories there.
    Empty,
    /// All that is needed.
    Whole,
    /// Not find or not play what is there.
    Unreadable(String, Errno),
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
        let looked = patiently(self.root.as_path(), LONGEST, move || spool.standing()).await;
        self.told(looked, group)
    }

    fn told(&self, looked: io::Result<Standing>, group: &str) -> Check {
        let user = rustix::process::geteuid().as_raw();
        let directory = &self.root;
        let allow = format!("`setfacl -R -m u:{user}:rwX,d:u:{user}:rwX {directory}`");
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
                format!(
                    "let the user {user} in: type {allow}, and `setfacl -m u:{user}:x` with each directory above that it may not \
                     pass; or add that user to the group {group}, with `SupplementaryGroups={group}` in the service's unit"
                ),
            ),
            Ok(Standing::Kept(place, Errno::ROFS)) => doubtful(
                format!("what is recorded in {place} cannot be removed: {}", Errno::ROFS),
                format!(
                    "have its file system mounted for writing; a service may write only to what its unit names and what was there \
                     when it was started: type `systemctl restart switchyard`, where {directory} is none of the unit's \
                     `ReadWritePaths` after a drop-in that adds it"
                ),
            ),
            Ok(Standing::Kept(place, error)) => doubtful(
                format!("what is recorded in {place} cannot be removed: {error}"),
                format!("type {allow}; an upgrade of the PBX's package may take that away again"),
            ),
            Err(error) => Check::bad(
                NAME,
                format!("{directory}: {error}"),
                "see whether the disk that it lies on answers",
            ),
        }
    }

    fn standing(&self) -> io::Result<Standing> {
        let unreadable = |errno| Standing::Unreadable(self.root.to_string(), errno);
        let root = match self.root() {
            Ok(root) => root,
            Err(error) => {
                return match Errno::from_io_error(&error) {
                    Some(Errno::NOENT) => Ok(self.absent()),
                    Some(errno) => Ok(unreadable(errno)),
                    None => Err(error),
                };
            }
        };
        let mut trial = Trial {
            spool: self,
            root: &root,
            left: TRIED,
            until: Instant::now() + ENOUGH,
        };
        let (mut kept, mut is_empty) = (None, true);
        let mut below: Vec<(PathBuf, usize)> = vec![(PathBuf::from("."), 0)];
        while Instant::now() < trial.until
            && let Some((directory, depth)) = below.pop()
        {
            // Without the `.` of the first.
            let place = || {
                self.root
                    .as_path()
                    .components()
                    .chain(directory.components().skip(1))
            };
            let place = || place().collect::<PathBuf>().display().to_string();
            match trial.of_one(&directory, depth) {
                Err(errno) => return Ok(Standing::Unreadable(place(), errno)),
                Ok(Tried { kept: why, deeper }) => {
                    is_empty &= depth == 0;
                    kept = kept.or_else(|| why.map(|errno| (place(), errno)));
                    if depth < DEEPEST {
                        below.extend(deeper.into_iter().map(|path| (path, depth + 1)));
                    }
                }
            }
        }
        Ok(match kept {
            Some((place, errno)) => Standing::Kept(place, errno),
            None if is_empty => Standing::Empty,
            None => Standing::Whole,
        })
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

/// What became of one directory.
#[derive(Default)]
struct Tried {
    /// Why nothing in it can be removed.
    kept: Option<Errno>,
    deeper: Vec<PathBuf>,
}

/// A trial of some of what is there.
struct Trial<'a> {
    spool: &'a Spool,
    root: &'a File,
    left: usize,
    until: Instant,
}

impl Trial<'_> {
    /// Tries one directory: an error where it, or a recording in it, cannot be read.
    fn of_one(&mut self, directory: &Path, depth: usize) -> Result<Tried, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = match openat2(self.root, directory, flags, Mode::empty(), WITHIN) {
            // It went, or it is a link.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => return Ok(Tried::default()),
            open => open?,
        };
        let mut tried = Tried::default();
        // Recordings are in the domains' own.
        if depth > 0 {
            tried.kept = accessat(&open, ".", Access::WRITE_OK, AtFlags::EACCESS).err();
        }
        for entry in Dir::read_from(&open)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            // Beside the domains' own there may be anything, such as `lost+found`.
            if name.starts_with('.') || depth == 0 && name.parse::<SipDomain>().is_err() {
                continue;
            }
            if self.left == 0 || Instant::now() >= self.until {
                break;
            }
            self.left -= 1;
            let stat = match statat(&open, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            let path = directory.join(name);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                tried.deeper.push(path);
            } else if self.is_recording(&path, &stat) {
                match accessat(&open, name, Access::READ_OK, AtFlags::EACCESS) {
                    Err(Errno::NOENT) => {}
                    read => read?,
                }
            }
        }
        Ok(tried)
    }

    fn is_recording(&self, path: &Path, stat: &Stat) -> bool {
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let path = path.strip_prefix(".").unwrap_or(path).to_str();
        is_file && path.is_some_and(|path| recording(path, stat, self.spool.kind).is_some())
    }
}

#[cfg(test)]
mod tests;
