//! What a deploy would do, for people: the semantic diff, our findings, and a diff of the files without a secret.

use std::collections::BTreeMap;

use similar::TextDiff;

use super::aim::{self, Aim};
use super::engine::Engine;
use super::error::DeployError;
use crate::domain::artifact::ConfFile;
use crate::domain::change::Change;
use crate::domain::deployment::Scope;
use crate::domain::finding::Finding;
use crate::domain::ids::{InstanceId, RevisionId, TenantId};
use crate::render::RenderError;
use crate::render::asterisk::{self, Secrets};
use crate::render::template_set::TemplateSet;
use crate::store::{Tx, instances, revisions};

/// Beyond this a diff is cut: nobody reads more, and a first deploy of a large box has no end.
const LONGEST_DIFF: usize = 200_000;

/// One file's diff.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct FileDiff {
    /// Which file.
    pub file: ConfFile,
    /// Unified diff of the texts with secrets hidden; empty where only secrets differ.
    pub diff: String,
    /// Whether it was cut.
    pub truncated: bool,
}

/// What a deploy would do.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Preview {
    /// The generation that is live; absent before the first.
    pub live_generation: Option<i64>,
    /// Whether a deploy would do nothing.
    pub unchanged: bool,
    /// Object by object.
    pub changes: Vec<Change>,
    /// What our own validation says; the shadow reads only in a deploy.
    pub findings: Vec<Finding>,
    /// The modules that would be reloaded.
    pub reload: Vec<&'static str>,
    /// Line by line.
    pub files: Vec<FileDiff>,
}

impl Preview {
    /// A deploy would be rejected before it knows what changes.
    fn unusable(error: &RenderError) -> Self {
        Self {
            live_generation: None,
            unchanged: false,
            changes: Vec::new(),
            findings: vec![templates_unusable(error)],
            reload: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// What a deploy says of a template set that cannot be used.
pub(super) fn templates_unusable(error: &RenderError) -> Finding {
    let message = format!("{error}; correct the template and deploy again. Nothing was touched");
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

    /// Works the aim out as a deploy would, in a transaction that is dropped: nothing is kept.
    async fn preview(&self, instance_id: InstanceId, look: Look) -> Result<Option<Preview>, DeployError> {
        let mut tx = self.store.begin("preview").await?;
        let now = self.clock.now();
        let Some(instance) = instances::find(&mut tx, instance_id).await? else {
            return Ok(None);
        };
        let scope = match look {
            Look::Platform => Scope::Platform,
            Look::Tenant(tenant_id) => {
                let Some(head) = revisions::head(&mut tx, tenant_id).await? else {
                    return Ok(None);
                };
                let fresh = RevisionId::fresh(self.ids.as_ref());
                let revision = revisions::take(&mut tx, tenant_id, &head, fresh, now).await?;
                Scope::Tenant {
                    tenant_id,
                    revision_id: revision.id,
                }
            }
        };
        let aim = match aim::aim(self, &mut tx, &instance, &scope, now).await {
            Err(DeployError::Templates(error)) => return Ok(Some(Preview::unusable(&error))),
            aim => aim?,
        };
        let files = self.diffs(&mut tx, &aim).await?;
        Ok(Some(Preview {
            live_generation: aim.live.as_ref().map(|live| live.number),
            unchanged: aim.is_unchanged(),
            reload: aim.reload.iter().map(|file| file.module()).collect(),
            changes: aim.changes,
            findings: aim.findings,
            files,
        }))
    }

    async fn diffs(&self, tx: &mut Tx, aim: &Aim) -> Result<Vec<FileDiff>, DeployError> {
        let old_templates = match &aim.live {
            Some(live) => Some(self.templates.kept(tx, live.template_digest).await?),
            None => None,
        };
        let mut diffs: BTreeMap<ConfFile, FileDiff> = BTreeMap::new();
        for tenant_id in super::plan::moved_tenants(&aim.before, &aim.after) {
            let revision = |state: &super::plan::InstanceState| {
                state
                    .tenants
                    .get(&tenant_id)
                    .map(|tenant| tenant.version.revision_id)
            };
            let old = match &old_templates {
                Some(templates) => masked(tx, templates, tenant_id, revision(&aim.before)).await?,
                None => asterisk::Fragments::new(),
            };
            let new = masked(tx, &aim.templates, tenant_id, revision(&aim.after)).await?;
            for file in ConfFile::ALL {
                let text = |fragments: &asterisk::Fragments| fragments.get(file).cloned().unwrap_or_default();
                let entry = diffs.entry(*file).or_insert_with(|| FileDiff {
                    file: *file,
                    diff: String::new(),
                    truncated: false,
                });
                let fresh = unified(&text(&old), &text(&new), *file);
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
    tx: &mut Tx,
    templates: &TemplateSet,
    tenant_id: TenantId,
    revision: Option<RevisionId>,
) -> Result<asterisk::Fragments, DeployError> {
    let Some(id) = revision else {
        return Ok(asterisk::Fragments::new());
    };
    let Some(revision) = revisions::find(tx, tenant_id, id).await? else {
        return Ok(asterisk::Fragments::new());
    };
    asterisk::tenant(templates, &revision.config, Secrets::Masked).map_err(DeployError::Templates)
}

fn unified(old: &str, new: &str, file: ConfFile) -> String {
    let name = file.as_str();
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(name, name)
        .to_string()
}
