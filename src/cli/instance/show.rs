//! `switchyard instance show`.

use serde::Serialize;

use super::state;
use crate::app::views::InstanceView;
use crate::app::{instance_changes, operator};
use crate::cli::{Context, Failure, lookup};
use crate::domain::instance::{EmergencyNumber, InstanceSettings, PbxInstance, PbxKind, Tls};
use crate::domain::name::InstanceName;

/// An instance, and what names its version: the API tells that one by `ETag`.
#[derive(Serialize)]
pub struct VersionedView {
    #[serde(flatten)]
    pub instance: InstanceView,
    pub version: String,
}

impl From<(PbxInstance, String)> for VersionedView {
    fn from((instance, version): (PbxInstance, String)) -> Self {
        let instance = instance.into();
        Self { instance, version }
    }
}

pub fn run(context: &mut Context<'_>, name: &InstanceName) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let found = lookup::instance(parts, name).await?;
        let shown = instance_changes::show(&parts.app, &operator::platform(None), found.id).await?;
        let state = state(&shown.0);
        let view = VersionedView::from(shown);
        context.output.result(&view, |text| {
            let instance = &view.instance;
            let mut fields = vec![
                ("name", instance.name.to_string()),
                ("kind", instance.settings.kind().to_string()),
                ("node", instance.node.to_string()),
                ("state", state.to_owned()),
            ];
            fields.extend(reach(&instance.settings));
            let numbers = instance.settings.emergency_numbers().iter();
            let numbers: Vec<&str> = numbers.map(EmergencyNumber::as_str).collect();
            let numbers = (!numbers.is_empty()).then(|| numbers.join(", "));
            if instance.settings.kind() != PbxKind::Asterisk {
                fields.push(("mail boxes", or_none(instance.settings.voicemail_dir())));
            }
            fields.extend([
                ("recordings", or_none(instance.settings.recordings_dir())),
                ("emergency numbers", or_none(numbers.as_ref())),
                ("settings revision", instance.settings_revision.to_string()),
                ("created", format!("{:.0}", instance.created_at)),
                ("version", view.version.clone()),
                ("id", instance.id.to_string()),
            ]);
            text.fields(&fields)
        })
    })
}

/// How it is reached, without its secrets.
fn reach(settings: &InstanceSettings) -> Vec<(&'static str, String)> {
    let place = settings.place();
    let control = settings.control();
    match settings {
        InstanceSettings::Asterisk(asterisk) => vec![
            ("manager", control),
            ("manager account", asterisk.ami_username.to_string()),
            (
                "manager TLS",
                tls(asterisk.ami_tls.as_ref(), "as the host's configuration says"),
            ),
            ("directory", place),
            ("log file", or_none(asterisk.log_file.as_ref())),
        ],
        InstanceSettings::FusionPbx(fusionpbx) => vec![
            ("database", place),
            ("database role", fusionpbx.database_username.to_string()),
            (
                "database TLS",
                tls(fusionpbx.database_tls.as_ref(), "where the server can"),
            ),
            ("event socket", control),
        ],
        InstanceSettings::FreeSwitch(_) => vec![("event socket", control), ("directory", place)],
    }
}

fn tls(own: Option<&Tls>, otherwise: &str) -> String {
    match own {
        None => otherwise.to_owned(),
        Some(Tls::Off) => "off".to_owned(),
        Some(Tls::On { ca_file: None }) => "on".to_owned(),
        Some(Tls::On { ca_file: Some(file) }) => format!("on, by the certificates of {file}"),
    }
}

fn or_none(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}
