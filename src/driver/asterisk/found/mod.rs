//! What an operator's own Asterisk has of extensions, by its files: `pjsip.conf` and `voicemail.conf` with all they include.
//!
//! The files that FreePBX writes are such files. Nothing is run, asked for or written.

mod endpoint;
mod files;
mod lost;
mod mailbox;
mod objects;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::endpoint::Site;
use self::files::Files;
use self::mailbox::Mailboxes;
use self::objects::{Object, Objects};
use crate::domain::found::Found;

/// Where endpoints stand.
const PJSIP: &str = "pjsip.conf";
/// Where mailboxes stand.
const VOICEMAIL: &str = "voicemail.conf";

/// Where objects stand that Asterisk makes several of.
const WIZARD: &str = "pjsip_wizard.conf";

/// Why nothing could be read.
#[derive(Debug, Error)]
pub enum FoundError {
    /// The system refused it.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The file, or the pattern of files.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing to read.
    #[error("there is no {PJSIP} in {}; name the directory that Asterisk is configured in, or a copy of it", .0.display())]
    NoAsterisk(PathBuf),
    /// A file that must be there is not, and nobody knows what it says.
    #[error(
        "{place} includes {path}, and there is no such file: Asterisk refuses what includes it; bring it there, or take the line out"
    )]
    NotIncluded {
        /// The line.
        place: String,
        /// What it names.
        path: String,
    },
    /// A copy leads to files that need not be those of the host that it was made on.
    #[error(
        "{place} includes {path}, which is not below {}: put it into the directory, and have the line name it there", .directory.display()
    )]
    Outside {
        /// The line.
        place: String,
        /// What it names.
        path: String,
        /// What is read.
        directory: PathBuf,
    },
    /// Asterisk follows no more.
    #[error(
        "{place} is included by a file that is included by another, and so on: Asterisk refuses more than {} of them",
        files::DEEPEST
    )]
    TooDeep {
        /// The line that goes too far.
        place: String,
    },
    /// More than one import reads.
    #[error("there are more than {what}; bring a part of it in at a time, from a copy with fewer files")]
    TooMuch {
        /// Of what.
        what: String,
    },
}

/// The extensions of a directory; with a context those alone whose calls begin in it.
///
/// It reads files, so it is to be called where that may take its time.
pub fn read(directory: &Path, context: Option<&str>) -> Result<Found, FoundError> {
    let mut files = Files::of(directory);
    if !directory.join(PJSIP).is_file() {
        return Err(FoundError::NoAsterisk(directory.to_owned()));
    }
    let pjsip = Objects::read(&mut files, PJSIP)?;
    let mailboxes = Mailboxes::new(Objects::read(&mut files, VOICEMAIL)?);
    let wizards = Objects::read(&mut files, WIZARD)?;
    let site = Site::new(&pjsip, &mailboxes);
    let mut found = Found::default();
    let wanted = |endpoint: &&Object| {
        let begins_in = endpoint.value("context").unwrap_or("default");
        context.is_none_or(|context| context == begins_in)
    };
    for object in pjsip.all().filter(|object| object.is("endpoint")).filter(wanted) {
        match site.extension(object) {
            Ok(extension) => found.extensions.push(extension),
            Err(aside) => found.aside.push(aside),
        }
    }
    let made = wizards.all().filter(|object| object.is("wizard"));
    found.aside.extend(made.map(endpoint::wizard));
    let programs = pjsip.programs.iter().chain(mailboxes.programs());
    let programs = programs.chain(&wizards.programs);
    found.aside.extend(programs.map(|line| endpoint::program(line)));
    Ok(found)
}

#[cfg(test)]
mod tests;
