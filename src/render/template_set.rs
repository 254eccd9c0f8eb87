//! Template sets: the built-in templates with an operator's own in front, kept by digest.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rust_embed::RustEmbed;
use serde::Serialize;
use tera::{Context, Tera};

use super::{RenderError, escape};
use crate::domain::digest::Digest;

#[derive(RustEmbed)]
#[folder = "templates"]
struct BuiltIn;

/// The longest template that is read; a longer file is a mistake, not a template.
const LONGEST: u64 = 1024 * 1024;

/// A set of templates that parsed and may be used.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct TemplateSet {
    files: Arc<BTreeMap<String, String>>,
    digest: Digest,
    tera: Arc<Tera>,
}

impl TemplateSet {
    /// The templates that the program carries.
    pub fn built_in() -> Result<Self, RenderError> {
        Self::from_files(built_in_files())
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
        let mut files = built_in_files();
        let mut overrides = BTreeMap::new();
        let mut problems = Vec::new();
        read_directory(directory, "", &mut overrides, &mut problems);
        let known = files.keys().cloned().collect::<Vec<_>>().join(", ");
        overrides.retain(|name, _| {
            let is_known = files.contains_key(name);
            if !is_known {
                let (name, known) = (name.clone(), known.clone());
                problems.push(RenderError::UnknownOverride { name, known });
            }
            is_known
        });
        let mut whole = files.clone();
        whole.extend(overrides.clone());
        if let Ok(set) = Self::from_files(whole) {
            return Ok((set, problems));
        }
        for (name, text) in overrides {
            let mut with = files.clone();
            with.insert(name, text);
            match Self::from_files(with.clone()) {
                Ok(_) => files = with,
                Err(problem) => problems.push(problem),
            }
        }
        Ok((Self::from_files(files)?, problems))
    }

    /// A set as it was kept: the same files give the same digest and the same output.
    pub fn from_files(files: BTreeMap<String, String>) -> Result<Self, RenderError> {
        let mut tera = Tera::default();
        tera.autoescape_on([".conf"]);
        tera.set_escape_fn(escape::conf);
        tera.register_filter("quoted", quoted);
        for (name, text) in &files {
            forbid_safe(name, text)?;
        }
        tera.add_raw_templates(files.iter())
            .map_err(|error| RenderError::Template {
                template: error_template(&error),
                reason: error.to_string(),
            })?;
        let parts = files
            .iter()
            .flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
        let digest = Digest::of_parts(parts);
        Ok(Self {
            files: Arc::new(files),
            digest,
            tera: Arc::new(tera),
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

    /// Renders one template. Only the typed functions beside the context types call this.
    pub(super) fn render(&self, template: &str, context: &impl Serialize) -> Result<String, RenderError> {
        let failed = |reason: String| RenderError::Render {
            template: template.to_owned(),
            reason,
        };
        let context = Context::from_serialize(context).map_err(|error| failed(error.to_string()))?;
        self.tera
            .render(template, &context)
            .map_err(|error| match escape::take_refused() {
                Some(value) => failed(format!("the value \"{value}\" holds a line break or a NUL")),
                None => failed(error.to_string()),
            })
    }
}

fn quoted(value: &str, _: tera::Kwargs, _: &tera::State<'_>) -> String {
    escape::quoted(value)
}

/// Every file below `templates`, by its path there.
fn built_in_files() -> BTreeMap<String, String> {
    BuiltIn::iter()
        .filter_map(|name| {
            let file = BuiltIn::get(&name)?;
            Some((
                name.into_owned(),
                String::from_utf8_lossy(&file.data).into_owned(),
            ))
        })
        .collect()
}

/// `| safe` would switch the escaping off, and with it the promise that no value ends its line.
fn forbid_safe(name: &str, text: &str) -> Result<(), RenderError> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('|') {
        let word = after.trim_start();
        let is_safe = word
            .strip_prefix("safe")
            .is_some_and(|end| !end.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
        if is_safe {
            return Err(RenderError::Template {
                template: name.to_owned(),
                reason: "the filter `safe` is not allowed: it would write values unescaped".to_owned(),
            });
        }
        rest = after;
    }
    Ok(())
}

fn error_template(error: &tera::Error) -> String {
    match error.kind() {
        tera::ErrorKind::SyntaxError(report) | tera::ErrorKind::RenderingError(report) => {
            report.filename().to_owned()
        }
        _ => "(set)".to_owned(),
    }
}

/// Reads every file below a directory; what cannot be read is a problem, and not in the way of the others.
fn read_directory(
    directory: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, String>,
    problems: &mut Vec<RenderError>,
) {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(source) => return problems.push(unreadable(directory, source)),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let file_name = entry.file_name().to_string_lossy().into_owned();
        // Editors leave swap and backup files beside what they edit.
        if file_name.starts_with('.') || file_name.ends_with('~') {
            continue;
        }
        let name = if prefix.is_empty() {
            file_name
        } else {
            format!("{prefix}/{file_name}")
        };
        if path.is_dir() {
            read_directory(&path, &name, files, problems);
            continue;
        }
        match read_file(&path, &name) {
            Ok(text) => {
                files.insert(name, text);
            }
            Err(problem) => problems.push(problem),
        }
    }
}

fn read_file(path: &Path, name: &str) -> Result<String, RenderError> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text))
        .map_err(|source| unreadable(path, source))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(RenderError::Template {
            template: name.to_owned(),
            reason: "is longer than 1 MiB".to_owned(),
        });
    }
    Ok(text)
}

fn unreadable(path: &Path, source: std::io::Error) -> RenderError {
    RenderError::Directory {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
