//! Moving tenants to their revisions: validated, rendered, and told what to ask the PBX for afterwards.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::spawn_blocking;

use super::engine::Engine;
use super::error::DeployError;
use super::expectation::{Expectation, TenantExpectation};
use super::fragments::FragmentCache;
use super::ground::{self, Ground};
use super::lease::Lease;
use super::plan::{self, InstanceState, TenantState, TenantVersion};
use super::subject::{Subject, Which};
use super::validate;
use crate::domain::artifact::Artifact;
use crate::domain::change::ChangeList;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::ids::{RevisionId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::domain::revision::TenantConfig;
use crate::domain::tenant::Service;
use crate::render::RenderError;
use crate::render::pbx::{self, Secrets};
use crate::store::{revisions, tenants};

/// Heads that are taken in one transaction: few enough that nobody waits long, enough that the disk is seldom waited for.
const TAKEN_AT_ONCE: usize = 64;

/// Whether what is worked out is to be deployed, or only looked at.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// Revisions are taken and fragments kept, by whoever holds the lease.
    Deploy(&'a Lease<'a>),
    /// Nothing is written anywhere.
    Look,
}

/// Tenants that an earlier round of the same deploy found not to go along.
#[derive(Clone, Default)]
pub(super) struct Excepted {
    /// What others have in the PBX is in the way: nothing of them is touched.
    pub barred: BTreeSet<TenantId>,
    /// The PBX lacks what they are to go to: they stay at their live revision, rendered as everybody's.
    pub unfit: BTreeSet<TenantId>,
}

/// The moves of one deploy, and what comes of them.
pub(super) struct Moves<'a> {
    pub(super) engine: &'a Engine,
    purpose: Purpose<'a>,
    pub(super) instance: &'a PbxInstance,
    pub(super) ground: &'a Ground,
    cache: FragmentCache,
    pub after: InstanceState,
    pub changes: ChangeList,
    pub findings: Vec<Finding>,
    pub left_out: BTreeSet<TenantId>,
    pub excepted: Excepted,
    pub unusable: bool,
    pub expected: Expectation,
    pub expected_back: Expectation,
}

impl<'a> Moves<'a> {
    /// No tenant has moved yet.
    pub async fn new(
        engine: &'a Engine,
        purpose: Purpose<'a>,
        instance: &'a PbxInstance,
        ground: &'a Ground,
        excepted: Excepted,
    ) -> Result<Self, DeployError> {
        let mut changes = ChangeList::default();
        changes.extend(ground.changes());
        let kind = instance.settings.kind();
        Ok(Self {
            engine,
            purpose,
            instance,
            ground,
            cache: engine.fragments(instance.id),
            after: InstanceState {
                kind,
                common: ground::common(kind, &ground.templates, ground.marker_salt).await?,
                tenants: ground.before.tenants.clone(),
            },
            changes,
            findings: Vec::new(),
            left_out: BTreeSet::new(),
            excepted,
            unusable: false,
            expected: Expectation::default(),
            expected_back: Expectation::markers_of(&ground.before),
        })
    }

    /// Every tenant of the instance goes to its head; one that is no longer its own departs.
    pub async fn move_all(&mut self) -> Result<(), DeployError> {
        let heads = self.heads().await?;
        self.depart(|id| heads.contains_key(&id)).await?;
        for (tenant_id, state) in heads {
            if !self.is_live(&state) {
                let which = state.head_revision.map_or(Which::Head, Which::Revision);
                self.move_tenant(tenant_id, which).await?;
            }
        }
        Ok(())
    }

    /// The tenants of the instance. For a deploy, each with the revision that its head equals.
    async fn heads(&self) -> Result<BTreeMap<TenantId, tenants::TenantState>, DeployError> {
        let states = if let Some(aside) = &self.ground.aside {
            aside.pending.clone()
        } else {
            let mut tx = self.engine.store.read("heads").await?;
            tenants::states_of_instance(&mut tx, self.instance.id).await?
        };
        let mut heads: BTreeMap<_, _> = states.into_iter().map(|state| (state.id, state)).collect();
        let Purpose::Deploy(lease) = self.purpose else {
            return Ok(heads);
        };
        let edited: Vec<TenantId> = heads
            .values()
            .filter(|state| state.head_revision.is_none())
            .map(|state| state.id)
            .collect();
        for some in edited.chunks(TAKEN_AT_ONCE) {
            let mut tx = lease.begin("take_heads").await?;
            for id in some {
                let fresh = RevisionId::fresh(self.engine.ids.as_ref());
                let now = self.engine.clock.now();
                match revisions::take_head(&mut tx, *id, fresh, now).await? {
                    Some(taken) => {
                        heads
                            .entry(*id)
                            .and_modify(|state| state.head_revision = Some(taken));
                    }
                    None => drop(heads.remove(id)),
                }
            }
            tx.commit().await?;
        }
        Ok(heads)
    }

