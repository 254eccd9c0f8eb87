//! What an import did, or would do, with everything that stands on a PBX.

use serde::Serialize;

use crate::domain::found::{FoundAside, FoundTenant};
use crate::domain::invalid::FieldErrors;
use crate::domain::tenant::Tenant;

/// What became of everything that was found.
#[derive(Default, Serialize)]
pub struct PbxImportReport {
    /// Whether anything was brought in.
    pub imported: bool,
    /// How many extensions are good.
    pub good: usize,
    /// How many tenants and extensions are wrong.
    pub bad: usize,
    /// By domain.
    pub tenants: Vec<TenantReport>,
    /// What belongs to no tenant, and stays where it is.
    pub aside: Vec<AsideReport>,
}

/// What became of one tenant.
#[derive(Serialize)]
pub struct TenantReport {
    /// Where it stands; none where it is here already.
    pub place: Option<String>,
    /// Its domain.
    pub domain: String,
    /// As people call it.
    pub name: String,
    /// What is wrong with it; then nothing of it can be brought in.
    pub errors: FieldErrors,
    /// What of it is not taken over as it is.
    pub notes: Vec<String>,
    /// Every extension.
    pub extensions: Vec<ExtensionReport>,
    /// What stays where it is.
    pub aside: Vec<AsideReport>,
}

/// What became of one extension. It holds no secret.
#[derive(Serialize)]
pub struct ExtensionReport {
    /// Where it stands.
    pub place: String,
    /// Its number, if it has one.
    pub number: Option<String>,
    /// What is wrong; empty for a good one.
    pub errors: FieldErrors,
    /// What of it is not taken over as it is.
    pub notes: Vec<String>,
}

/// Something that stays where it is.
#[derive(Serialize)]
pub struct AsideReport {
    /// Where it stands.
    pub place: String,
    /// As it is called there.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl PbxImportReport {
    /// Whether something is wrong, and nothing beside it is good.
    #[must_use]
    pub fn is_all_wrong(&self) -> bool {
        let is_new = |tenant: &TenantReport| tenant.place.is_some() && tenant.errors.is_empty();
        self.bad > 0 && self.good == 0 && !self.tenants.iter().any(is_new)
    }
}

impl TenantReport {
    /// Of one that is here, or from now on.
    pub(super) fn of(tenant: &Tenant, place: Option<String>) -> Self {
        Self {
            place,
            domain: tenant.domain.to_string(),
            name: tenant.name.to_string(),
            errors: FieldErrors::default(),
            notes: Vec::new(),
            extensions: Vec::new(),
            aside: Vec::new(),
        }
    }

    /// Of one that cannot be brought in, with so many extensions.
    pub(super) fn wrong(found: FoundTenant, count: usize, errors: FieldErrors) -> Self {
        let left = match count {
            0 => None,
            count => Some(format!("its {count} extensions are not looked at")),
        };
        Self {
            place: Some(found.place),
            domain: found.domain,
            name: found.name,
            errors,
            notes: left.into_iter().collect(),
            extensions: Vec::new(),
            aside: found.found.aside.into_iter().map(AsideReport::from).collect(),
        }
    }
}

impl From<FoundAside> for AsideReport {
    fn from(aside: FoundAside) -> Self {
        Self {
            place: aside.place,
            name: aside.name,
            reason: aside.reason,
        }
    }
}
