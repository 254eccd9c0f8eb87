//! An entry of the audit log as every surface shows it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::audit::{ActorKind, AuditRecord};
use crate::domain::digest::Digest;
use crate::domain::ids::{AuditId, TenantId};

/// An entry.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct AuditEntryView {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: ActorView,
    /// Whether one of the operator's people did it inside the tenant.
    pub operating_as: bool,
    /// What was done.
    pub action: String,
    /// The kind of the target.
    pub resource: String,
    /// The target's id.
    pub target_id: String,
    /// Whose it is; `null` for what belongs to the platform.
    pub tenant_id: Option<TenantId>,
    /// The target as it was.
    pub before: Option<Value>,
    /// The target as it became.
    pub after: Option<Value>,
    /// Why.
    pub reason: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// Where that came from.
    pub address: Option<String>,
    /// The program that sent it.
    pub agent: Option<String>,
    /// The entry that tells of the blanking, where what may say something of a person was blanked.
    pub blanked_by: Option<AuditId>,
    /// Its place in the log, which would tell a tenant how much happens in others.
    #[serde(flatten)]
    pub place: Option<PlaceView>,
}

/// Who did something, as they were called then.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Actor")]
pub struct ActorView {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// The user's or the key's id.
    pub id: Option<Uuid>,
    /// The name; `null` where it was blanked.
    pub name: Option<String>,
}

/// Where in the log an entry is, and what holds it there.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditPlace")]
pub struct PlaceView {
    /// Its number.
    pub number: i64,
    /// The digest of its payload.
    pub payload_digest: Digest,
    /// Its digest in the chain.
    pub digest: Digest,
}

impl AuditEntryView {
    /// For readers of one tenant.
    #[must_use]
    pub fn of_tenant(record: AuditRecord) -> Self {
        let is_blanked = record.blanked_by.is_some();
        let entry = record.entry;
        Self {
            id: entry.id,
            at: entry.at,
            actor: ActorView {
                kind: entry.actor.kind,
                id: entry.actor.id,
                name: (!is_blanked).then_some(entry.actor.name),
            },
            operating_as: entry.operating_as,
            action: entry.action,
            resource: entry.resource,
            target_id: entry.target_id,
            tenant_id: entry.tenant_id,
            before: entry.before,
            after: entry.after,
            reason: entry.reason,
            request_id: entry.request_id,
            address: entry.address,
            agent: entry.agent,
            blanked_by: record.blanked_by,
            place: None,
        }
    }

    /// For the operator's people, with its place in the log.
    #[must_use]
    pub fn of_platform(record: AuditRecord) -> Self {
        let place = PlaceView {
            number: record.number,
            payload_digest: record.payload_digest,
            digest: record.digest,
        };
        Self {
            place: Some(place),
            ..Self::of_tenant(record)
        }
    }
}