    /// Whether a tenant's head, secrets and status are served already, and need not be looked at again.
    fn is_live(&self, state: &tenants::TenantState) -> bool {
        let live = self.ground.before.tenants.get(&state.id);
        !self.all_move()
            && live.is_some_and(|live| {
                state.head_revision == Some(live.version.revision_id)
                    && state.secrets_version == live.version.secrets_version
                    && state.service == live.version.service
            })
    }

    /// New settings may forbid what the old ones allowed, such as the number of an extension.
    fn all_move(&self) -> bool {
        self.ground.templates_moved() || self.ground.settings_moved()
    }

    /// Moves one tenant to a revision, or leaves it out with findings. One that is being deleted goes.
    pub async fn move_tenant(&mut self, tenant_id: TenantId, which: Which) -> Result<(), DeployError> {
        let wanted = self.engine.subject(tenant_id, which).await?;
        if wanted.version.service == Service::Gone {
            return self.remove_tenant(tenant_id).await;
        }
        if wanted.instance_id != self.instance.id && !self.ground.before.tenants.contains_key(&tenant_id) {
            let message =
                "this tenant is on another instance since it was asked for; it is not brought back here";
            self.findings
                .push(Finding::warning("tenant_elsewhere", message).of_tenant(tenant_id));
            return Ok(());
        }
        if self.excepted.barred.contains(&tenant_id) {
            self.left_out.insert(tenant_id);
            return Ok(());
        }
        let live = self.ground.before.tenants.get(&tenant_id);
        if !self.all_move() && live.is_some_and(|live| live.version == wanted.version) {
            return Ok(());
        }
        let live = live.map(|live| live.version);
        let before = match live {
            Some(version) => Some(self.engine.config(tenant_id, version.revision_id).await?),
            None => None,
        };
        // What is not served need not be right: a blocked tenant's phones are refused in any case.
        let served = wanted.config.clone().under(wanted.version.service);
        let mut findings = validate::tenant(tenant_id, &served, &self.instance.settings);
        let kind = self.instance.settings.kind();
        findings.extend(validate::credentials(tenant_id, &served, kind, &wanted.secrets));
        if live.is_none_or(|live| live.revision_id != wanted.version.revision_id) {
            findings.extend(self.domains_of_others(tenant_id, &wanted.config).await?);
        }
        let refused = findings.iter().any(Finding::is_error) || self.excepted.unfit.contains(&tenant_id);
        self.findings.extend(findings);
        let mut moved = if refused {
            None
        } else {
            self.render(tenant_id, wanted).await?
        };
        if moved.is_none() {
            self.left_out.insert(tenant_id);
            let Some(live) = live else { return Ok(()) };
            // It stays at its live revision, which the new templates must be able to render too.
            let stays = Which::Revision(live.revision_id);
            let stays = self.engine.subject(tenant_id, stays).await?;
            moved = self.render(tenant_id, stays).await?;
        }
        let Some((subject, fragments)) = moved else {
            self.unusable = true;
            return Ok(());
        };
        let version = subject.version;
        let all = self.ground.templates_moved()
            || live.is_none_or(|live| {
                live.secrets_version != version.secrets_version || live.service != version.service
            });
        self.changes.extend(plan::tenant_changes(
            tenant_id,
            before.as_ref().zip(live),
            Some((&subject.config, version)),
        ));
        self.expect(tenant_id, live, Some(version), all);
        self.after
            .tenants
            .insert(tenant_id, TenantState { version, fragments });
        Ok(())
    }

    /// One that stays what it is may still be written anew.
    pub(super) fn expect(
        &mut self,
        tenant_id: TenantId,
        before: Option<TenantVersion>,
        after: Option<TenantVersion>,
        all: bool,
    ) {
        let there = TenantExpectation {
            before,
            tried: None,
            after,
            all,
            secrets: true,
            is_new: before.is_none(),
        };
        // Secrets that were served before may be known no more.
        let back = TenantExpectation {
            before: after,
            tried: None,
            after: before,
            all,
            secrets: false,
            is_new: false,
        };
        self.expected.tenants.insert(tenant_id, there);
        self.expected_back.tenants.insert(tenant_id, back);
    }

