//! Files that hold one secret and nothing else.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::{fs, io};

use secrecy::SecretString;
use zeroize::Zeroize as _;

/// Longer than any secret; keeps a wrong path such as `/dev/zero` from filling the memory.
const LONGEST: u64 = 64 * 1024;

/// Why a secret file gave no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The system refused it.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// It holds nothing.
    #[error("is empty; write the secret into it")]
    Empty,
    /// It is something else.
    #[error("is no secret: it must hold at most 64 KiB of UTF-8 text")]
    NoSecret,
}

/// The secret in a file, without the line break at its end, and whether everybody may read it.
pub fn read(path: &Path) -> Result<(SecretString, bool), SecretFileError> {
    let file = fs::File::open(path).map_err(SecretFileError::Read)?;
    let public = is_public(&file.metadata().map_err(SecretFileError::Read)?);
    let mut bytes = Vec::new();
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(SecretFileError::Read)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST) {
        bytes.zeroize();
        return Err(SecretFileError::NoSecret);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| SecretFileError::NoSecret)?;
    let secret = text.trim_end_matches(['\r', '\n']).to_owned();
    text.zeroize();
    if secret.is_empty() {
        return Err(SecretFileError::Empty);
    }
    Ok((secret.into(), public))
}

/// Whether the users of other groups may read a file.
#[must_use]
pub fn is_public(metadata: &fs::Metadata) -> bool {
    metadata.permissions().mode() & 0o004 != 0
}
