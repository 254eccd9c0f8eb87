//! Mails in words: a text whose first line is the subject, and the same in HTML.

mod sample;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::files::{self, Files};
use super::language::Language;
use super::{RenderError, escape};
use crate::domain::mail::{Invitation, Letter, Line, Mail, MailKind, PasswordChanged, PasswordReset};

pub use sample::samples;

/// Templates of all mails that parsed and may be used.
pub struct MailTemplates {
    files: Files,
    text: Language,
    html: Language,
}

#[derive(Serialize)]
struct InvitationContext<'a> {
    name: &'a str,
    address: &'a str,
    tenant: Option<&'a str>,
    inviter: Option<&'a str>,
    link: &'a str,
    expires: String,
}

#[derive(Serialize)]
struct PasswordResetContext<'a> {
    name: &'a str,
    address: &'a str,
    link: &'a str,
    expires: String,
}

#[derive(Serialize)]
struct PasswordChangedContext<'a> {
    name: &'a str,
    address: &'a str,
    changed: String,
    by: Option<&'a str>,
}

impl MailTemplates {
    /// The templates that the program carries.
    pub fn built_in() -> Result<Self, RenderError> {
        Self::from_files(files::built_in_mails())
    }

    /// The built-in templates with the usable ones of an operator's directory in front, and why the others are not.
    pub fn with_usable_overrides(directory: &Path) -> Result<(Self, Vec<RenderError>), RenderError> {
        let (overrides, mut problems) = files::mail_overrides(directory);
        let set = files::usable(
            files::built_in_mails(),
            overrides,
            &mut problems,
            Self::from_files,
        )?;
        Ok((set, problems))
    }

    fn from_files(files: Files) -> Result<Self, RenderError> {
        Ok(Self {
            text: Language::new(".txt", escape::text, &files)?,
            html: Language::new(".html", escape::html, &files)?,
            files,
        })
    }

    /// Names and texts.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// Puts a mail into words.
    pub fn render(&self, mail: &Mail) -> Result<Letter, RenderError> {
        let (name, address) = (mail.to().name.as_str(), mail.to().address.as_str());
        match mail {
            Mail::Invitation(Invitation {
                tenant,
                inviter,
                link,
                expires_at,
                ..
            }) => self.letter(
                mail.kind(),
                &InvitationContext {
                    name,
                    address,
                    tenant: tenant.as_ref().map(Line::as_str),
                    inviter: inviter.as_ref().map(Line::as_str),
                    link: link.expose(),
                    expires: minute(*expires_at),
                },
            ),
            Mail::PasswordReset(PasswordReset { link, expires_at, .. }) => self.letter(
                mail.kind(),
                &PasswordResetContext {
                    name,
                    address,
                    link: link.expose(),
                    expires: minute(*expires_at),
                },
            ),
            Mail::PasswordChanged(PasswordChanged { changed_at, by, .. }) => self.letter(
                mail.kind(),
                &PasswordChangedContext {
                    name,
                    address,
                    changed: minute(*changed_at),
                    by: by.as_ref().map(Line::as_str),
                },
            ),
        }
    }

    fn letter(&self, kind: MailKind, context: &impl Serialize) -> Result<Letter, RenderError> {
        let template = format!("mail/{kind}.txt");
        let whole = self.text.render(&template, context)?;
        let failed = |reason: String| RenderError::Render {
            template: template.clone(),
            reason,
        };
        let (subject, text) = whole
            .strip_prefix("Subject:")
            .and_then(|rest| rest.split_once('\n'))
            .ok_or_else(|| failed("its first line must be `Subject: …`, with the text below".to_owned()))?;
        let subject = subject.trim().parse::<Line>();
        Ok(Letter {
            subject: subject.map_err(|invalid| failed(format!("the subject {}", invalid.reason())))?,
            text: text.trim_start().to_owned(),
            html: self.html.render(&format!("mail/{kind}.html"), context)?,
        })
    }
}

/// Renders every template with every sample; gives each mail's first error.
#[must_use]
pub fn check(templates: &MailTemplates) -> Vec<RenderError> {
    let mut failed = BTreeMap::new();
    for sample in samples() {
        if let Err(error) = templates.render(&sample) {
            failed.entry(sample.kind()).or_insert(error);
        }
    }
    failed.into_values().collect()
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
