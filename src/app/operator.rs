//! The host's command line as a caller: it acts on the platform, or in the tenant that it names.

use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::domain::reason::Reason;
use crate::domain::tenant::Tenant;

/// On the platform.
#[must_use]
pub fn platform(reason: Option<Reason>) -> Caller {
    Caller::new(Identity::SystemCli, Place::Platform, reason, Origin::default())
}

/// In a tenant.
#[must_use]
pub fn in_tenant(tenant: &Tenant, reason: Option<Reason>) -> Caller {
    let place = Place::Entered {
        id: tenant.id,
        status: tenant.status,
    };
    Caller::new(Identity::SystemCli, place, reason, Origin::default())
}
