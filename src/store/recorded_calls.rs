//! Records of calls, found by what their PBX calls them.

use jiff::Timestamp;
use uuid::Uuid;

use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_text::PbxCallId;
use crate::domain::ids::{CallRecordId, InstanceId, TenantId};

statements! {
    IS_TOLD = "select r.id from call_record_parts p cross join call_records r where p.channel = $1 and r.id = p.record_id \
        and r.instance_id = $2 and r.tenant_id = $3 and r.call <> $4 limit 1";
    TAKE_BACK_NEWER = "delete from call_record_extensions where record_id = $1 \
        and extension_id in (select id from extensions where tenant_id = $2 and created_at > $3)";
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

/// Takes those extensions of the tenant out of a record that are newer than its call: their numbers were somebody else's then,
/// or nobody's.
pub async fn take_back_newer(
    tx: &mut Tx,
    tenant: TenantId,
    record: CallRecordId,
    began: Timestamp,
) -> Result<(), StoreError> {
    let (tenant, began) = (tenant.uuid(), began.as_microsecond());
    run!(tx, execute(TAKE_BACK_NEWER, record.uuid(), tenant, began))?;
    Ok(())
}

/// Whether a channel is in a record of the tenant already: of whichever call, but for one.
pub async fn is_told(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    channel: &PbxCallId,
    but_for: Option<&PbxCallId>,
) -> Result<bool, StoreError> {
    // No call has an empty id.
    let but_for = but_for.map_or("", PbxCallId::as_str);
    let row = run!(
        tx,
        fetch_optional::<(Uuid,)>(IS_TOLD, channel.as_str(), instance.uuid(), tenant.uuid(), but_for)
    )?;
    Ok(row.is_some())
}
