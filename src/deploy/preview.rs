//! What a deploy would do, for people: the semantic diff, our findings, and a diff of the files without a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use schemars::JsonSchema;
use similar::TextDiff;
use tokio::task::spawn_blocking;

use super::aim::{self, Aim, Target};
use super::engine::Engine;
use super::error::DeployError;
use super::moves::{Excepted, Purpose};
use super::subject::Which;
use crate::domain::artifact::Artifact;
use crate::domain::change::Change;
use crate::domain::deployment::Scope;
use crate::domain::error_chain::error_chain;
use crate::domain::finding::Finding;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::PbxKind;
use crate::domain::revision::TenantConfig;
use crate::domain::tenant::Service;
use crate::render::RenderError;
use crate::render::pbx::{self, Fragments, Secrets};
use crate::render::template_set::TemplateSet;
use crate::store::{generations, instances, tenants};

/// Beyond this a diff is cut: nobody reads more, and a first deploy of a large box has no end.
const LONGEST_DIFF: usize = 200_000;

/// One file's diff.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, JsonSchema)]
pub struct FileDiff {
    /// Which file, by its name or its path below our directory.
    pub file: String,
    /// Unified diff of the texts with secrets hidden; empty where only secrets differ.
    pub diff: String,
    /// Whether it was cut.
    pub truncated: bool,
}

/// What a deploy would do.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, JsonSchema)]
pub struct Preview {
    /// The generation that is live; absent before the first.
    pub live_generation: Option<i64>,
    /// Whether a deploy would do nothing.
    pub unchanged: bool,
    /// Whether our own validation would reject a deploy; the findings say why.
    pub rejected: bool,
    /// Object by object.
    pub changes: Vec<Change>,
    /// What our own validation says; the shadow reads only in a deploy.
    pub findings: Vec<Finding>,
    /// The modules that would be reloaded.
    pub reload: Vec<&'static str>,
    /// Line by line.
    pub files: Vec<FileDiff>,
    /// What somebody made of our files; of a whole instance only, since a file is every tenant's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<FileDiff>,
}

impl Preview {
    /// A deploy would be rejected before it knows what changes.
    fn unusable(error: &RenderError, live_generation: Option<i64>) -> Self {
        Self {
            live_generation,
            unchanged: false,
            rejected: true,
            changes: Vec::new(),
            findings: vec![templates_unusable(error)],
            reload: Vec::new(),
            files: Vec::new(),
            drift: Vec::new(),
        }
    }
}

/// What a deploy says of a template set that cannot be used.
pub(super) fn templates_unusable(error: &RenderError) -> Finding {
    let mend = match error {
        RenderError::Directory { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            "give the daemon's user access to it and to the directories above it"
        }
        RenderError::Directory { .. } => "make it readable, or name another `templates.dir`",
        _ => "correct the template",
    };
    let message = format!(
        "{}; {mend} and deploy again. Nothing was touched",
        error_chain(error)
    );
    Finding::error("templates_unusable", message)
}

/// What to preview.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    Tenant(TenantId),
    Platform,
}

impl Engine {
    /// What a deploy of a tenant's head would do now. `None`: there is no such tenant here.
    pub async fn preview_tenant(
        &self,
        instance_id: InstanceId,
        tenant_id: TenantId,
    ) -> Result<Option<Preview>, DeployError> {
        self.preview(instance_id, Look::Tenant(tenant_id)).await
    }

    /// What a platform deploy would do now. `None`: there is no such instance.
    pub async fn preview_platform(&self, instance_id: InstanceId) -> Result<Option<Preview>, DeployError> {
        self.preview(instance_id, Look::Platform).await
    }

    async fn preview(&self, instance_id: InstanceId, look: Look) -> Result<Option<Preview>, DeployError> {
        match self.look_ahead(instance_id, look).await {
            // It was moved or edited since the look began, and is kept no more.
            Err(DeployError::Missing { .. }) => self.look_ahead(instance_id, look).await,
            seen => seen,
        }
    }

