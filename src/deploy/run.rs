//! One deployment through its stages: plan, validate, apply, verify, and back where it could not be proven.

use super::aim::{self, Aim};
use super::assemble;
use super::engine::{Engine, ShadowPolicy};
use super::error::DeployError;
use super::preview::templates_unusable;
use super::proof::Proof;
use super::record::Record;
use crate::domain::artifact::ConfFile;
use crate::domain::deployment::{Deployment, DeploymentStatus, Stage, StageResult};
use crate::domain::finding::{Finding, Severity};
use crate::domain::instance::PbxInstance;
use crate::driver::{DriverError, Expected, PbxDriver};
use crate::store::{deployments, generations, instances, served};

/// Findings beyond this are counted, not listed.
const MOST_FINDINGS: usize = 200;

/// Brings one deployment to its end state.
pub(super) async fn run(
    engine: &Engine,
    deployment: &Deployment,
    epoch: i64,
) -> Result<DeploymentStatus, DeployError> {
    let (instance, driver) = engine.driver(deployment.instance_id).await?;
    let run = Run {
        engine,
        deployment,
        instance,
        driver,
        record: engine.record(deployment, epoch),
    };
    run.to_the_end().await
}

/// One deployment on its way.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    deployment: &'a Deployment,
    pub(super) instance: PbxInstance,
    pub(super) driver: Box<dyn PbxDriver>,
    pub(super) record: Record<'a>,
}

/// Whether the next stage may begin.
enum Step<T> {
    Go(T),
    End(DeploymentStatus),
}

