//! One deployment through its stages: plan, validate, apply, verify, and back where it could not be proven.

use super::advice;
use super::aim::{self, Aim};
use super::discretion;
use super::engine::Engine;
use super::error::DeployError;
use super::lease::Lease;
use super::moves::{Excepted, Purpose};
use super::preview::templates_unusable;
use super::record::Record;
use super::wording;
use crate::domain::artifact::Artifact;
use crate::domain::deployment::{Deployment, DeploymentStatus, Scope, Stage, StageResult};
use crate::domain::error_chain::error_chain;
use crate::domain::finding::Finding;
use crate::domain::generation::Generation;
use crate::domain::instance::PbxInstance;
use crate::driver::PbxDriver;
use crate::store::{Tx, deployments, generations, instances, served};

/// Cut off more often than this, a deploy is not tried again: it may be what ends the process.
const MOST_INTERRUPTIONS: usize = 10;

/// Findings beyond this are counted, not listed.
const MOST_FINDINGS: usize = 200;

/// Brings one deployment to its end state. `interruptions`: how many of its stages were cut off.
pub(super) async fn run(
    engine: &Engine,
    deployment: &Deployment,
    lease: &Lease<'_>,
    interruptions: usize,
) -> Result<DeploymentStatus, DeployError> {
    let id = deployment.instance_id;
    let (instance, mut driver) = match deployment.scope {
        Scope::Platform => engine.driver(id).await?,
        Scope::Tenant { .. }
        | Scope::TenantRollback { .. }
        | Scope::TenantStatus { .. }
        | Scope::PlatformRollback { .. } => engine.driver_in_force(id).await?,
    };
    driver.obey(lease.warrant());
    let run = Run {
        engine,
        deployment,
        instance,
        driver,
        record: engine.record(deployment, lease),
        lease,
    };
    if interruptions > MOST_INTERRUPTIONS {
        return Box::pin(run.end_interrupted(interruptions)).await;
    }
    // On the heap: it is a large future in the middle of many others.
    match Box::pin(run.to_the_end()).await {
        // Whoever takes the lease next does it again.
        Err(error) if error.may_pass() => Err(error),
        Err(error) => Box::pin(run.give_up(&error)).await,
        ended => ended,
    }
}

/// One deployment on its way.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) deployment: &'a Deployment,
    pub(super) instance: PbxInstance,
    pub(super) driver: Box<dyn PbxDriver>,
    pub(super) record: Record<'a>,
    pub(super) lease: &'a Lease<'a>,
}

/// Whether the next stage may begin.
pub(super) enum Step<T> {
    Go(T),
    End(DeploymentStatus),
}

