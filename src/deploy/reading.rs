//! Whether the PBX reads what we write: asked before anything is touched, for a reload without our files would end what runs.

use std::collections::BTreeMap;

use tokio::task::spawn_blocking;

use super::aim::Aim;
use super::assemble;
use super::error::DeployError;
use super::run::{Run, names};
use crate::domain::artifact::ConfFile;
use crate::domain::finding::Finding;
use crate::driver::{Closeness, DriverError, PbxDriver, StagedFile};

impl Run<'_> {
    /// Whether the PBX is reached, takes orders and reads our files; `Err` with why not, which is then a finding too.
    pub(super) async fn is_ready(
        &self,
        aim: &Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<Result<(), String>, DeployError> {
        let error = match self.driver.ready().await {
            Ok(()) => match self.astray(aim).await {
                Ok(astray) if astray.is_empty() => return Ok(Ok(())),
                Ok(astray) => {
                    let files: Vec<ConfFile> = astray.keys().copied().collect();
                    findings.extend(astray.into_values().map(touched_nothing));
                    return Ok(Err(format!(
                        "the PBX's own files do not lead to ours: {}",
                        names(&files)
                    )));
                }
                Err(DeployError::Driver(error)) => error,
                Err(error) => return Err(error),
            },
            Err(error) => error,
        };
        let code = match error {
            DriverError::Unreachable { .. } => "pbx_unreachable",
            _ => "pbx_not_ready",
        };
        findings.push(self.untouched(code, &error.full()));
        Ok(Err(error.full()))
    }

    /// The files that the PBX would not find. It is asked about the generation that stands, which was live: of a new one
    /// it would not tell apart whether it cannot find or cannot parse it.
    async fn astray(&self, aim: &Aim) -> Result<BTreeMap<ConfFile, Finding>, DeployError> {
        let mut standing = self.driver.standing().await?;
        if aim.live.is_none() && standing.is_none() {
            // It serves nothing, and its sections can be asked for.
            self.driver.place(0).await?;
            standing = Some(0);
        }
        let missing = self.driver.not_included().await?;
        if missing.is_empty() {
            return Ok(missing);
        }
        let written = match (standing, &aim.live, &aim.live_templates) {
            (Some(0), None, _) => assemble::empty(),
            (Some(number), Some(live), Some(made_with)) if number == live.number => {
                let cache = self.engine.fragments(self.instance.id);
                let (looked, before) = (cache.clone(), aim.before.clone());
                if !spawn_blocking(move || looked.has_all(&before)).await? {
                    return Ok(BTreeMap::new());
                }
                assemble::files(&cache, made_with, &aim.before, &[], &aim.live_files).await?
            }
            _ => return Ok(BTreeMap::new()),
        };
        Ok(as_written(self.driver.as_ref(), missing, written).await?)
    }

    /// The files of which the running PBX shows another state than the one that was proven last: it was started or told
    /// to read its files while they did not lead here, or by somebody else. They are read anew.
    pub(super) async fn find_unread(&self, aim: &mut Aim, findings: &mut Vec<Finding>) {
        if aim.live.is_none() {
            return;
        }
        // Where there is something to do, a PBX that does not answer is told of later; what does nothing needs none.
        for file in self
            .driver
            .unread(&aim.before.markers())
            .await
            .unwrap_or_default()
        {
            let message =
                format!("the PBX does not serve {file} as it was proven last; this deploy has it read again");
            findings.push(Finding::warning("not_read", message).about(file.as_str()));
            aim.overwrite(file);
        }
    }
}

/// Those of the files that the PBX would not find which have the bytes that were written: one that somebody edited may be
/// what it cannot parse.
pub(super) async fn as_written(
    driver: &dyn PbxDriver,
    mut missing: BTreeMap<ConfFile, Finding>,
    written: BTreeMap<ConfFile, StagedFile>,
) -> Result<BTreeMap<ConfFile, Finding>, DriverError> {
    for file in driver.drifted(written, Closeness::Whole).await?.keys() {
        missing.remove(file);
    }
    Ok(missing)
}

fn touched_nothing(mut finding: Finding) -> Finding {
    finding
        .message
        .push_str(", then deploy again. Nothing was touched");
    finding
}