impl Run<'_> {
    async fn to_the_end(&self) -> Result<DeploymentStatus, DeployError> {
        let mut findings = Vec::new();
        let mut aim = match self.plan(&mut findings).await? {
            Step::Go(aim) => aim,
            Step::End(status) => return self.end(status, findings).await,
        };
        if let Step::End(status) = self.validate(&mut aim, &mut findings).await? {
            return self.end(status, findings).await;
        }
        let status = self.apply_and_prove(&aim, &mut findings).await?;
        self.end(status, findings).await
    }

    async fn plan(&self, findings: &mut Vec<Finding>) -> Result<Step<Aim>, DeployError> {
        self.record.stage(Stage::Planning).await?;
        let refused = |detail: String| async move {
            self.record
                .stage_end(Stage::Planning, StageResult::Refused, &detail)
                .await?;
            Ok(Step::End(DeploymentStatus::Rejected))
        };
        let mut tx = self.record.begin("plan").await?;
        let scope = &self.deployment.scope;
        let mut aim = match aim::aim(self.engine, &mut tx, &self.instance, scope, self.record.now()).await {
            Ok(aim) => aim,
            Err(DeployError::Templates(error)) => {
                drop(tx);
                findings.push(templates_unusable(&error));
                return refused("the template set cannot be used".to_owned()).await;
            }
            Err(error) => return Err(error),
        };
        findings.append(&mut aim.findings);
        if aim.is_rejected(scope) {
            tx.commit().await?;
            return refused("what was asked for does not validate; nothing was touched".to_owned()).await;
        }
        let dirty = self.instance.applying.is_some() || !self.stands(&aim).await;
        if dirty {
            aim.reload = ConfFile::ALL.to_vec();
        }
        if aim.is_unchanged() {
            tx.commit().await?;
            let detail = "nothing differs from what is live; nothing was written or reloaded";
            self.record
                .stage_end(Stage::Planning, StageResult::Ok, detail)
                .await?;
            return Ok(Step::End(DeploymentStatus::Unchanged));
        }
        aim.generation.number = generations::next_number(&mut tx, self.instance.id).await?;
        generations::insert(&mut tx, &aim.generation).await?;
        deployments::set_plan(&mut tx, self.deployment.id, Some(&aim.generation), &aim.changes).await?;
        tx.commit().await?;
        let detail = format!(
            "generation {}: {} changes, files that differ: {}{}",
            aim.generation.number,
            aim.changes.len(),
            names(&aim.reload),
            if dirty {
                " (all, since it is not known what the PBX has read last)"
            } else {
                ""
            },
        );
        self.record
            .stage_end(Stage::Planning, StageResult::Ok, &detail)
            .await?;
        Ok(Step::Go(aim))
    }

    /// Whether the files of the live generation are the ones behind the link.
    async fn stands(&self, aim: &Aim) -> bool {
        let live = aim.live.as_ref().map(|live| live.number);
        match self.driver.standing().await {
            Ok(standing) => standing == live || (live.is_none() && standing == Some(0)),
            Err(_) => false,
        }
    }

    async fn validate(&self, aim: &mut Aim, findings: &mut Vec<Finding>) -> Result<Step<()>, DeployError> {
        self.record.stage(Stage::Validating).await?;
        let number = aim.generation.number;
        let refused = |result: StageResult, status: DeploymentStatus, detail: String| async move {
            self.record.stage_end(Stage::Validating, result, &detail).await?;
            Ok(Step::End(status))
        };
        let staged = match self.stage(aim).await {
            Ok(staged) => staged,
            Err(DeployError::Driver(error)) => {
                findings.push(untouched("stage_failed", &error));
                return refused(StageResult::Failed, DeploymentStatus::Failed, error.full()).await;
            }
            Err(error) => return Err(error),
        };
        for file in staged.drifted {
            let message =
                format!("{file} was edited in place since the last deploy; this deploy overwrites it");
            findings.push(Finding::warning("drift", message).about(file.as_str()));
            if !aim.reload.contains(&file) {
                aim.reload.push(file);
            }
        }
        let rehearsed = self.rehearse(number, findings).await;
        if let Err(detail) = rehearsed {
            return refused(StageResult::Refused, DeploymentStatus::Rejected, detail).await;
        }
        if let Err(error) = self.driver.ready().await {
            findings.push(untouched("pbx_not_ready", &error));
            return refused(StageResult::Failed, DeploymentStatus::Failed, error.full()).await;
        }
        self.record
            .stage_end(Stage::Validating, StageResult::Ok, &rehearsed.unwrap_or_default())
            .await?;
        Ok(Step::Go(()))
    }

    async fn stage(&self, aim: &Aim) -> Result<crate::driver::Staged, DeployError> {
        let cache = self.engine.fragments(self.instance.id);
        if aim.live.is_none() {
            self.driver
                .stage(0, assemble::empty())
                .await
                .or_else(|error| match error {
                    // A first deploy that is tried again finds it standing already.
                    DriverError::NotApplied { .. } => Ok(crate::driver::Staged::default()),
                    error => Err(error),
                })?;
        }
        let files = assemble::files(&cache, &aim.templates, &aim.after, &aim.reload)?;
        Ok(self.driver.stage(aim.generation.number, files).await?)
    }

    /// `Ok` with what was done, `Err` with why it may not go on.
    async fn rehearse(&self, number: i64, findings: &mut Vec<Finding>) -> Result<String, String> {
        if self.engine.options.shadow == ShadowPolicy::Never {
            let message = "no shadow read the generation: `deploy.shadow` is `never`";
            findings.push(Finding::new(Severity::Info, "shadow_did_not_run", message));
            return Ok("without a shadow".to_owned());
        }
        match self.driver.rehearse(number).await {
            Ok(rehearsal) => {
                let refused = rehearsal.findings.iter().any(Finding::is_error);
                findings.extend(rehearsal.findings);
                if refused {
                    Err(rehearsal.detail)
                } else {
                    Ok(rehearsal.detail)
                }
            }
            Err(error) => {
                let must = self.engine.options.shadow == ShadowPolicy::Always;
                let severity = if must { Severity::Error } else { Severity::Warning };
                let message = format!("no shadow read the generation: {}", error.full());
                findings.push(Finding::new(severity, "shadow_did_not_run", message.clone()));
                if must { Err(message) } else { Ok(message) }
            }
        }
    }

    async fn apply_and_prove(
        &self,
        aim: &Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        self.record.stage(Stage::Applying).await?;
        let mut tx = self.record.begin("apply").await?;
        instances::set_applying(&mut tx, self.instance.id, Some(aim.generation.id)).await?;
        tx.commit().await?;
        let applied = self.driver.apply(aim.generation.number, &aim.reload).await;
        let (result, detail) = match &applied {
            Ok(()) => (
                StageResult::Ok,
                format!("swapped; reloaded: {}", names(&aim.reload)),
            ),
            Err(error) => (StageResult::Failed, error.full()),
        };
        self.record.stage_end(Stage::Applying, result, &detail).await?;

        self.record.stage(Stage::Verifying).await?;
        let proof = self.prove(&aim.expected).await;
        findings.extend(self.driver.log_since_apply().await);
        match proof {
            Proof::Seen => {
                let detail = format!(
                    "the running PBX serves generation {}: {}",
                    aim.generation.number,
                    seen(&aim.expected)
                );
                self.record
                    .stage_end(Stage::Verifying, StageResult::Ok, &detail)
                    .await?;
                self.live(aim).await
            }
            Proof::Differs(differences) => {
                let detail = format!(
                    "{} differences between what runs and what should",
                    differences.len()
                );
                findings.extend(differences);
                self.record
                    .stage_end(Stage::Verifying, StageResult::Refused, &detail)
                    .await?;
                self.roll_back(aim, findings).await
            }
            Proof::Unknown(error) => {
                findings.push(Finding::error(
                    "not_proven",
                    format!("the PBX did not answer: {error}"),
                ));
                self.record
                    .stage_end(Stage::Verifying, StageResult::Failed, &error)
                    .await?;
                self.roll_back(aim, findings).await
            }
        }
    }

    /// Records that the generation is live, and removes what nobody needs any more.
    async fn live(&self, aim: &Aim) -> Result<DeploymentStatus, DeployError> {
        let mut tx = self.record.begin("live").await?;
        instances::set_live(&mut tx, self.instance.id, aim.generation.id).await?;
        served::replace(&mut tx, self.instance.id, &aim.served()).await?;
        generations::prune(&mut tx, self.instance.id, self.engine.options.keep_generations).await?;
        tx.commit().await?;
        let former = aim.live.as_ref().map_or(0, |live| live.number);
        if let Err(error) = self.driver.keep_only(&[aim.generation.number, former]).await {
            tracing::warn!(error = %error.full(), "old generations were not removed");
        }
        let cache = self.engine.fragments(self.instance.id);
        let mut used = std::collections::BTreeMap::<_, std::collections::BTreeSet<_>>::new();
        for (tenant_id, state) in aim.before.tenants.iter().chain(&aim.after.tenants) {
            used.entry(*tenant_id)
                .or_default()
                .extend(state.fragments.iter().map(|(file, digest)| (*file, *digest)));
        }
        if let Err(error) = cache.keep_only(&used) {
            tracing::warn!(%error, "old fragments were not removed");
        }
        Ok(if aim.left_out.is_empty() {
            DeploymentStatus::Live
        } else {
            DeploymentStatus::Partial
        })
    }

    async fn end(
        &self,
        status: DeploymentStatus,
        mut findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        if findings.len() > MOST_FINDINGS {
            let more = findings.len() - MOST_FINDINGS;
            findings.truncate(MOST_FINDINGS);
            findings.push(Finding::warning(
                "more_findings",
                format!("{more} more findings are not listed"),
            ));
        }
        self.record.end(status, &findings).await
    }
}

fn untouched(code: &str, error: &DriverError) -> Finding {
    let message = format!("{}. Nothing was touched; what was live is live", error.full());
    Finding::error(code, message)
}

fn names(files: &[ConfFile]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.as_str()).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn seen(expected: &Expected) -> String {
    let present: usize = expected
        .present
        .iter()
        .map(|tenant| tenant.extensions.len())
        .sum();
    format!(
        "{} markers, {present} extensions as they should be, {} gone",
        expected.markers.values().flatten().count(),
        expected.absent.len()
    )
}
