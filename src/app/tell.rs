//! Which changes webhooks are told of: each is an entry of the audit log, and none is told that has no entry.

use super::audit::Changed;
use crate::domain::event::{About, Event};
use crate::domain::ids::{AuditId, EventId, TenantId, UserId};
use crate::domain::webhook::EventKind;
use jiff::Timestamp;

/// What kind of event an action is.
fn kind(action: &str) -> Option<EventKind> {
    Some(match action {
        "tenant.change" | "compliance.set_consent" => EventKind::TenantChanged,
        "tenant.suspend" => EventKind::TenantSuspended,
        "tenant.reactivate" => EventKind::TenantReactivated,
        "user.create" | "user.invite" => EventKind::UserCreated,
        "user.change"
        | "user.assign_role"
        | "user.link_extension"
        | "user.link_identity"
        | "user.accept_invitation" => EventKind::UserChanged,
        "user.suspend" => EventKind::UserSuspended,
        "user.reactivate" => EventKind::UserReactivated,
        "user.delete" | "user.revoke_invitation" => EventKind::UserDeleted,
        _ => return None,
    })
}

/// The event that an entry of a tenant's log is, if it is one; it has the entry's id.
pub(super) fn event(changed: &Changed, id: AuditId, at: Timestamp) -> Option<Event> {
    let kind = kind(changed.action)?;
    let about = match changed.resource {
        "tenant" => About::Tenant,
        _ => About::User(changed.target.parse().ok()?),
    };
    Some(Event {
        id: EventId::from_uuid(id.uuid()),
        kind,
        tenant: changed.tenant_id?,
        at,
        about,
    })
}

/// Of a tenant that is to go: the entry is of no tenant, since it stays.
pub(super) fn deleted(tenant: TenantId, id: AuditId, at: Timestamp) -> Event {
    Event {
        id: EventId::from_uuid(id.uuid()),
        kind: EventKind::TenantDeleted,
        tenant,
        at,
        about: About::Tenant,
    }
}

/// Of a user who moves: for one tenant they are gone, for the other they are there; neither is told of the other.
pub(super) fn moved(
    user: UserId,
    id: AuditId,
    at: Timestamp,
    from: Option<TenantId>,
    to: Option<TenantId>,
) -> impl Iterator<Item = Event> {
    let gone = from.map(|tenant| (EventKind::UserDeleted, tenant));
    let there = to.map(|tenant| (EventKind::UserCreated, tenant));
    gone.into_iter().chain(there).map(move |(kind, tenant)| Event {
        id: EventId::from_uuid(id.uuid()),
        kind,
        tenant,
        at,
        about: About::User(user),
    })
}
