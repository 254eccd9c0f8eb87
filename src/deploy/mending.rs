//! Drift that a deploy meets: it is written anew on request and recorded, and nothing that was made by hand is overwritten
//! by a deploy that nobody asked for.

use tokio::task::spawn_blocking;

use super::aim::Aim;
use super::assemble;
use super::drift::TAKEN;
use super::error::DeployError;
use super::run::Run;
use super::wording::{self, happened, has_rows, misplaced};
use crate::domain::artifact::Artifact;
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::finding::{Finding, Severity};
use crate::driver::{Closeness, Drifted};

/// What a deploy says of a file that somebody changed, and of a link that somebody moved.
const DRIFT: &str = "drift";
const NOT_IN_PLACE: &str = "not_in_place";

impl Run<'_> {
    /// Whether the live files are still as they were written. Those that are not are written and read anew, and everything
    /// is asked for: the markers may have been right all the time.
    pub(super) async fn find_drift(
        &self,
        aim: &mut Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<(), DeployError> {
        let cache = self.engine.fragments(self.instance.id);
        let (looked, before) = (cache.clone(), aim.before.clone());
        let known = !aim.live_files.is_empty() || spawn_blocking(move || looked.has_all(&before)).await?;
        let served = match &aim.live_templates {
            // Of what moves, the fragments that are served may be lost; then what is written is compared.
            Some(made_with) if known => {
                assemble::files(&cache, made_with, &aim.before, &[], &aim.live_files).await?
            }
            _ if aim.is_unchanged() => {
                assemble::files(&cache, &aim.templates, &aim.after, &[], &aim.live_files).await?
            }
            _ => return Ok(()),
        };
        // An edit can hide the time of a file, and not the transaction of a row.
        let closeness = if has_rows(aim.after.kind) {
            Closeness::Touched
        } else {
            Closeness::Whole
        };
        let mut drifted = self.driver.drifted(served, closeness).await?;
        let kind = self.instance.settings.kind();
        if aim.is_unchanged() && self.deployment.scope.tenant_id().is_none() {
            // A deploy that writes names each of them.
            for (file, _) in drifted.iter().filter(|(_, how)| **how == Drifted::Taken) {
                let message = format!(
                    "{}; this deploy leaves it as it is",
                    happened(kind, *file, Drifted::Taken)
                );
                findings.push(Finding::warning(TAKEN, message).about(file.as_str()));
            }
        }
        drifted.retain(|_, how| *how != Drifted::Taken);
        if !drifted.is_empty() {
            aim.mark_anew().await?;
        }
        for (file, how) in drifted {
            findings.push(self.drifted(file, how));
            aim.overwrite(file);
        }
        Ok(())
    }

    /// Names a live link that somebody moved. Where a deploy was cut off, nobody needs to have done so.
    pub(super) async fn find_misplaced(&self, aim: &Aim, findings: &mut Vec<Finding>) {
        let (Some(live), None) = (&aim.live, self.instance.applying) else {
            return;
        };
        let found = match self.driver.standing().await {
            Ok(standing) => misplaced(self.instance.settings.kind(), standing, live.number),
            Err(error) => error.full(),
        };
        let message = format!("{found}; {}", self.consequence());
        findings.push(Finding::warning(NOT_IN_PLACE, message));
    }

    /// What a deploy says of a file that it found changed.
    pub(super) fn drifted(&self, file: Artifact, how: Drifted) -> Finding {
        let message = format!(
            "{}; {}",
            happened(self.instance.settings.kind(), file, how),
            self.consequence()
        );
        Finding::warning(DRIFT, message).about(file.as_str())
    }

    fn consequence(&self) -> &'static str {
        if self.overwrites() {
            "this deploy puts it right"
        } else {
            "this deploy leaves it as it is"
        }
    }

    /// Whether somebody asked for it, or it is to be found out anyway what the PBX serves.
    fn overwrites(&self) -> bool {
        !self.deployment.is_automatic() || self.instance.applying.is_some()
    }

    /// Why a deploy that nobody asked for goes no further: somebody made something by hand.
    pub(super) fn held_back(&self, findings: &[Finding]) -> Option<Finding> {
        let is_drift = |finding: &Finding| [DRIFT, NOT_IN_PLACE].contains(&finding.code.as_str());
        let is_held = !self.overwrites() && findings.iter().any(is_drift);
        is_held.then(|| {
            self.untouched(
                "drift_held_back",
                "a deploy that nobody asked for overwrites nothing that somebody made by hand",
            )
        })
    }

    /// Ends the stage of one that goes no further, and gives the end state.
    pub(super) async fn hold_back(
        &self,
        stage: Stage,
        held: Finding,
        findings: &mut Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        findings.push(held);
        let detail = wording::held_back(self.instance.settings.kind());
        self.record.stage_end(stage, StageResult::Refused, detail).await?;
        Ok(DeploymentStatus::Failed)
    }
}

/// What a record says once a generation is proven in which files that somebody changed stand as they should. `edited`:
/// where they lie as somebody made them.
pub(super) fn mended(findings: &[Finding], edited: Option<i64>) -> Option<Finding> {
    let drifted = findings.iter().filter(|finding| finding.code == DRIFT);
    let files: Vec<&str> = drifted.filter_map(|finding| finding.object.as_deref()).collect();
    if files.is_empty() {
        return None;
    }
    let files = files.join(", ");
    let kept = edited.map_or_else(String::new, |number| {
        format!("; as somebody left it, it lies in generations/{number} until the next deploy")
    });
    let message = format!("drift was mended: {files} written anew, and proven by the running PBX{kept}");
    Some(Finding::new(Severity::Info, "drift_mended", message).about(files))
}
