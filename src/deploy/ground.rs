//! What a deploy starts from: the live generation, and the templates that the next one is made with.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::{self, FileDigests};
use super::engine::Engine;
use super::error::DeployError;
use super::plan::{self, InstanceState, TenantState, TenantVersion};
use crate::domain::artifact::Artifact;
use crate::domain::change::Change;
use crate::domain::digest::Digest;
use crate::domain::generation::Generation;
use crate::domain::ids::TenantId;
use crate::domain::instance::{PbxInstance, PbxKind};
use crate::domain::served::Served;
use crate::render::template_set::TemplateSet;
use crate::store::{Tx, generations, instances, served, tenants};

/// More pending tenants than these are not looked up one by one.
const FEW: usize = 64;

/// What is live, and the templates that the next generation is made with.
pub(super) struct Ground {
    pub live: Option<Generation>,
    /// What it was made with.
    pub live_templates: Option<TemplateSet>,
    /// Its files as they were written; empty where that was not noted.
    pub written: FileDigests,
    pub before: InstanceState,
    pub templates: TemplateSet,
    pub settings_revision: i64,
    /// What the next generation's markers are made with.
    pub marker_salt: i64,
    /// What was not read, where only what would move was.
    pub aside: Option<Aside>,
}

/// What a look at the plan leaves aside: tenants of which nothing would move. They are served on as they are.
pub(super) struct Aside {
    /// How many they are.
    pub served: usize,
    /// The tenants of which something would move, or may.
    pub pending: Vec<tenants::TenantState>,
}

/// Which template set the next generation is made with. An instance's first is made with the current one in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MadeWith {
    /// That of the live generation, and its settings: nobody's unfinished edit goes live by a tenant's button.
    Live,
    /// The set and the settings as they stand now.
    Current,
    /// An earlier one. The settings stay: they say where the PBX is, which no deploy can take back.
    Kept(Digest),
}

impl Ground {
    /// Reads what is live.
    pub async fn read(
        engine: &Engine,
        tx: &mut Tx,
        instance: &PbxInstance,
        made_with: MadeWith,
    ) -> Result<Self, DeployError> {
        let Some((live, before, live_templates)) = Self::live(engine, tx, instance).await? else {
            let templates = engine.templates.current().await?;
            let settings_revision = instance.settings_revision;
            return Ok(Self {
                live: None,
                live_templates: None,
                written: FileDigests::new(),
                before: InstanceState::nothing(instance.settings.kind()),
                templates,
                settings_revision,
                marker_salt: 0,
                aside: None,
            });
        };
        Self::on(engine, tx, instance, made_with, (live, live_templates), before).await
    }

    /// Reads no more of what is live than what a deploy of this tenant, or else of the platform, would move.
    pub async fn glance(
        engine: &Engine,
        tx: &mut Tx,
        instance: &PbxInstance,
        made_with: MadeWith,
        tenant: Option<TenantId>,
    ) -> Result<Self, DeployError> {
        let mut concerned: BTreeSet<TenantId> = tenant.into_iter().collect();
        let mut pending = Vec::new();
        if tenant.is_none() {
            pending = tenants::pending_of_instance(tx, instance.id).await?;
            concerned.extend(pending.iter().map(|state| state.id));
            concerned.extend(served::gone(tx, instance.id).await?);
        }
        let live = match instance.live {
            Some(id) if concerned.len() <= FEW => {
                generations::find_with(tx, instance.id, id, &concerned).await?
            }
            _ => None,
        };
        let Some(live) = live else {
            return Self::read(engine, tx, instance, made_with).await;
        };
        let live_templates = engine.templates.kept(tx, live.template_digest).await?;
        let served = served::of(tx, instance.id, &concerned).await?;
        let aside = served::count(tx, instance.id).await?.saturating_sub(served.len());
        let kind = instance.settings.kind();
        let before = state(kind, &live_templates, live.marker_salt, &served).await?;
        let mut ground = Self::on(engine, tx, instance, made_with, (live, live_templates), before).await?;
        if ground.templates_moved() || ground.settings_moved() {
            // Then every tenant moves.
            return Self::read(engine, tx, instance, made_with).await;
        }
        ground.aside = Some(Aside {
            served: aside,
            pending,
        });
        Ok(ground)
    }

