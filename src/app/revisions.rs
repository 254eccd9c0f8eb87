//! Revisions that nothing needs any more: they go by themselves, and with them what they say of people who are gone.

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::AppError;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::TenantId;
use crate::store::revisions;

/// A lease that lapsed longer ago than this is held by nobody. Hosts' clocks differ by less than a lease, and the longest that
/// can be asked for (`deploy.lease_seconds`) has ten minutes.
const LEFT: SignedDuration = SignedDuration::from_mins(10);

/// Removes the revisions that nothing needs any more, some of a tenant at a time; gives how many.
pub async fn forget_unneeded(app: &App, stop: &CancellationToken) -> Result<u64, AppError> {
    let mut forgotten = 0;
    let mut after = None;
    while !stop.is_cancelled() {
        let mut tx = app.store.read("unneeded_revisions").await?;
        let next = revisions::with_unneeded(&mut tx, after, lapsed(app)).await?;
        drop(tx);
        let Some(tenant) = next else { break };
        // All of one before the next: what was looked through need not be again.
        let mut is_whole = true;
        while is_whole && !stop.is_cancelled() {
            // One that fails keeps none of the others waiting.
            let some = match forget_some(app, tenant).await {
                Ok(some) => some,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(%tenant, error, "revisions could not be removed; it is tried again");
                    0
                }
            };
            forgotten += some;
            is_whole = some == u64::from(revisions::PORTION);
        }
        after = Some(tenant);
    }
    Ok(forgotten)
}

fn lapsed(app: &App) -> Timestamp {
    app.now() - LEFT
}

async fn forget_some(app: &App, tenant: TenantId) -> Result<u64, AppError> {
    let mut tx = match app.begin_in(tenant, "forget_revisions").await {
        // It was deleted meanwhile, with all of them.
        Err(AppError::NotFound) => return Ok(0),
        begun => begun?,
    };
    let forgotten = revisions::forget_unneeded(&mut tx, tenant, lapsed(app)).await?;
    tx.commit().await?;
    Ok(forgotten)
}
