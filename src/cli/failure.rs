//! Why a command did not do what was asked, and the exit code that says so.

use std::io;

use super::exit::Exit;
use crate::config::ConfigError;
use crate::daemon::demo::DemoError;
use crate::daemon::key_file::KeyFileError;
use crate::daemon::settings::SettingError;
use crate::domain::error_chain::error_chain;

/// Anything that ends a command early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A part of the daemon cannot use its settings.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<SettingError>),
    /// No key was made.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// There is no demo.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// The deploy did not go live; what was written before says why.
    #[error("{0}")]
    Deploy(String, Exit),
    /// The runtime could not be started.
    #[error("the runtime could not be started")]
    Runtime(#[source] io::Error),
    /// The output could not be written.
    #[error("the output cannot be written")]
    Output(#[from] io::Error),
    /// The output could not be put into JSON.
    #[error("the output cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// What the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Settings(_)
            | Self::Demo(DemoError::Invalid(_) | DemoError::Config(_)) => Exit::InvalidInput,
            Self::KeyFile(KeyFileError::Exists(_)) => Exit::Conflict,
            Self::Deploy(_, exit) => *exit,
            Self::Demo(_) | Self::KeyFile(_) | Self::Runtime(_) | Self::Output(_) | Self::Json(_) => {
                Exit::Failure
            }
        }
    }

    /// With every cause.
    pub fn message(&self) -> String {
        error_chain(self)
    }

    /// Whether nobody reads the output any more.
    pub fn is_broken_pipe(&self) -> bool {
        match self {
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::Json(error) => error.io_error_kind() == Some(io::ErrorKind::BrokenPipe),
            _ => false,
        }
    }
}
