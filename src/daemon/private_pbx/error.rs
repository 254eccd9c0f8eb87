//! Why a private PBX does not start, and what to do.

use std::io;

use thiserror::Error;

use crate::domain::invalid::Invalid;
use crate::domain::random::NoRandomness;
use crate::driver::asterisk::ProgramError;

/// Why a private PBX does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The program is missing, closed to its user, or no Asterisk.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The directory's name cannot stand in a configuration file, or is too long for a socket's.
    #[error("{directory} cannot be the private PBX's directory: {reason}")]
    Name {
        /// The directory.
        directory: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The user of the PBX does not get into the directory.
    #[error(
        "the private PBX runs as uid {uid}, to which {closed} is closed; use a directory that everybody may enter, or one \
         that belongs to an ordinary user"
    )]
    KeptFrom {
        /// The user.
        uid: u32,
        /// What is closed.
        closed: String,
    },
    /// Another private PBX runs in the directory.
    #[error("a private PBX runs in {directory} already; stop it, or use another directory")]
    InUse {
        /// The directory.
        directory: String,
    },
    /// What must be ours is another user's.
    #[error(
        "{path} belongs to uid {owner}, and this is uid {own}: start it as that user, or use another directory"
    )]
    Foreign {
        /// What belongs to somebody else.
        path: String,
        /// To whom.
        owner: u32,
        /// Who starts it.
        own: u32,
    },
    /// The directory could not be filled.
    #[error("{path} could not be written")]
    Write {
        /// The file or directory.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No free ports.
    #[error("no free port was found on 127.0.0.1")]
    Ports(#[source] io::Error),
    /// A value that the driver's settings do not take.
    #[error(transparent)]
    Settings(#[from] Invalid),
    /// No secrets.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The process could not be made.
    #[error("{program} could not be started")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody took a port between our finding it and Asterisk's opening it.
    #[error("a port was taken by another program: {0}; start again")]
    PortTaken(String),
    /// It ended while it started.
    #[error("the private PBX ended while it started ({how}); it said:\n{log}")]
    Ended {
        /// Its exit status.
        how: String,
        /// The end of what it wrote.
        log: String,
    },
    /// It did not say that it is up.
    #[error("the private PBX was not up after {seconds} s; it said:\n{log}")]
    TooSlow {
        /// How long it was waited for.
        seconds: u64,
        /// The end of what it wrote.
        log: String,
    },
}

impl StartError {
    pub(super) fn write(path: &std::path::Path, source: io::Error) -> Self {
        Self::Write {
            path: path.display().to_string(),
            source,
        }
    }
}
