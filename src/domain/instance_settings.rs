//! How a PBX of each kind is reached, and where it finds what it is given.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dial::EMERGENCY_NUMBERS;
use super::instance::{AbsolutePath, AccountName, EmergencyNumber, HostName, PbxKind};

/// Whether a connection is under TLS, whatever its host's configuration says of others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum Tls {
    /// It is not.
    Off,
    /// It is.
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
    pub ami_tls: Option<Tls>,
    /// The directory of ours that the PBX's own files include through its `live` link.
    pub config_dir: AbsolutePath,
    /// The PBX's log of warnings and errors, read during a reload.
    #[serde(default)]
    pub log_file: Option<AbsolutePath>,
    /// Where the PBX puts the recordings of calls, a directory for each tenant's domain; none are found where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recordings_dir: Option<AbsolutePath>,
    /// Emergency numbers of the place, beside the ones that are emergency numbers everywhere.
    #[serde(default)]
    pub emergency_numbers: Vec<EmergencyNumber>,
}

/// How a FusionPBX is reached: the PostgreSQL that it reads, and the event socket of its FreeSWITCH. Both passwords are
/// sealed and stand apart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FusionPbxSettings {
    /// Where its PostgreSQL listens.
    pub database_host: HostName,
    /// Its TCP port.
    pub database_port: u16,
    /// The name of FusionPBX's database.
    pub database_name: AccountName,
    /// The role of the daemon.
    pub database_username: AccountName,
    /// Whether the connection is under TLS; `None`: it is where the server can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_tls: Option<Tls>,
    /// Where FreeSWITCH's event socket listens.
    pub event_socket_host: HostName,
    /// Its TCP port.
    pub event_socket_port: u16,
    /// Where the PBX puts the recordings of calls, a directory for each tenant's domain; none are found where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recordings_dir: Option<AbsolutePath>,
    /// Where the PBX puts the messages of mail boxes, a directory for each tenant's domain; none are looked after where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voicemail_dir: Option<AbsolutePath>,
    /// Emergency numbers of the place, beside the ones that are emergency numbers everywhere.
    #[serde(default)]
    pub emergency_numbers: Vec<EmergencyNumber>,
}

/// How a FreeSWITCH without FusionPBX is reached; the password of its event socket is sealed and stands apart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreeSwitchSettings {
    /// Where the event socket listens.
    pub event_socket_host: HostName,
    /// Its TCP port.
    pub event_socket_port: u16,
    /// The directory of ours that the PBX's own files include through its `live` link.
    pub config_dir: AbsolutePath,
    /// Where the PBX puts the recordings of calls, a directory for each tenant's domain; none are found where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recordings_dir: Option<AbsolutePath>,
    /// Where the PBX puts the messages of mail boxes, a directory for each tenant's domain; none are looked after where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voicemail_dir: Option<AbsolutePath>,
    /// Emergency numbers of the place, beside the ones that are emergency numbers everywhere.
    #[serde(default)]
    pub emergency_numbers: Vec<EmergencyNumber>,
}

/// What differs between the kinds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum InstanceSettings {
    /// An Asterisk.
    Asterisk(AsteriskSettings),
    /// A FusionPBX.
    FusionPbx(FusionPbxSettings),
    /// A FreeSWITCH without FusionPBX.
    FreeSwitch(FreeSwitchSettings),
}

impl InstanceSettings {
    /// The kind these settings are for.
    #[must_use]
    pub const fn kind(&self) -> PbxKind {
        match self {
            Self::Asterisk(_) => PbxKind::Asterisk,
            Self::FusionPbx(_) => PbxKind::FusionPbx,
            Self::FreeSwitch(_) => PbxKind::FreeSwitch,
        }
    }

    /// Those of an Asterisk.
    #[must_use]
    pub const fn asterisk(&self) -> Option<&AsteriskSettings> {
        match self {
            Self::Asterisk(settings) => Some(settings),
            Self::FusionPbx(_) | Self::FreeSwitch(_) => None,
        }
    }

    /// The directory of ours on the PBX's host; none where it reads a database.
    #[must_use]
    pub const fn config_dir(&self) -> Option<&AbsolutePath> {
        match self {
            Self::Asterisk(settings) => Some(&settings.config_dir),
            Self::FreeSwitch(settings) => Some(&settings.config_dir),
            Self::FusionPbx(_) => None,
        }
    }