impl Run<'_> {
    async fn to_the_end(&self) -> Result<DeploymentStatus, DeployError> {
        let mut findings = Vec::new();
        match self.prepare(&mut findings).await? {
            Step::Go(aim) => self.apply_and_prove(&aim, findings).await,
            Step::End(status) => self.end_untouched(status, findings).await,
        }
    }

    /// An error before anything was touched, with what is known of the PBX then, and what to do.
    pub(super) fn untouched(&self, code: &str, why: &str) -> Finding {
        let known = if self.instance.applying.is_some() {
            "This deploy touched nothing, but since an earlier one it is not known what the PBX serves"
        } else {
            "Nothing was touched; what was live is live"
        };
        let mend = advice::mend(code, &self.instance.name);
        Finding::error(code, format!("{why}. {known}. {mend}"))
    }

    /// Ends a deploy that touched nothing that is live, unless a process that died did so before.
    async fn end_untouched(
        &self,
        status: DeploymentStatus,
        findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        if self.deployment.status != DeploymentStatus::Queued && self.instance.applying.is_some() {
            return self.undo(self.instance.applying, findings).await;
        }
        let tx = self.record.begin("end_deployment").await?;
        self.end_in(tx, None, status, findings).await
    }

    /// Ends a deploy that was cut off again and again, so that it does not end every process that takes it up.
    async fn end_interrupted(&self, times: usize) -> Result<DeploymentStatus, DeployError> {
        let message = format!(
            "this deploy was cut off {times} times and is not tried again; see in the log of the daemon why it ended or lost its lease, \
             then deploy again"
        );
        let findings = vec![Finding::error("interrupted_too_often", message)];
        self.end_untouched(DeploymentStatus::Failed, findings).await
    }

    /// Ends a deploy that no repetition would bring further, so that it is not in the way of those behind it.
    async fn give_up(&self, error: &DeployError) -> Result<DeploymentStatus, DeployError> {
        tracing::error!(deployment = %self.deployment.id, error = error_chain(error), "a deploy was given up");
        let (code, why) = error.told();
        self.record.end_open_stages(StageResult::Failed, &why).await?;
        // As it is now: this deploy may have come further since it read its instance.
        let mut tx = self.engine.store.read("give_up").await?;
        let instance = instances::find(&mut tx, self.instance.id).await?;
        drop(tx);
        let applying = instance.and_then(|instance| instance.applying);
        if applying.is_some() && applying != self.instance.applying {
            return self.undo(applying, vec![Finding::error(code, why)]).await;
        }
        let findings = vec![self.untouched(code, &why)];
        self.end_untouched(DeploymentStatus::Failed, findings).await
    }

    pub(super) async fn plan(
        &self,
        excepted: &Excepted,
        findings: &mut Vec<Finding>,
    ) -> Result<Step<Aim>, DeployError> {
        self.record.stage(Stage::Planning).await?;
        let refused = |detail: String| async move {
            self.record
                .stage_end(Stage::Planning, StageResult::Refused, &detail)
                .await?;
            Ok(Step::End(DeploymentStatus::Rejected))
        };
        let scope = &self.deployment.scope;
        let purpose = Purpose::Deploy(self.lease);
        let mut aim = match aim::aim(self.engine, purpose, &self.instance, scope.into(), excepted).await {
            Ok(aim) => aim,
            Err(DeployError::Templates(error)) => {
                findings.push(templates_unusable(&error));
                return refused("the template set cannot be used".to_owned()).await;
            }
            Err(error) => return Err(error),
        };
        findings.append(&mut aim.findings);
        if *scope == Scope::Platform || aim.live.is_none() {
            findings.extend(self.engine.templates.refused());
        }
        if aim.is_rejected(scope) {
            return refused("what was asked for does not validate; nothing was touched".to_owned()).await;
        }
        let stands = self.stands(&aim).await;
        if stands {
            self.find_drift(&mut aim, findings).await?;
        } else {
            self.find_misplaced(&aim, findings).await;
        }
        if let Some(held) = self.held_back(findings) {
            return self
                .hold_back(Stage::Planning, held, findings)
                .await
                .map(Step::End);
        }
        let dirty = self.instance.applying.is_some() || !stands;
        if dirty {
            self.driver.distrust();
            aim.overwrite_all(self.tried().await?.as_ref());
            aim.mark_anew().await?;
        } else {
            self.find_unread(&mut aim, findings).await;
        }
        if aim.is_unchanged() {
            // A new secret of what is not served changes no file.
            if aim.before.tenants != aim.after.tenants {
                let mut tx = self.record.begin("serve_the_same").await?;
                served::prove(&mut tx, self.instance.id, &aim.served(), self.record.now()).await?;
                tx.commit().await?;
            }
            let (status, detail) = if aim.left_out.is_empty() {
                (
                    DeploymentStatus::Unchanged,
                    wording::nothing_to_do(aim.after.kind),
                )
            } else {
                (
                    DeploymentStatus::Partial,
                    "what was not left out is live already; nothing was written or reloaded",
                )
            };
            self.record
                .stage_end(Stage::Planning, StageResult::Ok, detail)
                .await?;
            return Ok(Step::End(status));
        }
        let mut tx = self.record.begin("plan").await?;
        aim.keep(&mut tx).await?;
        deployments::set_plan(
            &mut tx,
            self.deployment.id,
            Some(&aim.generation),
            &aim.changes.listed,
        )
        .await?;
        tx.commit().await?;
        let detail = format!(
            "generation {}: {} changes, {}{}",
            aim.generation.number,
            aim.changes.total(),
            wording::differing(aim.after.kind, &aim.reload),
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

    /// What an earlier deploy was applying whose outcome is not known.
    async fn tried(&self) -> Result<Option<Generation>, DeployError> {
        let Some(id) = self.instance.applying else {
            return Ok(None);
        };
        let mut tx = self.engine.store.read("tried_generation").await?;
        Ok(generations::find(&mut tx, self.instance.id, id).await?)
    }

    /// Whether the files of the live generation are the ones behind the link.
    pub(super) async fn stands(&self, aim: &Aim) -> bool {
        let live = aim.live.as_ref().map(|live| live.number);
        match self.driver.standing().await {
            Ok(standing) => standing == live || (live.is_none() && standing == Some(0)),
            Err(_) => false,
        }
    }

    /// Ends the deploy, and its last stage, in the transaction that says what is live: a process that dies leaves
    /// either both or none.
    pub(super) async fn end_in(
        &self,
        mut tx: Tx,
        last: Option<(Stage, StageResult, &str)>,
        status: DeploymentStatus,
        findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        let mut findings = self.discreet(&mut tx, findings).await?;
        if findings.len() > MOST_FINDINGS {
            let more = findings.len() - MOST_FINDINGS;
            // The last one says what became of it, and what to do.
            let verdict = findings.pop();
            findings.truncate(MOST_FINDINGS - 1);
            findings.extend(verdict);
            findings.push(Finding::warning(
                "more_findings",
                format!("{more} more findings are not listed"),
            ));
        }
        self.record.end(tx, last, status, &findings).await
    }

    /// The findings as whoever reads the record may see them.
    async fn discreet(&self, tx: &mut Tx, findings: Vec<Finding>) -> Result<Vec<Finding>, DeployError> {
        let Some(own) = self.deployment.scope.tenant_id() else {
            return Ok(findings);
        };
        if findings.is_empty() {
            return Ok(findings);
        }
        let others = discretion::others(tx, self.instance.id, own).await?;
        Ok(discretion::for_tenant(own, &others, findings))
    }
}

pub(super) fn names(files: &[Artifact]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.as_str()).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
