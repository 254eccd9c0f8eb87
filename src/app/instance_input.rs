//! A PBX instance as it is written: made anew, or changed field by field.

mod settings;

use std::str::FromStr;

use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::patch::Patch;
use crate::domain::given::given;
use crate::domain::instance::{
    AbsolutePath, AccountName, EmergencyNumber, HostName, InstanceSettings, NodeName, PbxInstance, PbxKind,
    Tls,
};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::name::InstanceName;

/// A PBX instance as it is written. What is of no concern to its kind is refused.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct InstanceInput {
    /// Unique.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "InstanceName")]
    pub name: Option<String>,
    /// The host whose daemon drives it; this one if absent. It cannot be changed afterwards.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "NodeName")]
    pub node: Option<String>,
    /// `asterisk` if absent. It cannot be changed afterwards.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "PbxKind")]
    pub kind: Option<String>,
    /// With `asterisk`: where the manager interface listens; `127.0.0.1` if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "HostName")]
    pub ami_host: Option<String>,
    /// With `asterisk`: its TCP port; 5038 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "i64", range(min = 1, max = 65535))]
    pub ami_port: Option<i64>,
    /// With `asterisk`, required: the account in `manager.conf`.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "AccountName")]
    pub ami_username: Option<String>,
    /// With `asterisk`, required: the account's secret; never shown again.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub ami_secret: Option<SecretString>,
    /// With `asterisk`: whether it speaks TLS; as the host's configuration says where it is absent or null.
    #[schemars(with = "Option<TlsInput>")]
    pub ami_tls: Patch<TlsInput>,
    /// With `fusionpbx` and `freeswitch`: where the event socket listens; `127.0.0.1` if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "HostName")]
    pub event_socket_host: Option<String>,
    /// With `fusionpbx` and `freeswitch`: its TCP port; 8021 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "i64", range(min = 1, max = 65535))]
    pub event_socket_port: Option<i64>,
    /// With `fusionpbx` and `freeswitch`, required: the password of the event socket; never shown again.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub event_socket_password: Option<SecretString>,
    /// With `fusionpbx`: where its PostgreSQL listens; `127.0.0.1` if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "HostName")]
    pub database_host: Option<String>,
    /// With `fusionpbx`: its TCP port; 5432 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "i64", range(min = 1, max = 65535))]
    pub database_port: Option<i64>,
    /// With `fusionpbx`: the name of its database; `fusionpbx` if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "AccountName")]
    pub database_name: Option<String>,
    /// With `fusionpbx`, required: the role in its database.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "AccountName")]
    pub database_username: Option<String>,
    /// With `fusionpbx`, required: the role's password; never shown again.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub database_password: Option<SecretString>,
    /// With `fusionpbx`: whether the connection to its database is under TLS; `on` needs a `ca_file`. If absent or null: where
    /// the server can, without a look at who it is.
    #[schemars(with = "Option<TlsInput>")]
    pub database_tls: Patch<TlsInput>,
    /// With `asterisk` and `freeswitch`, required: the directory for our files, which the PBX's own files include.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "AbsolutePath")]
    pub config_dir: Option<String>,
    /// With `asterisk`: the log with its warnings and errors.
    #[schemars(with = "Option<AbsolutePath>")]
    pub log_file: Patch<String>,
    /// Where the PBX puts the recordings of calls, a directory for each tenant's domain; none are found where it is absent.
    #[schemars(with = "Option<AbsolutePath>")]
    pub recordings_dir: Patch<String>,
    /// With `fusionpbx` and `freeswitch`: where the PBX puts the messages of mail boxes, a directory for each tenant's domain; none
    /// are looked after where it is absent.
    #[schemars(with = "Option<AbsolutePath>")]
    pub voicemail_dir: Patch<String>,
    /// Emergency numbers of the place, beside those of everywhere.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Vec<EmergencyNumber>")]
    pub emergency_numbers: Option<Vec<String>>,
}

/// Whether a connection is under TLS.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsInput {
    mode: TlsChoice,
    /// With `on`: whose certificates are believed; those that the host's configuration names if absent, with `ami_tls` only.
    #[serde(default)]
    ca_file: Option<AbsolutePath>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TlsChoice {
    Off,
    On,
}

impl From<Tls> for TlsInput {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::Off => Self {
                mode: TlsChoice::Off,
                ca_file: None,
            },
            Tls::On { ca_file } => Self {
                mode: TlsChoice::On,
                ca_file,
            },
        }
    }
}