    /// Renders again what the cache has lost, or what was damaged in it. Secrets are always the current ones, so a tenant
    /// whose secrets changed since it was deployed moves to them here; all of it is proven like any other move.
    pub async fn mend_cache(&mut self) -> Result<(), DeployError> {
        let cache = self.cache.clone();
        let needed: Vec<(TenantId, BTreeMap<_, _>)> = self
            .after
            .tenants
            .iter()
            .map(|(id, state)| (*id, state.fragments.clone()))
            .collect();
        // A look at every byte that will be read.
        let lost = spawn_blocking(move || {
            needed
                .into_iter()
                .filter(|(id, fragments)| !cache.has_whole(*id, fragments))
                .map(|(id, _)| id)
                .collect::<Vec<_>>()
        })
        .await?;
        for tenant_id in lost {
            let Some(version) = self.after.tenants.get(&tenant_id).map(|state| state.version) else {
                continue;
            };
            let subject = Which::Revision(version.revision_id);
            let subject = self.engine.subject(tenant_id, subject).await?;
            if subject.version.service == Service::Gone {
                self.remove_tenant(tenant_id).await?;
                continue;
            }
            let Some((subject, fragments)) = self.render(tenant_id, subject).await? else {
                self.unusable = true;
                continue;
            };
            tracing::info!(%tenant_id, "fragments that were lost were rendered again");
            let before = self.ground.before.tenants.get(&tenant_id);
            let before = before.map(|live| live.version);
            if before != Some(subject.version) {
                self.expect(tenant_id, before, Some(subject.version), true);
            }
            let version = subject.version;
            let state = TenantState { version, fragments };
            self.after.tenants.insert(tenant_id, state);
        }
        Ok(())
    }

    /// Renders a tenant, and keeps the fragments for a deploy; `None`, with a finding, where a template does not take it.
    async fn render(&mut self, tenant_id: TenantId, subject: Subject) -> Result<Option<Moved>, DeployError> {
        let keep_in = match self.purpose {
            Purpose::Deploy(_) => Some(self.cache.clone()),
            Purpose::Look => None,
        };
        let templates = self.ground.templates.clone();
        let kind = self.instance.settings.kind();
        let instance = self.instance.name.to_string();
        // Of a large tenant it takes long enough to keep the lease from being prolonged.
        let rendered = spawn_blocking(move || {
            let secrets = Secrets::Real(&subject.secrets);
            let served = subject.config.clone().under(subject.version.service);
            let rendered = pbx::tenant(kind, &templates, tenant_id, &served, secrets).and_then(|fragments| {
                let unannounced = pbx::unannounced(kind, &templates, &served, &fragments)?;
                Ok((fragments, unannounced))
            });
            let fragments = match rendered {
                Ok((fragments, None)) => fragments,
                Ok((_, Some(template))) => {
                    return Ok(Err(unannounced(tenant_id, &served, template, &instance)));
                }
                Err(error) => return Ok(Err(render_finding(tenant_id, &subject.config, &error))),
            };
            let digests = match keep_in {
                Some(cache) => cache.put(tenant_id, &fragments)?,
                None => fragments
                    .iter()
                    .map(|(file, text)| (*file, Digest::of(text)))
                    .collect(),
            };
            Ok(Ok((subject, digests)))
        });
        match rendered.await?.map_err(DeployError::Fragments)? {
            Ok(moved) => Ok(Some(moved)),
            Err(finding) => {
                // What stays may fail as what was to come did.
                if !self.findings.contains(&finding) {
                    self.findings.push(finding);
                }
                Ok(None)
            }
        }
    }
}

/// A tenant, and the digests of what it was rendered to.
type Moved = (Subject, BTreeMap<Artifact, Digest>);

fn render_finding(tenant_id: TenantId, config: &TenantConfig, error: &RenderError) -> Finding {
    Finding::error("render_failed", error.to_string())
        .of_tenant(tenant_id)
        .about(format!("tenant {}", config.domain))
}

/// Calls would be recorded of which nobody is told, and the record of the deploy would say the contrary.
fn unannounced(tenant_id: TenantId, config: &TenantConfig, template: &str, instance: &str) -> Finding {
    let domain = &config.domain;
    let sound = config.notice.sound.as_ref().map_or("", AsRef::as_ref);
    let message = format!(
        "{domain} has its recorded calls begin with {sound} (`recording_notice`), and the template {template} that this deploy is \
         made with does not play it: its calls would be recorded unannounced, so it does not go live. An earlier version's \
         template does that, and one of your own that passes over `notice`: add it to your own, if {template} is one, as \
         docs/templates.md says; have `switchyard deploy apply --instance {instance}` move to the templates as they stand now; \
         then deploy again"
    );
    Finding::error("notice_not_in_templates", message)
        .of_tenant(tenant_id)
        .about(format!("template {template}"))
}
