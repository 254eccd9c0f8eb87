//! Records of calls, found by what their PBX calls them.

use uuid::Uuid;

use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_text::PbxCallId;
use crate::domain::ids::{CallRecordId, InstanceId, TenantId};

statements! {
    ID = "select id from call_records where instance_id = $1 and call = $2 and tenant_id = $3";
}

/// The id of the tenant's record of a call, if there is one.
pub async fn id(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    call: &PbxCallId,
) -> Result<Option<CallRecordId>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<(Uuid,)>(ID, instance.uuid(), call.as_str(), tenant.uuid())
    )?;
    Ok(row.map(|(id,)| CallRecordId::from_uuid(id)))
}
