//! Rows of webhooks, one tenant's at a time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx, sealing_keys};
use crate::domain::ids::{TenantId, WebhookId};
use crate::domain::webhook::{EventKind, Webhook, WebhookSecret, WebhookStanding};

const TABLE: &str = "webhooks";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, tenant_id, url, events, is_active, note, pending, dropped, attempts, next_attempt_at, \
             failing_since, last_delivered_at, last_failed_at, last_error, created_at, updated_at from webhooks \
             where tenant_id = $1 ",
            $rest
        )
    };
}

statements! {
    INSERT = "insert into webhooks (id, tenant_id, url, events, secret, is_active, next_attempt_at, created_at, \
        updated_at) values ($1, $2, $3, $4, $5, $6, $7, $7, $7)";
    LIST = select!("order by created_at desc, id desc");
    FIND = select!("and id = $2");
    COUNT = "select count(*) from webhooks where tenant_id = $1";
    UPDATE = "update webhooks set url = $3, events = $4, updated_at = $5 where tenant_id = $1 and id = $2";
    /// Whatever it was like before, it begins anew. What is on its way to a former address says nothing of this one: the claim
    /// is gone.
    ENABLE = "update webhooks set is_active = $4, note = null, attempts = 0, refused = 0, failing_since = null, \
        last_error = null, next_attempt_at = $3, claims = claims + 1, claimed_by = null, claimed_until = null, \
        updated_at = $3 where tenant_id = $1 and id = $2";
    /// Whoever is sending to it does so in vain: the claim is gone. A note is of what has just failed.
    DISABLE = "update webhooks set is_active = $5, note = $4, last_error = coalesce($4, last_error), \
        last_failed_at = case when $4 is null then last_failed_at else $3 end, dropped = dropped + pending, pending = 0, attempts = 0, \
        claims = claims + 1, claimed_by = null, claimed_until = null, updated_at = $3 \
        where tenant_id = $1 and id = $2";
    FORGET_EVENTS = "delete from webhook_events where webhook_id in (select id from webhooks \
        where tenant_id = $1 and id = $2)";
    LOCK = "select secret from webhooks where tenant_id = $1 and id = $2", 0, " for update";
    ROTATE = "update webhooks set secret = $3, former_secret = $4, former_until = $5, updated_at = $6 \
        where tenant_id = $1 and id = $2";
    DELETE = "delete from webhooks where tenant_id = $1 and id = $2";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    url: String,
    events: String,
    is_active: bool,
    note: Option<String>,
    pending: i64,
    dropped: i64,
    attempts: i64,
    next_attempt_at: i64,
    failing_since: Option<i64>,
    last_delivered_at: Option<i64>,
    last_failed_at: Option<i64>,
    last_error: Option<String>,
    created_at: i64,
    updated_at: i64,
}

pub(super) const fn origin(id: Uuid) -> Origin<Uuid> {
    Origin { table: TABLE, id }
}

impl Row {
    fn parse(self) -> Result<Webhook, StoreError> {
        let origin = origin(self.id);
        let time = |column, at: Option<i64>| at.map(|at| origin.time(column, at)).transpose();
        let is_tried_again = self.pending > 0 && (self.attempts > 0 || self.last_error.is_some());
        Ok(Webhook {
            id: WebhookId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            url: origin.text("url", &self.url)?,
            events: kinds(&self.events),
            is_active: self.is_active,
            note: self.note,
            standing: WebhookStanding {
                pending: self.pending,
                dropped: self.dropped,
                failing_since: time("failing_since", self.failing_since)?,
                next_attempt_at: time("next_attempt_at", is_tried_again.then_some(self.next_attempt_at))?,
                last_delivered_at: time("last_delivered_at", self.last_delivered_at)?,
                last_failed_at: time("last_failed_at", self.last_failed_at)?,
                last_error: self.last_error,
            },
            created_at: origin.time("created_at", self.created_at)?,
            updated_at: origin.time("updated_at", self.updated_at)?,
        })
    }
}

