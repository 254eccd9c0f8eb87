//! How a phone signs in.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use super::phones::Phone;
use super::switch::Switch;

/// Why a phone was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// By the hash that the user has.
    Hash,
    /// By the password that the user has.
    Password,
    /// Because the user has neither, or one that is empty: FreeSWITCH then lets everybody in.
    Anyone,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    NoProfile,
    /// No lookup finds the user.
    Unknown,
    WrongPassword,
    /// The user says so.
    Forbidden,
    TooMany,
}

/// Signs in at one profile with a domain as the realm, as phones do.
pub async fn register(
    switch: &Switch,
    profile: &str,
    user: &str,
    domain: &str,
    password: &str,
) -> Result<Admitted, Refused> {
    if !switch.is_profile(profile) {
        return Err(Refused::NoProfile);
    }
    let found = switch.source.user(user, domain).await.ok_or(Refused::Unknown)?;
    let said = |name: &str| found.param(name).filter(|value| !value.is_empty());
    if said("sip-forbid-register").is_some_and(|value| value == "true") {
        return Err(Refused::Forbidden);
    }
    let admitted = match (said("a1-hash"), said("password")) {
        // A hash counts before a password.
        (Some(hash), _) => proven(hash == a1(user, domain, password), Admitted::Hash)?,
        // An empty hash is one that nothing fits, where there is a password.
        (None, Some(known)) => proven(
            known == password && found.param("a1-hash").is_none(),
            Admitted::Password,
        )?,
        (None, None) if said("allow-empty-password").is_some_and(|value| value == "false") => {
            return Err(Refused::WrongPassword);
        }
        (None, None) => Admitted::Anyone,
    };
    let mut phones = switch.phones.lock().unwrap();
    let most = said("max-registrations-per-extension").and_then(|most| most.parse::<usize>().ok());
    if most.is_some_and(|most| most > 0 && phones.of(profile, user, domain) >= most) {
        return Err(Refused::TooMany);
    }
    let port = phones.next_port();
    phones.sign_in(&Phone::at(profile, user, domain, port, switch.new.seconds()));
    Ok(admitted)
}

fn proven(holds: bool, by: Admitted) -> Result<Admitted, Refused> {
    holds.then_some(by).ok_or(Refused::WrongPassword)
}

/// What `a1-hash` holds.
pub fn a1(user: &str, realm: &str, password: &str) -> String {
    let digest = Md5::digest(format!("{user}:{realm}:{password}"));
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
