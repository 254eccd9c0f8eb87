//! Calls that are up, as a listener would tell of them.

use switchyard::domain::call::{Call, CallDirection, CallState};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{CallId, InstanceId, TenantId};
use switchyard::domain::leg::{LegId, WireText};
use switchyard::monitor::board::Report;

/// One of a tenant's, of nobody's extension.
pub fn a_call(instance: InstanceId, tenant: TenantId) -> Call {
    let link = LegId::new(&format!("{tenant}.1")).unwrap();
    Call {
        id: CallId::of(instance, &link),
        instance_id: instance,
        link: link.clone(),
        tenant_id: Some(tenant),
        from: WireText::of("1001"),
        to: WireText::of("1002"),
        direction: CallDirection::Internal,
        state: CallState::Answered,
        started_at: None,
        answered_at: None,
        extension_ids: Vec::new(),
        legs: vec![link],
    }
}

/// That it is up, beside what is known already.
pub fn told(call: Call) -> Report {
    Report {
        calls: vec![(call.link.clone(), Some(call))],
        are_all_calls: false,
        phones: Vec::new(),
        are_all_phones: false,
        calls_are_stale: false,
        phones_are_stale: false,
        corrected: 0,
        tenants: None,
        at: SystemClock.now(),
    }
}
