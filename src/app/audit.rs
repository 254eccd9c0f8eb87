//! The audit entry of a change, written in the change's own transaction.

use serde_json::Value;

use super::App;
use super::error::AppError;
use super::tell;
use crate::auth::caller::Caller;
use crate::domain::audit::{AuditEntry, Salt};
use crate::domain::ids::{AuditId, TenantId};
use crate::store::{self, Tx};

/// What was changed. Values hold no secret: the types that are written here cannot.
///
/// `before` and `after` can be blanked one day; the others stay for good, and hold nothing that says something of a person.
pub(super) struct Changed {
    /// Such as `extension.create`.
    pub action: &'static str,
    /// Such as `extension`.
    pub resource: &'static str,
    /// The id of the thing.
    pub target: String,
    pub tenant_id: Option<TenantId>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl App {
    /// Adds one entry, which is written with the commit, and tells webhooks of what is an event; gives its id.
    pub(super) fn audit(&self, tx: &mut Tx, caller: &Caller, changed: Changed) -> Result<AuditId, AppError> {
        let origin = caller.origin();
        let (id, at) = (AuditId::fresh(self.ids.as_ref()), self.now());
        let told = tell::event(&changed, id, at);
        let entry = AuditEntry {
            id,
            at,
            actor: caller.identity().actor(),
            operating_as: changed.tenant_id.is_some() && caller.operates_in() == changed.tenant_id,
            action: changed.action.to_owned(),
            resource: changed.resource.to_owned(),
            target_id: changed.target,
            tenant_id: changed.tenant_id,
            before: changed.before,
            after: changed.after,
            // A change that needs a reason was refused before this without one.
            reason: caller.reason_to_change().ok().flatten().map(ToString::to_string),
            request_id: origin.request_id.as_ref().map(ToString::to_string),
            address: origin.address.map(|address| address.to_string()),
            agent: origin.agent.as_ref().map(ToString::to_string),
        };
        store::audit::append(tx, &entry, Salt::generate(self.random.as_ref())?)?;
        tx.tell(told);
        Ok(entry.id)
    }
}

/// What an entry holds of a thing, with what only this entry tells of it.
pub(super) fn merged(mut view: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut view, more) {
        fields.extend(more);
    }
    view
}
