//! One Tera for each output language, with the escape function that the language needs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use tera::{Context, Tera};

use super::{RenderError, escape};

/// Writes a value so that it stays one value in the language.
pub(super) type Escape = fn(&str, &mut dyn Write) -> io::Result<()>;

/// Templates of one language that parsed and may be used.
pub(super) struct Language(Tera);

impl Language {
    /// `ending`: what the names of its templates end in; those that end otherwise are left out.
    pub fn new(
        ending: &'static str,
        escape: Escape,
        files: &BTreeMap<String, String>,
    ) -> Result<Self, RenderError> {
        let mut tera = Tera::default();
        tera.autoescape_on([ending]);
        tera.set_escape_fn(escape);
        tera.register_filter("quoted", quoted);
        let ours = || files.iter().filter(|(name, _)| name.ends_with(ending));
        for (name, text) in ours() {
            forbid_safe(name, text)?;
        }
        tera.add_raw_templates(ours())
            .map_err(|error| RenderError::Template {
                template: error_template(&error),
                reason: error.to_string(),
            })?;
        Ok(Self(tera))
    }

    /// Renders one template. Only the typed functions beside the context types lead here.
    pub fn render(&self, template: &str, context: &impl Serialize) -> Result<String, RenderError> {
        let failed = |reason: String| RenderError::Render {
            template: template.to_owned(),
            reason,
        };
        let context = Context::from_serialize(context).map_err(|error| failed(error.to_string()))?;
        self.0
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
