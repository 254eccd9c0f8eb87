//! Who is not served here any more: tenants that go, those that wait for another PBX to serve them, and going back.

use std::collections::{BTreeMap, BTreeSet};

use super::error::DeployError;
use super::moves::Moves;
use super::plan;
use super::subject::Which;
use crate::domain::finding::{Finding, Severity};
use crate::domain::generation::Generation;
use crate::domain::ids::TenantId;
use crate::store::{generations, served, tenants};

/// What becomes of a tenant that is served here and is not to be.
enum Departure {
    /// Another instance is to serve it, and does not yet: it stays.
    Awaited,
    /// Another instance serves it.
    Moved,
    /// Nothing else serves it.
    Gone,
}

impl Moves<'_> {
    /// Has every tenant depart that is served and that the generation is not to have.
    pub(super) async fn depart(&mut self, stays: impl Fn(TenantId) -> bool) -> Result<(), DeployError> {
        for (tenant_id, departure) in self.departures(stays).await? {
            match departure {
                Departure::Awaited => self.wait_for_other(tenant_id).await?,
                Departure::Moved => {
                    let message = "another instance serves this tenant: it goes from here, and calls that are up go on until they end";
                    self.tell(Severity::Info, "moved_away", message, tenant_id);
                    self.remove_tenant(tenant_id).await?;
                }
                Departure::Gone => self.remove_tenant(tenant_id).await?,
            }
        }
        Ok(())
    }

    async fn departures(
        &self,
        stays: impl Fn(TenantId) -> bool,
    ) -> Result<Vec<(TenantId, Departure)>, DeployError> {
        let mut tx = self.engine.store.read("departures").await?;
        let elsewhere = served::assigned_elsewhere(&mut tx, self.instance.id).await?;
        let served = self.ground.before.tenants.keys().copied();
        let departure = |id| match elsewhere.get(&id) {
            Some(true) => Departure::Moved,
            Some(false) => Departure::Awaited,
            None => Departure::Gone,
        };
        Ok(served
            .filter(|id| !stays(*id))
            .map(|id| (id, departure(id)))
            .collect())
    }

    /// Serves a tenant on as it is, with the secrets and the status of today: nobody else serves it.
    async fn wait_for_other(&mut self, tenant_id: TenantId) -> Result<(), DeployError> {
        let message = "this tenant was moved to another instance, which does not serve it yet: it is served here until then. \
            Deploy the other instance, then this one again";
        self.tell(Severity::Info, "awaits_other_instance", message, tenant_id);
        self.follow_status(tenant_id).await
    }

    /// Brings what is served of a tenant in line with its status, whatever its head is. Of one that is not served, nothing
    /// has to change.
    pub async fn follow_status(&mut self, tenant_id: TenantId) -> Result<(), DeployError> {
        let live = self.ground.before.tenants.get(&tenant_id);
        match live.map(|live| live.version.revision_id) {
            Some(live) => self.move_tenant(tenant_id, Which::Revision(live)).await,
            None => Ok(()),
        }
    }

    pub(super) async fn remove_tenant(&mut self, tenant_id: TenantId) -> Result<(), DeployError> {
        if self.excepted.barred.contains(&tenant_id) {
            self.left_out.insert(tenant_id);
            return Ok(());
        }
        let Some(state) = self.after.tenants.remove(&tenant_id) else {
            return Ok(());
        };
        let config = self.engine.config(tenant_id, state.version.revision_id).await?;
        self.changes.extend(plan::tenant_changes(
            tenant_id,
            Some((&config, state.version)),
            None,
        ));
        self.expect(tenant_id, Some(state.version), None, true);
        Ok(())
    }

    /// Every tenant goes to what a generation served, with the secrets and the status of today; one that it did not serve
    /// goes. What cannot come back is left out and told.
    pub async fn move_back(&mut self, generation: Option<&Generation>) -> Result<(), DeployError> {
        let nothing = BTreeMap::new();
        let to = generation.map_or(&nothing, |generation| &generation.tenants);
        let mut tx = self.engine.store.read("tenants_to_go_back").await?;
        let states = tenants::states_of_instance(&mut tx, self.instance.id).await?;
        let deleted = match generation {
            Some(generation) => generations::deleted_tenants(&mut tx, generation.id).await?,
            None => Vec::new(),
        };
        drop(tx);
        let here: BTreeSet<TenantId> = states.into_iter().map(|state| state.id).collect();
        let stays = |id| to.contains_key(&id) && here.contains(&id);
        for (tenant_id, departure) in self.departures(stays).await? {
            if let Departure::Gone = departure {
                let message = "that generation did not serve this tenant, or it is gone since: it is served no more until \
                    the next deploy";
                self.tell(Severity::Warning, "not_in_generation", message, tenant_id);
            }
        }
        self.depart(stays).await?;
        for (tenant_id, revision_id) in to {
            if here.contains(tenant_id) {
                self.move_tenant(*tenant_id, Which::Revision(*revision_id))
                    .await?;
            } else if !self.ground.before.tenants.contains_key(tenant_id) {
                let message = "this tenant is on another instance since and does not come back";
                self.tell(Severity::Warning, "tenant_gone", message, *tenant_id);
            }
        }
        for tenant_id in deleted {
            let message = "this tenant was deleted since and does not come back; the audit log has its name";
            let finding = Finding::warning("tenant_gone", message).of_tenant(tenant_id);
            self.findings.push(finding.about(format!("tenant {tenant_id}")));
        }
        Ok(())
    }

    fn tell(&mut self, severity: Severity, code: &str, message: &str, tenant_id: TenantId) {
        self.findings
            .push(Finding::new(severity, code, message).of_tenant(tenant_id));
    }
}
