//! Whether the PBX reads what we write: asked before anything is touched, for a reload without our files would end what runs.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::spawn_blocking;

use super::aim::Aim;
use super::assemble;
use super::error::DeployError;
use super::run::{Run, names};
use super::wording;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::driver::{Closeness, DriverError, Inclusion, PbxDriver, StagedFile};

impl Run<'_> {
    /// Whether the PBX is reached, takes orders and reads our files; `Err` with why not, which is then a finding too.
    pub(super) async fn is_ready(
        &self,
        aim: &Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<Result<(), String>, DeployError> {
        let error = match self.driver.ready().await {
            Ok(()) => match self.astray(aim, findings).await {
                Ok(astray) if astray.is_empty() => return Ok(Ok(())),
                Ok(astray) => {
                    let files: Vec<Artifact> = astray.keys().copied().collect();
                    findings.extend(astray.into_values().map(|finding| self.not_told(finding)));
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

    /// The files that the PBX would not find. One that does not tell apart whether it cannot find or cannot parse a file is
    /// asked about the generation that stands, which was live.
    async fn astray(
        &self,
        aim: &Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<BTreeMap<Artifact, Finding>, DeployError> {
        let mut standing = self.driver.standing().await?;
        let is_moving = self.instance.settings.is_local() && self.is_moving().await?;
        if standing.is_none() && self.instance.settings.is_local() && (aim.live.is_none() || is_moving) {
            // It serves nothing from there, and its sections can be asked for. A database is written to by an apply alone.
            self.driver.place(0).await?;
            standing = Some(0);
        }
        let asked = self.driver.inclusion().await;
        let is_empty_place = is_moving && standing == Some(0);
        let astray = match asked {
            Ok(inclusion) => {
                self.surely_missing(inclusion, aim, standing, is_empty_place, findings)
                    .await
            }
            Err(error) => Err(error.into()),
        };
        if is_empty_place && !matches!(&astray, Ok(astray) if astray.is_empty()) {
            // Whose line leads there would read that nothing is served.
            self.driver.take_back_empty().await?;
        }
        astray
    }

    async fn surely_missing(
        &self,
        inclusion: Inclusion,
        aim: &Aim,
        standing: Option<i64>,
        is_empty_place: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<BTreeMap<Artifact, Finding>, DeployError> {
        let Inclusion {
            missing,
            perhaps_broken,
            remarks,
        } = inclusion;
        match self.deployment.scope.tenant_id() {
            None => findings.extend(remarks),
            // They are about the operator's own files and profiles.
            Some(_) => {
                for remark in remarks {
                    tracing::info!(
                        code = remark.code,
                        message = remark.message,
                        "seen beside a tenant's deploy"
                    );
                }
            }
        }
        // What a move has placed was not there to be edited.
        if perhaps_broken.is_empty() || is_empty_place {
            return Ok(missing);
        }
        let written = match (standing, &aim.live, &aim.live_templates) {
            (Some(0), _, _) => Some(assemble::empty(&self.instance.settings)),
            (Some(number), Some(live), Some(made_with)) if number == live.number => {
                let cache = self.engine.fragments(self.instance.id);
                let (looked, before) = (cache.clone(), aim.before.clone());
                if spawn_blocking(move || looked.has_all(&before)).await? {
                    Some(assemble::files(&cache, made_with, &aim.before, &[], &aim.live_files).await?)
                } else {
                    None
                }
            }
            _ => None,
        };
        Ok(as_written(self.driver.as_ref(), missing, &perhaps_broken, written).await?)
    }

    /// Whether this deploy has files read from another directory than they were.
    pub(super) async fn is_moving(&self) -> Result<bool, DeployError> {
        let in_force = self.engine.in_force(self.instance.clone()).await?;
        Ok(!in_force.settings.same_place(&self.instance.settings))
    }

    /// Those that the PBX would surely not find, for whoever has it read its files in any case: what it reads then ends what
    /// runs.
    pub(super) async fn surely_astray(&self) -> Vec<Finding> {
        match self.driver.inclusion().await {
            Ok(mut inclusion) => {
                for file in &inclusion.perhaps_broken {
                    inclusion.missing.remove(file);
                }
                inclusion.missing.into_values().collect()
            }
            // Whoever has it read is told why it does not answer.
            Err(_) => Vec::new(),
        }
    }

    fn not_told(&self, mut finding: Finding) -> Finding {
        let known = if self.instance.applying.is_some() {
            ", then deploy again"
        } else {
            ", then deploy again. Nothing was touched"
        };
        finding.message.push_str(known);
        finding
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
            let message = wording::unread(aim.after.kind, file);
            findings.push(Finding::warning("not_read", message).about(file.as_str()));
            aim.overwrite(file);
        }
    }
}

/// Those of the files that the PBX would surely not find. One that it may only not be able to parse has the bytes that were
/// written then: somebody may have edited it otherwise.
pub(super) async fn as_written(
    driver: &dyn PbxDriver,
    mut missing: BTreeMap<Artifact, Finding>,
    perhaps_broken: &BTreeSet<Artifact>,
    written: Option<BTreeMap<Artifact, StagedFile>>,
) -> Result<BTreeMap<Artifact, Finding>, DriverError> {
    let doubtful: BTreeSet<Artifact> = match written {
        Some(written) => driver
            .drifted(written, Closeness::Whole)
            .await?
            .into_keys()
            .collect(),
        None => perhaps_broken.clone(),
    };
    for file in doubtful.intersection(perhaps_broken) {
        missing.remove(file);
    }
    Ok(missing)
}
