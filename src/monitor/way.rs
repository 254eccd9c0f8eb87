//! How an instance is listened to, and what of that may become another without its link being made anew.

use super::lookers::Settings;
use crate::domain::digest::Digest;
use crate::domain::instance::{AbsolutePath, AccountName, HostName, InstanceSettings, Tls};

/// How an instance is listened to; another way is another listener. Settings that say nothing about that may change.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// Where it listens: elsewhere it is another PBX.
    pub at: (HostName, u16),
    /// As whom, and where else it tells of calls.
    asterisk: Option<(AccountName, Option<Tls>, Option<AbsolutePath>)>,
    /// Where FusionPBX writes its calls down.
    pub archive: Option<Box<Settings>>,
    secrets: Option<Digest>,
}

impl Way {
    pub fn of(settings: &InstanceSettings, secrets: Option<Digest>) -> Self {
        let (host, port, asterisk) = match settings {
            InstanceSettings::Asterisk(asterisk) => {
                let account = (
                    asterisk.ami_username.clone(),
                    asterisk.ami_tls.clone(),
                    asterisk.log_file.clone(),
                );
                (&asterisk.ami_host, asterisk.ami_port, Some(account))
            }
            InstanceSettings::FreeSwitch(switch) => {
                (&switch.event_socket_host, switch.event_socket_port, None)
            }
            InstanceSettings::FusionPbx(fusion) => {
                (&fusion.event_socket_host, fusion.event_socket_port, None)
            }
        };
        let archive = match settings {
            InstanceSettings::FusionPbx(fusion) => Some(Box::new((
                fusion.database_host.clone(),
                fusion.database_port,
                [fusion.database_name.clone(), fusion.database_username.clone()],
                fusion.database_tls.clone(),
            ))),
            InstanceSettings::Asterisk(_) | InstanceSettings::FreeSwitch(_) => None,
        };
        let at = (host.clone(), port);
        Self {
            at,
            asterisk,
            archive,
            secrets,
        }
    }

    /// Whether the link is the same with the same password, and there is something that is reached by another one.
    pub fn has_link_of(&self, other: &Self) -> bool {
        self.at == other.at && self.archive.is_some()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(in crate::monitor) fn way(change: &Value, secrets: &str) -> Way {
        let mut settings = json!({"kind": "asterisk", "ami_host": "127.0.0.1", "ami_port": 5038, "ami_username": "switchyard",
            "config_dir": "/etc/asterisk/switchyard"});
        settings
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let settings: InstanceSettings = serde_json::from_value(settings).unwrap();
        Way::of(&settings, Some(Digest::of_parts([secrets.as_bytes()])))
    }

    #[test]
    fn o10_only_what_reaches_a_pbx_takes_another_listener_and_only_its_place_is_another_pbx() {
        let before = way(&json!({}), "a");
        for same in [
            json!({"emergency_numbers": ["911"]}),
            json!({"config_dir": "/srv/switchyard"}),
            json!({"recordings_dir": "/srv/recordings"}),
        ] {
            assert!(way(&same, "a") == before, "{same}");
        }
        for (other, secrets) in [
            (json!({}), "b"),
            (json!({"ami_username": "other"}), "a"),
            (json!({"log_file": "/var/log/asterisk/errors"}), "a"),
        ] {
            let other = way(&other, secrets);
            assert!(other != before && other.at == before.at);
        }
        assert!(way(&json!({"ami_port": 5039}), "a").at != before.at);
    }

    #[test]
    fn a11_only_where_calls_are_written_down_is_a_password_of_its_own() {
        let asterisk = way(&json!({}), "a");
        assert!(!asterisk.has_link_of(&way(&json!({}), "b")));
        let fusion = |change: &Value| {
            let mut settings = json!({"kind": "fusionpbx", "event_socket_host": "127.0.0.1", "event_socket_port": 8021,
                "database_host": "127.0.0.1", "database_port": 5432, "database_name": "fusionpbx",
                "database_username": "switchyard"});
            let changed = change.as_object().unwrap().clone();
            settings.as_object_mut().unwrap().extend(changed);
            Way::of(&serde_json::from_value(settings).unwrap(), None)
        };
        let before = fusion(&json!({}));
        for same in [
            json!({"database_port": 5433}),
            json!({"database_username": "other"}),
        ] {
            let other = fusion(&same);
            assert!(other != before && before.has_link_of(&other), "{same}");
        }
        assert!(!before.has_link_of(&fusion(&json!({"event_socket_port": 8022}))));
    }
}
