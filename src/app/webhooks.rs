//! Webhooks of a tenant: look at them, make, change, rotate and delete them; and disable those that take nothing.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::guards;
use super::precondition::{IfMatch, tag_of_webhook};
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::domain::given::given;
use crate::domain::ids::{TenantId, WebhookId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::page::{Page, PageRequest};
use crate::domain::permission::Permission;
use crate::domain::webhook::{EventKind, Webhook, WebhookSecret, WebhookStanding, WebhookUrl};
use crate::domain::webhook_reach::WebhookReach;
use crate::store::{Tx, webhook_queue, webhooks};

const RIGHT: Permission = Permission::BotsManage;
/// As many kinds are read of a list: there are fewer.
const MOST_NAMED: usize = 100;
/// How long requests are signed with the former secret too.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// A webhook as it is written; in a change, what is absent stays.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["url", "events"]))]
pub struct WebhookInput {
    /// Where events are sent.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "WebhookUrl")]
    pub url: Option<String>,
    /// Which are.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Vec<EventKind>", length(min = 1, max = MOST_NAMED))]
    pub events: Option<Vec<String>>,
    /// Whether any are; true where it is not said. Made true again, it begins anew with what happens from then on; made
    /// false, what waits is dropped.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "bool")]
    pub active: Option<bool>,
}

impl App {
    /// Has webhooks lead only where they may.
    #[must_use]
    pub fn with_webhook_reach(self, webhook_reach: WebhookReach) -> Self {
        Self {
            webhook_reach,
            ..self
        }
    }
}

/// One page of the tenant's webhooks, newest first. There are so few that all are read.
pub async fn list(app: &App, caller: &Caller, request: PageRequest) -> Result<Page<Webhook>, AppError> {
    let tenant = caller.tenant(RIGHT, Act::Read)?;
    let mut tx = app.store.read("list_webhooks").await?;
    let all = webhooks::list(&mut tx, tenant).await?;
    let whole = |number: i64| usize::try_from(number).unwrap_or_default();
    Ok(Page {
        total: i64::try_from(all.len()).unwrap_or(i64::MAX),
        items: all
            .into_iter()
            .skip(whole(request.offset()))
            .take(whole(request.per_page()))
            .collect(),
        request,
    })
}

/// One webhook of the tenant.
pub async fn find(app: &App, caller: &Caller, id: WebhookId) -> Result<Webhook, AppError> {
    let tenant = caller.tenant(RIGHT, Act::Read)?;
    let mut tx = app.store.read("find_webhook").await?;
    found(&mut tx, tenant, id).await
}

/// Refuses an id that the tenant has no webhook of, before a body is looked at.
pub async fn exists(app: &App, caller: &Caller, id: WebhookId) -> Result<(), AppError> {
    let tenant = caller.tenant(RIGHT, Act::Change)?;
    let mut tx = app.store.read("find_webhook").await?;
    found(&mut tx, tenant, id).await.map(drop)
}

/// Makes a webhook; gives its secret, which is shown this once.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: WebhookInput,
) -> Result<(Webhook, WebhookSecret), AppError> {
    let secret = WebhookSecret::generate(app.random.as_ref())?;
    caller.tenant(RIGHT, Act::Change)?;
    caller.reason_to_change()?;
    let begun = app.begin_inside(caller, RIGHT, "create_webhook");
    let (mut tx, caller, tenant) = begun.await?;
    let mut errors = FieldErrors::default();
    let required = || Invalid::new("is required");
    let url = app.url(&mut errors, input.url.ok_or_else(required));
    let events = kinds(&mut errors, input.events.unwrap_or_default());
    let (Some(url), Ok(())) = (url, errors.clone().check()) else {
        return Err(errors.into());
    };
    guards::webhook(&mut tx, tenant).await?;
    let now = app.now();
    let webhook = Webhook {
        id: WebhookId::fresh(app.ids.as_ref()),
        tenant_id: tenant,
        url,
        events,
        is_active: input.active.unwrap_or(true),
        note: None,
        standing: WebhookStanding::default(),
        created_at: now,
        updated_at: now,
    };
    webhooks::insert(&mut tx, &webhook, &secret).await?;
    let entry = changed("webhook.create", &webhook, None, Some(view(&webhook)));
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok((webhook, secret))
}

/// Changes where a webhook's events are sent, which, and whether; a change that changes nothing leaves no trace.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: WebhookId,
    input: WebhookInput,
    if_match: &IfMatch,
) -> Result<Webhook, AppError> {
    let begun = app.begin_inside(caller, RIGHT, "change_webhook");
    let (mut tx, caller, tenant) = begun.await?;
    let before = found(&mut tx, tenant, id).await?;
    caller.reason_to_change()?;
    let mut errors = FieldErrors::default();
    let mut after = before.clone();
    if let Some(url) = input.url.and_then(|text| app.url(&mut errors, Ok(text))) {
        after.url = url;
    }
    if let Some(words) = input.events {
        after.events = kinds(&mut errors, words);
    }
    after.is_active = input.active.unwrap_or(before.is_active);
    errors.check()?;
    if_match.check(&tag_of_webhook(&before))?;
    if after == before {
        return Ok(before);
    }
    let now = app.now();
    webhooks::update(&mut tx, &after, now).await?;
    match (before.is_active, after.is_active) {
        (true, false) => webhooks::disable(&mut tx, tenant, id, None, now).await?,
        (false, true) => webhooks::enable(&mut tx, tenant, id, now).await?,
        // What the former address did not take is not held against the new one.
        (true, true) if after.url != before.url => webhooks::enable(&mut tx, tenant, id, now).await?,
        (true, true) | (false, false) => true,
    };
    let after = found(&mut tx, tenant, id).await?;
    let entry = changed("webhook.change", &after, Some(view(&before)), Some(view(&after)));
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok(after)
}

