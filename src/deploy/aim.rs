//! What a deploy aims at: the next generation, rendered and compared with the one that is live.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::FileDigests;
use super::engine::Engine;
use super::error::DeployError;
use super::expectation::{Expectation, TenantExpectation};
use super::ground::{self, Ground, MadeWith};
use super::moves::{Excepted, Moves, Purpose};
use super::plan::{self, InstanceState, TenantState};
use super::proof::Back;
use super::subject::Which;
use super::wording;
use crate::domain::artifact::Artifact;
use crate::domain::change::ChangeList;
use crate::domain::deployment::Scope;
use crate::domain::finding::{Finding, Severity};
use crate::domain::generation::Generation;
use crate::domain::ids::{GenerationId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::domain::served::Served;
use crate::render::template_set::TemplateSet;
use crate::store::{Tx, generations, template_sets};

/// What a deploy aims at.
pub(super) struct Aim {
    /// Its number is given when it is kept.
    pub generation: Generation,
    /// The generation that was last proven live.
    pub live: Option<Generation>,
    /// What it was made with.
    pub live_templates: Option<TemplateSet>,
    /// The live files as they were written.
    pub live_files: FileDigests,
    pub templates: TemplateSet,
    pub before: InstanceState,
    pub after: InstanceState,
    /// The files of this generation as they were written.
    pub files: FileDigests,
    /// The files that the PBX has to read again.
    pub reload: Vec<Artifact>,
    pub changes: ChangeList,
    pub findings: Vec<Finding>,
    /// How many tenants are served on as they are and were not read.
    aside: usize,
    /// Tenants that stay at their live revision, because theirs does not validate.
    pub left_out: BTreeSet<TenantId>,
    /// Those of them, and others, of which nothing is touched: what somebody else has in the PBX is in the way.
    pub barred: BTreeSet<TenantId>,
    /// The new templates do not even render what is live.
    unusable: bool,
    /// What must be seen when it is live.
    pub expected: Expectation,
    /// What must be seen when it was rolled back.
    pub expected_back: Expectation,
    /// Whether the PBX may serve something else under the markers of what was live.
    is_distrusted: bool,
    /// Whether this one has markers of its own all the same.
    is_marked_anew: bool,
}

impl Aim {
    /// Whether nothing at all is to be done.
    pub fn is_unchanged(&self) -> bool {
        self.reload.is_empty()
            && self
                .live
                .as_ref()
                .is_some_and(|live| live.serves_the_same(&self.generation))
    }

    /// Whether nothing may be applied: what was asked for does not validate, and nothing else would move.
    pub fn is_rejected(&self, scope: &Scope) -> bool {
        let asked_for = if let Some(tenant) = scope.tenant_id() {
            self.left_out.contains(&tenant)
        } else {
            let mut concerned = self.before.tenants.keys().chain(self.after.tenants.keys());
            self.aside == 0
                && !self.left_out.is_empty()
                && concerned.all(|tenant| self.left_out.contains(tenant))
        };
        self.unusable || asked_for
    }

    /// The number of the generation that is live; 0 before the first.
    pub fn former(&self) -> i64 {
        self.live.as_ref().map_or(0, |live| live.number)
    }

    /// Where a roll back of this leads.
    pub fn back(&self) -> Back<'_> {
        Back {
            id: self.live.as_ref().map(|live| live.id),
            number: self.former(),
            served: self
                .live_templates
                .as_ref()
                .map(|made_with| (made_with, &self.before)),
            expected: &self.expected_back,
            is_distrusted: self.is_distrusted,
        }
    }

    /// Gives the files markers that nothing has which was read before. A PBX that goes on with its former document where it
    /// refuses one would otherwise prove by it that it has read what was written in place of an edited file.
    pub async fn mark_anew(&mut self) -> Result<(), DeployError> {
        let kind = self.after.kind;
        if !wording::is_one_document(kind) {
            return Ok(());
        }
        let (_, salt) = self.generation.id.uuid().as_u64_pair();
        self.generation.marker_salt = i64::try_from(salt >> 1).unwrap_or(i64::MAX);
        self.after.common = ground::common(kind, &self.templates, self.generation.marker_salt).await?;
        self.expected.markers = self.after.markers();
        self.reload = Artifact::of(kind).to_vec();
        self.is_marked_anew = true;
        Ok(())
    }

    /// Whether its markers may have been there before it was read.
    pub fn is_doubtful(&self) -> bool {
        self.is_distrusted && !self.is_marked_anew && wording::is_one_document(self.after.kind)
    }

    /// Has a file that somebody edited in place read anew, and asks for every object: the marker may have been right all
    /// the time.
    pub fn overwrite(&mut self, file: Artifact) {
        if !self.reload.contains(&file) {
            self.reload.push(file);
        }
        self.expect_everything(None);
    }

    /// Has everything read anew and asked for, where it is not known what the PBX has read last. `tried`: what it may be.
    pub fn overwrite_all(&mut self, tried: Option<&Generation>) {
        self.reload = Artifact::of(self.after.kind).to_vec();
        self.expect_everything(tried);
    }

    /// Does not ask for tenants that stay what they are, beside whose rows others have some: what is served of them is not
    /// this deploy's doing.
    pub fn pass_over(&mut self, tenants: &BTreeSet<TenantId>) {
        for id in tenants {
            if self.before.tenants.get(id) == self.after.tenants.get(id) {
                self.expected.tenants.remove(id);
                self.expected_back.tenants.remove(id);
            }
        }
    }

    /// Every object of what is to be served, and nothing of what was or may have been, there and on the way back.
    fn expect_everything(&mut self, tried: Option<&Generation>) {
        self.is_distrusted = true;
        let tried = tried.map(|generation| &generation.tenants);
        let (before, after) = (&self.before.tenants, &self.after.tenants);
        let version = |state: &BTreeMap<TenantId, TenantState>, id| state.get(id).map(|state| state.version);
        let all: BTreeSet<&TenantId> = before
            .keys()
            .chain(after.keys())
            .chain(tried.into_iter().flat_map(BTreeMap::keys))
            .filter(|id| !self.barred.contains(id))
            .collect();
        for id in all {
            let tried = tried.and_then(|tried| tried.get(id).copied());
            let (before, after) = (version(before, id), version(after, id));
            let expect = |before, after, secrets| TenantExpectation {
                before,
                tried,
                after,
                all: true,
                secrets,
                is_new: false,
            };
            self.expected.tenants.insert(*id, expect(before, after, true));
            // Secrets that were served before may be known no more.
            self.expected_back
                .tenants
                .insert(*id, expect(after, before, false));
        }
    }

    /// Keeps the generation and the templates that it was made with, and gives it its number.
    pub async fn keep(&mut self, tx: &mut Tx) -> Result<(), DeployError> {
        let (digest, now) = (self.templates.digest(), self.generation.created_at);
        template_sets::keep(tx, digest, self.templates.files(), now).await?;
        self.generation.number = generations::next_number(tx, self.generation.instance_id).await?;
        generations::insert(tx, &self.generation).await?;
        Ok(())
    }

    /// What is served once this is live, as it is recorded.
    pub fn served(&self) -> BTreeMap<TenantId, Served> {
        let record = |state: &TenantState| Served {
            revision_id: state.version.revision_id,
            secrets_version: state.version.secrets_version,
            service: state.version.service,
            fragments: state
                .fragments
                .iter()
                .map(|(file, digest)| (file.as_str().to_owned(), *digest))
                .collect(),
        };
        self.after
            .tenants
            .iter()
            .map(|(id, state)| (*id, record(state)))
            .collect()
    }
}

