//! A reason to suspend a tenant, for tests that need one suspended.

use jiff::Timestamp;
use switchyard::domain::tenant::{Suspension, SuspensionCategory};

/// It asked for a pause.
pub fn pause(at: Timestamp) -> Suspension {
    Suspension {
        category: SuspensionCategory::Pause,
        reason: None,
        at,
    }
}
