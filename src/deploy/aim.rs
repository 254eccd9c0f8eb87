//! What a deploy aims at: the next generation, rendered and compared with the one that is live.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::engine::Engine;
use super::error::DeployError;
use super::ground::Ground;
use super::moves::Moves;
use super::plan::{self, InstanceState, TenantState};
use super::proof::Back;
use crate::domain::artifact::ConfFile;
use crate::domain::change::Change;
use crate::domain::deployment::Scope;
use crate::domain::finding::Finding;
use crate::domain::generation::Generation;
use crate::domain::ids::{GenerationId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::domain::served::Served;
use crate::driver::Expected;
use crate::render::template_set::TemplateSet;
use crate::store::{Tx, template_sets};

/// What a deploy aims at.
pub(super) struct Aim {
    /// Its number is given when it is kept.
    pub generation: Generation,
    /// The generation that was last proven live.
    pub live: Option<Generation>,
    pub templates: TemplateSet,
    pub before: InstanceState,
    pub after: InstanceState,
    /// The files that the PBX has to read again.
    pub reload: Vec<ConfFile>,
    pub changes: Vec<Change>,
    pub findings: Vec<Finding>,
    /// Tenants that stay at their live revision, because theirs does not validate.
    pub left_out: BTreeSet<TenantId>,
    /// The new templates do not even render what is live.
    unusable: bool,
    /// What must be seen when it is live.
    pub expected: Expected,
    /// What must be seen when it was rolled back.
    pub expected_back: Expected,
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
            !self.left_out.is_empty() && concerned.all(|tenant| self.left_out.contains(tenant))
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
            number: self.former(),
            expected: &self.expected_back,
        }
    }

    /// What is served once this is live, as it is recorded.
    pub fn served(&self) -> BTreeMap<TenantId, Served> {
        let record = |state: &TenantState| Served {
            revision_id: state.version.revision_id,
            secrets_version: state.version.secrets_version,
            status: state.version.status,
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

/// Works an aim out. Reads and takes revisions in `tx`; writes nothing but fragments elsewhere.
pub(super) async fn aim(
    engine: &Engine,
    tx: &mut Tx,
    instance: &PbxInstance,
    scope: &Scope,
    now: Timestamp,
) -> Result<Aim, DeployError> {
    let ground = Ground::read(engine, tx, instance, *scope == Scope::Platform).await?;
    let mut moves = Moves::new(engine, tx, instance, &ground).await?;
    match scope {
        Scope::Tenant {
            tenant_id,
            revision_id,
        }
        | Scope::TenantRollback {
            tenant_id,
            revision_id,
        } => {
            moves.move_tenant(*tenant_id, *revision_id).await?;
        }
        Scope::Platform => moves.move_all(engine, now).await?,
    }
    moves.mend_cache().await?;
    let Moves {
        after,
        changes,
        findings,
        left_out,
        unusable,
        mut expected,
        expected_back,
        tx,
        ..
    } = moves;
    template_sets::keep(tx, ground.templates.digest(), ground.templates.files(), now).await?;
    expected.markers = after.markers();
    let Ground {
        live,
        before,
        templates,
        settings_revision,
    } = ground;
    let generation = Generation {
        id: GenerationId::fresh(engine.ids.as_ref()),
        instance_id: instance.id,
        number: 0,
        template_digest: templates.digest(),
        settings_revision,
        tenants: after
            .tenants
            .iter()
            .map(|(id, state)| (*id, state.version.revision_id))
            .collect(),
        created_at: now,
    };
    let reload = plan::changed_files(&before, &after);
    Ok(Aim {
        generation,
        live,
        templates,
        before,
        after,
        reload,
        changes,
        findings,
        left_out,
        unusable,
        expected,
        expected_back,
    })
}
