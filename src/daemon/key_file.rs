//! Makes the file with the sealing key.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use tempfile::NamedTempFile;

use crate::crypto::{SealError, SealingKey};

/// Why there is no new key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It would replace one, and with it lose every secret that is sealed with it.
    #[error("{} is there already; a sealing key is never replaced, because what it sealed would be lost", .0.display())]
    Exists(PathBuf),
    /// The system refused it.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no key to write.
    #[error("no key could be made")]
    Generate(#[source] SealError),
}

/// Writes a new key into a new file that only its owner can read.
pub fn create(path: &Path) -> Result<(), KeyFileError> {
    let failed = |source| KeyFileError::Write {
        path: path.to_owned(),
        source,
    };
    let key = SealingKey::generate().map_err(KeyFileError::Generate)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Written aside and then named, so that there is never half a key; temporary files are the owner's alone.
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    writeln!(file, "{}", key.expose_secret()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path)
        .map(drop)
        .map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
            _ => failed(refused.error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use tempfile::TempDir;

    #[test]
    fn a_new_file_holds_a_key_for_its_owner_alone() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("sealing.key");
        create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(SealingKey::parse(&text.into()).is_ok());
    }

    #[test]
    fn a_key_that_is_there_stays() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("sealing.key");
        fs::write(&path, "old").unwrap();
        assert!(matches!(create(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = create(Path::new("/no/such/folder/sealing.key")).unwrap_err();
        assert_eq!(error.to_string(), "/no/such/folder/sealing.key cannot be written");
    }
}
