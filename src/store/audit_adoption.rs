//! Puts the entries from before the audit log was a chain into the chain, as they stand.

use uuid::Uuid;

use super::audit;
use super::statement::run;
use super::tx::Connection;
use super::{Statement, StoreError, Tx};
use crate::domain::audit::{ActorKind, Salt};
use crate::domain::audit_chain::{Link, Payload};
use crate::domain::random::SystemRandom;

/// Entries that are put into the chain at once.
const BATCH: i64 = 500;

// Not listed with the others: in a migrated database there is no such table.
const IS_THERE_SQLITE: Statement = unlisted(
    "IS_THERE_SQLITE",
    "select count(*) > 0 from sqlite_master where name = 'audit_entries_unchained'",
);
const IS_THERE_POSTGRES: Statement = unlisted(
    "IS_THERE_POSTGRES",
    "select to_regclass('audit_entries_unchained') is not null",
);
const NEXT: Statement = unlisted(
    "NEXT",
    "select id, at, actor, action, resource, target_id, tenant_id, cast(before as text) as before, \
     cast(after as text) as after, reason, request_id, address from audit_entries_unchained \
     where at > $1 or (at = $1 and id > $2) order by at, id limit $3",
);
const DROP: Statement = unlisted("DROP", "drop table audit_entries_unchained");

const fn unlisted(name: &'static str, sql: &'static str) -> Statement {
    Statement {
        name,
        sql,
        postgres: sql,
        columns: 0,
    }
}

#[derive(sqlx::FromRow)]
struct Unchained {
    id: Uuid,
    at: i64,
    actor: String,
    action: String,
    resource: String,
    target_id: String,
    tenant_id: Option<Uuid>,
    before: Option<String>,
    after: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
    address: Option<String>,
}

/// Does so where a migration has left such entries, oldest first.
pub(super) async fn adopt(tx: &mut Tx) -> Result<(), StoreError> {
    let is_there = match tx.connection {
        Connection::Sqlite(_) => IS_THERE_SQLITE,
        Connection::Postgres(_) => IS_THERE_POSTGRES,
    };
    if !run!(tx, fetch_one::<(bool,)>(is_there))?.0 {
        return Ok(());
    }
    let (mut at, mut id) = (i64::MIN, Uuid::nil());
    loop {
        let rows = run!(tx, fetch_all::<Unchained>(NEXT, at, id, BATCH))?;
        let Some(last) = rows.last() else { break };
        (at, id) = (last.at, last.id);
        let links = rows.into_iter().map(Unchained::link).collect::<Result<_, _>>()?;
        audit::write(tx, links).await?;
    }
    run!(tx, execute(DROP))?;
    Ok(())
}

impl Unchained {
    fn link(self) -> Result<Link, StoreError> {
        let salt = Salt::generate(&SystemRandom).map_err(StoreError::NoRandomness)?;
        // Until then there were the host's command line, the daemon, and those who held the operator's token.
        let kind = if self.actor.starts_with("system:") {
            ActorKind::System
        } else {
            ActorKind::Manager
        };
        Ok(Link {
            number: 0,
            id: self.id,
            at: self.at,
            actor_kind: kind.as_str().to_owned(),
            actor_id: None,
            operating_as: kind == ActorKind::Manager && self.tenant_id.is_some(),
            action: self.action,
            resource: self.resource,
            target_id: self.target_id,
            tenant_id: self.tenant_id,
            payload: Some(Payload {
                salt: salt.as_bytes().to_vec(),
                actor_name: self.actor,
                before: self.before,
                after: self.after,
                reason: self.reason,
                request_id: self.request_id,
                address: self.address,
                agent: None,
            }),
            payload_digest: Vec::new(),
            digest: Vec::new(),
        })
    }
}
