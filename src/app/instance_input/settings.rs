//! The settings of each kind, from what was written and from what is there.

use std::str::FromStr;

use super::{InstanceInput, TlsInput, required};
use crate::app::patch::Patch;
use crate::domain::instance::{
    AbsolutePath, AsteriskSettings, EmergencyNumber, FreeSwitchSettings, FusionPbxSettings, InstanceSettings,
    PbxKind, Tls,
};
use crate::domain::invalid::{FieldErrors, Invalid};

/// Where something listens that is on the same host.
const HERE: &str = "127.0.0.1";
/// Where Asterisk's manager interface listens as a rule.
const AMI_PORT: i64 = 5038;
/// Where FreeSWITCH's event socket does.
const EVENT_SOCKET_PORT: i64 = 8021;
/// Where PostgreSQL does.
const DATABASE_PORT: i64 = 5432;
/// What FusionPBX's installer calls its database.
const DATABASE_NAME: &str = "fusionpbx";

impl InstanceInput {
    pub(super) fn settings(&self, kind: PbxKind, errors: &mut FieldErrors) -> Option<InstanceSettings> {
        self.refuse_others(kind, errors);
        let mut emergency_numbers = Vec::new();
        for text in self.emergency_numbers.iter().flatten() {
            emergency_numbers.extend(errors.take("emergency_numbers", text.parse::<EmergencyNumber>()));
        }
        match kind {
            PbxKind::Asterisk => self.asterisk(errors, emergency_numbers),
            PbxKind::FusionPbx => self.fusionpbx(errors, emergency_numbers),
            PbxKind::FreeSwitch => self.freeswitch(errors, emergency_numbers),
        }
    }

    /// What is of no concern to the kind may have been meant for another instance.
    fn refuse_others(&self, kind: PbxKind, errors: &mut FieldErrors) {
        use PbxKind::{Asterisk, FreeSwitch, FusionPbx};
        let given: [(&str, bool, &[PbxKind]); 17] = [
            ("ami_host", self.ami_host.is_some(), &[Asterisk]),
            ("ami_port", self.ami_port.is_some(), &[Asterisk]),
            ("ami_username", self.ami_username.is_some(), &[Asterisk]),
            ("ami_secret", self.ami_secret.is_some(), &[Asterisk]),
            ("ami_tls", is_given(&self.ami_tls), &[Asterisk]),
            ("log_file", is_given(&self.log_file), &[Asterisk]),
            ("config_dir", self.config_dir.is_some(), &[Asterisk, FreeSwitch]),
            (
                "event_socket_host",
                self.event_socket_host.is_some(),
                &[FusionPbx, FreeSwitch],
            ),
            (
                "event_socket_port",
                self.event_socket_port.is_some(),
                &[FusionPbx, FreeSwitch],
            ),
            (
                "event_socket_password",
                self.event_socket_password.is_some(),
                &[FusionPbx, FreeSwitch],
            ),
            ("database_host", self.database_host.is_some(), &[FusionPbx]),
            ("database_port", self.database_port.is_some(), &[FusionPbx]),
            ("database_name", self.database_name.is_some(), &[FusionPbx]),
            (
                "database_username",
                self.database_username.is_some(),
                &[FusionPbx],
            ),
            (
                "database_password",
                self.database_password.is_some(),
                &[FusionPbx],
            ),
            ("database_tls", is_given(&self.database_tls), &[FusionPbx]),
            (
                "voicemail_dir",
                is_given(&self.voicemail_dir),
                &[FusionPbx, FreeSwitch],
            ),
        ];
        for (field, given, kinds) in given {
            if given && !kinds.contains(&kind) {
                errors.add(
                    field,
                    format!("must be absent: an instance of kind `{kind}` has none"),
                );
            }
        }
    }

