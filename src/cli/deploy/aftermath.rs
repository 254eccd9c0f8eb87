//! The deploys that another command asked for: seen through to their end, so that they happen without a daemon too.

use std::time::Duration;

use super::apply::outcome;
use super::stages::Stages;
use crate::app::carry_out::carry_out;
use crate::app::error::AppError;
use crate::app::{deployments, instances, operator};
use crate::cli::exit::Exit;
use crate::cli::{Context, Failure};
use crate::daemon::parts::Parts;
use crate::domain::deployment::{Deployment, StageRecord};
use crate::domain::ids::DeploymentId;

/// Drives them or waits for who does; gives how the last one that did not end well ended, and why.
pub async fn see_through(
    context: &mut Context<'_>,
    parts: &Parts,
    asked: &[DeploymentId],
    patience: Duration,
) -> Result<(Exit, String), Failure> {
    let mut verdict = (Exit::Ok, String::new());
    for id in asked {
        match follow(context, parts, *id, patience).await {
            // One that is not there went with its tenant: a daemon was faster.
            Ok((Exit::Ok, _)) | Err(Failure::App(AppError::NotFound)) => {}
            Ok(other) => verdict = other,
            Err(error) => return Err(error),
        }
    }
    Ok(verdict)
}

async fn follow(
    context: &mut Context<'_>,
    parts: &Parts,
    id: DeploymentId,
    patience: Duration,
) -> Result<(Exit, String), Failure> {
    let caller = operator::platform(None);
    let (deployment, _) = deployments::find_anywhere(&parts.app, &caller, id).await?;
    let instance = instances::find(&parts.app, &caller, deployment.instance_id).await?;
    let here = instance.node == parts.node;
    if !here {
        let waits = format!(
            "{} is driven on the host {}; waiting for the daemon there",
            instance.name, instance.node
        );
        context.output.warn(&waits)?;
    }
    let mut stages = Stages::new(&mut context.output);
    let look = |deployment: &Deployment, records: &[StageRecord]| stages.look(deployment, records);
    let ended = Box::pin(carry_out(&parts.app, &deployment, here, patience, look)).await;
    stages.finish()?;
    let (deployment, _) = ended?;
    let (exit, said) = outcome(&deployment);
    let said = format!(
        "{}: {said}; `switchyard deploy show {id}` has its findings",
        instance.name
    );
    Ok((exit, said))
}