    async fn on(
        engine: &Engine,
        tx: &mut Tx,
        instance: &PbxInstance,
        made_with: MadeWith,
        (live, live_templates): (Generation, TemplateSet),
        before: InstanceState,
    ) -> Result<Self, DeployError> {
        let (settings_revision, marker_salt) = match made_with {
            MadeWith::Current => {
                let settings = instances::live_settings(tx, instance.id).await?;
                let moved = settings.is_some_and(|live| !live.same_place(&instance.settings));
                let revision = instance.settings_revision;
                (revision, if moved { revision } else { live.marker_salt })
            }
            MadeWith::Live | MadeWith::Kept(_) => (live.settings_revision, live.marker_salt),
        };
        let templates = match made_with {
            MadeWith::Live => live_templates.clone(),
            MadeWith::Current => engine.templates.current().await?,
            MadeWith::Kept(digest) => engine.templates.kept(tx, digest).await?,
        };
        // Another kind's templates make nothing of this one.
        let kind = instance.settings.kind();
        let templates = if templates.digest_of(kind) == live_templates.digest_of(kind) {
            live_templates.clone()
        } else {
            templates
        };
        let written = generations::files(tx, live.id).await?;
        Ok(Self {
            live: Some(live),
            live_templates: Some(live_templates),
            written,
            before,
            templates,
            settings_revision,
            marker_salt,
            aside: None,
        })
    }

    /// The generation that was last proven live, what it serves and what it was made with; `None` before the first.
    pub async fn live(
        engine: &Engine,
        tx: &mut Tx,
        instance: &PbxInstance,
    ) -> Result<Option<(Generation, InstanceState, TemplateSet)>, DeployError> {
        let live = match instance.live {
            Some(id) => generations::find(tx, instance.id, id).await?,
            None => None,
        };
        let Some(live) = live else { return Ok(None) };
        let templates = engine.templates.kept(tx, live.template_digest).await?;
        let served = served::all(tx, instance.id).await?;
        let kind = instance.settings.kind();
        let state = state(kind, &templates, live.marker_salt, &served).await?;
        Ok(Some((live, state, templates)))
    }

    pub fn templates_moved(&self) -> bool {
        self.live
            .as_ref()
            .is_none_or(|live| live.template_digest != self.templates.digest())
    }

    pub fn settings_moved(&self) -> bool {
        self.live
            .as_ref()
            .is_none_or(|live| live.settings_revision != self.settings_revision)
    }

    pub fn changes(&self) -> Vec<Change> {
        plan::instance_changes(
            self.live
                .as_ref()
                .map(|live| (live.template_digest, live.settings_revision)),
            (self.templates.digest(), self.settings_revision),
        )
    }
}

async fn state(
    kind: PbxKind,
    templates: &TemplateSet,
    salt: i64,
    served: &BTreeMap<TenantId, Served>,
) -> Result<InstanceState, DeployError> {
    Ok(InstanceState {
        kind,
        common: common(kind, templates, salt).await?,
        tenants: served
            .iter()
            .map(|(id, served)| (*id, state_of(served)))
            .collect(),
    })
}

/// The digests of the common parts, which have no marker while one is being made, with what the markers are salted with.
pub(super) async fn common(
    kind: PbxKind,
    templates: &TemplateSet,
    salt: i64,
) -> Result<BTreeMap<Artifact, Digest>, DeployError> {
    let unmarked = Artifact::of(kind).iter().map(|file| (*file, String::new()));
    let texts = assemble::commons(templates, unmarked.collect()).await?;
    Ok(texts
        .into_iter()
        .map(|(file, text)| {
            let digest = match salt {
                0 => Digest::of(text),
                salt => Digest::of(format!("{text}{salt}")),
            };
            (file, digest)
        })
        .collect())
}

fn state_of(served: &Served) -> TenantState {
    TenantState {
        version: TenantVersion {
            revision_id: served.revision_id,
            secrets_version: served.secrets_version,
            service: served.service,
        },
        fragments: served
            .fragments
            .iter()
            .filter_map(|(name, digest)| name.parse().ok().map(|file| (file, *digest)))
            .collect(),
    }
}
