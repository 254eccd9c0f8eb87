//! The section `mail`: a whole mail server or none, for half of one would send nothing and say nothing.

use secrecy::SecretString;

use super::Mail;
use super::given::Given;
use super::keys::KEYS;
use super::parse::{absolute_path, number};
use crate::domain::instance::HostName;
use crate::domain::invalid::Invalid;
use crate::domain::mail::{Login, Mailbox, SmtpServer, TlsMode, is_this_host};

/// The server; nothing where none is named, or where a problem was noted.
///
/// Every key is read before the first missing one ends the assembly, so that all problems are noted at once.
pub fn mail(given: &mut Given) -> Option<Mail> {
    let tls = given.parsed("mail.tls", str::parse::<TlsMode>);
    let give_up_after_days = given.parsed("mail.give_up_after_days", |text| number(text, 1..=30));
    let port = given.parsed("mail.port", |text| number(text, 1..=65535));
    let ca_file = given.parsed("mail.ca_file", absolute_path);
    let from = given.parsed("mail.from", str::parse::<Mailbox>);
    let username = given.parsed("mail.username", username);
    let password = given.parsed("mail.password", |text| Ok(SecretString::from(text)));
    let host = given.parsed("mail.host", str::parse::<HostName>);
    if !given.is_named("mail.host") {
        note_without_host(given);
        return None;
    }
    require(given, "mail.from", "mail.host");
    require(given, "http.public_url", "mail.host");
    require(given, "mail.password", "mail.username");
    require(given, "mail.username", "mail.password");
    let (host, tls) = (host?, tls?);
    if tls == TlsMode::None && !is_this_host(&host) {
        let place = given.place("mail.host").unwrap_or_default().to_owned();
        let text = "`mail.host` must be `localhost` or a loopback address with `mail.tls = \"none\"`, for what goes to \
            another host in clear everybody on the way can read";
        given.problem(place, text);
        return None;
    }
    let login = username
        .zip(password)
        .map(|(username, password)| Login { username, password });
    let server = SmtpServer {
        host,
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(tls.port()),
        tls,
        ca_file,
        login,
        from: from?,
    };
    Some(Mail {
        server,
        give_up_after_days: give_up_after_days?,
    })
}

/// Notes each other key of the section, which would quietly be without effect.
fn note_without_host(given: &mut Given) {
    for key in KEYS.iter().filter(|key| key.name.starts_with("mail.")) {
        if let Some(place) = given.place(key.name).map(str::to_owned) {
            let text = format!(
                "`{}` is without effect until `mail.host` names a mail server",
                key.name
            );
            given.problem(place, text);
        }
    }
}

/// Notes that a key lacks which another one needs.
fn require(given: &mut Given, key: &str, with: &str) {
    if given.is_named(key) {
        return;
    }
    if let Some(place) = given.place(with).map(str::to_owned) {
        given.problem(place, format!("`{with}` needs `{key}`; set that key too"));
    }
}

fn username(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        return Err(Invalid::new(
            "must have 1 to 256 characters, none of them a control character",
        ));
    }
    Ok(text.to_owned())
}
