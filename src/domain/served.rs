//! What an instance was last proven to serve for one tenant.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::ids::RevisionId;
use super::tenant::Service;

/// One tenant's part of what runs; compared with the head, it tells what is pending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served {
    /// The configuration.
    pub revision_id: RevisionId,
    /// The tenant's [`secrets_version`](super::tenant::Tenant::secrets_version) that was rendered.
    pub secrets_version: i64,
    /// What of the tenant was rendered.
    pub service: Service,
    /// The digest of the tenant's text in each of the PBX's modules, by the module's name.
    pub fragments: BTreeMap<String, Digest>,
}