impl TlsInput {
    fn parse(self) -> Result<Tls, Invalid> {
        match (self.mode, self.ca_file) {
            (TlsChoice::On, ca_file) => Ok(Tls::On { ca_file }),
            (TlsChoice::Off, None) => Ok(Tls::Off),
            (TlsChoice::Off, Some(_)) => Err(Invalid::new("must name a `ca_file` with `on` only")),
        }
    }
}

/// What a new instance is to be.
pub(super) struct ParsedInstance {
    pub name: InstanceName,
    pub node: Option<NodeName>,
    pub settings: InstanceSettings,
    pub secrets: InstanceSecrets,
}

impl InstanceInput {
    /// Reads it as a new instance; every field that is wrong is named.
    pub(super) fn parse(self) -> Result<ParsedInstance, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = required(&mut errors, "name", self.name.as_deref());
        let node = self
            .node
            .as_deref()
            .and_then(|text| errors.take("node", text.parse::<NodeName>()));
        let kind = self.kind.as_deref().unwrap_or(PbxKind::Asterisk.as_str());
        let kind = errors.take("kind", kind.parse::<PbxKind>());
        let settings = kind.and_then(|kind| self.settings(kind, &mut errors));
        let secrets = kind.and_then(|kind| self.secrets(kind, &mut errors));
        errors.check()?;
        match (name, settings, secrets) {
            (Some(name), Some(settings), Some(secrets)) => Ok(ParsedInstance {
                name,
                node,
                settings,
                secrets,
            }),
            _ => Err(FieldErrors::default()),
        }
    }

    /// The same with what is absent as it is; what cannot be changed is refused.
    pub(super) fn over(
        mut self,
        before: &PbxInstance,
        secrets: &InstanceSecrets,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        for (field, given) in [("kind", self.kind.is_some()), ("node", self.node.is_some())] {
            if given {
                errors.add(
                    field,
                    "cannot be changed; add another instance and move its tenants there",
                );
            }
        }
        errors.check()?;
        self.kind = Some(before.settings.kind().to_string());
        self.name.get_or_insert_with(|| before.name.to_string());
        let numbers = before.settings.emergency_numbers();
        self.emergency_numbers
            .get_or_insert_with(|| numbers.iter().map(ToString::to_string).collect());
        self.keep(&before.settings);
        self.keep_secrets(before.settings.kind(), secrets);
        Ok(self)
    }

    fn secrets(&self, kind: PbxKind, errors: &mut FieldErrors) -> Option<InstanceSecrets> {
        match kind {
            PbxKind::Asterisk => {
                let control = secret(errors, "ami_secret", self.ami_secret.as_ref())?;
                Some(InstanceSecrets::of_control(control))
            }
            PbxKind::FusionPbx => {
                let control = self.event_socket_secret(errors);
                let database = secret(errors, "database_password", self.database_password.as_ref());
                Some(InstanceSecrets {
                    control: control?,
                    database: Some(database?),
                })
            }
            PbxKind::FreeSwitch => self.event_socket_secret(errors).map(InstanceSecrets::of_control),
        }
    }

    fn event_socket_secret(&self, errors: &mut FieldErrors) -> Option<SecretString> {
        let password = self.event_socket_password.as_ref();
        secret(errors, "event_socket_password", password)
    }

    fn keep_secrets(&mut self, kind: PbxKind, kept: &InstanceSecrets) {
        let control = match kind {
            PbxKind::Asterisk => &mut self.ami_secret,
            PbxKind::FusionPbx | PbxKind::FreeSwitch => &mut self.event_socket_password,
        };
        control.get_or_insert_with(|| kept.control.clone());
        if kind == PbxKind::FusionPbx && self.database_password.is_none() {
            self.database_password.clone_from(&kept.database);
        }
    }
}

fn secret(
    errors: &mut FieldErrors,
    field: &'static str,
    text: Option<&SecretString>,
) -> Option<SecretString> {
    let text = match text {
        None => Err(Invalid::new("is required")),
        Some(text) if !is_secret(text.expose_secret()) => Err(Invalid::new(
            "must have 1 to 256 characters, and no control characters",
        )),
        Some(text) => Ok(text.clone()),
    };
    errors.take(field, text)
}

fn is_secret(text: &str) -> bool {
    (1..=256).contains(&text.chars().count()) && !text.contains(char::is_control)
}

fn required<T: FromStr<Err = Invalid>>(
    errors: &mut FieldErrors,
    field: &'static str,
    text: Option<&str>,
) -> Option<T> {
    let text = text.ok_or_else(|| Invalid::new("is required"));
    errors.take(field, text.and_then(str::parse))
}
