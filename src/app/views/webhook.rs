//! A webhook as every surface shows it: without its secret, but where it is made or the secret is rotated.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::WebhookId;
use crate::domain::webhook::{EventKind, Webhook, WebhookSecret, WebhookUrl};

/// A webhook.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub struct WebhookView {
    id: WebhookId,
    url: WebhookUrl,
    events: BTreeSet<EventKind>,
    /// Whether events are sent.
    active: bool,
    /// Why the daemon has disabled it; null where it did not.
    note: Option<String>,
    /// How many events wait.
    pending: i64,
    /// How many events were dropped since it was made: refused again and again, too many at once, or waiting when it was disabled.
    dropped: i64,
    /// Since when it takes nothing; null after a success.
    failing_since: Option<Timestamp>,
    /// When the event that comes first is tried again; null while it does not fail.
    next_attempt_at: Option<Timestamp>,
    /// When it last took an event.
    last_delivered_at: Option<Timestamp>,
    /// When it last took none.
    last_failed_at: Option<Timestamp>,
    /// Why, since it last took one.
    last_error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let standing = webhook.standing;
        Self {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events,
            active: webhook.is_active,
            note: webhook.note,
            pending: standing.pending,
            dropped: standing.dropped,
            failing_since: standing.failing_since,
            next_attempt_at: standing.next_attempt_at,
            last_delivered_at: standing.last_delivered_at,
            last_failed_at: standing.last_failed_at,
            last_error: standing.last_error,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// A webhook with its secret, for whoever has just made it or rotated the secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedWebhook")]
pub struct CreatedWebhookView {
    #[serde(flatten)]
    webhook: WebhookView,
    #[schemars(with = "WebhookSecret")]
    secret: String,
}

impl CreatedWebhookView {
    /// Shows the secret.
    #[must_use]
    pub fn revealing(webhook: Webhook, secret: &WebhookSecret) -> Self {
        Self {
            webhook: webhook.into(),
            secret: secret.expose().to_owned(),
        }
    }
}
