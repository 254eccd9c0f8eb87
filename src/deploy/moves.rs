//! Moving tenants to their revisions: validated, rendered, and told what to ask the PBX for afterwards.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::engine::Engine;
use super::error::DeployError;
use super::expectation::expect_tenant;
use super::fragments::FragmentCache;
use super::ground::{self, Ground};
use super::plan::{self, InstanceState, TenantState, TenantVersion};
use super::validate;
use crate::domain::change::Change;
use crate::domain::finding::Finding;
use crate::domain::ids::{ExtensionId, RevisionId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::domain::revision::TenantConfig;
use crate::domain::secret::ExtensionSecrets;
use crate::driver::Expected;
use crate::render::RenderError;
use crate::render::asterisk::{self, Secrets};
use crate::store::{Tx, extension_secrets, revisions, tenants};

/// What one tenant goes to, rendered.
struct Rendered {
    state: TenantState,
    config: TenantConfig,
    secrets: BTreeMap<ExtensionId, ExtensionSecrets>,
}

/// The moves of one deploy, and what comes of them.
pub(super) struct Moves<'a> {
    pub tx: &'a mut Tx,
    instance: &'a PbxInstance,
    ground: &'a Ground,
    cache: FragmentCache,
    pub after: InstanceState,
    /// Secrets' version and status of each tenant of the instance.
    versions: BTreeMap<TenantId, tenants::TenantState>,
    pub changes: Vec<Change>,
    pub findings: Vec<Finding>,
    pub left_out: BTreeSet<TenantId>,
    pub unusable: bool,
    pub expected: Expected,
    pub expected_back: Expected,
}

impl<'a> Moves<'a> {
    /// No tenant has moved yet.
    pub async fn new(
        engine: &Engine,
        tx: &'a mut Tx,
        instance: &'a PbxInstance,
        ground: &'a Ground,
    ) -> Result<Self, DeployError> {
        let states = tenants::states_of_instance(tx, instance.id).await?;
        Ok(Self {
            instance,
            ground,
            cache: engine.fragments(instance.id),
            after: InstanceState {
                common: ground::common(&ground.templates)?,
                tenants: ground.before.tenants.clone(),
            },
            versions: states.into_iter().map(|state| (state.id, state)).collect(),
            changes: ground.changes(),
            findings: Vec::new(),
            left_out: BTreeSet::new(),
            unusable: false,
            expected: Expected::default(),
            expected_back: Expected {
                markers: ground.before.markers(),
                ..Expected::default()
            },
            tx,
        })
    }

    /// Every tenant of the instance goes to its head; one that is no longer here goes.
    pub async fn move_all(&mut self, engine: &Engine, now: Timestamp) -> Result<(), DeployError> {
        let gone: Vec<TenantId> = self
            .ground
            .before
            .tenants
            .keys()
            .filter(|id| !self.versions.contains_key(id))
            .copied()
            .collect();
        for tenant_id in gone {
            self.remove_tenant(tenant_id).await?;
        }
        let here: Vec<TenantId> = self.versions.keys().copied().collect();
        for tenant_id in here {
            let Some(head) = revisions::head(self.tx, tenant_id).await? else {
                continue;
            };
            let fresh = RevisionId::fresh(engine.ids.as_ref());
            let revision = revisions::take(self.tx, tenant_id, &head, fresh, now).await?;
            self.move_tenant(tenant_id, revision.id).await?;
        }
        Ok(())
    }

    async fn remove_tenant(&mut self, tenant_id: TenantId) -> Result<(), DeployError> {
        let Some(state) = self.after.tenants.remove(&tenant_id) else {
            return Ok(());
        };
        let config = self.config(tenant_id, state.version.revision_id).await?;
        self.changes.extend(plan::tenant_changes(
            tenant_id,
            Some((&config, state.version)),
            None,
        ));
        expect_tenant(&mut self.expected, tenant_id, Some(&config), None, true, None);
        expect_tenant(
            &mut self.expected_back,
            tenant_id,
            None,
            Some(&config),
            true,
            None,
        );
        Ok(())
    }

