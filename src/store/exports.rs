//! What an export goes through, by keys that lead from one page to the next; what is behind a key is read where it belongs.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_record::CallCursor;
use crate::domain::digest::Digest;
use crate::domain::ids::{CommentId, DeploymentId, ExtensionId, RevisionId, TenantId, TicketId, UserId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::ticket_text::TicketText;

statements! {
    ALIASES = "select domain, expires_at from tenant_domain_aliases where tenant_id = $1 order by domain";
    EXTENSIONS = "select id, number from extensions where tenant_id = $1 and number > $2 order by number limit $3";
    USERS = "select id from users where tenant_id = $1 order by id";
    DEPLOYMENTS = "select id, created_at from deployments where tenant_id = $1 \
        and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4";
    REVISION = "select id, number, digest, config, created_at from revisions where tenant_id = $1 and number > $2 \
        order by number limit 1";
    SAID = "select id, ticket_id, text, created_at from ticket_comments where tenant_id = $1 and author_id = $2 \
        and (created_at, id) > ($3, $4) order by created_at, id limit $5";
}

/// The former domains that still lead to a tenant, with when they do no more; none where that is not settled yet.
pub async fn aliases(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Vec<(SipDomain, Option<Timestamp>)>, StoreError> {
    let origin = Origin {
        table: "tenant_domain_aliases",
        id: tenant,
    };
    let rows = run!(tx, fetch_all::<(String, Option<i64>)>(ALIASES, tenant.uuid()))?;
    rows.into_iter()
        .map(|(domain, expires)| {
            let expires = expires.map(|at| origin.time("expires_at", at)).transpose()?;
            Ok((origin.text("domain", &domain)?, expires))
        })
        .collect()
}

/// The next extensions of a tenant, behind a number.
pub async fn extensions(
    tx: &mut Tx,
    tenant: TenantId,
    after: &str,
    most: i64,
) -> Result<Vec<(ExtensionId, String)>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid, String)>(EXTENSIONS, tenant.uuid(), after, most)
    )?;
    let ids = rows.into_iter();
    Ok(ids
        .map(|(id, number)| (ExtensionId::from_uuid(id), number))
        .collect())
}

/// All users of a tenant.
pub async fn users(tx: &mut Tx, tenant: TenantId) -> Result<Vec<UserId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(USERS, tenant.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| UserId::from_uuid(id)).collect())
}

/// The next deployments of a tenant, newest first.
pub async fn deployments(
    tx: &mut Tx,
    tenant: TenantId,
    after: Option<CallCursor>,
    most: i64,
) -> Result<Vec<(DeploymentId, CallCursor)>, StoreError> {
    let (at, id) = after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    let rows = run!(
        tx,
        fetch_all::<(Uuid, i64)>(DEPLOYMENTS, tenant.uuid(), at, id, most)
    )?;
    rows.into_iter()
        .map(|(id, at)| {
            let origin = Origin {
                table: "deployments",
                id,
            };
            let at = origin.time("created_at", at)?;
            Ok((DeploymentId::from_uuid(id), CallCursor { at, id }))
        })
        .collect()
}

/// A revision as it is kept.
pub struct KeptRevision {
    /// Its id.
    pub id: RevisionId,
    /// Counts from 1 in each tenant.
    pub number: i64,
    /// Of its configuration.
    pub digest: Digest,
    /// The tenant's configuration.
    pub config: serde_json::Value,
    /// When it was taken.
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct RevisionRow {
    id: Uuid,
    number: i64,
    digest: String,
    config: RawJson,
    created_at: i64,
}

/// The next revision of a tenant, behind a number: each may be as large as all of the tenant's configuration.
pub async fn revision(tx: &mut Tx, tenant: TenantId, after: i64) -> Result<Option<KeptRevision>, StoreError> {
    let Some(row) = run!(tx, fetch_optional::<RevisionRow>(REVISION, tenant.uuid(), after))? else {
        return Ok(None);
    };
    let origin = Origin {
        table: "revisions",
        id: row.id,
    };
    Ok(Some(KeptRevision {
        id: RevisionId::from_uuid(row.id),
        number: row.number,
        digest: origin.text("digest", &row.digest)?,
        config: origin.json("config", &row.config)?,
        created_at: origin.time("created_at", row.created_at)?,
    }))
}

/// What somebody said about a ticket.
pub struct Said {
    /// Its id.
    pub id: CommentId,
    /// About which ticket.
    pub ticket_id: TicketId,
    /// What.
    pub text: TicketText,
    /// When.
    pub created_at: Timestamp,
}

/// The next comments of a person in a tenant, oldest first.
pub async fn said(
    tx: &mut Tx,
    tenant: TenantId,
    author: UserId,
    after: Option<CallCursor>,
    most: i64,
) -> Result<Vec<Said>, StoreError> {
    let (at, id) = after.map_or((i64::MIN, Uuid::nil()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    let rows = run!(
        tx,
        fetch_all::<(Uuid, Uuid, String, i64)>(SAID, tenant.uuid(), author.uuid(), at, id, most)
    )?;
    rows.into_iter()
        .map(|(id, ticket, text, at)| {
            let origin = Origin {
                table: "ticket_comments",
                id,
            };
            Ok(Said {
                id: CommentId::from_uuid(id),
                ticket_id: TicketId::from_uuid(ticket),
                text: origin.text("text", &text)?,
                created_at: origin.time("created_at", at)?,
            })
        })
        .collect()
}
