//! Template sets: the built-in templates with an operator's own in front, kept by digest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::language::Language;
use super::{RenderError, escape, files};
use crate::domain::digest::Digest;
use crate::domain::instance::PbxKind;

/// A set of templates that parsed and may be used.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct TemplateSet {
    files: Arc<BTreeMap<String, String>>,
    digest: Digest,
    conf: Arc<Language>,
    xml: Arc<Language>,
}

impl TemplateSet {
    /// The templates that the program carries.
    pub fn built_in() -> Result<Self, RenderError> {
        Self::from_files(files::built_in())
    }

    /// The built-in templates, with each file of `directory` in place of the one of the same name.
    pub fn with_overrides(directory: &Path) -> Result<Self, RenderError> {
        let (set, problems) = Self::with_usable_overrides(directory)?;
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(set),
        }
    }

    /// The same without the files of `directory` that cannot be used, and why each of them cannot.
    pub fn with_usable_overrides(directory: &Path) -> Result<(Self, Vec<RenderError>), RenderError> {
        let (overrides, mut problems) = files::overrides(directory);
        let set = files::usable(files::built_in(), overrides, &mut problems, Self::from_files)?;
        Ok((set, problems))
    }

    /// A set as it was kept: the same files give the same digest and the same output.
    pub fn from_files(files: BTreeMap<String, String>) -> Result<Self, RenderError> {
        let conf = Language::new(".conf", escape::conf, &files)?;
        let xml = Language::new(".xml", escape::xml, &files)?;
        let parts = files
            .iter()
            .flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
        let digest = Digest::of_parts(parts);
        Ok(Self {
            files: Arc::new(files),
            digest,
            conf: Arc::new(conf),
            xml: Arc::new(xml),
        })
    }

    /// Names and texts.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// Equal sets have equal digests.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same of the templates of one kind alone.
    #[must_use]
    pub fn digest_of(&self, kind: PbxKind) -> Digest {
        let of_kind = self.files.iter().filter(|(name, _)| {
            name.split_once('/')
                .is_some_and(|(folder, _)| folder == kind.as_str())
        });
        Digest::of_parts(of_kind.flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]))
    }

    /// Renders one template. Only the typed functions beside the context types call this.
    pub(super) fn render(&self, template: &str, context: &impl Serialize) -> Result<String, RenderError> {
        let language = if Path::new(template)
            .extension()
            .is_some_and(|extension| extension == "xml")
        {
            &self.xml
        } else {
            &self.conf
        };
        language.render(template, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn with(name: &str, text: &str) -> Result<TemplateSet, RenderError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        TemplateSet::with_overrides(directory.path())
    }

    #[test]
    fn an_override_changes_the_digest() {
        let built_in = TemplateSet::built_in().unwrap();
        let overridden = with("asterisk/pjsip.conf", "; nothing\n").unwrap();
        assert_ne!(built_in.digest(), overridden.digest());
        assert_eq!(
            built_in.digest(),
            TemplateSet::from_files(built_in.files().clone())
                .unwrap()
                .digest()
        );
    }

    #[test]
    fn a_template_of_one_kind_is_another_set_for_that_kind_alone() {
        let built_in = TemplateSet::built_in().unwrap();
        for (name, [asterisk, fusionpbx]) in [
            ("asterisk/pjsip.conf", [false, true]),
            ("fusionpbx/dialplan.xml", [true, false]),
        ] {
            let own = with(name, "<extension/>\n").unwrap();
            let same = |kind| own.digest_of(kind) == built_in.digest_of(kind);
            assert_eq!(same(PbxKind::Asterisk), asterisk, "{name}");
            assert_eq!(same(PbxKind::FusionPbx), fusionpbx, "{name}");
        }
    }

    #[test]
    fn an_override_of_nothing_is_refused_with_the_known_names() {
        let error = with("asterisk/pjsip.cnf", "").err().unwrap().to_string();
        assert!(
            error.contains("asterisk/pjsip.cnf") && error.contains("asterisk/pjsip.conf"),
            "{error}"
        );
    }

    #[test]
    fn the_safe_filter_is_refused() {
        for text in [
            "{{ a | safe }}",
            "{{ a|safe}}",
            "{{ a |\n safe }}",
            "{% set x = a | safe %}",
        ] {
            assert!(
                matches!(
                    with("asterisk/pjsip.conf", text),
                    Err(RenderError::Template { .. })
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn a_syntax_error_names_template_and_line() {
        let error = with("asterisk/pjsip.conf", "fine\n{{ oops")
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("asterisk/pjsip.conf"), "{error}");
    }

    #[test]
    fn an_undefined_variable_fails_the_render() {
        let set = with("asterisk/pjsip.conf", "{{ tenant.nmae }}").unwrap();
        assert!(matches!(
            set.render("asterisk/pjsip.conf", &serde_json::json!({})),
            Err(RenderError::Render { .. })
        ));
    }
}
