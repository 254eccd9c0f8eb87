//! The audit entry of a change, written in the change's own transaction.

use serde_json::Value;

use super::App;
use crate::auth::caller::Caller;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{AuditId, TenantId};
use crate::store::{self, StoreError, Tx};

/// What was changed. Values hold no secret: the types that are written here cannot.
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
    /// Writes one entry.
    pub(super) async fn audit(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        changed: Changed,
    ) -> Result<(), StoreError> {
        let origin = caller.origin();
        let entry = AuditEntry {
            id: AuditId::fresh(self.ids.as_ref()),
            at: self.now(),
            actor: caller.identity().actor().to_owned(),
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
        };
        store::audit::append(tx, &entry).await
    }
}
