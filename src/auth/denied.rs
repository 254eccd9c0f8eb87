//! Why a caller may not do something.

use crate::domain::parsed::word_enum;

word_enum! {
    /// A refusal, by its stable code; in the order in which they are looked for.
    Denied {
        /// No credentials, or wrong ones.
        Credentials = "credentials_invalid",
        /// The tenant is suspended.
        TenantSuspended = "tenant_suspended",
        /// The caller's role does not hold the right.
        Permission = "permission_denied",
        /// The tenant to be entered is not there.
        TenantUnknown = "not_found",
        /// The caller belongs to no tenant and did not say which to enter.
        TenantRequired = "tenant_required",
        /// A change in somebody else's tenant needs a reason.
        ReasonRequired = "reason_required",
    }
}

impl Denied {
    /// What to do about it, for people.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Credentials => "send valid credentials: `Authorization: Bearer …`",
            Self::TenantSuspended => "the tenant is suspended: nothing in it can be changed",
            Self::Permission => "your role does not hold the right that this needs",
            Self::TenantUnknown => "there is nothing by that id",
            Self::TenantRequired => "name the tenant to act in: `X-Operate-As-Tenant: <id>`",
            Self::ReasonRequired => "say why, in 1 to 500 characters on one line: `X-Reason: …`",
        }
    }
}
