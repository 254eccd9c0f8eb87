//! FusionPBX's rows: one a line as JSON, for each artifact those of a tenant and then the marker.

mod row_variable;
mod rows;

use serde::Serialize;
use serde_json::json;

use super::RenderError;
use super::pbx::{Fragments, Secrets, missing_secret};
use super::sample::samples;
use super::template_set::TemplateSet;
use super::xml::one_element;
use crate::domain::artifact::Artifact;
use crate::domain::fusionpbx_row::id_of;
use crate::domain::ids::TenantId;
use crate::domain::instance::PbxKind;
use crate::domain::revision::TenantConfig;

const DIALPLAN: &str = "fusionpbx/dialplan.xml";

/// Renders all that one tenant adds.
pub(super) fn tenant(
    templates: &TemplateSet,
    tenant_id: TenantId,
    config: &TenantConfig,
    secrets: Secrets<'_>,
) -> Result<Fragments, RenderError> {
    let mut rows = vec![rows::domain(tenant_id, config)];
    for extension in &config.extensions {
        let secrets = match secrets {
            Secrets::Real(all) => Some(
                all.get(&extension.id)
                    .ok_or_else(|| missing_secret(EXTENSIONS, extension))?,
            ),
            Secrets::Masked => None,
        };
        let own = rows::extension(tenant_id, config, extension, secrets);
        rows.push(row_variable::row(tenant_id, extension.id, &own)?);
        rows.extend(own);
    }
    if !config.extensions.is_empty() {
        let id = id_of(tenant_id.uuid(), "dialplan");
        let xml = templates.render(DIALPLAN, &DialplanContext { uuid: id.to_string() })?;
        // FusionPBX puts the text of every row of a context one behind the other.
        one_element(&xml, "extension").map_err(|reason| RenderError::Render {
            template: DIALPLAN.to_owned(),
            reason,
        })?;
        rows.push(rows::dialplan(tenant_id, config, id, xml));
    }
    let mut fragments: Fragments = Artifact::of(PbxKind::FusionPbx)
        .iter()
        .map(|artifact| (*artifact, String::new()))
        .collect();
    for row in rows {
        let text = fragments.entry(row.table.artifact()).or_default();
        text.push_str(&line(row.table.artifact(), &row)?);
    }
    Ok(fragments)
}

/// The line behind all tenants of an artifact.
pub(super) fn instance(artifact: Artifact, marker: &str) -> Result<String, RenderError> {
    line(artifact, &json!({ "marker": marker }))
}

/// Renders every template with every sample.
pub(super) fn check(templates: &TemplateSet) -> Option<RenderError> {
    samples().into_iter().find_map(|sample| {
        let secrets = Secrets::Real(&sample.secrets);
        tenant(templates, sample.tenant_id, &sample.config, secrets).err()
    })
}

const EXTENSIONS: &str = Artifact::ExtensionRows.as_str();

fn line(artifact: Artifact, value: &impl Serialize) -> Result<String, RenderError> {
    let text = serde_json::to_string(value).map_err(|error| RenderError::Render {
        template: artifact.to_string(),
        reason: error.to_string(),
    })?;
    Ok(text + "\n")
}

#[derive(Serialize)]
struct DialplanContext {
    uuid: String,
}

#[cfg(test)]
mod tests;
