//! `/api/v1/webhooks`: where a tenant's events are sent to.

use axum::extract::State;

use crate::app::App;
use crate::app::precondition::tag_of_webhook;
use crate::app::views::{CreatedWebhookView, WebhookView};
use crate::app::webhooks::{self, WebhookInput};
use crate::auth::caller::Caller;
use crate::domain::ids::WebhookId;
use crate::domain::page::PageRequest;
use crate::domain::webhook::Webhook;
use crate::http::answer::{Created, NoContent, Tagged};
use crate::http::body::{Body, Changes, NoBody, Patched};
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::ShownOnce;
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::Query;

impl Patched for WebhookInput {}

/// A webhook with the tag of its settings.
type TaggedWebhook = Tagged<Single<WebhookView>>;

fn tagged(webhook: Webhook) -> TaggedWebhook {
    Tagged::new(tag_of_webhook(&webhook), single(WebhookView::from(webhook)))
}

/// `GET /webhooks`: newest first.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<PageRequest>,
) -> Result<List<WebhookView>, Problem> {
    let page = query.read()?;
    let webhooks = webhooks::list(&app, &caller, page).await?;
    Ok(list(webhooks.map(WebhookView::from)))
}

/// `GET /webhooks/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    query: Query,
) -> Result<TaggedWebhook, Problem> {
    let webhook = webhooks::find(&app, &caller, id).await?;
    query.read()?;
    Ok(tagged(webhook))
}

/// `POST /webhooks`: shows the secret, this once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    once: ShownOnce,
    body: Body<WebhookInput>,
) -> Result<Created<Tagged<Single<CreatedWebhookView>>>, Problem> {
    let input = body.read().await?;
    query.read()?;
    once.refuse_key("delete the webhook, and make another instead")?;
    let (webhook, secret) = webhooks::create(&app, &caller, input).await?;
    let tag = tag_of_webhook(&webhook);
    let created = single(CreatedWebhookView::revealing(webhook, &secret));
    Ok(Created(Tagged::new(tag, created)))
}

/// `PATCH /webhooks/{id}`; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    query: Query,
    precondition: Precondition,
    body: Changes<WebhookInput>,
) -> Result<TaggedWebhook, Problem> {
    webhooks::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let input = body.read().await?;
    query.read()?;
    let webhook = webhooks::change(&app, &caller, id, input, &if_match).await?;
    Ok(tagged(webhook))
}

/// `POST /webhooks/{id}/rotate-secret`: another secret, shown this once.
pub async fn rotate_secret(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    query: Query,
    once: ShownOnce,
    body: NoBody,
) -> Result<Single<CreatedWebhookView>, Problem> {
    webhooks::exists(&app, &caller, id).await?;
    body.read().await?;
    query.read()?;
    once.refuse_key("rotate it again instead")?;
    let (webhook, secret) = webhooks::rotate_secret(&app, &caller, id).await?;
    Ok(single(CreatedWebhookView::revealing(webhook, &secret)))
}

/// `DELETE /webhooks/{id}`; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    webhooks::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    webhooks::delete(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}
