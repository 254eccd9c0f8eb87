//! Where template sets come from: the current one from program and override directory, old ones from the database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::error::DeployError;
use crate::domain::digest::Digest;
use crate::render::RenderError;
use crate::render::template_set::TemplateSet;
use crate::store::{Tx, template_sets};

/// Parsed sets that are kept in memory; an instance needs two, the live one and the next.
const KEPT: usize = 8;

/// Gives template sets.
pub struct TemplateSource {
    overrides: Option<PathBuf>,
    parsed: Mutex<BTreeMap<Digest, TemplateSet>>,
}

impl TemplateSource {
    /// `overrides`: the operator's own templates, which go before the built-in ones.
    #[must_use]
    pub fn new(overrides: Option<PathBuf>) -> Self {
        Self {
            overrides,
            parsed: Mutex::new(BTreeMap::new()),
        }
    }

    /// The set as it stands now.
    pub fn current(&self) -> Result<TemplateSet, RenderError> {
        match &self.overrides {
            Some(directory) => TemplateSet::with_overrides(directory),
            None => TemplateSet::built_in(),
        }
    }

    /// A set that a generation was made with.
    pub async fn kept(&self, tx: &mut Tx, digest: Digest) -> Result<TemplateSet, DeployError> {
        let known = self
            .parsed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&digest)
            .cloned();
        if let Some(set) = known {
            return Ok(set);
        }
        let files = template_sets::find(tx, digest)
            .await?
            .ok_or_else(|| DeployError::Missing {
                what: format!("the template set {}", digest.short()),
            })?;
        let set = TemplateSet::from_files(files).map_err(DeployError::Templates)?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.len() >= KEPT {
            parsed.clear();
        }
        parsed.insert(digest, set.clone());
        Ok(set)
    }
}