/// Gives a webhook another secret; for a day requests are signed with the one before as well.
pub async fn rotate_secret(
    app: &App,
    caller: &Caller,
    id: WebhookId,
) -> Result<(Webhook, WebhookSecret), AppError> {
    let secret = WebhookSecret::generate(app.random.as_ref())?;
    let begun = app.begin_inside(caller, RIGHT, "rotate_webhook_secret");
    let (mut tx, caller, tenant) = begun.await?;
    let webhook = found(&mut tx, tenant, id).await?;
    caller.reason_to_change()?;
    let now = app.now();
    let until = now.saturating_add(OVERLAP).unwrap_or(now);
    webhooks::rotate(&mut tx, tenant, id, &secret, until, now).await?;
    let entry = changed("webhook.rotate_secret", &webhook, None, None);
    app.audit(&mut tx, &caller, entry)?;
    let webhook = found(&mut tx, tenant, id).await?;
    tx.commit().await?;
    Ok((webhook, secret))
}

/// Deletes a webhook, with what waits for it.
pub async fn delete(app: &App, caller: &Caller, id: WebhookId, if_match: &IfMatch) -> Result<(), AppError> {
    let begun = app.begin_inside(caller, RIGHT, "delete_webhook");
    let (mut tx, caller, tenant) = begun.await?;
    let before = found(&mut tx, tenant, id).await?;
    caller.reason_to_change()?;
    if_match.check(&tag_of_webhook(&before))?;
    webhooks::delete(&mut tx, tenant, id).await?;
    let entry = changed("webhook.delete", &before, Some(view(&before)), None);
    app.audit(&mut tx, &caller, entry)?;
    Ok(tx.commit().await?)
}

/// Disables a webhook that took nothing for too long; false where somebody has changed or deleted it since it was claimed.
pub async fn disable_failing(
    app: &App,
    tenant: TenantId,
    id: WebhookId,
    claim: i64,
    note: &str,
) -> Result<bool, AppError> {
    let caller = Caller::new(Identity::SystemAuto, Place::Platform, None, Origin::default());
    let mut tx = match app.begin_in(tenant, "disable_webhook").await {
        Err(AppError::NotFound) => return Ok(false),
        begun => begun?,
    };
    let is_ours = webhook_queue::is_claimed_by(&mut tx, id, claim).await?;
    let before = webhooks::find(&mut tx, tenant, id).await?;
    let Some(before) = before.filter(|_| is_ours) else {
        return Ok(false);
    };
    webhooks::disable(&mut tx, tenant, id, Some(note), app.now()).await?;
    let after = found(&mut tx, tenant, id).await?;
    let entry = changed("webhook.disable", &after, Some(view(&before)), Some(view(&after)));
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok(true)
}

impl App {
    /// The URL, if it may lead where it leads.
    fn url(&self, errors: &mut FieldErrors, text: Result<String, Invalid>) -> Option<WebhookUrl> {
        let url = text.and_then(|text| text.parse::<WebhookUrl>());
        let url = url.and_then(|url| self.webhook_reach.check(&url).map(|()| url));
        errors.take("url", url)
    }
}

fn kinds(errors: &mut FieldErrors, words: Vec<String>) -> BTreeSet<EventKind> {
    if words.is_empty() {
        errors.add("events", "is required: name what is to be sent");
    }
    let words = words.into_iter().take(MOST_NAMED);
    words
        .filter_map(|word| errors.take("events", word.parse::<EventKind>()))
        .collect()
}

async fn found(tx: &mut Tx, tenant: TenantId, id: WebhookId) -> Result<Webhook, AppError> {
    let webhook = webhooks::find(tx, tenant, id).await?;
    webhook.ok_or(AppError::NotFound)
}

fn changed(action: &'static str, webhook: &Webhook, before: Option<Value>, after: Option<Value>) -> Changed {
    Changed {
        action,
        resource: "webhook",
        target: webhook.id.to_string(),
        tenant_id: Some(webhook.tenant_id),
        before,
        after,
    }
}

/// Without the path, which may hold a secret: the log is read by people who may not read webhooks. A changed path is told by
/// its digest.
fn view(webhook: &Webhook) -> Value {
    json!({
        "url": webhook.url.origin(), "url_digest": webhook.url.digest(), "events": webhook.events,
        "active": webhook.is_active, "note": webhook.note,
    })
}
