//! The audit log: one entry for each change, written in the change's own transaction.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::digest::Digest;
use super::ids::{AuditId, TenantId};
use super::parsed::word_enum;
use super::random::{NoRandomness, Randomness};

word_enum! {
    /// What kind of somebody an actor is.
    ActorKind {
        /// A user of a tenant.
        User = "user",
        /// One of the operator's people.
        Manager = "manager",
        /// A program that a tenant gave a key.
        ApiKey = "api_key",
        /// The host's command line, or the daemon itself.
        System = "system",
    }
}

/// The action of the entry that tells of payloads which were blanked because their tenant keeps them no longer. Its target names
/// the time before which they are from.
pub const RETAINED: &str = "compliance.purged";

/// The action of the entry that tells of payloads which were blanked by an erasure. It names each of their entries, and stays as
/// long as they do.
pub const ERASED: &str = "compliance.erased";

/// The action of the entry that a certificate is held against.
pub const CERTIFIED: &str = "data.erasure_end";

/// Who did something, as they were known then: outlives the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// The user's or the key's id; none where the program itself acts.
    pub id: Option<Uuid>,
    /// As they were called.
    pub name: String,
}

impl Actor {
    /// One that has no id, and is told by its name.
    #[must_use]
    pub fn named(kind: ActorKind, name: &str) -> Self {
        Self {
            kind,
            id: None,
            name: name.to_owned(),
        }
    }
}

/// Who changed what. Holds no secret: `before` and `after` come from types that cannot be serialized with one.
///
/// What may say something of a person is the entry's payload, which can be blanked: the actor's name, `before`, `after`,
/// `reason`, `request_id`, `address` and `agent`. Everything else stays for good, so none of it may hold such a thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// Whether one of the operator's people did it inside the tenant, which is not their own.
    pub operating_as: bool,
    /// What was done: `extension.create`, `config.deploy`, ….
    pub action: String,
    /// The kind of the target: `extension`, `tenant`, ….
    pub resource: String,
    /// The target's id.
    pub target_id: String,
    /// Whose it is; absent for what belongs to the platform.
    pub tenant_id: Option<TenantId>,
    /// The target as it was.
    pub before: Option<Value>,
    /// The target as it became.
    pub after: Option<Value>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// The program that sent it.
    pub agent: Option<String>,
}

/// An entry as the log holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRecord {
    /// Its place in the log, from 1 on, without gaps.
    pub number: i64,
    /// What it says. Of a blanked one the payload is absent, and the actor's name empty.
    pub entry: AuditEntry,
    /// The entry that tells of the blanking, where its payload was blanked.
    pub blanked_by: Option<AuditId>,
    /// The digest of its payload, as that was written.
    pub payload_digest: Digest,
    /// Its digest in the chain.
    pub digest: Digest,
}

/// The last entry of the log, by which all of it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct AuditHead {
    /// Its number; 0 while there is none.
    pub number: i64,
    /// Its digest in the chain.
    pub digest: Digest,
}

/// Random bytes in an entry's payload, so that its digest says nothing once the payload is gone: without them, all
/// telephone numbers are tried in no time.
#[derive(Clone, Copy)]
pub struct Salt([u8; 16]);

impl Salt {
    /// A new one.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, for keeping.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}
