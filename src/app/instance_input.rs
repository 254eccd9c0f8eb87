//! A PBX instance as it is written: made anew, or changed field by field.

use std::str::FromStr;

use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::patch::Patch;
use crate::domain::given::given;
use crate::domain::instance::{
    AbsolutePath, AccountName, AsteriskSettings, EmergencyNumber, HostName, ManagerTls, NodeName, PbxKind,
};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::name::InstanceName;

/// Where Asterisk's manager interface listens as a rule.
const AMI_PORT: i64 = 5038;

/// A PBX instance as it is written.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "ami_username", "ami_secret", "config_dir"]))]
pub struct InstanceInput {
    /// Unique.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "InstanceName")]
    pub name: Option<String>,
    /// The host whose daemon drives it; this one if absent. It cannot be changed afterwards.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "NodeName")]
    pub node: Option<String>,
    /// `asterisk`, which it is if absent. It cannot be changed afterwards.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "PbxKind")]
    pub kind: Option<String>,
    /// Where the manager interface listens; `127.0.0.1` if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "HostName")]
    pub ami_host: Option<String>,
    /// Its TCP port; 5038 if absent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "i64", range(min = 1, max = 65535))]
    pub ami_port: Option<i64>,
    /// The account in `manager.conf`.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "AccountName")]
    pub ami_username: Option<String>,
    /// The account's secret; never shown again.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub ami_secret: Option<SecretString>,
    /// Whether it speaks TLS; as the host's configuration says where it is absent or null.
    #[schemars(with = "Option<ManagerTlsInput>")]
    pub ami_tls: Patch<ManagerTlsInput>,
    /// The directory for our files, which Asterisk's own files include.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "AbsolutePath")]
    pub config_dir: Option<String>,
    /// The log with Asterisk's warnings and errors.
    #[schemars(with = "Option<AbsolutePath>")]
    pub log_file: Patch<String>,
    /// Emergency numbers of the place, beside those of everywhere.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Vec<EmergencyNumber>")]
    pub emergency_numbers: Option<Vec<String>>,
}

/// Whether a manager interface speaks TLS.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagerTlsInput {
    mode: TlsChoice,
    /// With `on`: whose certificates are believed; those that the host's configuration names if absent.
    #[serde(default)]
    ca_file: Option<AbsolutePath>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TlsChoice {
    Off,
    On,
}

impl From<ManagerTls> for ManagerTlsInput {
    fn from(tls: ManagerTls) -> Self {
        match tls {
            ManagerTls::Off => Self {
                mode: TlsChoice::Off,
                ca_file: None,
            },
            ManagerTls::On { ca_file } => Self {
                mode: TlsChoice::On,
                ca_file,
            },
        }
    }
}

impl ManagerTlsInput {
    fn parse(self) -> Result<ManagerTls, Invalid> {
        match (self.mode, self.ca_file) {
            (TlsChoice::On, ca_file) => Ok(ManagerTls::On { ca_file }),
            (TlsChoice::Off, None) => Ok(ManagerTls::Off),
            (TlsChoice::Off, Some(_)) => Err(Invalid::new("must name a `ca_file` with `on` only")),
        }
    }
}

/// What a new instance is to be.
pub(super) struct ParsedInstance {
    pub name: InstanceName,
    pub node: Option<NodeName>,
    pub settings: AsteriskSettings,
    pub secret: SecretString,
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
        if let Some(kind) = self.kind.as_deref() {
            errors.take("kind", kind.parse::<PbxKind>());
        }
        let settings = self.settings(&mut errors);
        let secret = self.ami_secret;
        match &secret {
            None => errors.add("ami_secret", "is required"),
            Some(text) if !is_secret(text.expose_secret()) => {
                errors.add(
                    "ami_secret",
                    "must have 1 to 256 characters, and no control characters",
                );
            }
            Some(_) => {}
        }
        match (name, settings, secret) {
            (Some(name), Some(settings), Some(secret)) if errors.iter().next().is_none() => {
                Ok(ParsedInstance {
                    name,
                    node,
                    settings,
                    secret,
                })
            }
            _ => Err(errors),
        }
    }

    /// The same with what is absent as it is; what cannot be changed is refused.
    pub(super) fn over(self, name: &InstanceName, before: &AsteriskSettings) -> Result<Self, FieldErrors> {
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
        let numbers = || before.emergency_numbers.iter().map(ToString::to_string).collect();
        Ok(Self {
            name: self.name.or_else(|| Some(name.to_string())),
            ami_host: self.ami_host.or_else(|| Some(before.ami_host.to_string())),
            ami_port: self.ami_port.or_else(|| Some(before.ami_port.into())),
            ami_username: self
                .ami_username
                .or_else(|| Some(before.ami_username.to_string())),
            ami_tls: kept(
                self.ami_tls
                    .over(before.ami_tls.clone().map(ManagerTlsInput::from)),
            ),
            config_dir: self.config_dir.or_else(|| Some(before.config_dir.to_string())),
            log_file: kept(
                self.log_file
                    .over(before.log_file.as_ref().map(ToString::to_string)),
            ),
            emergency_numbers: self.emergency_numbers.or_else(|| Some(numbers())),
            ..self
        })
    }

    fn settings(&self, errors: &mut FieldErrors) -> Option<AsteriskSettings> {
        let host = self.ami_host.as_deref().unwrap_or("127.0.0.1");
        let ami_host = errors.take("ami_host", host.parse());
        let port = self.ami_port.unwrap_or(AMI_PORT);
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let ami_port = errors.take("ami_port", port.ok_or_else(|| Invalid::new("must be 1 to 65535")));
        let ami_username = required(errors, "ami_username", self.ami_username.as_deref());
        let config_dir = required(errors, "config_dir", self.config_dir.as_deref());
        let log_file = self.log_file.clone().over(None);
        let log_file = log_file.map(|text| errors.take("log_file", text.parse()));
        let ami_tls = self.ami_tls.clone().over(None);
        let ami_tls = ami_tls.map(|tls| errors.take("ami_tls", tls.parse()));
        let mut emergency_numbers = Vec::new();
        for text in self.emergency_numbers.iter().flatten() {
            emergency_numbers.extend(errors.take("emergency_numbers", text.parse::<EmergencyNumber>()));
        }
        Some(AsteriskSettings {
            ami_host: ami_host?,
            ami_port: ami_port?,
            ami_username: ami_username?,
            ami_tls: ami_tls.flatten(),
            config_dir: config_dir?,
            log_file: log_file.flatten(),
            emergency_numbers,
        })
    }
}

fn is_secret(text: &str) -> bool {
    (1..=256).contains(&text.chars().count()) && !text.contains(char::is_control)
}

fn kept<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Clear, Patch::Set)
}

fn required<T: FromStr<Err = Invalid>>(
    errors: &mut FieldErrors,
    field: &'static str,
    text: Option<&str>,
) -> Option<T> {
    let text = text.ok_or_else(|| Invalid::new("is required"));
    errors.take(field, text.and_then(str::parse))
}
