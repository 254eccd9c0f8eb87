//! A row of the audit log, between its columns and what they mean.

use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::row::Origin;
use crate::domain::audit::{Actor, AuditEntry, AuditRecord};
use crate::domain::audit_chain::{Link, Payload};
use crate::domain::audit_check::StoredLink;
use crate::domain::digest::Digest;
use crate::domain::ids::{AuditId, TenantId};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    number: i64,
    id: Uuid,
    at: i64,
    actor_kind: String,
    actor_id: Option<Uuid>,
    operating_as: bool,
    action: String,
    resource: String,
    target_id: String,
    tenant_id: Option<Uuid>,
    payload_digest: Vec<u8>,
    digest: Vec<u8>,
    salt: Option<Vec<u8>>,
    actor_name: Option<String>,
    before: Option<String>,
    after: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
    address: Option<String>,
    agent: Option<String>,
    blanked_by: Option<Uuid>,
}

impl Row {
    /// What the entry says.
    pub(super) fn parse(self) -> Result<AuditRecord, StoreError> {
        let origin = Origin {
            table: "audit_entries",
            id: self.id,
        };
        let json = |column: &str, text: Option<&str>| -> Result<Option<Value>, StoreError> {
            text.map(|text| serde_json::from_str(text).map_err(|error| origin.corrupt(column, error)))
                .transpose()
        };
        let digest = |column: &str, bytes: &[u8]| {
            Digest::try_from(bytes).map_err(|invalid| origin.corrupt(column, invalid))
        };
        Ok(AuditRecord {
            number: self.number,
            payload_digest: digest("payload_digest", &self.payload_digest)?,
            digest: digest("digest", &self.digest)?,
            blanked_by: self.blanked_by.map(AuditId::from_uuid),
            entry: AuditEntry {
                id: AuditId::from_uuid(self.id),
                at: origin.time("at", self.at)?,
                actor: Actor {
                    kind: origin.text("actor_kind", &self.actor_kind)?,
                    id: self.actor_id,
                    name: self.actor_name.unwrap_or_default(),
                },
                operating_as: self.operating_as,
                before: json("before", self.before.as_deref())?,
                after: json("after", self.after.as_deref())?,
                action: self.action,
                resource: self.resource,
                target_id: self.target_id,
                tenant_id: self.tenant_id.map(TenantId::from_uuid),
                reason: self.reason,
                request_id: self.request_id,
                address: self.address,
                agent: self.agent,
            },
        })
    }

    /// Its place in the log.
    pub(super) const fn number(&self) -> i64 {
        self.number
    }

    /// What it is named by.
    pub(super) const fn id(&self) -> Uuid {
        self.id
    }

    /// When, in microseconds.
    pub(super) const fn at(&self) -> i64 {
        self.at
    }

    /// What was done.
    pub(super) fn action(&self) -> &str {
        &self.action
    }

    /// Whose it is.
    pub(super) const fn tenant_id(&self) -> Option<Uuid> {
        self.tenant_id
    }

    /// The entry with every column as it is.
    pub(super) fn stored(self, told: bool) -> StoredLink {
        let texts = [
            &self.before,
            &self.after,
            &self.reason,
            &self.request_id,
            &self.address,
            &self.agent,
        ];
        let is_whole = self.salt.is_some() && self.actor_name.is_some() && self.blanked_by.is_none();
        let is_blank =
            self.salt.is_none() && self.actor_name.is_none() && texts.into_iter().all(Option::is_none);
        let payload = self.salt.zip(self.actor_name).map(|(salt, actor_name)| Payload {
            salt,
            actor_name,
            before: self.before,
            after: self.after,
            reason: self.reason,
            request_id: self.request_id,
            address: self.address,
            agent: self.agent,
        });
        StoredLink {
            in_part: !is_whole && !is_blank,
            told,
            link: Link {
                number: self.number,
                id: self.id,
                at: self.at,
                actor_kind: self.actor_kind,
                actor_id: self.actor_id,
                operating_as: self.operating_as,
                action: self.action,
                resource: self.resource,
                target_id: self.target_id,
                tenant_id: self.tenant_id,
                payload,
                payload_digest: self.payload_digest,
                digest: self.digest,
            },
        }
    }
}
