//! The arguments that say how an instance's manager interface is reached over TLS.

use clap::{Args, ValueEnum};

use super::Failure;
use crate::daemon::own_pbx::TlsChoice;
use crate::domain::instance::{AbsolutePath, Tls};

/// Whether TLS is spoken.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// It is
    On,
    /// It is not
    Off,
    /// As `ami.tls` and `ami.ca_file` of this host say
    Host,
}

/// TLS of one instance.
#[derive(Args)]
pub struct ManagerTlsArguments {
    /// Whether its manager interface speaks TLS, where that is not as `ami.tls` of this host says
    #[arg(long, value_enum, value_name = "MODE")]
    ami_tls: Option<Mode>,
    /// The certificates that are believed then, in PEM, where they are not those of `ami.ca_file`; asks for TLS
    #[arg(long, value_name = "FILE")]
    ami_ca_file: Option<AbsolutePath>,
}

impl ManagerTlsArguments {
    /// What is asked for; `None` where nothing is.
    pub fn choice(self) -> Result<Option<TlsChoice>, Failure> {
        match (self.ami_tls, self.ami_ca_file) {
            (None, None) => Ok(None),
            (Some(Mode::On) | None, ca_file) => Ok(Some(TlsChoice::Own(Tls::On { ca_file }))),
            (Some(Mode::Off), None) => Ok(Some(TlsChoice::Own(Tls::Off))),
            (Some(Mode::Host), None) => Ok(Some(TlsChoice::Host)),
            (Some(Mode::Off | Mode::Host), Some(_)) => {
                let reason = "is for `--ami-tls on`".to_owned();
                Err(Failure::Input(vec![("--ami-ca-file".to_owned(), reason)]))
            }
        }
    }
}
