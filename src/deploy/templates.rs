//! Where template sets come from: the current one from program and override directory, old ones from the database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::spawn_blocking;

use super::error::DeployError;
use crate::domain::digest::Digest;
use crate::domain::finding::{Finding, Severity};
use crate::render::template_set::TemplateSet;
use crate::render::{RenderError, pbx};
use crate::store::{Tx, template_sets};

/// Parsed sets that are kept in memory; an instance needs two, the live one and the next.
const KEPT: usize = 8;

/// Gives template sets.
///
/// Whoever reads the override directory hands every set over that is good, and what is wrong with every other: then the
/// last good one is given, whatever stands in the directory. Where none was handed over it is read, and checked, at each
/// call: nobody is given a set that was not checked as a whole.
pub struct TemplateSource {
    overrides: Option<PathBuf>,
    held: Mutex<Held>,
    parsed: Mutex<BTreeMap<Digest, TemplateSet>>,
}

#[derive(Default)]
struct Held {
    good: Option<TemplateSet>,
    /// What is wrong with the directory as it stands; empty where it is what is held.
    refused: Vec<String>,
}

impl TemplateSource {
    /// `overrides`: the operator's own templates, which go before the built-in ones.
    #[must_use]
    pub fn new(overrides: Option<PathBuf>) -> Self {
        Self {
            overrides,
            held: Mutex::default(),
            parsed: Mutex::new(BTreeMap::new()),
        }
    }

    /// The operator's own templates.
    #[must_use]
    pub fn overrides(&self) -> Option<&Path> {
        self.overrides.as_deref()
    }

    /// The set that the next platform deploy moves to.
    pub async fn current(&self) -> Result<TemplateSet, DeployError> {
        if let Some(good) = &self.held().good {
            return Ok(good.clone());
        }
        if let Some(directory) = &self.overrides {
            let directory = directory.clone();
            let read = spawn_blocking(move || checked(&directory));
            return read.await?.map_err(DeployError::Templates);
        }
        let built_in = TemplateSet::built_in().map_err(DeployError::Templates)?;
        self.held().good = Some(built_in.clone());
        Ok(built_in)
    }

    /// Takes a set that was checked as a whole; whether it differs from the one that was held.
    pub fn hold(&self, set: TemplateSet) -> bool {
        let mut held = self.held();
        let differs = held
            .good
            .as_ref()
            .is_none_or(|former| former.digest() != set.digest());
        held.good = Some(set);
        held.refused.clear();
        differs
    }

    /// Keeps what is held, and notes what is wrong with the directory as it stands.
    pub fn refuse(&self, problems: Vec<String>) {
        self.held().refused = problems;
    }

    /// What is wrong with the directory as it stands, while another set is held.
    #[must_use]
    pub fn refused(&self) -> Option<Finding> {
        let held = self.held();
        if held.refused.is_empty() || held.good.is_none() {
            return None;
        }
        let message = format!(
            "the templates as they stand are not used, and those before stay: {}; correct them, `switchyard templates \
             check` tells when they are good",
            held.refused.join("; ")
        );
        Some(Finding::new(Severity::Warning, "templates_refused", message))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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

fn checked(directory: &Path) -> Result<TemplateSet, RenderError> {
    let set = TemplateSet::with_overrides(directory)?;
    match pbx::check(&set).into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> TemplateSet {
        let mut files = TemplateSet::built_in().unwrap().files().clone();
        files.insert("asterisk/voicemail.conf".to_owned(), text.to_owned());
        TemplateSet::from_files(files).unwrap()
    }

    #[tokio::test]
    async fn the_last_good_set_stays_until_the_next_good_one() {
        let directory = tempfile::tempdir().unwrap();
        let source = TemplateSource::new(Some(directory.path().to_owned()));
        let (first, second) = (own("; first\n"), own("; second\n"));
        assert!(source.hold(first.clone()));
        assert!(!source.hold(first.clone()));
        source.refuse(vec!["`x` overrides no template".to_owned()]);
        assert_eq!(source.current().await.unwrap().digest(), first.digest());
        assert!(source.refused().unwrap().message.contains("`x` overrides no"));
        assert!(source.hold(second.clone()));
        assert_eq!(source.current().await.unwrap().digest(), second.digest());
        assert_eq!(source.refused(), None);
    }

    /// Neither the built-in set nor any other was asked for. The others parse, and the second renders with no tenant.
    #[tokio::test]
    async fn without_a_good_set_the_directory_is_the_error() {
        for (name, text) in [
            ("nothing.conf", ""),
            ("asterisk/pjsip.conf", "{{ tenant.nmae }}\n"),
            ("fusionpbx/dialplan.xml", "<extension>\n"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            let source = TemplateSource::new(Some(directory.path().to_owned()));
            assert!(
                source.current().await.is_err(),
                "{name}: nobody has looked at it before"
            );
            source.refuse(vec![format!("`{name}` is wrong")]);
            assert!(source.current().await.is_err(), "{name}");
            assert_eq!(source.refused(), None, "the error says it");
        }
    }
}