    /// Where the PBX puts the recordings of calls.
    #[must_use]
    pub const fn recordings_dir(&self) -> Option<&AbsolutePath> {
        match self {
            Self::Asterisk(settings) => settings.recordings_dir.as_ref(),
            Self::FusionPbx(settings) => settings.recordings_dir.as_ref(),
            Self::FreeSwitch(settings) => settings.recordings_dir.as_ref(),
        }
    }

    /// Where the PBX puts the messages of mail boxes; an Asterisk tells it itself.
    #[must_use]
    pub const fn voicemail_dir(&self) -> Option<&AbsolutePath> {
        match self {
            Self::Asterisk(_) => None,
            Self::FusionPbx(settings) => settings.voicemail_dir.as_ref(),
            Self::FreeSwitch(settings) => settings.voicemail_dir.as_ref(),
        }
    }

    /// Where the PBX takes orders and answers, for people.
    #[must_use]
    pub fn control(&self) -> String {
        let (host, port) = match self {
            Self::Asterisk(settings) => (&settings.ami_host, settings.ami_port),
            Self::FusionPbx(settings) => (&settings.event_socket_host, settings.event_socket_port),
            Self::FreeSwitch(settings) => (&settings.event_socket_host, settings.event_socket_port),
        };
        format!("{host}:{port}")
    }

