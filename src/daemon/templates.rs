//! The template set that the next deploy would use, checked as a whole before any deploy.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use thiserror::Error;

use crate::domain::error_chain::error_chain;
use crate::render::mail::MailTemplates;
use crate::render::template_set::TemplateSet;
use crate::render::{RenderError, mail, pbx, samples};

/// Every template that cannot be used.
#[derive(Debug, Error)]
#[error("{}", self.told().join("\n"))]
pub struct TemplatesError(Vec<RenderError>);

impl TemplatesError {
    /// Each of them, in words.
    pub(super) fn told(&self) -> Vec<String> {
        self.0.iter().map(|error| error_chain(error)).collect()
    }
}

impl From<RenderError> for TemplatesError {
    fn from(error: RenderError) -> Self {
        Self(vec![error])
    }
}

/// A template set that renders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Checked {
    /// Every template, by name.
    pub templates: Vec<Template>,
    /// With how many sample tenants each of a PBX's was rendered.
    pub samples: usize,
    /// With how many sample mails those of mails were.
    pub mails: usize,
    /// Tells what a PBX gets from others.
    pub digest: String,
}

/// One template.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Template {
    /// Such as `asterisk/pjsip.conf`.
    pub name: String,
    /// Whether it is the operator's own.
    pub own: bool,
}

/// Renders every template with every sample, those of `overrides` in front of the built-in ones.
pub fn check(overrides: Option<&Path>) -> Result<Checked, TemplatesError> {
    let (set, mails) = match (read(overrides), read_mails(overrides)) {
        (Ok(set), Ok(mails)) => (set, mails),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
        (Err(TemplatesError(mut all)), Err(TemplatesError(more))) => {
            all.extend(more);
            return Err(TemplatesError(all));
        }
    };
    let mut templates = told(set.files(), TemplateSet::built_in()?.files());
    templates.extend(told(mails.files(), MailTemplates::built_in()?.files()));
    Ok(Checked {
        templates,
        samples: samples().len(),
        mails: mail::samples().len(),
        digest: set.digest().short(),
    })
}

fn told(files: &BTreeMap<String, String>, built_in: &BTreeMap<String, String>) -> Vec<Template> {
    let template = |(name, text): (&String, &String)| Template {
        name: name.clone(),
        own: built_in.get(name) != Some(text),
    };
    files.iter().map(template).collect()
}

/// The templates of mails as they stand, where all of them can be used. A PBX goes on without them.
fn read_mails(overrides: Option<&Path>) -> Result<MailTemplates, TemplatesError> {
    let (templates, mut problems) = match overrides {
        Some(directory) => MailTemplates::with_usable_overrides(directory)?,
        None => (MailTemplates::built_in()?, Vec::new()),
    };
    problems.extend(mail::check(&templates));
    without(problems, templates)
}

/// What a PBX gets as it stands, where all of it can be used.
pub(super) fn read(overrides: Option<&Path>) -> Result<TemplateSet, TemplatesError> {
    let (set, mut problems) = match overrides {
        Some(directory) => TemplateSet::with_usable_overrides(directory)?,
        None => (TemplateSet::built_in()?, Vec::new()),
    };
    problems.extend(pbx::check(&set));
    without(problems, set)
}

fn without<T>(problems: Vec<RenderError>, set: T) -> Result<T, TemplatesError> {
    if problems.is_empty() {
        Ok(set)
    } else {
        Err(TemplatesError(problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_template_is_told_from_a_built_in_one() {
        assert!(
            check(None)
                .unwrap()
                .templates
                .iter()
                .all(|template| !template.own)
        );
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("asterisk/voicemail.conf");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "; nothing\n").unwrap();
        let checked = check(Some(directory.path())).unwrap();
        let own: Vec<_> = checked.templates.iter().filter(|template| template.own).collect();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].name, "asterisk/voicemail.conf");
    }
}
