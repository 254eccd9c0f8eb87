//! Where a file of the operator's really is: through links that may be trusted.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use thiserror::Error;

use super::content::Content;

/// How many links may lead to a file, as Linux itself bounds it.
const MOST_LINKS: usize = 40;

/// Why a file is not touched.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// The system refused it.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not touched: {reason}", .path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
}

/// A file that is there.
pub struct Found {
    /// Where it really is.
    pub path: PathBuf,
    /// What it holds, and whom it belongs to.
    pub content: Content,
}

/// The file behind a path; `None` where there is none.
///
/// A link is followed if it belongs to root or to the owner of what it leads to: root, who runs this, must not be led by
/// another user to a file that this user could not write.
pub fn find(path: &Path) -> Result<Option<Found>, PlaceError> {
    let refused = |source| PlaceError::Read {
        path: path.to_owned(),
        source,
    };
    let strange = |reason: String| PlaceError::Strange {
        path: path.to_owned(),
        reason,
    };
    let mut step = path.to_owned();
    let mut link_owners = Vec::new();
    loop {
        let metadata = match fs::symlink_metadata(&step) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound && link_owners.is_empty() => {
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(strange("it is a link that leads nowhere".to_owned()));
            }
            Err(error) => return Err(refused(error)),
        };
        if !metadata.is_symlink() {
            break;
        }
        if link_owners.len() == MOST_LINKS {
            return Err(strange("too many links lead to it".to_owned()));
        }
        link_owners.push(metadata.uid());
        let target = fs::read_link(&step).map_err(refused)?;
        step = step.parent().unwrap_or(Path::new("/")).join(target);
    }
    let real = fs::canonicalize(&step).map_err(refused)?;
    let metadata = fs::symlink_metadata(&real).map_err(refused)?;
    if !metadata.is_file() {
        return Err(strange("it is no regular file".to_owned()));
    }
    if let Some(owner) = untrusted(&link_owners, metadata.uid()) {
        return Err(strange(format!(
            "it is a link of the user {owner} to a file of the user {}; name the file itself",
            metadata.uid()
        )));
    }
    if metadata.nlink() > 1 {
        return Err(strange(format!(
            "it has {} names (hard links), and only one of them would get what is written; make it a file of its own",
            metadata.nlink()
        )));
    }
    let content = Content::read(&real).map_err(refused)?;
    Ok(Some(Found { path: real, content }))
}

/// The owner of a link that is not followed to a file of this owner.
fn untrusted(links: &[u32], file: u32) -> Option<u32> {
    links.iter().copied().find(|link| *link != 0 && *link != file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_to_the_file_and_no_further() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("real"), "x").unwrap();
        symlink("real", at("one")).unwrap();
        symlink(at("one"), at("two")).unwrap();
        let found = find(&at("two")).unwrap().unwrap();
        assert_eq!(found.path, fs::canonicalize(at("real")).unwrap());
        assert_eq!(found.content.bytes, b"x");
        assert!(find(&at("none")).unwrap().is_none());
        symlink("none", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for strange in ["dangling", "loop", "."] {
            assert!(
                matches!(find(&at(strange)), Err(PlaceError::Strange { .. })),
                "{strange}"
            );
        }
        fs::hard_link(at("real"), at("other")).unwrap();
        assert!(matches!(find(&at("real")), Err(PlaceError::Strange { .. })));
    }

    #[test]
    fn a_link_of_another_user_is_not_followed_to_a_file_that_is_not_his() {
        assert_eq!(untrusted(&[0, 105, 0], 105), None);
        assert_eq!(untrusted(&[0, 105], 0), Some(105));
        assert_eq!(untrusted(&[], 0), None);
    }
}
