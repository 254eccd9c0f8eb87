//! The mail server that mails are handed to.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use super::Mailbox;
use crate::domain::instance::HostName;
use crate::domain::parsed::word_enum;

word_enum! {
    /// How the way to a mail server is kept from others.
    TlsMode {
        /// TLS from the first byte.
        Required = "required",
        /// TLS before anything is said that counts; a server without it is told nothing.
        StartTls = "starttls",
        /// In clear, and only within this host.
        None = "none",
    }
}

impl TlsMode {
    /// The usual port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Required => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// Who we are to a mail server. Without `Debug`.
#[derive(Clone)]
pub struct Login {
    /// The account.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// A mail server, and how mails are handed to it.
#[derive(Clone)]
pub struct SmtpServer {
    /// Where it is; its certificate must be for that.
    pub host: HostName,
    /// Its port.
    pub port: u16,
    /// How the way to it is kept from others.
    pub tls: TlsMode,
    /// Whose certificates are believed; `None` is the system's list.
    pub ca_file: Option<PathBuf>,
    /// Who we are there; `None` where it takes mails from anybody who reaches it.
    pub login: Option<Login>,
    /// Whom mails are from.
    pub from: Mailbox,
}

impl SmtpServer {
    /// For people.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Whether a name can only mean this host.
#[must_use]
pub fn is_this_host(host: &HostName) -> bool {
    let ip = host.as_str().parse::<IpAddr>();
    host.as_str() == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}
