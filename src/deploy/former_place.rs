//! The directory that files were in until a deploy moved them: nothing that signs in stays there.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::error::DeployError;
use super::run::Run;
use crate::domain::finding::Finding;
use crate::driver::PbxDriver;

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
        let why = match spawn_blocking(move || Tie::between(&one, &other)).await? {
            Tie::Same => return Ok(None),
            Tie::Shared => "the files that are read now lie in it too".to_owned(),
            Tie::None => {
                let (_, mut driver) = self.engine.driver_of(former).await?;
                driver.obey(self.lease.warrant());
                match driver.leave().await {
                    Err(error) => error.full(),
                    Ok(()) => match left(driver.as_ref(), &was).await {
                        Some(left) => format!("{left} is not ours"),
                        None => return Ok(None),
                    },
                }
            }
        };
        let message = format!(
            "what former deploys left in {}, with digests that sign in, could not all be removed: {why}; remove `live` and `generations` \
             there",
            was.display()
        );
        Ok(Some(Finding::warning("former_place_left", message)))
    }

    /// What is told where a move has gone back: the PBX reads what was tried there, so that it cannot be removed.
    pub(super) async fn tried_place_left(&self) -> Result<Option<Finding>, DeployError> {
        if !self.instance.settings.is_local() || !self.is_moving().await? {
            return Ok(None);
        }
        let in_force = self.engine.in_force(self.instance.clone()).await?;
        let message = format!(
            "files with digests that sign in lie in {tried} too, and the PBX may read them there; deploy the instance again once what \
             was in the way is mended, or have the PBX's own files lead to {is} again and remove `live` and `generations` from {tried}",
            tried = self.instance.settings.place(),
            is = in_force.settings.place()
        );
        Ok(Some(Finding::warning("tried_place_left", message)))
    }
}

/// What lies among the generations that somebody else has put there: it may be a copy of ours.
async fn left(driver: &dyn PbxDriver, was: &Path) -> Option<String> {
    let generations = was.join("generations");
    let foreign = driver.foreign(0).await.unwrap_or_default();
    let names: Vec<String> = foreign
        .iter()
        .filter(|foreign| foreign.path.starts_with(&generations))
        .map(|foreign| foreign.path.display().to_string())
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// How two directories hang together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tie {
    /// Both names lead to one.
    Same,
    /// What is removed from the former one is the other's too.
    Shared,
    None,
}

impl Tie {
    fn between(was: &Path, is: &Path) -> Self {
        if is_same(was, is) {
            return Self::Same;
        }
        let ours = ["live", "generations"].map(|name| was.join(name));
        let is_within = |ours: &PathBuf| match (ours.canonicalize(), is.canonicalize()) {
            (Ok(ours), Ok(is)) => is.starts_with(ours),
            _ => false,
        };
        if is_same(&was.join("generations"), &is.join("generations")) || ours.iter().any(is_within) {
            return Self::Shared;
        }
        Self::None
    }
}

/// Whether both names lead to one directory, by a link or a mount.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| path.metadata().map(|there| (there.dev(), there.ino()));
    matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn directories_that_share_anything_of_ours_are_told_apart_from_those_that_do_not() {
        let home = tempfile::tempdir().unwrap();
        let [was, is] = ["was", "is"].map(|name| home.path().join(name));
        fs::create_dir_all(was.join("generations/1/inner")).unwrap();
        fs::create_dir_all(&is).unwrap();
        assert_eq!(Tie::between(&was, &is), Tie::None);
        assert_eq!(Tie::between(&was, &was.join("generations/1/inner")), Tie::Shared);
        symlink(was.join("generations"), is.join("generations")).unwrap();
        assert_eq!(Tie::between(&was, &is), Tie::Shared);
        let named = home.path().join("named");
        symlink(&was, &named).unwrap();
        assert_eq!(Tie::between(&was, &named), Tie::Same);
    }
}
