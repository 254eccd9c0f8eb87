//! The engine: takes an instance's queue under a lease that only one process can hold, and works it off.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::advice;
use super::error::DeployError;
use super::fragments::FragmentCache;
use super::host_lock::HostLock;
use super::lease::Lease;
use super::record::Record;
use super::run;
use super::templates::TemplateSource;
use crate::domain::clock::Clock;
use crate::domain::deployment::{Deployment, DeploymentStatus, Scope, StageResult};
use crate::domain::error_chain::error_chain;
use crate::domain::finding::Finding;
use crate::domain::ids::{IdSource, InstanceId};
use crate::domain::instance::{NodeName, PbxInstance};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::parsed::word_enum;
use crate::driver::PbxDriver;
use crate::store::{Store, deployments, instances};

word_enum! {
    /// Whether a shadow PBX must read a generation before it goes live.
    ShadowPolicy {
        /// If there is one; a shadow that did not run is a warning in the record.
        Auto = "auto",
        /// Without it nothing goes live.
        Always = "always",
        /// Not at all.
        Never = "never",
    }
}

/// Makes the driver of an instance.
pub trait DriverFactory: Send + Sync {
    /// The driver of its kind.
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Box<dyn PbxDriver>;
}

/// How an engine works.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The host that this is: an instance of another one is driven and asked there only.
    pub node: NodeName,
    /// Names this process in the lease, for people.
    pub holder: String,
    /// How long the lease outlives the process.
    pub lease: Duration,
    /// The daemon's own directory, for fragments.
    pub state_dir: PathBuf,
    /// Whether a shadow reads first.
    pub shadow: ShadowPolicy,
    /// How many generations of an instance are kept for going back.
    pub keep_generations: u32,
    /// How long a PBX that does not answer is asked again after an apply, before that counts as failed.
    pub patience: Duration,
}

/// Deploys instances.
pub struct Engine {
    pub(super) store: Store,
    pub(super) templates: TemplateSource,
    pub(super) drivers: Box<dyn DriverFactory>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) options: EngineOptions,
}

impl Engine {
    /// An engine over a database.
    #[must_use]
    pub fn new(
        store: Store,
        templates: TemplateSource,
        drivers: Box<dyn DriverFactory>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        options: EngineOptions,
    ) -> Self {
        Self {
            store,
            templates,
            drivers,
            clock,
            ids,
            options,
        }
    }

    /// The templates that the next platform deploy moves to.
    #[must_use]
    pub fn templates(&self) -> &TemplateSource {
        &self.templates
    }

    pub(super) fn fragments(&self, instance_id: InstanceId) -> FragmentCache {
        FragmentCache::new(&self.options.state_dir, instance_id)
    }

    /// Works off everything that is queued for an instance, and first what a process left that died.
    ///
    /// Gives the number of deployments that ended; 0 at once when another process holds the lease.
    pub async fn work_off(
        &self,
        instance_id: InstanceId,
        stop: &CancellationToken,
    ) -> Result<usize, DeployError> {
        // Looked at every other second by each daemon: a lease for nothing would be written as often.
        if self.is_idle(instance_id).await? {
            return Ok(0);
        }
        self.instance_here(instance_id).await?;
        let Some(lease) = Lease::take(self, instance_id).await? else {
            return Ok(0);
        };
        // The lease first: a process that was stopped for a while must find out before it gives another order.
        let worked = tokio::select! {
            biased;
            lost = lease.keep() => Err(lost),
            worked = Box::pin(self.work(instance_id, &lease, stop)) => worked,
        };
        lease.give_back().await;
        worked
    }

    async fn is_idle(&self, instance_id: InstanceId) -> Result<bool, DeployError> {
        let mut tx = self.store.read("open_deployments").await?;
        let queued = deployments::next_queued(&mut tx, instance_id).await?;
        Ok(queued.is_none() && deployments::unfinished(&mut tx, instance_id).await?.is_empty())
    }

