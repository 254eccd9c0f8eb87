//! A PBX instance: one Asterisk, FusionPBX or FreeSWITCH that tenants are assigned to.

use std::path::Path;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dial::EMERGENCY_NUMBERS;
use super::ids::{GenerationId, InstanceId};
use super::invalid::Invalid;
use super::name::InstanceName;
use super::parsed::{parsed_text, word_enum};

word_enum! {
    /// The kind of PBX, which decides how it is driven.
    PbxKind {
        /// Configuration files and the manager interface.
        Asterisk = "asterisk",
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
    /// An address of a manager interface: a host name or an IP address.
    HostName, host_name, schema { "pattern": "^[A-Za-z0-9.:-]{1,253}$" }
}

parsed_text! {
    /// A login name of a manager account: 1 to 64 letters, digits, `.`, `_` or `-`.
    AccountName, node_name, schema { "pattern": "^[A-Za-z0-9._-]{1,64}$" }
}

parsed_text! {
    /// A number that reaches help where an instance stands: 2 to 8 digits.
    EmergencyNumber, emergency_number, schema { "pattern": "^[0-9]{2,8}$" }
}

impl AbsolutePath {
    /// The same as a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(self.as_str())
    }
}

/// Whether a manager interface speaks TLS, whatever its host's configuration says of others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum ManagerTls {
    /// It does not.
    Off,
    /// It does.
    On {
        /// Whose certificates are believed; `None`: those that the host's configuration names.
        #[serde(default)]
        ca_file: Option<AbsolutePath>,
    },
}

/// How an Asterisk is reached; its manager secret is sealed and stands apart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AsteriskSettings {
    /// Where the manager interface listens.
    pub ami_host: HostName,
    /// Its TCP port.
    pub ami_port: u16,
    /// The account of the daemon.
    pub ami_username: AccountName,
    /// Whether it speaks TLS; `None`: as the configuration of its host says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami_tls: Option<ManagerTls>,
    /// The directory of ours that the PBX's own files include through its `live` link.
    pub config_dir: AbsolutePath,
    /// The PBX's log of warnings and errors, read during a reload.
    #[serde(default)]
    pub log_file: Option<AbsolutePath>,
    /// Emergency numbers of the place, beside the ones that are emergency numbers everywhere.
    #[serde(default)]
    pub emergency_numbers: Vec<EmergencyNumber>,
}

impl AsteriskSettings {
    /// Every number that no extension may have.
    pub fn all_emergency_numbers(&self) -> impl Iterator<Item = &str> {
        EMERGENCY_NUMBERS
            .into_iter()
            .chain(self.emergency_numbers.iter().map(EmergencyNumber::as_str))
    }
}

/// What differs between the kinds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum InstanceSettings {
    /// An Asterisk.
    Asterisk(AsteriskSettings),
}

impl InstanceSettings {
    /// The kind these settings are for.
    #[must_use]
    pub const fn kind(&self) -> PbxKind {
        match self {
            Self::Asterisk(_) => PbxKind::Asterisk,
        }
    }

    /// Whether the PBX reads the same directory by both.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        let (Self::Asterisk(one), Self::Asterisk(other)) = (self, other);
        one.config_dir == other.config_dir
    }

    /// What is in force for whoever moves no settings, where `live` are those that a deploy has put live: files stay where
    /// the PBX reads them. How it is reached is nothing that a deploy moves, and an emergency number protects from both.
    #[must_use]
    pub fn in_force(self, live: Self) -> Self {
        let (Self::Asterisk(today), Self::Asterisk(live)) = (self, live);
        let mut emergency_numbers = live.emergency_numbers;
        for number in today.emergency_numbers {
            if !emergency_numbers.contains(&number) {
                emergency_numbers.push(number);
            }
        }
        Self::Asterisk(AsteriskSettings {
            config_dir: live.config_dir,
            emergency_numbers,
            ..today
        })
    }
}

impl AsteriskSettings {
    /// The port of an instance that has no Asterisk, such as the one of a demo on a host without any: nothing ever
    /// listens there.
    pub const NO_PBX: u16 = 0;

    /// Whether there is an Asterisk to reach.
    #[must_use]
    pub const fn has_pbx(&self) -> bool {
        self.ami_port != Self::NO_PBX
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

    #[test]
    fn files_stay_where_they_are_live_and_emergency_numbers_of_both_are_guarded() {
        let settings = |port, directory: &str, numbers: &[&str]| {
            InstanceSettings::Asterisk(AsteriskSettings {
                ami_host: "127.0.0.1".parse().unwrap(),
                ami_port: port,
                ami_username: "switchyard".parse().unwrap(),
                config_dir: directory.parse().unwrap(),
                log_file: None,
                emergency_numbers: numbers.iter().map(|number| number.parse().unwrap()).collect(),
                ami_tls: None,
            })
        };
        let today = settings(5039, "/new", &["115", "116"]);
        let live = settings(5038, "/live", &["114", "115"]);
        assert_eq!(
            today.in_force(live),
            settings(5039, "/live", &["114", "115", "116"])
        );
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
