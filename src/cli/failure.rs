//! Why a command did not do what was asked, and the exit code that says so.

use std::io;

use super::exit::Exit;
use crate::app::error::AppError;
use crate::app::extension_csv::CsvError;
use crate::config::ConfigError;
use crate::config::secret_file::SecretFileError;
use crate::daemon::demo::DemoError;
use crate::daemon::identity::IdentityError;
use crate::daemon::key_file::KeyFileError;
use crate::daemon::own_pbx::OwnPbxError;
use crate::daemon::parts::PartsError;
use crate::daemon::service::ServiceError;
use crate::daemon::settings::SettingError;
use crate::daemon::templates::TemplatesError;
use crate::domain::error_chain::error_chain;
use crate::domain::invalid::FieldErrors;

/// Anything that ends a command early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A part of the daemon cannot use its settings.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<SettingError>),
    /// Root cannot act as the user whom the data belongs to.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The parts cannot be put together.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The daemon does not start, or ended other than well.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The use case was not carried out.
    #[error(transparent)]
    App(AppError),
    /// Arguments are wrong, each with why.
    #[error("{}", .0.iter().map(|(argument, reason)| format!("{argument} {reason}")).collect::<Vec<_>>().join("\n"))]
    Input(Vec<(String, String)>),
    /// What was named is not there.
    #[error("{0}")]
    Absent(String),
    /// A file with a secret gives none.
    #[error("the file `{path}` with the secret {reason}")]
    SecretFile {
        /// The file.
        path: String,
        /// Why not.
        reason: SecretFileError,
    },
    /// A file cannot be opened.
    #[error("{path} cannot be opened")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file of extensions cannot be read.
    #[error("{path} is not imported")]
    Csv {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: CsvError,
    },
    /// A template cannot be used.
    #[error(transparent)]
    Templates(#[from] TemplatesError),
    /// The result was written, and is not what was asked for.
    #[error("{message}")]
    Ended {
        /// How it is told.
        exit: Exit,
        /// What it is.
        message: String,
    },
    /// Nothing was done to the operator's own PBX.
    #[error(transparent)]
    OwnPbx(OwnPbxError),
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
    /// Field errors as errors of the arguments that the fields came from.
    pub fn input(errors: &FieldErrors) -> Self {
        let reasons = |(field, reasons): (&str, &[String])| {
            let argument = argument_of(field);
            reasons
                .iter()
                .map(move |reason| (argument.clone(), reason.clone()))
                .collect::<Vec<_>>()
        };
        Self::Input(errors.iter().flat_map(reasons).collect())
    }

    /// A result that was written, and is not what was asked for.
    pub fn ended(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Ended { exit, message }
    }

    /// How a command ends that wrote a result, and was not asked for that one: that matters more than whether anybody
    /// read it.
    pub fn verdict(told: Result<(), Self>, exit: Exit, message: impl Into<String>) -> Result<(), Self> {
        match exit {
            Exit::Ok => told,
            exit => Err(Self::ended(exit, message)),
        }
    }

    /// What the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Settings(_)
            | Self::Input(_)
            | Self::SecretFile { .. }
            | Self::Open { .. }
            | Self::Csv { .. }
            | Self::Templates(_)
            | Self::Identity(IdentityError::Setting(_))
            | Self::Parts(PartsError::Setting(_))
            | Self::Service(ServiceError::Parts(PartsError::Setting(_)))
            | Self::App(AppError::Invalid(_))
            | Self::Demo(DemoError::Invalid(_) | DemoError::Config(_)) => Exit::InvalidInput,
            Self::OwnPbx(error) if error.is_invalid_input() => Exit::InvalidInput,
            Self::OwnPbx(error) if error.is_conflict() => Exit::Conflict,
            Self::Absent(_) | Self::App(AppError::NotFound) | Self::OwnPbx(OwnPbxError::Absent(_)) => {
                Exit::NotFound
            }
            Self::KeyFile(KeyFileError::Exists(_))
            | Self::App(
                AppError::Conflict { .. }
                | AppError::Taken { .. }
                | AppError::InUse { .. }
                | AppError::BadTransition { .. }
                | AppError::PreconditionFailed,
            ) => Exit::Conflict,
            Self::App(error) if error.is_unreachable() => Exit::Unreachable,
            Self::Ended { exit, .. } | Self::Deploy(_, exit) => *exit,
            Self::KeyFile(_)
            | Self::Identity(_)
            | Self::Parts(_)
            | Self::Service(_)
            | Self::App(_)
            | Self::Runtime(_)
            | Self::OwnPbx(_)
            | Self::Demo(_)
            | Self::Write { .. }
            | Self::Output(_)
            | Self::Json(_) => Exit::Failure,
        }
    }

    /// With every cause.
    pub fn message(&self) -> String {
        error_chain(self)
    }

    /// Which arguments are wrong, each with why.
    pub fn wrong_arguments(&self) -> &[(String, String)] {
        match self {
            Self::Input(arguments) => arguments,
            _ => &[],
        }
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

impl From<OwnPbxError> for Failure {
    fn from(error: OwnPbxError) -> Self {
        match error {
            OwnPbxError::Identity(error) => Self::Identity(error),
            OwnPbxError::Parts(error) => Self::Parts(error),
            OwnPbxError::App(error) => error.into(),
            error => Self::OwnPbx(error),
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Invalid(errors) => Self::input(&errors),
            // The command line may do everything, so what refuses it is a state.
            AppError::Denied(denied) => Self::ended(Exit::Conflict, denied.advice()),
            error => Self::App(error),
        }
    }
}

/// The argument that a field's value came from.
pub fn argument_of(field: &str) -> String {
    match field {
        "codecs" => "--codec".to_owned(),
        "pbx_instance_id" => "--instance".to_owned(),
        "voicemail.enabled" => "--voicemail".to_owned(),
        "database_tls" => "--database-ca-file".to_owned(),
        "ami_secret" | "event_socket_password" | "database_password" => {
            format!("--{}-file", field.replace('_', "-"))
        }
        field => format!("--{}", field.replace(['.', '_'], "-")),
    }
}
