//! A PBX instance: one Asterisk, FusionPBX or FreeSWITCH that tenants are assigned to.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;

use super::ids::{GenerationId, InstanceId};
pub use super::instance_settings::{
    AsteriskSettings, FreeSwitchSettings, FusionPbxSettings, InstanceSettings, Tls,
};
use super::invalid::Invalid;
use super::name::InstanceName;
use super::parsed::{parsed_text, word_enum};

word_enum! {
    /// The kind of PBX, which decides how it is driven.
    PbxKind {
        /// Configuration files and the manager interface.
        Asterisk = "asterisk",
        /// Rows in its PostgreSQL, and the event socket of its FreeSWITCH.
        FusionPbx = "fusionpbx",
        /// XML files and the event socket.
        FreeSwitch = "freeswitch",
    }
}

parsed_text! {
    /// The name of the host whose daemon drives an instance: 1 to 64 letters, digits, `.`, `_` or `-`.
    NodeName, node_name, schema { "pattern": "^[A-Za-z0-9._-]{1,64}$" }
}

parsed_text! {
    /// An absolute path that can stand in a configuration file: no `..`, control characters, quotes or `;`.
    AbsolutePath, absolute_path, schema { "maxLength": 200, "pattern": "^/" }
}

parsed_text! {
    /// An address that something listens at: a host name or an IP address.
    HostName, host_name, schema { "pattern": "^[A-Za-z0-9.:-]{1,253}$" }
}

parsed_text! {
    /// A login name, or the name of a database: 1 to 64 letters, digits, `.`, `_` or `-`.
    AccountName, node_name, schema { "pattern": "^[A-Za-z0-9._-]{1,64}$" }
}

parsed_text! {
    /// A number that reaches help where an instance stands: 2 to 8 digits.
    EmergencyNumber, emergency_number, schema { "pattern": "^[0-9]{2,8}$" }
}

impl HostName {
    /// Whether it names whichever host uses it: then another host's is another one.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let text = self.as_str();
        text.eq_ignore_ascii_case("localhost")
            || text.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether both name the same host, of two that stand on one.
    #[must_use]
    pub fn same_host(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str()) || (self.is_loopback() && other.is_loopback())
    }
}

impl AbsolutePath {
    /// The same as a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(self.as_str())
    }
}

/// A PBX that tenants are assigned to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PbxInstance {
    /// Its id.
    pub id: InstanceId,
    /// As the operator calls it; unique.
    pub name: InstanceName,
    /// The host whose daemon drives it.
    pub node: NodeName,
    /// How it is reached.
    pub settings: InstanceSettings,
    /// Counts the changes of the settings; part of every generation.
    pub settings_revision: i64,
    /// The generation that was last proven to run.
    pub live: Option<GenerationId>,
    /// The generation that is being applied: set before the first byte moves, cleared when one is proven.
    /// While it is set nothing is known about what the PBX serves.
    pub applying: Option<GenerationId>,
    /// When it was made.
    pub created_at: Timestamp,
}

fn node_name(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
        return Err(Invalid::new("must have 1 to 64 letters, digits, `.`, `_` or `-`"));
    }
    Ok(text.to_owned())
}

fn absolute_path(text: &str) -> Result<String, Invalid> {
    let strange =
        |c: char| c.is_control() || matches!(c, '"' | ';' | '\\' | '[' | ']' | '#' | '<' | '>' | '*' | '?');
    if !text.starts_with('/') || text.len() > 200 || text.chars().any(strange) || text.trim() != text {
        return Err(Invalid::new(
            "must be an absolute path without quotes, brackets, `;`, `#` or wildcards",
        ));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(Invalid::new("must not contain `..`"));
    }
    Ok(text.to_owned())
}

fn host_name(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if text.is_empty() || text.len() > 253 || !text.chars().all(allowed) {
        return Err(Invalid::new("must be a host name or an IP address"));
    }
    Ok(text.to_owned())
}

fn emergency_number(text: &str) -> Result<String, Invalid> {
    if !(2..=8).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Invalid::new("must have 2 to 8 digits"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("localhost", "127.0.0.1", true)]
    #[case("::1", "127.9.9.9", true)]
    #[case("LocalHost", "::1", true)]
    #[case("db.example.com", "DB.example.com", true)]
    #[case("127.0.0.1", "10.0.0.5", false)]
    #[case("localhost.example.com", "localhost", false)]
    fn all_names_of_the_own_host_are_one(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        let [one, other]: [HostName; 2] = [one, other].map(|text| text.parse().unwrap());
        assert_eq!(one.same_host(&other), same);
    }

    #[rstest]
    #[case("/etc/asterisk/switchyard", true)]
    #[case("etc/asterisk", false)]
    #[case("/etc/../root", false)]
    #[case("/etc/a;b", false)]
    #[case("/etc/a\nb", false)]
    fn a_path_can_stand_in_a_configuration_file(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<AbsolutePath>().is_ok(), good);
    }
}
