//! What of a person goes at once, being little: that they asked for something, answers that are kept for them, and mails.

use super::row::search_pattern;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::email::EmailAddress;
use crate::domain::erasure::PLACEHOLDER;
use crate::domain::ids::TenantId;

statements! {
    COUNT_REQUESTS = "select (select count(*) from deployments where tenant_id = $1 and requested_by = $2) \
        + (select count(*) from purges where tenant_id = $1 and requested_by = $2) \
        + (select count(*) from erasures where tenant_id = $1 and (requested_by = $2 or run_by = $2))";
    DEPLOYMENTS = "update deployments set requested_by = $3 where tenant_id = $1 and requested_by = $2";
    PURGES = "update purges set requested_by = $3 where tenant_id = $1 and requested_by = $2";
    ERASURES = "update erasures set requested_by = case when requested_by = $2 then $3 else requested_by end, \
        run_by = case when run_by = $2 then $3 else run_by end where tenant_id = $1 and (requested_by = $2 or run_by = $2)";
    COUNT_ANSWERS = "select count(*) from idempotency_keys where tenant_id = $1 and answer like $2 escape '\\'";
    ANSWERS = "delete from idempotency_keys where tenant_id = $1 and answer like $2 escape '\\'";
    MAILS = "delete from outbox where tenant_id = $1 and subject like $2 escape '\\'";
}

/// How many deploys, purges and erasures of a tenant somebody asked for.
pub async fn count_requests(tx: &mut Tx, tenant: TenantId, email: &EmailAddress) -> Result<i64, StoreError> {
    let (count,) = run!(
        tx,
        fetch_one::<(i64,)>(COUNT_REQUESTS, tenant.uuid(), email.as_str())
    )?;
    Ok(count)
}

/// Takes their name out of these.
pub async fn forget_requests(tx: &mut Tx, tenant: TenantId, email: &EmailAddress) -> Result<(), StoreError> {
    for statement in [DEPLOYMENTS, PURGES, ERASURES] {
        run!(tx, execute(statement, tenant.uuid(), email.as_str(), PLACEHOLDER))?;
    }
    Ok(())
}

/// How many answers are kept that name an id.
pub async fn count_answers(tx: &mut Tx, tenant: TenantId, id: &str) -> Result<i64, StoreError> {
    let pattern = search_pattern(Some(id));
    let (count,) = run!(tx, fetch_one::<(i64,)>(COUNT_ANSWERS, tenant.uuid(), pattern))?;
    Ok(count)
}

/// Removes them.
pub async fn forget_answers(tx: &mut Tx, tenant: TenantId, id: &str) -> Result<(), StoreError> {
    let pattern = search_pattern(Some(id));
    run!(tx, execute(ANSWERS, tenant.uuid(), pattern))?;
    Ok(())
}

/// Removes what is known of mails to somebody, those that were sent among them: an error may name their address.
pub async fn forget_mails(tx: &mut Tx, tenant: TenantId, user: &str) -> Result<(), StoreError> {
    let pattern = search_pattern(Some(user));
    run!(tx, execute(MAILS, tenant.uuid(), pattern))?;
    Ok(())
}