/// What is asked to move.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// One tenant.
    Tenant(TenantId, Which),
    /// What is served of one tenant, to what its status says.
    Status(TenantId),
    /// Every tenant to its head, the template set and the instance's settings.
    Platform,
    /// Every tenant and the template set to what a generation served.
    Generation(GenerationId),
}

impl From<&Scope> for Target {
    fn from(scope: &Scope) -> Self {
        match scope {
            Scope::Tenant {
                tenant_id,
                revision_id,
            }
            | Scope::TenantRollback {
                tenant_id,
                revision_id,
            } => Self::Tenant(*tenant_id, Which::Revision(*revision_id)),
            Scope::TenantStatus { tenant_id, .. } => Self::Status(*tenant_id),
            Scope::Platform => Self::Platform,
            Scope::PlatformRollback { generation_id } => Self::Generation(*generation_id),
        }
    }
}

/// Works an aim out. No transaction is open while tenants are rendered: the database is everybody's.
pub(super) async fn aim(
    engine: &Engine,
    purpose: Purpose<'_>,
    instance: &PbxInstance,
    target: Target,
    excepted: &Excepted,
) -> Result<Aim, DeployError> {
    let (ground, to) = read(engine, purpose, instance, target).await?;
    let mut moves = Moves::new(engine, purpose, instance, &ground, excepted.clone()).await?;
    match target {
        Target::Tenant(tenant_id, which) => moves.move_tenant(tenant_id, which).await?,
        Target::Status(tenant_id) => moves.follow_status(tenant_id).await?,
        Target::Platform => moves.move_all().await?,
        Target::Generation(_) => moves.move_back(to.as_ref()).await?,
    }
    if let Purpose::Deploy(_) = purpose {
        moves.mend_cache().await?;
    }
    // What was lost of others is rendered anew along with it, and is not for this tenant's record.
    if let Target::Tenant(own, _) | Target::Status(own) = target {
        let is_own = |id: TenantId| id == own;
        moves
            .changes
            .listed
            .retain(|change| change.tenant_id.is_none_or(is_own));
    }
    let Moves {
        after,
        changes,
        mut findings,
        left_out,
        excepted,
        unusable,
        mut expected,
        expected_back,
        ..
    } = moves;
    expected.markers = after.markers();
    if changes.unlisted > 0 {
        let message = format!("{} more changes are not listed", changes.unlisted);
        findings.push(Finding::new(Severity::Info, "more_changes", message));
    }
    let Ground {
        live,
        live_templates,
        written: live_files,
        before,
        templates,
        settings_revision,
        marker_salt,
        aside,
    } = ground;
    let generation = Generation {
        id: GenerationId::fresh(engine.ids.as_ref()),
        instance_id: instance.id,
        number: 0,
        template_digest: templates.digest(),
        settings_revision,
        marker_salt,
        tenants: after
            .tenants
            .iter()
            .map(|(id, state)| (*id, state.version.revision_id))
            .collect(),
        created_at: engine.clock.now(),
    };
    let reload = plan::changed_files(&before, &after);
    Ok(Aim {
        generation,
        live,
        live_templates,
        live_files,
        templates,
        before,
        after,
        files: FileDigests::new(),
        reload,
        changes,
        findings,
        aside: aside.map_or(0, |aside| aside.served),
        left_out,
        barred: excepted.barred,
        unusable,
        expected,
        expected_back,
        is_distrusted: false,
        is_marked_anew: false,
    })
}

