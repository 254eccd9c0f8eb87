//! A program that presents an API key, as the database knew the key when the request came.

use std::collections::BTreeSet;

use crate::domain::api_key::KeyPresence;
use crate::domain::ids::{ApiKeyId, TenantId};
use crate::domain::name::KeyName;
use crate::domain::permission::Permission;
use crate::domain::role::Rank;
use crate::domain::tenant::TenantStatus;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyHolder {
    /// The key's id.
    pub key_id: ApiKeyId,
    /// How what was presented begins: another one once it is rotated.
    pub prefix: String,
    /// What its tenant calls it.
    pub name: KeyName,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Whether that is served.
    pub status: TenantStatus,
    /// What it was made for, as far as its author may do that still.
    pub permissions: BTreeSet<Permission>,
    /// What it may act on: neither more than its rights tell, nor more than its author.
    pub rank: Rank,
    /// Its author's rank.
    pub author_rank: Rank,
}

impl KeyHolder {
    /// Whether it holds a right; some are no key's, whatever its row says.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        permission.is_for_keys() && permission.is_among(&self.permissions)
    }
}

impl From<KeyPresence> for KeyHolder {
    fn from(presence: KeyPresence) -> Self {
        let key = presence.key;
        Self {
            key_id: key.id,
            prefix: key.prefix,
            name: key.name,
            tenant_id: key.tenant_id,
            status: presence.tenant_status,
            permissions: key.permissions,
            rank: key.rank.min(presence.author_rank),
            author_rank: presence.author_rank,
        }
    }
}
