//! Tells webhooks of calls that are over, in the transaction of their records.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::call_record::CallRecord;
use crate::domain::call_text::PbxCallId;
use crate::domain::event::{About, Event, record_data};
use crate::domain::ids::{CallRecordId, EventId, IdSource, InstanceId, TenantId};
use crate::domain::webhook::EventKind;
use crate::store::call_records::{self, Seen};
use crate::store::{StoreError, Tx, recorded_calls, webhook_queue};

/// What is told of the records that one transaction writes.
#[derive(Default)]
pub(super) struct EndedCalls<'a> {
    /// Whether a tenant has a webhook for it.
    wanted: BTreeMap<TenantId, bool>,
    /// Each call that is written, with its record as it was before.
    before: BTreeMap<(TenantId, &'a PbxCallId), Option<CallRecord>>,
}

impl<'a> EndedCalls<'a> {
    /// To be asked before a part of a call is kept.
    pub async fn begin(
        &mut self,
        tx: &mut Tx,
        tenant: TenantId,
        instance: InstanceId,
        call: &'a PbxCallId,
    ) -> Result<(), StoreError> {
        let is_wanted = match self.wanted.get(&tenant) {
            Some(is_wanted) => *is_wanted,
            None => webhook_queue::is_wanted(tx, tenant, EventKind::CallEnded).await?,
        };
        self.wanted.insert(tenant, is_wanted);
        if is_wanted && !self.before.contains_key(&(tenant, call)) {
            let before = record(tx, tenant, instance, call).await?;
            self.before.insert((tenant, call), before);
        }
        Ok(())
    }

    /// Tells of each record that is new, or says something else by now: what is told again changes nothing.
    pub async fn tell(
        self,
        tx: &mut Tx,
        instance: InstanceId,
        ids: &dyn IdSource,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for ((tenant, call), before) in self.before {
            let after = record(tx, tenant, instance, call).await?;
            let Some(record) = after.filter(|after| before.as_ref() != Some(after)) else {
                continue;
            };
            tx.tell(Some(Event {
                id: EventId::fresh(ids),
                kind: EventKind::CallEnded,
                tenant,
                at: now,
                about: About::Told(record_data(&record)),
            }));
        }
        Ok(())
    }
}

async fn record(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    call: &PbxCallId,
) -> Result<Option<CallRecord>, StoreError> {
    let id: Option<CallRecordId> = recorded_calls::id(tx, tenant, instance, call).await?;
    match id {
        Some(id) => call_records::find(tx, tenant, Seen::All, id).await,
        None => Ok(None),
    }
}
