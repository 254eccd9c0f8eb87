//! Generations: what one instance serves, as a map from tenant to revision.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::digest::Digest;
use super::ids::{GenerationId, InstanceId, RevisionId, TenantId};

/// What an instance serves, or is meant to serve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// The instance it is for.
    pub instance_id: InstanceId,
    /// Counts from 1 in each instance; a number that was never live stays unused.
    pub number: i64,
    /// The template set that renders it, kept by this digest.
    pub template_digest: Digest,
    /// The instance's settings it was made with.
    pub settings_revision: i64,
    /// What its markers are made with beside its files; another one once the PBX has to read another directory, where the
    /// same files would show the same markers.
    pub marker_salt: i64,
    /// The revision of each tenant.
    pub tenants: BTreeMap<TenantId, RevisionId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Generation {
    /// Whether both serve the same: number and time do not count.
    #[must_use]
    pub fn serves_the_same(&self, other: &Self) -> bool {
        self.template_digest == other.template_digest
            && self.settings_revision == other.settings_revision
            && self.tenants == other.tenants
    }
}
