//! What a change may ask of the thing it changes: that it still is as its author saw it.

use std::iter::once;

use super::error::AppError;
use crate::domain::digest::Digest;
use crate::domain::extension::Extension;
use crate::domain::recording_notice::SoundName;
use crate::domain::role::Role;
use crate::domain::tenant::TenantSettings;
use crate::domain::ticket::Ticket;
use crate::domain::user::User;
use crate::domain::webhook::Webhook;

/// Names the version of an extension: every change of it gives it another one.
#[must_use]
pub fn tag(extension: &Extension) -> String {
    extension.version.to_string()
}

/// Names the version of a user: every change of them gives them another one. A sign-in is none, but the first one by an issuer,
/// which links them.
#[must_use]
pub fn tag_of_user(user: &User) -> String {
    user.version.to_string()
}

/// Names the version of a ticket: every change of it gives it another one, and every comment.
#[must_use]
pub fn tag_of_ticket(ticket: &Ticket) -> String {
    ticket.version.to_string()
}

/// Names what a role allows, and its name: equal roles have equal tags.
#[must_use]
pub fn tag_of_role(role: &Role) -> String {
    let permissions = role.permissions.iter().map(|permission| permission.as_str());
    let parts = once(role.name.as_str()).chain(permissions);
    Digest::of_parts(parts.map(str::as_bytes)).short()
}

/// Names where a webhook's events are sent, which, and whether: equal settings have equal tags.
#[must_use]
pub fn tag_of_webhook(webhook: &Webhook) -> String {
    let events = webhook.events.iter().map(|kind| kind.as_str());
    let active = if webhook.is_active { "active" } else { "" };
    let parts = [webhook.url.as_str(), active].into_iter().chain(events);
    Digest::of_parts(parts.map(str::as_bytes)).short()
}

/// Names what a tenant has set for itself: equal settings have equal tags.
#[must_use]
pub fn tag_of_settings(settings: &TenantSettings) -> String {
    let minutes = settings.session_timeout_minutes.minutes().to_string();
    let notice = &settings.notice;
    let parts = [
        settings.name.as_str(),
        settings.timezone.as_str(),
        settings.recording.as_str(),
        notice.hearers.as_str(),
        notice.sound.as_ref().map_or("", SoundName::as_str),
        minutes.as_str(),
    ];
    Digest::of_parts(parts.map(str::as_bytes)).short()
}

/// Which versions a change is meant for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum IfMatch {
    /// Whichever it is.
    #[default]
    Any,
    /// Those with one of these tags.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// Refuses another version; to be asked in the transaction of the change.
    pub(super) fn check(&self, current: &str) -> Result<(), AppError> {
        match self {
            Self::OneOf(tags) if !tags.iter().any(|tag| tag == current) => Err(AppError::PreconditionFailed),
            Self::Any | Self::OneOf(_) => Ok(()),
        }
    }
}
