//! `extensions.conf`: the tenant's context, with one line for each extension and one hint for each length.

use serde::Serialize;

use super::TenantContext;
use crate::domain::recording_notice::{NoticeFor, SoundName};
use crate::domain::revision::{ExtensionConfig, TenantConfig};
use crate::render::RenderError;
use crate::render::template_set::TemplateSet;

pub(super) const TEMPLATE: &str = "asterisk/extensions.conf";
/// What an extension's line calls.
const SUBROUTINE: &str = "Gosub(switchyard-extension,";

#[derive(Serialize)]
struct DialplanContext<'a> {
    tenant: TenantContext<'a>,
    /// `XX`, `XXX`, …: one for each length of number in use. One pattern hint serves every extension of its
    /// length; one hint for each extension would make reloads grow with the square (measured).
    number_patterns: Vec<String>,
    /// What a recorded call begins with, where it does.
    notice: Option<Notice<'a>>,
    extensions: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Notice<'a> {
    /// `inbound` or `all`.
    hearers: &'static str,
    sound: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    number: &'a str,
    /// Seconds.
    ring_time: u16,
    /// Number or empty.
    forward_always: &'a str,
    /// Number or empty.
    forward_busy: &'a str,
    /// Number or empty.
    forward_no_answer: &'a str,
    /// 0 or 1.
    mailbox: u8,
    /// 0 or 1.
    record_inbound: u8,
}

pub(super) fn tenant(templates: &TemplateSet, config: &TenantConfig) -> Result<String, RenderError> {
    let extensions: Vec<Line<'_>> = config.active().map(line).collect();
    let number_patterns = config
        .number_lengths()
        .into_iter()
        .map(|length| "X".repeat(length))
        .collect();
    templates.render(
        TEMPLATE,
        &DialplanContext {
            tenant: TenantContext::new(config),
            number_patterns,
            notice: config.notice.played().map(|(hearers, sound)| Notice {
                hearers: hearers.as_str(),
                sound: sound.as_str(),
            }),
            extensions,
        },
    )
}

/// How a tenant's text has its recorded calls announced.
pub(super) enum Announces {
    /// It does not.
    Not,
    /// It hands on to the subroutine whom and what to play.
    BySubroutine,
    /// In lines of the operator's own.
    Itself,
}

pub(super) fn announces(hearers: NoticeFor, sound: &SoundName, text: &str) -> Announces {
    let arguments = format!(",{hearers},{sound})");
    let mut ours = lines(text).filter(|line| line.contains(SUBROUTINE)).peekable();
    if ours.peek().is_some() {
        return if ours.all(|line| line.contains(&arguments)) {
            Announces::BySubroutine
        } else {
            Announces::Not
        };
    }
    let mut words = lines(text).flat_map(|line| line.split(|c: char| !is_of_a_name(c)));
    if words.any(|word| word == sound.as_str()) {
        Announces::Itself
    } else {
        Announces::Not
    }
}

/// Whether the subroutine makes anything of what it is to play.
pub(super) fn plays(common: &str) -> bool {
    lines(common).any(|line| line.contains("${ARG10}"))
}

/// What the name of a sound may be made of.
const fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/')
}

/// Those that are no comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with(';'))
}

fn line(extension: &ExtensionConfig) -> Line<'_> {
    let settings = &extension.settings;
    let forward = &settings.forward;
    Line {
        number: extension.number.as_str(),
        ring_time: settings.ring_time.seconds(),
        forward_always: forward.always.as_ref().map_or("", AsRef::as_ref),
        forward_busy: forward.busy.as_ref().map_or("", AsRef::as_ref),
        forward_no_answer: forward.no_answer.as_ref().map_or("", AsRef::as_ref),
        mailbox: settings.voicemail.enabled.into(),
        record_inbound: extension.records_inbound().into(),
    }
}