    async fn work(
        &self,
        instance_id: InstanceId,
        lease: &Lease<'_>,
        stop: &CancellationToken,
    ) -> Result<usize, DeployError> {
        let mut ended = self.resume(instance_id, lease).await?;
        while !stop.is_cancelled() {
            let mut tx = self.store.read("next_deployment").await?;
            let next = deployments::next_queued(&mut tx, instance_id).await?;
            drop(tx);
            let Some(deployment) = next else { break };
            if self.coalesce(&deployment, lease).await? {
                ended += 1;
                continue;
            }
            self.bring_to_end(&deployment, lease, 0).await?;
            ended += 1;
        }
        Ok(ended)
    }

    /// What a process left that died is done again from the start: every stage may be repeated, and while
    /// `applying` is set the PBX reads everything anew.
    async fn resume(&self, instance_id: InstanceId, lease: &Lease<'_>) -> Result<usize, DeployError> {
        let mut tx = self.store.read("unfinished_deployments").await?;
        let unfinished = deployments::unfinished(&mut tx, instance_id).await?;
        drop(tx);
        let mut ended = 0;
        for deployment in unfinished {
            let detail = "the process ended in this stage, or lost its lease; the deploy was done again from the start";
            let record = self.record(&deployment, lease);
            record.end_open_stages(StageResult::Interrupted, detail).await?;
            let interruptions = record.interruptions().await?;
            self.bring_to_end(&deployment, lease, interruptions).await?;
            ended += 1;
        }
        Ok(ended)
    }

    /// Runs a deployment. What will not go away by itself ends it as failed: it must not be tried for ever, and must not
    /// keep others waiting.
    async fn bring_to_end(
        &self,
        deployment: &Deployment,
        lease: &Lease<'_>,
        interruptions: usize,
    ) -> Result<(), DeployError> {
        let error = match run::run(self, deployment, lease, interruptions).await {
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => error,
        };
        tracing::error!(deployment = %deployment.id, error = error_chain(&error), "a deployment failed");
        let record = self.record(deployment, lease);
        let (code, told) = error.told();
        record.end_open_stages(StageResult::Failed, &told).await?;
        let mut tx = record.begin("fail_deployment").await?;
        let id = deployment.instance_id;
        let instance = instances::find(&mut tx, id).await?.ok_or_else(|| missing(id))?;
        let known = if instance.applying.is_some() {
            "It is not known what the PBX serves now; the next deploy has it read everything"
        } else {
            "Nothing was touched; what was live is live"
        };
        let mend = advice::mend(code, &instance.name);
        let finding = Finding::error(code, format!("{told}. {known}. {mend}"));
        record.end(tx, None, DeploymentStatus::Failed, &[finding]).await?;
        Ok(())
    }

    /// A request is superseded by a later one that asks for the same: a platform deploy covers every earlier platform
    /// deploy, and the same tenant and revision twice is one deploy. Each keeps its own record.
    async fn coalesce(&self, deployment: &Deployment, lease: &Lease<'_>) -> Result<bool, DeployError> {
        let record = self.record(deployment, lease);
        let mut tx = record.begin("coalesce").await?;
        let equal = deployments::queued_equal(&mut tx, deployment.instance_id, &deployment.scope).await?;
        let Some(later) = equal.last().filter(|later| later.id != deployment.id) else {
            return Ok(false);
        };
        let what = match deployment.scope {
            Scope::Platform => "platform deploy",
            Scope::PlatformRollback { .. } => "deploy of the same generation",
            Scope::Tenant { .. } | Scope::TenantRollback { .. } => "deploy of the same revision",
            Scope::TenantStatus { .. } => "deploy of the tenant's status",
        };
        let finding = Finding::new(
            crate::domain::finding::Severity::Info,
            "superseded",
            format!("the later {what} {} covers this one", later.id),
        );
        record
            .end(tx, None, DeploymentStatus::Superseded, &[finding])
            .await?;
        Ok(true)
    }

