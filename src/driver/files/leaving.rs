//! Leaving a directory: what is ours in it goes, unless it hangs together with what is not.

use std::fs;
use std::io;
use std::path::Path;

use super::{FileTree, at, gone};

impl FileTree {
    /// Takes the live link away where the empty generation is behind it.
    pub fn unplace_empty(&self) -> io::Result<()> {
        if self.standing()? != Some(0) {
            return Ok(());
        }
        let live = self.root.join("live");
        self.warrant.check()?;
        gone(fs::remove_file(&live)).map_err(at(&live))?;
        self.keep_only(&[])
    }

    /// Gives the live link another name, for whoever looks whether anything is read by it.
    pub fn set_aside(&self) -> io::Result<()> {
        self.refuse_foreign()?;
        self.warrant.check()?;
        let live = self.root.join("live");
        gone(fs::rename(&live, self.root.join(".live.new"))).map_err(at(&live))
    }

    /// Undoes that.
    pub fn put_back(&self) -> io::Result<()> {
        let live = self.root.join("live");
        gone(fs::rename(self.root.join(".live.new"), &live)).map_err(at(&live))
    }

    /// Removes the link and every generation, and the directory of these with what is ours. The root is the operator's.
    pub fn leave(&self) -> io::Result<()> {
        self.refuse_foreign()?;
        for link in ["live", ".live.new"] {
            let link = self.root.join(link);
            self.warrant.check()?;
            gone(fs::remove_file(&link)).map_err(at(&link))?;
        }
        self.keep_only(&[])?;
        let generations = self.root.join("generations");
        match gone(fs::remove_dir(&generations)) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => removed.map_err(at(&generations)),
        }
    }

    /// A link that somebody else has made may be how something else is read.
    fn refuse_foreign(&self) -> io::Result<()> {
        let refused = |path: &Path, why: &str| Err(io::Error::other(format!("{} {why}", path.display())));
        let live = self.root.join("live");
        match fs::read_link(&live) {
            Ok(target)
                if self
                    .standing()?
                    .is_some_and(|number| target == Path::new(&format!("generations/{number}"))) => {}
            Ok(target) => {
                let why = format!("leads to {}, which was not written by a deploy", target.display());
                return refused(&live, &why);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&live)(error)),
        }
        let generations = self.root.join("generations");
        match fs::symlink_metadata(&generations) {
            Ok(there) if there.is_dir() => Ok(()),
            Ok(_) => refused(&generations, "is not a directory of its own"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at(&generations)(error)),
        }
    }
}
