//! The directory that files were in until a deploy moved them: nothing that signs in stays there.

use std::path::Path;

use tokio::task::spawn_blocking;

use super::error::DeployError;
use super::run::Run;
use crate::domain::finding::Finding;

impl Run<'_> {
    /// Removes what lies where files were until now, once what runs was read elsewhere. What could not be removed is told: no
    /// later deploy knows of it.
    ///
    /// Before the deploy is recorded as live: a process that dies before does it again.
    pub(super) async fn leave_former_place(&self) -> Result<Option<Finding>, DeployError> {
        let former = self.engine.in_force(self.instance.clone()).await?;
        let (Some(was), Some(is)) = (former.settings.config_dir(), self.instance.settings.config_dir())
        else {
            return Ok(None);
        };
        if was == is {
            return Ok(None);
        }
        let was = was.as_path().to_owned();
        let (one, other) = (was.clone(), is.as_path().to_owned());
        if spawn_blocking(move || is_same(&one, &other)).await? {
            return Ok(None);
        }
        let (_, mut driver) = self.engine.driver_of(former).await?;
        driver.obey(self.lease.warrant());
        let Err(error) = driver.leave().await else {
            return Ok(None);
        };
        let message = format!(
            "what former deploys left in {}, with digests that sign in, could not be removed: {}; remove `live` and `generations` \
             there",
            was.display(),
            error.full()
        );
        Ok(Some(Finding::warning("former_place_left", message)))
    }
}

/// Whether both names lead to one directory.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
