//! Seeing a deployment through to its end, whichever process drives its instance.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::App;
use super::deployments::{LOOK, wait};
use super::error::AppError;
use crate::deploy::DeployError;
use crate::domain::deployment::{Deployment, StageRecord};

/// How often the lease is asked for while another process holds it.
const AGAIN: Duration = Duration::from_millis(250);

/// Waits for the end of a deployment and shows `seen` each look at it; gives it as it stands at the end.
///
/// With `drive` this process works the instance's queue off whenever no other holds its lease, so that it ends with and
/// without a daemon; a deployment that was begun here is finished here. Nobody waits longer than `patience` for others.
pub async fn carry_out(
    app: &App,
    deployment: &Deployment,
    drive: bool,
    patience: Duration,
    mut seen: impl FnMut(&Deployment, &[StageRecord]),
) -> Result<(Deployment, Vec<StageRecord>), AppError> {
    let deadline = Instant::now() + patience;
    let stop = CancellationToken::new();
    let work = async {
        while drive && !stop.is_cancelled() {
            match app.engine.work_off(deployment.instance_id, &stop).await {
                // Whoever took the lease over goes on with it.
                Ok(_) | Err(DeployError::LeaseLost) => {}
                Err(error) => return Err(AppError::from(error)),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(AGAIN) => {}
            }
        }
        Ok(())
    };
    let watch = async {
        loop {
            let (found, stages) = wait(app, deployment, Duration::ZERO).await?;
            seen(&found, &stages);
            if found.status.is_end() || Instant::now() >= deadline {
                break;
            }
            sleep(LOOK).await;
        }
        // The worker is let finish, so that it gives its lease back.
        stop.cancel();
        Ok(())
    };
    tokio::try_join!(work, watch)?;
    let (found, stages) = wait(app, deployment, Duration::ZERO).await?;
    seen(&found, &stages);
    Ok((found, stages))
}
