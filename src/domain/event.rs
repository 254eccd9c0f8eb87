//! What webhooks are told: events of a tenant, each with what a receiver needs of the thing that it is about, and no secret.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call::Call;
use super::call_record::CallRecord;
use super::deployment::Deployment;
use super::digest::Digest;
use super::ids::{CallId, EventId, TenantId, UserId};
use super::leg::LegId;
use super::tenant::Tenant;
use super::user::User;
use super::webhook::EventKind;

/// Something that has happened in a tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its id, the same for whoever is told of it and however often.
    pub id: EventId,
    /// What kind of thing has happened.
    pub kind: EventKind,
    /// In which tenant.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// What it is about.
    pub about: About,
}

/// What an event is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum About {
    /// The tenant, as it stands at the end of the transaction.
    Tenant,
    /// A user, as they stand then.
    User(UserId),
    /// What was taken down when it happened.
    Told(Value),
}

impl EventId {
    /// Of what happens once to a thing: told again, it has the same.
    #[must_use]
    pub fn once(thing: Uuid, kind: EventKind) -> Self {
        let digest = Digest::of_parts([thing.as_bytes().as_slice(), kind.as_str().as_bytes()]);
        let mut bytes = [0; 16];
        for (byte, of_digest) in bytes.iter_mut().zip(digest.as_bytes()) {
            *byte = *of_digest;
        }
        Self::from_uuid(Uuid::new_v8(bytes))
    }
}

impl Event {
    /// A deploy of a tenant was asked for, or has ended; none where it is the platform's.
    #[must_use]
    pub fn of_deployment(kind: EventKind, deployment: &Deployment, at: Timestamp) -> Option<Self> {
        Some(Self {
            id: EventId::once(deployment.id.uuid(), kind),
            kind,
            tenant: deployment.scope.tenant_id()?,
            at,
            about: About::Told(deployment_data(deployment)),
        })
    }
}

/// What is sent: the same bytes at each attempt.
#[derive(Serialize)]
pub struct Body<'a> {
    /// The event's id, by which a receiver knows one that comes again.
    pub id: EventId,
    /// The event's place in the order of this webhook, from 1 on: one that is left out was dropped.
    pub number: i64,
    /// What kind of event it is.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// When it happened.
    pub created_at: Timestamp,
    /// In which tenant.
    pub tenant_id: TenantId,
    /// What it is about.
    pub data: &'a Value,
}

/// Of a tenant: what its own people may read of it.
#[must_use]
pub fn tenant_data(tenant: &Tenant) -> Value {
    json!({"tenant": {
        "id": tenant.id, "name": tenant.name, "domain": tenant.domain, "status": tenant.status,
        "timezone": tenant.timezone,
    }})
}

/// Of a user who is there, and of one who is not any more.
#[must_use]
pub fn user_data(id: UserId, user: Option<&User>) -> Value {
    let Some(user) = user else {
        return json!({"user": {"id": id}});
    };
    json!({"user": {
        "id": user.id, "email": user.email, "name": user.name, "status": user.status,
        "role": user.membership.as_ref().map(|of| &of.role), "extension_id": user.extension_id,
    }})
}

fn deployment_data(deployment: &Deployment) -> Value {
    json!({"deployment": {
        "id": deployment.id, "status": deployment.status, "generation": deployment.generation,
        "requested_by": deployment.requested_by, "findings": deployment.findings.len(),
        "created_at": deployment.created_at, "ended_at": deployment.ended_at,
    }})
}

/// Of a call that is up.
#[must_use]
pub fn call_data(call: &Call) -> Value {
    json!({"call": {
        "id": call.id, "from": call.from.as_str(), "to": call.to.as_str(), "direction": call.direction,
        "state": call.state, "started_at": call.started_at, "answered_at": call.answered_at,
        "extension_ids": call.extension_ids,
    }})
}

/// Of a call that is on record; its `id` is that which it had while it was up, `record_id` finds it among the records.
#[must_use]
pub fn record_data(record: &CallRecord) -> Value {
    let id = LegId::new(record.call.as_str()).map(|link| CallId::of(record.instance_id, &link));
    json!({"call": {
        "id": id, "record_id": record.id, "from": record.from_number, "from_name": record.from_name,
        "to": record.to_number, "direction": record.direction, "disposition": record.disposition,
        "hangup_cause": record.hangup_cause, "started_at": record.started_at, "answered_at": record.answered_at,
        "ended_at": record.ended_at, "duration": record.duration, "billable": record.billable,
        "extension_ids": record.extension_ids, "recording_ids": record.recording_ids,
    }})
}
