//! Makes the exports that are asked for, while somebody reads them.

use std::convert::Infallible;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::{App, exports};

/// Until the soft stop, which cuts those that are under way; ends once that is in the audit log.
pub async fn run(app: App, stop: CancellationToken) -> Result<(), Infallible> {
    let Some(mut asked) = exports::take(&app) else {
        stop.cancelled().await;
        return Ok(());
    };
    let mut making = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = making.join_next(), if !making.is_empty() => look_at(ended),
            job = asked.recv() => match job {
                Some(job) => drop(making.spawn(exports::make(app.clone(), job, stop.clone()))),
                None => break,
            },
        }
    }
    // Whoever has asked in this very moment is told that it was cut.
    asked.close();
    while let Some(job) = asked.recv().await {
        making.spawn(exports::make(app.clone(), job, stop.clone()));
    }
    while let Some(ended) = making.join_next().await {
        look_at(ended);
    }
    Ok(())
}

fn look_at(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an export ended by a fault of the program, and not in the audit log");
    }
}