async fn kept(tx: &mut Tx, instance: &PbxInstance, id: GenerationId) -> Result<Generation, DeployError> {
    generations::find(tx, instance.id, id)
        .await?
        .ok_or_else(|| DeployError::Missing {
            what: "the generation to go back to, which is no longer kept,".to_owned(),
        })
}

/// What the aim starts from, and the generation that it goes back to.
async fn read(
    engine: &Engine,
    purpose: Purpose<'_>,
    instance: &PbxInstance,
    target: Target,
) -> Result<(Ground, Option<Generation>), DeployError> {
    let mut tx = engine.store.read("deploy_ground").await?;
    let to = match target {
        Target::Generation(id) => Some(kept(&mut tx, instance, id).await?),
        Target::Tenant(..) | Target::Status(_) | Target::Platform => None,
    };
    let made_with = match (&target, &to) {
        (_, Some(generation)) => MadeWith::Kept(generation.template_digest),
        (Target::Platform, None) => MadeWith::Current,
        (_, None) => MadeWith::Live,
    };
    let ground = match (purpose, target) {
        (Purpose::Look, Target::Tenant(id, _)) => {
            Ground::glance(engine, &mut tx, instance, made_with, Some(id)).await?
        }
        (Purpose::Look, Target::Platform) => {
            Ground::glance(engine, &mut tx, instance, made_with, None).await?
        }
        _ => Ground::read(engine, &mut tx, instance, made_with).await?,
    };
    Ok((ground, to))
}