    pub(super) fn record<'a>(&'a self, deployment: &Deployment, lease: &'a Lease<'a>) -> Record<'a> {
        Record {
            engine: self,
            lease,
            instance_id: deployment.instance_id,
            deployment_id: deployment.id,
            tenant_id: deployment.scope.tenant_id(),
        }
    }

    /// An instance of this host. Another host's manager interface and files are out of reach: what answers here in their
    /// place is another PBX, which must not even hear the secret.
    async fn instance_here(&self, id: InstanceId) -> Result<PbxInstance, DeployError> {
        let mut tx = self.store.read("instance").await?;
        let instance = instances::find(&mut tx, id).await?.ok_or_else(|| missing(id))?;
        if instance.node != self.options.node {
            return Err(DeployError::DrivenElsewhere {
                name: instance.name,
                node: instance.node,
            });
        }
        Ok(instance)
    }

    /// The host that this is.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.options.node
    }

    /// A lock for work that one process of this host does at a time, `DIR/WORK/lock`; none while another one has it.
    pub fn alone(&self, work: &str) -> io::Result<Option<HostLock>> {
        HostLock::take_in(&self.options.state_dir.join(work))
    }

    /// The driver of what is no instance yet, if it is to be one of this host.
    pub fn driver_for(
        &self,
        instance: &PbxInstance,
        secrets: InstanceSecrets,
    ) -> Result<Box<dyn PbxDriver>, DeployError> {
        if instance.node != self.options.node {
            return Err(DeployError::DrivenElsewhere {
                name: instance.name.clone(),
                node: instance.node.clone(),
            });
        }
        Ok(self.drivers.driver(instance, secrets))
    }

    /// The driver of an instance of this host by today's settings, with its secret unsealed.
    pub async fn driver(
        &self,
        instance_id: InstanceId,
    ) -> Result<(PbxInstance, Box<dyn PbxDriver>), DeployError> {
        let instance = self.instance_here(instance_id).await?;
        self.driver_of(instance).await
    }

    /// The same by the settings that are in force where none are moved.
    pub(super) async fn driver_in_force(
        &self,
        instance_id: InstanceId,
    ) -> Result<(PbxInstance, Box<dyn PbxDriver>), DeployError> {
        let instance = self.instance_here(instance_id).await?;
        let instance = self.in_force(instance).await?;
        self.driver_of(instance).await
    }

    /// An instance with the settings that are in force where none are moved.
    pub(super) async fn in_force(&self, mut instance: PbxInstance) -> Result<PbxInstance, DeployError> {
        let mut tx = self.store.read("live_settings").await?;
        if let Some(live) = instances::live_settings(&mut tx, instance.id).await? {
            instance.settings = instance.settings.in_force(live);
        }
        Ok(instance)
    }

    /// The drivers of wherever something of an instance may lie: where its files are in force, and where today's settings are to
    /// move them, which a deploy may have tried.
    pub(super) async fn drivers_of_places(
        &self,
        instance_id: InstanceId,
    ) -> Result<Vec<Box<dyn PbxDriver>>, DeployError> {
        let today = self.instance_here(instance_id).await?;
        let in_force = self.in_force(today.clone()).await?;
        let moves = !in_force.settings.same_place(&today.settings);
        let mut drivers = vec![self.driver_of(in_force).await?.1];
        if moves {
            drivers.push(self.driver_of(today).await?.1);
        }
        Ok(drivers)
    }

    pub(super) async fn driver_of(
        &self,
        instance: PbxInstance,
    ) -> Result<(PbxInstance, Box<dyn PbxDriver>), DeployError> {
        let instance_id = instance.id;
        let mut tx = self.store.read("instance_secrets").await?;
        let secrets = instances::secrets(&mut tx, instance_id)
            .await?
            .ok_or_else(|| missing(instance_id))?;
        let driver = self.drivers.driver(&instance, secrets);
        Ok((instance, driver))
    }
}

fn missing(id: InstanceId) -> DeployError {
    DeployError::Missing {
        what: format!("the instance {id}"),
    }
}