/// The kinds of events that a webhook is sent; one that a newer version of the program knows is nothing to this one.
pub(super) fn kinds(words: &str) -> BTreeSet<EventKind> {
    words
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn words(events: &BTreeSet<EventKind>) -> String {
    let words: Vec<&str> = events.iter().map(|kind| kind.as_str()).collect();
    words.join(" ")
}

/// Where a secret is sealed for. One that was rotated stays what it was sealed as.
pub(super) fn place(tenant: TenantId, id: WebhookId) -> String {
    format!("{TABLE}.secret/{tenant}/{id}")
}

/// A secret that is opened.
pub(super) fn opened(id: WebhookId, text: SecretString) -> Result<WebhookSecret, StoreError> {
    WebhookSecret::parse(text).map_err(|invalid| origin(id.uuid()).corrupt("secret", invalid))
}

/// Adds a webhook; its secret is sealed.
pub async fn insert(tx: &mut Tx, webhook: &Webhook, secret: &WebhookSecret) -> Result<(), StoreError> {
    sealing_keys::claim(tx).await?;
    let sealed = tx.seal(&place(webhook.tenant_id, webhook.id), secret.expose())?;
    run!(
        tx,
        execute(
            INSERT,
            webhook.id.uuid(),
            webhook.tenant_id.uuid(),
            webhook.url.as_str(),
            words(&webhook.events),
            sealed,
            webhook.is_active,
            webhook.created_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// The tenant's webhooks, newest first.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Webhook>, StoreError> {
    run!(tx, fetch_all::<Row>(LIST, tenant.uuid()))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// The tenant's webhook with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// How many webhooks a tenant has.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(COUNT, tenant.uuid()))?;
    Ok(count)
}

/// Keeps where a webhook's events are sent, and which.
pub async fn update(tx: &mut Tx, webhook: &Webhook, now: Timestamp) -> Result<bool, StoreError> {
    let done = run!(
        tx,
        execute(
            UPDATE,
            webhook.tenant_id.uuid(),
            webhook.id.uuid(),
            webhook.url.as_str(),
            words(&webhook.events),
            now.as_microsecond(),
        )
    )?;
    Ok(done == 1)
}

/// Has events sent to a webhook from now on.
pub async fn enable(
    tx: &mut Tx,
    tenant: TenantId,
    id: WebhookId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let now = now.as_microsecond();
    Ok(run!(tx, execute(ENABLE, tenant.uuid(), id.uuid(), now, true))? == 1)
}

/// Has no more events sent to a webhook; those that wait are dropped.
pub async fn disable(
    tx: &mut Tx,
    tenant: TenantId,
    id: WebhookId,
    note: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (tenant, id) = (tenant.uuid(), id.uuid());
    let done = run!(
        tx,
        execute(DISABLE, tenant, id, now.as_microsecond(), note, false)
    )?;
    run!(tx, execute(FORGET_EVENTS, tenant, id))?;
    Ok(done == 1)
}

/// Gives a webhook another secret; until `former_until` requests are signed with the one before as well.
pub async fn rotate(
    tx: &mut Tx,
    tenant: TenantId,
    id: WebhookId,
    secret: &WebhookSecret,
    former_until: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    sealing_keys::claim(tx).await?;
    let locked = run!(tx, fetch_optional::<(Vec<u8>,)>(LOCK, tenant.uuid(), id.uuid()))?;
    let Some((former,)) = locked else {
        return Ok(false);
    };
    let sealed = tx.seal(&place(tenant, id), secret.expose())?;
    let done = run!(
        tx,
        execute(
            ROTATE,
            tenant.uuid(),
            id.uuid(),
            sealed,
            former,
            former_until.as_microsecond(),
            now.as_microsecond(),
        )
    )?;
    Ok(done == 1)
}

/// Deletes a webhook with all that waits for it; false when the tenant has none of that id.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: WebhookId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DELETE, tenant.uuid(), id.uuid()))? == 1)
}