    /// Where the PBX finds what it is given, for people.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Asterisk(AsteriskSettings { config_dir, .. })
            | Self::FreeSwitch(FreeSwitchSettings { config_dir, .. }) => config_dir.to_string(),
            Self::FusionPbx(settings) => format!(
                "the database {} at {}:{}",
                settings.database_name, settings.database_host, settings.database_port
            ),
        }
    }

    /// Whether the PBX finds what it is given at the same place by both.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::FusionPbx(one), Self::FusionPbx(other)) => {
                one.database_host.same_host(&other.database_host)
                    && (one.database_port, &one.database_name) == (other.database_port, &other.database_name)
            }
            _ => match (self.config_dir(), other.config_dir()) {
                // By their parts: `/x/` and `//x/.` are `/x`.
                (Some(one), Some(other)) => one.as_path() == other.as_path(),
                _ => false,
            },
        }
    }

    /// Whether one lies within the other, or is it.
    #[must_use]
    pub fn nests(&self, other: &Self) -> bool {
        match (self.config_dir(), other.config_dir()) {
            (Some(one), Some(other)) => {
                let (one, other) = (one.as_path(), other.as_path());
                one.starts_with(other) || other.starts_with(one)
            }
            _ => self.same_place(other),
        }
    }

    /// Whether another host's place may have the same name and be another one.
    #[must_use]
    pub fn is_own_to_host(&self) -> bool {
        match self {
            Self::FusionPbx(settings) => settings.database_host.is_loopback(),
            Self::Asterisk(_) | Self::FreeSwitch(_) => true,
        }
    }

    /// Whether that place is a directory on the host whose daemon drives it.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.config_dir().is_some()
    }

    /// What is in force for whoever moves no settings, where `live` are those that a deploy has put live: files stay where
    /// the PBX reads them. How it is reached is nothing that a deploy moves, and an emergency number protects from both.
    #[must_use]
    pub fn in_force(mut self, live: Self) -> Self {
        match (&mut self, &live) {
            (Self::Asterisk(today), Self::Asterisk(live)) => today.config_dir.clone_from(&live.config_dir),
            (Self::FreeSwitch(today), Self::FreeSwitch(live)) => {
                today.config_dir.clone_from(&live.config_dir);
            }
            // The rows of a FusionPBX say themselves which generation they are of.
            _ => {}
        }
        let mut numbers = live.into_emergency_numbers();
        for number in self.emergency_numbers() {
            if !numbers.contains(number) {
                numbers.push(number.clone());
            }
        }
        *self.emergency_numbers_mut() = numbers;
        self
    }

    /// Every number that no extension may have.
    pub fn all_emergency_numbers(&self) -> impl Iterator<Item = &str> {
        EMERGENCY_NUMBERS
            .into_iter()
            .chain(self.emergency_numbers().iter().map(EmergencyNumber::as_str))
    }

    /// The emergency numbers of the place.
    #[must_use]
    pub fn emergency_numbers(&self) -> &[EmergencyNumber] {
        match self {
            Self::Asterisk(settings) => &settings.emergency_numbers,
            Self::FusionPbx(settings) => &settings.emergency_numbers,
            Self::FreeSwitch(settings) => &settings.emergency_numbers,
        }
    }

    fn emergency_numbers_mut(&mut self) -> &mut Vec<EmergencyNumber> {
        match self {
            Self::Asterisk(settings) => &mut settings.emergency_numbers,
            Self::FusionPbx(settings) => &mut settings.emergency_numbers,
            Self::FreeSwitch(settings) => &mut settings.emergency_numbers,
        }
    }

    fn into_emergency_numbers(mut self) -> Vec<EmergencyNumber> {
        std::mem::take(self.emergency_numbers_mut())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asterisk(port: u16, directory: &str, numbers: &[&str]) -> InstanceSettings {
        InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            ami_port: port,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: directory.parse().unwrap(),
            log_file: None,
            recordings_dir: None,
            emergency_numbers: numbers.iter().map(|number| number.parse().unwrap()).collect(),
            ami_tls: None,
        })
    }

    fn fusionpbx(host: &str, port: u16, numbers: &[&str]) -> InstanceSettings {
        InstanceSettings::FusionPbx(FusionPbxSettings {
            database_host: host.parse().unwrap(),
            database_port: 5432,
            database_name: "fusionpbx".parse().unwrap(),
            database_username: "switchyard".parse().unwrap(),
            database_tls: None,
            event_socket_host: host.parse().unwrap(),
            event_socket_port: port,
            recordings_dir: None,
            voicemail_dir: None,
            emergency_numbers: numbers.iter().map(|number| number.parse().unwrap()).collect(),
        })
    }

    fn freeswitch(port: u16, directory: &str, numbers: &[&str]) -> InstanceSettings {
        InstanceSettings::FreeSwitch(FreeSwitchSettings {
            event_socket_host: "127.0.0.1".parse().unwrap(),
            event_socket_port: port,
            config_dir: directory.parse().unwrap(),
            recordings_dir: None,
            voicemail_dir: None,
            emergency_numbers: numbers.iter().map(|number| number.parse().unwrap()).collect(),
        })
    }

    #[test]
    fn files_stay_where_they_are_live_and_emergency_numbers_of_both_are_guarded() {
        let today = asterisk(5039, "/new", &["115", "116"]);
        let live = asterisk(5038, "/live", &["114", "115"]);
        assert_eq!(
            today.in_force(live),
            asterisk(5039, "/live", &["114", "115", "116"])
        );
        let today = freeswitch(8022, "/new", &["115"]);
        let live = freeswitch(8021, "/live", &["114"]);
        assert_eq!(today.in_force(live), freeswitch(8022, "/live", &["114", "115"]));
        let today = fusionpbx("10.0.0.2", 8022, &["115"]);
        let live = fusionpbx("10.0.0.1", 8021, &["114"]);
        assert_eq!(today.in_force(live), fusionpbx("10.0.0.2", 8022, &["114", "115"]));
    }

    #[test]
    fn a_place_is_a_directory_or_a_database() {
        let (one, other) = (asterisk(1, "/a", &[]), asterisk(2, "/a", &[]));
        assert!(one.same_place(&other) && one.is_local());
        assert!(!one.same_place(&asterisk(1, "/b", &[])));
        assert!(one.same_place(&asterisk(1, "//a/./", &[])));
        assert!(one.nests(&asterisk(1, "/a/live/b", &[])) && !one.nests(&asterisk(1, "/ab", &[])));
        let other = freeswitch(1, "/a", &[]);
        assert!(one.same_place(&other) && other.is_local() && other.is_own_to_host());
        assert!(!one.same_place(&freeswitch(1, "/b", &[])));
        let database = fusionpbx("10.0.0.1", 8021, &[]);
        assert!(database.same_place(&fusionpbx("10.0.0.1", 8022, &[])) && !database.is_local());
        assert!(!database.same_place(&fusionpbx("10.0.0.2", 8021, &[])));
        assert!(!database.is_own_to_host());
        let [one, other] = ["localhost", "127.0.0.1"].map(|host| fusionpbx(host, 8021, &[]));
        assert!(one.same_place(&other) && one.is_own_to_host());
        assert!(!database.same_place(&one) && !one.same_place(&database));
    }

    #[test]
    fn settings_are_stored_with_the_word_of_their_kind() {
        for settings in [
            asterisk(1, "/a", &["115"]),
            fusionpbx("10.0.0.1", 8021, &[]),
            freeswitch(8021, "/a", &[]),
        ] {
            let stored = serde_json::to_value(&settings).unwrap();
            assert_eq!(stored["kind"], settings.kind().as_str());
            assert_eq!(
                serde_json::from_value::<InstanceSettings>(stored).unwrap(),
                settings
            );
        }
    }
}