    /// Works the aim out as a deploy would, and keeps nothing of it.
    async fn look_ahead(&self, instance_id: InstanceId, look: Look) -> Result<Option<Preview>, DeployError> {
        let mut tx = self.store.read("preview").await?;
        let Some(instance) = instances::find(&mut tx, instance_id).await? else {
            return Ok(None);
        };
        let target = match look {
            Look::Platform => Target::Platform,
            Look::Tenant(id) if tenants::state_of(&mut tx, id).await?.is_none() => return Ok(None),
            Look::Tenant(id) => Target::Tenant(id, Which::Head),
        };
        let live = match instance.live {
            // Its number only.
            Some(live) => generations::find_with(&mut tx, instance_id, live, &BTreeSet::new()).await?,
            None => None,
        };
        drop(tx);
        let live = live.map(|generation| generation.number);
        let instance = match look {
            Look::Platform => instance,
            Look::Tenant(_) => self.in_force(instance).await?,
        };
        let mut aim = match aim::aim(self, Purpose::Look, &instance, target, &Excepted::default()).await {
            Err(DeployError::Templates(error)) => return Ok(Some(Preview::unusable(&error, live))),
            aim => aim?,
        };
        if matches!(look, Look::Platform) || aim.live.is_none() {
            aim.findings.extend(self.templates.refused());
        }
        let mut drift = self.glance_at_drift(instance_id, &aim).await?;
        if let Look::Tenant(_) = look {
            drift.for_tenant();
        }
        aim.findings.append(&mut drift.findings);
        let files = self.diffs(&aim).await?;
        Ok(Some(Preview {
            live_generation: aim.live.as_ref().map(|live| live.number),
            unchanged: aim.is_unchanged(),
            // Where one tenant moves, no other is left out.
            rejected: aim.is_rejected(&Scope::Platform)
                || matches!(look, Look::Tenant(id) if aim.left_out.contains(&id)),
            reload: aim.reload.iter().map(|file| file.module()).collect(),
            changes: aim.changes.listed,
            findings: aim.findings,
            files,
            drift: drift.files,
        }))
    }

    async fn diffs(&self, aim: &Aim) -> Result<Vec<FileDiff>, DeployError> {
        let mut diffs: BTreeMap<Artifact, FileDiff> = BTreeMap::new();
        for tenant_id in super::plan::moved_tenants(&aim.before, &aim.after) {
            let before = aim.before.tenants.get(&tenant_id).map(|tenant| tenant.version);
            let after = aim.after.tenants.get(&tenant_id).map(|tenant| tenant.version);
            let stays = before.map(|before| before.revision_id);
            let old = match (&aim.live_templates, before) {
                (Some(templates), Some(before)) => {
                    let config = self.config(tenant_id, before.revision_id).await?;
                    masked(aim.after.kind, tenant_id, templates, config, before.service).await?
                }
                _ => Fragments::new(),
            };
            let new = match after {
                Some(after) => {
                    let config = if Some(after.revision_id) == stays {
                        self.config(tenant_id, after.revision_id).await?
                    } else {
                        // What is looked at goes to its head, which may not have been taken as a revision.
                        self.subject(tenant_id, Which::Head).await?.config
                    };
                    masked(aim.after.kind, tenant_id, &aim.templates, config, after.service).await?
                }
                None => Fragments::new(),
            };
            for file in Artifact::of(aim.after.kind) {
                let text = |fragments: &Fragments| fragments.get(file).cloned().unwrap_or_default();
                let entry = diffs.entry(*file).or_insert_with(|| FileDiff {
                    file: file.as_str().to_owned(),
                    diff: String::new(),
                    truncated: false,
                });
                let fresh = unified(&text(&old), &text(&new), file.as_str());
                if entry.diff.len() + fresh.len() > LONGEST_DIFF {
                    entry.truncated = true;
                } else {
                    entry.diff.push_str(&fresh);
                }
            }
        }
        diffs.retain(|file, _| aim.reload.contains(file));
        Ok(diffs.into_values().collect())
    }
}

async fn masked(
    kind: PbxKind,
    tenant_id: TenantId,
    templates: &TemplateSet,
    config: TenantConfig,
    service: Service,
) -> Result<Fragments, DeployError> {
    let (templates, config) = (templates.clone(), config.under(service));
    let rendered = spawn_blocking(move || pbx::tenant(kind, &templates, tenant_id, &config, Secrets::Masked));
    rendered.await?.map_err(DeployError::Templates)
}

impl FileDiff {
    /// What was made of a text, both without secrets.
    pub(super) fn between(file: &str, old: &str, new: &str) -> Self {
        let mut diff = unified(old, new, file);
        let truncated = diff.len() > LONGEST_DIFF;
        if truncated {
            let end = diff.floor_char_boundary(LONGEST_DIFF);
            let end = diff
                .get(..end)
                .and_then(|kept| kept.rfind('\n'))
                .unwrap_or_default();
            diff.truncate(end);
        }
        Self {
            file: file.to_owned(),
            diff,
            truncated,
        }
    }
}

fn unified(old: &str, new: &str, name: &str) -> String {
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(name, name)
        .to_string()
}
