//! The look for recordings of one tenant that nobody has found so far, before some of them go.

use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::AppError;
use super::purge_pass::{LONGEST_LOOK, unless_stopped};
use super::purge_recordings::NO_DIRECTORY;
use super::recordings::is_recorded;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, TenantId};
use crate::monitor::recordings::{SearchError, search_for};
use crate::store::instances;

const NOT_SEEN: &str = "not every recording could be looked for, so nobody knows whether there are others; the server's log tells why";

/// What came of a look.
pub(super) enum Looked {
    /// All of them are known now.
    Whole,
    /// Others may be there, for this reason.
    Missed(&'static str),
    /// The daemon stops, or another host has that PBX: whoever comes next looks.
    NotHere,
}

/// Looks at the tenant's own directories on a PBX of this host.
pub(super) async fn look(
    app: &App,
    tenant: TenantId,
    instance: InstanceId,
    stop: &CancellationToken,
) -> Result<Looked, AppError> {
    let mut tx = app.store.read("place_of_recordings").await?;
    let found = instances::find(&mut tx, instance).await?;
    let is_recorded = is_recorded(&mut tx, tenant, instance).await?;
    drop(tx);
    let Some(found) = found else {
        return Ok(Looked::Whole);
    };
    // The same path may be there on this host, with nothing of that PBX below it.
    if found.node != *app.engine.node() {
        return Ok(Looked::NotHere);
    }
    if found.settings.recordings_dir().is_none() {
        return Ok(if is_recorded {
            Looked::Missed(NO_DIRECTORY)
        } else {
            Looked::Whole
        });
    }
    let search = search_for(&app.store, app.ids.as_ref(), &found, tenant, is_recorded);
    let search = timeout(LONGEST_LOOK, search);
    let Some(searched) = unless_stopped(stop, Duration::ZERO, search).await else {
        return Ok(Looked::NotHere);
    };
    let Some(error) = missed(searched)? else {
        return Ok(Looked::Whole);
    };
    tracing::warn!(error, %instance, %tenant, "not every recording could be looked for before some are to go");
    Ok(Looked::Missed(NOT_SEEN))
}

/// Why something could not be looked at, where that is not to be tried again.
fn missed(searched: Result<Result<(), SearchError>, Elapsed>) -> Result<Option<String>, AppError> {
    match searched {
        Ok(Ok(())) => Ok(None),
        Ok(Err(SearchError::Store(error))) => Err(error.into()),
        Ok(Err(error)) => Ok(Some(error_chain(&error))),
        Err(error) => Ok(Some(error.to_string())),
    }
}