    fn asterisk(
        &self,
        errors: &mut FieldErrors,
        emergency_numbers: Vec<EmergencyNumber>,
    ) -> Option<InstanceSettings> {
        let ami_host = or(errors, "ami_host", self.ami_host.as_deref(), HERE);
        let ami_port = port(errors, "ami_port", self.ami_port, AMI_PORT);
        let ami_username = required(errors, "ami_username", self.ami_username.as_deref());
        let ami_tls = tls(errors, "ami_tls", &self.ami_tls);
        let config_dir = required(errors, "config_dir", self.config_dir.as_deref());
        let log_file = self.log_file.clone().over(None);
        let log_file = log_file.map(|text| errors.take("log_file", text.parse()));
        let recordings_dir = self.recordings_dir(errors);
        Some(InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: ami_host?,
            ami_port: ami_port?,
            ami_username: ami_username?,
            ami_tls,
            config_dir: config_dir?,
            log_file: log_file.flatten(),
            recordings_dir,
            emergency_numbers,
        }))
    }

    fn fusionpbx(
        &self,
        errors: &mut FieldErrors,
        emergency_numbers: Vec<EmergencyNumber>,
    ) -> Option<InstanceSettings> {
        let database_host = or(errors, "database_host", self.database_host.as_deref(), HERE);
        let database_port = port(errors, "database_port", self.database_port, DATABASE_PORT);
        let database_name = self.database_name.as_deref();
        let database_name = or(errors, "database_name", database_name, DATABASE_NAME);
        let database_username = required(errors, "database_username", self.database_username.as_deref());
        let database_tls = tls(errors, "database_tls", &self.database_tls);
        if matches!(database_tls, Some(Tls::On { ca_file: None })) {
            let message = "must name the `ca_file` that its PostgreSQL is believed by with `on`";
            errors.add("database_tls", message);
        }
        let (host, port) = self.event_socket(errors);
        let recordings_dir = self.recordings_dir(errors);
        let voicemail_dir = self.voicemail_dir(errors);
        Some(InstanceSettings::FusionPbx(FusionPbxSettings {
            database_host: database_host?,
            database_port: database_port?,
            database_name: database_name?,
            database_username: database_username?,
            database_tls,
            event_socket_host: host?,
            event_socket_port: port?,
            recordings_dir,
            voicemail_dir,
            emergency_numbers,
        }))
    }

    fn freeswitch(
        &self,
        errors: &mut FieldErrors,
        emergency_numbers: Vec<EmergencyNumber>,
    ) -> Option<InstanceSettings> {
        let (host, port) = self.event_socket(errors);
        let config_dir = required(errors, "config_dir", self.config_dir.as_deref());
        let recordings_dir = self.recordings_dir(errors);
        let voicemail_dir = self.voicemail_dir(errors);
        Some(InstanceSettings::FreeSwitch(FreeSwitchSettings {
            event_socket_host: host?,
            event_socket_port: port?,
            config_dir: config_dir?,
            recordings_dir,
            voicemail_dir,
            emergency_numbers,
        }))
    }

    fn recordings_dir(&self, errors: &mut FieldErrors) -> Option<AbsolutePath> {
        let text = self.recordings_dir.clone().over(None)?;
        errors.take("recordings_dir", text.parse())
    }

    fn voicemail_dir(&self, errors: &mut FieldErrors) -> Option<AbsolutePath> {
        let text = self.voicemail_dir.clone().over(None)?;
        errors.take("voicemail_dir", text.parse())
    }

    fn event_socket<T: FromStr<Err = Invalid>>(&self, errors: &mut FieldErrors) -> (Option<T>, Option<u16>) {
        let host = self.event_socket_host.as_deref();
        (
            or(errors, "event_socket_host", host, HERE),
            port(
                errors,
                "event_socket_port",
                self.event_socket_port,
                EVENT_SOCKET_PORT,
            ),
        )
    }

    /// What is absent becomes what it is.
    pub(super) fn keep(&mut self, before: &InstanceSettings) {
        let recordings_dir = before.recordings_dir().map(ToString::to_string);
        self.recordings_dir = kept(std::mem::take(&mut self.recordings_dir).over(recordings_dir));
        if before.kind() != PbxKind::Asterisk {
            let voicemail_dir = before.voicemail_dir().map(ToString::to_string);
            self.voicemail_dir = kept(std::mem::take(&mut self.voicemail_dir).over(voicemail_dir));
        }
        match before {
            InstanceSettings::Asterisk(before) => {
                keep(&mut self.ami_host, &before.ami_host);
                self.ami_port.get_or_insert_with(|| before.ami_port.into());
                keep(&mut self.ami_username, &before.ami_username);
                keep_tls(&mut self.ami_tls, before.ami_tls.as_ref());
                keep(&mut self.config_dir, &before.config_dir);
                let log_file = before.log_file.as_ref().map(ToString::to_string);
                self.log_file = kept(std::mem::take(&mut self.log_file).over(log_file));
            }
            InstanceSettings::FusionPbx(before) => {
                keep(&mut self.database_host, &before.database_host);
                let port = before.database_port;
                self.database_port.get_or_insert_with(|| port.into());
                keep(&mut self.database_name, &before.database_name);
                keep(&mut self.database_username, &before.database_username);
                keep_tls(&mut self.database_tls, before.database_tls.as_ref());
                keep(&mut self.event_socket_host, &before.event_socket_host);
                let port = before.event_socket_port;
                self.event_socket_port.get_or_insert_with(|| port.into());
            }
            InstanceSettings::FreeSwitch(before) => {
                keep(&mut self.event_socket_host, &before.event_socket_host);
                let port = before.event_socket_port;
                self.event_socket_port.get_or_insert_with(|| port.into());
                keep(&mut self.config_dir, &before.config_dir);
            }
        }
    }
}

fn or<T: FromStr<Err = Invalid>>(
    errors: &mut FieldErrors,
    field: &'static str,
    text: Option<&str>,
    otherwise: &str,
) -> Option<T> {
    errors.take(field, text.unwrap_or(otherwise).parse())
}

fn port(errors: &mut FieldErrors, field: &'static str, given: Option<i64>, otherwise: i64) -> Option<u16> {
    let port = u16::try_from(given.unwrap_or(otherwise)).ok();
    let port = port.filter(|port| *port > 0);
    errors.take(field, port.ok_or_else(|| Invalid::new("must be 1 to 65535")))
}

fn tls(errors: &mut FieldErrors, field: &'static str, given: &Patch<TlsInput>) -> Option<Tls> {
    let given = given.clone().over(None)?;
    errors.take(field, given.parse())
}

fn keep(field: &mut Option<String>, before: &impl ToString) {
    field.get_or_insert_with(|| before.to_string());
}

fn keep_tls(field: &mut Patch<TlsInput>, before: Option<&Tls>) {
    let before = before.cloned().map(TlsInput::from);
    *field = kept(std::mem::take(field).over(before));
}

fn kept<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Clear, Patch::Set)
}

fn is_given<T>(field: &Patch<T>) -> bool {
    !matches!(field, Patch::Keep)
}
