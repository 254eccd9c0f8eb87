//! A PBX instance as every surface shows it: without the secret of its manager account.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::InstanceId;
use crate::domain::instance::{InstanceSettings, NodeName, PbxInstance};
use crate::domain::name::InstanceName;

/// A PBX instance.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Instance")]
pub struct InstanceView {
    /// Its id.
    pub id: InstanceId,
    /// As the operator calls it.
    pub name: InstanceName,
    /// The host that drives it.
    pub node: NodeName,
    /// How it is reached, with its kind.
    #[serde(flatten)]
    pub settings: InstanceSettings,
    /// Counts the changes of the settings.
    pub settings_revision: i64,
    /// Whether a generation was proven to run on it, and no other is being applied.
    pub live: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<PbxInstance> for InstanceView {
    fn from(instance: PbxInstance) -> Self {
        Self {
            id: instance.id,
            name: instance.name,
            node: instance.node,
            settings: instance.settings,
            settings_revision: instance.settings_revision,
            live: instance.live.is_some() && instance.applying.is_none(),
            created_at: instance.created_at,
        }
    }
}
