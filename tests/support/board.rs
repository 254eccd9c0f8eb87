//! Calls that are up, as a listener would tell of them.

use switchyard::domain::call::{Call, CallDirection, CallState};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{CallId, InstanceId, TenantId};
use switchyard::domain::leg::{LegId, WireText};
use switchyard::monitor::board::{Report, Told};
use tokio_util::sync::CancellationToken;

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
        calls: others(vec![(call.link.clone(), Some(call))]),
        phones: others(Vec::new()),
        are_calls_polled: false,
        corrected: 0,
        tenants: None,
        at: SystemClock.now(),
        stop: CancellationToken::new(),
    }
}

fn others<T>(items: Vec<T>) -> Told<T> {
    Told {
        items,
        are_all: false,
        are_stale: false,
    }
}