    /// Moves one tenant to a revision, or leaves it out with findings.
    pub async fn move_tenant(
        &mut self,
        tenant_id: TenantId,
        revision_id: RevisionId,
    ) -> Result<(), DeployError> {
        let live = self.ground.before.tenants.get(&tenant_id);
        // New settings may forbid what the old ones allowed, such as the number of an extension.
        if !self.ground.templates_moved()
            && !self.ground.settings_moved()
            && live.is_some_and(|live| live.version == self.version(tenant_id, revision_id))
        {
            return Ok(());
        }
        let live = live.map(|live| live.version);
        let before = match live {
            Some(version) => Some(self.config(tenant_id, version.revision_id).await?),
            None => None,
        };
        let wanted = self.config(tenant_id, revision_id).await?;
        let findings = validate::tenant(tenant_id, &wanted, &self.instance.settings);
        let refused = findings.iter().any(Finding::is_error);
        self.findings.extend(findings);
        let rendered = if refused {
            None
        } else {
            self.render(tenant_id, revision_id, wanted).await?
        };
        let rendered = match (rendered, live, &before) {
            (Some(rendered), _, _) => rendered,
            (None, Some(live), Some(before)) => {
                // It stays at its live revision, which the new templates must be able to render too.
                self.left_out.insert(tenant_id);
                let Some(rendered) = self.render(tenant_id, live.revision_id, before.clone()).await? else {
                    self.unusable = true;
                    return Ok(());
                };
                rendered
            }
            (None, _, _) => {
                self.left_out.insert(tenant_id);
                return Ok(());
            }
        };
        let version = rendered.state.version;
        let all = self.ground.templates_moved()
            || live.is_none_or(|live| {
                live.secrets_version != version.secrets_version || live.status != version.status
            });
        let was = before.as_ref().zip(live);
        self.changes.extend(plan::tenant_changes(
            tenant_id,
            was,
            Some((&rendered.config, version)),
        ));
        let after = Some(&rendered.config);
        expect_tenant(
            &mut self.expected,
            tenant_id,
            before.as_ref(),
            after,
            all,
            Some(&rendered.secrets),
        );
        expect_tenant(
            &mut self.expected_back,
            tenant_id,
            after,
            before.as_ref(),
            all,
            None,
        );
        self.after.tenants.insert(tenant_id, rendered.state);
        Ok(())
    }

    /// Renders again what the cache has lost, or what was damaged in it. Secrets are always the current ones, so a tenant whose secrets changed
    /// since it was deployed moves to them here.
    pub async fn mend_cache(&mut self) -> Result<(), DeployError> {
        let lost: Vec<(TenantId, TenantVersion)> = self
            .after
            .tenants
            .iter()
            .filter(|(id, state)| !self.cache.has_whole(**id, &state.fragments))
            .map(|(id, state)| (*id, state.version))
            .collect();
        for (tenant_id, version) in lost {
            let config = self.config(tenant_id, version.revision_id).await?;
            match self.render(tenant_id, version.revision_id, config).await? {
                Some(rendered) => {
                    self.after.tenants.insert(tenant_id, rendered.state);
                }
                None => self.unusable = true,
            }
        }
        Ok(())
    }

    /// Renders a tenant and keeps the fragments; `None`, with a finding, where a template does not take it.
    async fn render(
        &mut self,
        tenant_id: TenantId,
        revision_id: RevisionId,
        config: TenantConfig,
    ) -> Result<Option<Rendered>, DeployError> {
        let secrets = extension_secrets::of_tenant(self.tx, tenant_id).await?;
        let fragments = match asterisk::tenant(&self.ground.templates, &config, Secrets::Real(&secrets)) {
            Ok(fragments) => fragments,
            Err(error) => {
                self.findings.push(render_finding(tenant_id, &config, &error));
                return Ok(None);
            }
        };
        let digests = self
            .cache
            .put(tenant_id, &fragments)
            .map_err(DeployError::Fragments)?;
        let state = TenantState {
            version: self.version(tenant_id, revision_id),
            fragments: digests,
        };
        Ok(Some(Rendered {
            state,
            config,
            secrets,
        }))
    }

    async fn config(&mut self, tenant_id: TenantId, id: RevisionId) -> Result<TenantConfig, DeployError> {
        revisions::find(self.tx, tenant_id, id)
            .await?
            .map(|revision| revision.config)
            .ok_or_else(|| DeployError::Missing {
                what: format!("the revision {id} of tenant {tenant_id}"),
            })
    }

    /// Secrets and status are always the current ones.
    fn version(&self, tenant_id: TenantId, revision_id: RevisionId) -> TenantVersion {
        match self.versions.get(&tenant_id) {
            Some(state) => TenantVersion {
                revision_id,
                secrets_version: state.secrets_version,
                status: state.status,
            },
            None => TenantVersion {
                revision_id,
                secrets_version: 0,
                status: crate::domain::tenant::TenantStatus::Active,
            },
        }
    }
}

fn render_finding(tenant_id: TenantId, config: &TenantConfig, error: &RenderError) -> Finding {
    Finding::error("render_failed", error.to_string())
        .of_tenant(tenant_id)
        .about(format!("tenant {}", config.domain))
}
