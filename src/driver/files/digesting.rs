//! What a file holds, told by its digest, while it is read or written.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::at;
use crate::domain::digest::Digest;
use crate::driver::Part;

/// The digest of a file's contents; `None` where there is no file.
pub(super) fn digest(path: &Path) -> io::Result<Option<Digest>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let mut digesting = Digesting::new(io::sink());
            io::copy(&mut file.map_err(at(path))?, &mut digesting).map_err(at(path))?;
            Ok(Some(digesting.finish().0))
        }
    }
}

/// Writes the parts in order; gives digest and size of the whole.
pub(super) fn stream(parts: &[Part], to: impl Write) -> io::Result<(Digest, u64)> {
    let mut out = Digesting::new(to);
    for part in parts {
        match part {
            Part::Bytes(bytes) => out.write_all(bytes)?,
            Part::File { path, digest } => {
                let mut from = Digesting::new(&mut out);
                let mut file = File::open(path).map_err(at(path))?;
                io::copy(&mut file, &mut from)?;
                if from.finish().0 != *digest {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!(
                            "{} is not what was rendered; remove it and deploy again",
                            path.display()
                        ),
                    ));
                }
            }
        }
    }
    out.flush()?;
    Ok(out.finish())
}

/// Passes bytes on and digests them.
struct Digesting<W> {
    inner: W,
    hasher: blake3::Hasher,
    size: u64,
}

impl<W> Digesting<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new(),
            size: 0,
        }
    }

    fn finish(self) -> (Digest, u64) {
        (self.hasher.finalize().into(), self.size)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        if let Some(bytes) = bytes.get(..written) {
            self.hasher.update(bytes);
            self.size += u64::try_from(written).unwrap_or(u64::MAX);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
