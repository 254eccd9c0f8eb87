//! What an operator's own Asterisk has of extensions, by its files: `pjsip.conf` and `voicemail.conf` with all they include.
//!
//! The files that FreePBX writes are such files. Nothing is run, asked for or written.

mod endpoint;
mod mailbox;
mod objects;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::endpoint::Site;
use self::mailbox::Mailboxes;
use self::objects::Objects;
use crate::domain::found::Found;

/// Where endpoints stand.
const PJSIP: &str = "pjsip.conf";
/// Where mailboxes stand.
const VOICEMAIL: &str = "voicemail.conf";

/// Why nothing could be read.
#[derive(Debug, Error)]
pub enum FoundError {
    /// The system refused it.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing to read.
    #[error("there is no {PJSIP} in {}; name the directory that Asterisk is configured in, or a copy of it", .0.display())]
    NoAsterisk(PathBuf),
}

/// The extensions of a directory; with a context those alone whose calls begin in it.
///
/// It reads files, so it is to be called where that may take its time.
pub fn read(directory: &Path, context: Option<&str>) -> Result<Found, FoundError> {
    if !directory.join(PJSIP).exists() {
        return Err(FoundError::NoAsterisk(directory.to_owned()));
    }
    let pjsip = Objects::read(directory, PJSIP)?;
    let mailboxes = Mailboxes::new(Objects::read(directory, VOICEMAIL)?);
    let site = Site::new(&pjsip, &mailboxes);
    let mut found = Found::default();
    let wanted = |endpoint: &&objects::Object| {
        let begins_in = endpoint.value("context").unwrap_or("default");
        context.is_none_or(|context| context == begins_in)
    };
    for object in pjsip
        .all
        .iter()
        .filter(|object| object.is("endpoint"))
        .filter(wanted)
    {
        match site.extension(object) {
            Ok(extension) => found.extensions.push(extension),
            Err(aside) => found.aside.push(aside),
        }
    }
    found.aside.extend(
        pjsip
            .programs
            .iter()
            .chain(mailboxes.programs())
            .map(|line| endpoint::program(line)),
    );
    Ok(found)
}

#[cfg(test)]
mod tests;
