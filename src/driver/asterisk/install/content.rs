//! A file whole: its bytes, whom it belongs to, and its extended attributes, ACLs among them; read, and written anew.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags, XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// Longer than any configuration file; keeps a wrong path from filling the memory.
const LONGEST: u64 = 64 * 1024 * 1024;
/// The kernel's own bound of a list of attributes, and of the value of one.
const LONGEST_ATTRIBUTE: usize = 64 * 1024;
/// Sums over the old bytes: the kernel makes new ones.
const OF_THE_BYTES: [&[u8]; 2] = [b"security.ima", b"security.evm"];
/// Where a new file may have got attributes from its directory, an ACL above all.
const INHERITED: &[u8] = b"system.";

/// Around the random part of the name of a file that is being written.
const PREPARED: (&str, &str) = (".switchyard-", ".new");

/// Owner, group and mode of a file or directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The mode.
    pub mode: u32,
}

impl Standing {
    /// As something stands.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            uid: metadata.uid(),
            gid: metadata.gid(),
            mode: metadata.mode() & 0o7777,
        }
    }

    /// Gives it to an open file or directory.
    pub fn give(self, file: &File) -> io::Result<()> {
        let now = Self::of(&file.metadata()?);
        if (now.uid, now.gid) != (self.uid, self.gid) {
            fchown(file, Some(self.uid), Some(self.gid))?;
        }
        // After the owner: a change of owner clears bits of the mode.
        file.set_permissions(Permissions::from_mode(self.mode))
    }
}

type Attributes = BTreeMap<CString, Vec<u8>>;

/// A file whole. It may hold a secret, so it has no `Debug`.
#[derive(Clone)]
pub struct Content {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Whom it belongs to.
    pub standing: Standing,
    /// `None`: those that its directory gives to a new file.
    attributes: Option<Attributes>,
}

impl Content {
    /// Of a file that is not there yet.
    pub(super) fn new(bytes: Vec<u8>, standing: Standing) -> Self {
        Self {
            bytes,
            standing,
            attributes: None,
        }
    }

    /// Of a regular file, no link.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        // Opening a pipe would otherwise wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(not_a_link)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(no_file());
        }
        let attributes = Some(attributes(&file)?);
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST) {
            return Err(io::Error::other("it is longer than 64 MiB"));
        }
        Ok(Self {
            bytes,
            standing: Standing::of(&metadata),
            attributes,
        })
    }

    /// The same with other bytes.
    pub(super) fn with(&self, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..self.clone()
        }
    }

    /// Whether bytes, owner, group and mode are the same. What the kernel adds to a new file by itself is no difference.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.standing == other.standing
    }

    /// Written and synced under a passing name in a directory, ready to take its place by a rename.
    pub(super) fn prepare(&self, folder: &Path) -> io::Result<NamedTempFile> {
        let mut named = tempfile::Builder::new();
        let mut file = named.prefix(PREPARED.0).suffix(PREPARED.1).tempfile_in(folder)?;
        let given = self.attributes.as_ref();
        if let Some(wanted) = given {
            // Before anything is in it, and before the mode opens it to whom the directory's ACL names.
            for name in attributes(file.as_file())?.keys() {
                if name.as_bytes().starts_with(INHERITED) && !wanted.contains_key(name) {
                    fremovexattr(&file, name.as_c_str()).map_err(|errno| unkept(name, errno))?;
                }
            }
        }
        file.write_all(&self.bytes)?;
        self.standing.give(file.as_file())?;
        if let Some(wanted) = given {
            give(file.as_file(), wanted)?;
        }
        file.as_file().sync_all()?;
        Ok(file)
    }
}

/// Whether a name is that of a file that was prepared and never took its place.
pub fn is_prepared(name: &str) -> bool {
    name.len() > PREPARED.0.len() + PREPARED.1.len()
        && name.starts_with(PREPARED.0)
        && name.ends_with(PREPARED.1)
}

fn not_a_link(errno: Errno) -> io::Error {
    if errno == Errno::LOOP {
        no_file()
    } else {
        errno.into()
    }
}

fn no_file() -> io::Error {
    io::Error::other("it is no regular file")
}

fn attributes(file: &File) -> io::Result<Attributes> {
    let mut names = Vec::with_capacity(LONGEST_ATTRIBUTE);
    match flistxattr(file, spare_capacity(&mut names)) {
        // The file system knows none.
        Err(Errno::OPNOTSUPP) => return Ok(Attributes::new()),
        listed => listed?,
    };
    names
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
        .filter(|name| !OF_THE_BYTES.contains(&name.to_bytes()))
        .map(|name| {
            let mut value = Vec::with_capacity(LONGEST_ATTRIBUTE);
            fgetxattr(file, name, spare_capacity(&mut value)).map_err(|errno| unkept(name, errno))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

fn give(file: &File, wanted: &Attributes) -> io::Result<()> {
    let there = attributes(file)?;
    for (name, value) in wanted {
        // A security label that is right already may be nobody's to set.
        if there.get(name) != Some(value) {
            fsetxattr(file, name.as_c_str(), value, XattrFlags::empty())
                .map_err(|errno| unkept(name, errno))?;
        }
    }
    Ok(())
}

fn unkept(name: &CStr, errno: Errno) -> io::Error {
    let error = io::Error::from(errno);
    let name = name.to_string_lossy();
    io::Error::new(
        error.kind(),
        format!("its extended attribute `{name}` cannot be kept: {error}"),
    )
}
