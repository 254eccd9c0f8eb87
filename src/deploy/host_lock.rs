//! A lock among the processes of this host: it ends with its process, however that ends.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::domain::ids::InstanceId;

/// `DIR/instances/<instance>/lock`, locked. It holds the epoch of the lease that was last held under it.
///
/// It makes two things certain that a lease alone cannot: that two processes of a host never drive one instance together,
/// whatever their clocks say; and that whoever finds it free while the lease has its epoch may take the lease at once, since
/// the holder is gone.
#[derive(Debug)]
pub struct HostLock(File);

impl HostLock {
    /// Takes it; `None` while another process has it. `state_dir`: the daemon's own directory.
    pub(super) fn take(state_dir: &Path, instance_id: InstanceId) -> io::Result<Option<Self>> {
        Self::take_in(&state_dir.join("instances").join(instance_id.to_string()))
    }

    /// The same of another directory.
    pub(super) fn take_in(directory: &Path) -> io::Result<Option<Self>> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The epoch of the lease that was last held under it.
    pub(super) fn last_epoch(&mut self) -> io::Result<Option<i64>> {
        let mut text = String::new();
        self.0.rewind()?;
        self.0.read_to_string(&mut text)?;
        Ok(text.trim().parse().ok())
    }

    /// Notes the epoch of the lease that is held under it now.
    pub(super) fn note(&mut self, epoch: i64) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        writeln!(self.0, "{epoch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const INSTANCE: InstanceId = InstanceId::from_uuid(Uuid::nil());

    #[test]
    fn it_is_free_once_its_holder_is_gone_and_tells_the_epoch() {
        let directory = tempfile::tempdir().unwrap();
        let take = || HostLock::take(directory.path(), INSTANCE).unwrap();
        let mut held = take().unwrap();
        assert_eq!(held.last_epoch().unwrap(), None);
        held.note(1234).unwrap();
        held.note(7).unwrap();
        assert!(take().is_none());
        drop(held);
        assert_eq!(take().unwrap().last_epoch().unwrap(), Some(7));
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(HostLock::take(file.path(), INSTANCE).is_err());
    }
}
