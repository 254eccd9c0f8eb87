//! Tells webhooks of a tenant's deployments, in the transaction of their records.

use jiff::Timestamp;

use super::{StoreError, Tx, deployments};
use crate::domain::deployment::Deployment;
use crate::domain::event::Event;
use crate::domain::ids::DeploymentId;
use crate::domain::webhook::EventKind;

/// That one was asked for.
pub(super) fn requested(tx: &mut Tx, deployment: &Deployment) {
    let at = deployment.created_at;
    tx.tell(Event::of_deployment(
        EventKind::DeploymentRequested,
        deployment,
        at,
    ));
}

/// That one has ended.
pub(super) async fn ended(tx: &mut Tx, id: DeploymentId, now: Timestamp) -> Result<(), StoreError> {
    let deployment = deployments::find_anywhere(tx, id).await?;
    let told = deployment.and_then(|ended| Event::of_deployment(EventKind::DeploymentEnded, &ended, now));
    tx.tell(told);
    Ok(())
}
