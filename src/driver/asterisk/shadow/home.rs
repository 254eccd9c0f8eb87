//! The directory of a shadow: closed to others, locked as long as its process lives, and swept where that was killed.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::TempDir;

use crate::driver::asterisk::program::RunAs;

const PREFIX: &str = "switchyard-shadow-";
/// Somebody who sweeps may come between the making and the locking; hardly twice.
const TRIES: usize = 10;

/// Removed when it is dropped, and by the next sweep where nobody came to drop it.
pub struct Home {
    directory: TempDir,
    /// The lock ends with the process, however that ends.
    _locked: File,
}

impl Home {
    /// Makes one below the directory for temporary files, after a sweep.
    pub fn make() -> io::Result<Self> {
        let below = std::env::temp_dir();
        sweep(&below);
        for _ in 0..TRIES {
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(&below)?;
            let locked = File::open(directory.path())?;
            if locked.try_lock().is_ok() && is_the_same(&locked, directory.path()) {
                return Ok(Self {
                    directory,
                    _locked: locked,
                });
            }
        }
        Err(io::Error::other("directories are swept as soon as they are made"))
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn is_the_same(open: &File, path: &Path) -> bool {
    let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (here, there) = (
        open.metadata().map(number),
        fs::symlink_metadata(path).map(number),
    );
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

/// Removes what shadows of ours left whose process was killed; how many. Those of living ones are locked, and those of
/// other users are theirs.
pub fn sweep(below: &Path) -> usize {
    let Ok(entries) = fs::read_dir(below) else {
        return 0;
    };
    let is_named = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_str().is_some_and(|name| name.starts_with(PREFIX))
    };
    let left = entries.flatten().filter(is_named);
    left.filter(|entry| remove_left(&entry.path()).is_some()).count()
}

fn remove_left(path: &Path) -> Option<()> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_dir() || !is_own(metadata.uid()) {
        return None;
    }
    let left = File::open(path).ok()?;
    left.try_lock().ok()?;
    fs::remove_dir_all(path).ok()
}

/// Root's shadows run as nobody, whom their directories then belong to.
fn is_own(uid: u32) -> bool {
    let own = rustix::process::geteuid();
    uid == own.as_raw() || own.is_root() && uid == RunAs::NOBODY.uid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_any_more_is_swept() {
        let below = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = below.path().join(name);
            fs::create_dir_all(path.join("etc")).unwrap();
            fs::write(path.join("etc/asterisk.conf"), "").unwrap();
            path
        };
        let (held, left) = (make("switchyard-shadow-held"), make("switchyard-shadow-left"));
        let other = make("switchyard-other");
        let file = below.path().join("switchyard-shadow-file");
        fs::write(&file, "").unwrap();
        let link = below.path().join("switchyard-shadow-link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        let lock = File::open(&held).unwrap();
        lock.try_lock().unwrap();

        assert_eq!(sweep(below.path()), 1);
        assert!(!left.exists());
        for path in [&held, &other, &file, &link] {
            assert!(path.symlink_metadata().is_ok(), "{}", path.display());
        }
        assert!(other.join("etc/asterisk.conf").exists());
        drop(lock);
        assert_eq!(sweep(below.path()), 1);
        assert!(!held.exists());
    }

    #[test]
    fn a_home_is_for_its_user_alone_and_no_sweep_takes_it_away() {
        let home = Home::make().unwrap();
        let mode = fs::metadata(home.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = home.path().to_owned();
        let again = Home::make().unwrap();
        assert!(path.exists() && again.path().exists());
        drop(home);
        assert!(!path.exists());
    }

    #[test]
    fn what_belongs_to_another_user_is_left_alone() {
        assert!(is_own(rustix::process::geteuid().as_raw()));
        assert!(!is_own(12_345));
    }
}
