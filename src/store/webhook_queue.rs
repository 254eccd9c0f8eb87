//! The queues of webhooks: events are put into them in the transaction of what they tell of, and taken out one at a time, in
//! order, by whoever has claimed the webhook.
//!
//! A webhook that was claimed is left alone by others until the claim lapses: of one webhook no two events are on the way
//! at once, and another webhook waits for none of it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::row::{later, storable, to_json_text};
use super::statement::{run, statements};
use super::webhooks::{kinds, opened, origin, place};
use super::{StoreError, Tx, tenants, users, webhook_turns};
use crate::domain::event::{About, Body, Event, tenant_data, user_data};
use crate::domain::ids::{EventId, TenantId, WebhookId};
use crate::domain::tenant::{Tenant, TenantStatus};
use crate::domain::webhook::{EventKind, WebhookSecret, WebhookUrl};

/// So many events wait for a webhook at most; what comes beyond is dropped, and counted.
pub const MOST_PENDING: i64 = 1000;
/// How much of an error is kept, in characters.
const LONGEST_ERROR: usize = 300;

statements! {
    IS_TOLD = "select count(*) from webhooks where tenant_id = $1 and is_active and pending > 0 \
        and (failing_since is null or failing_since >= $2)";
    OF_TENANT = "select id, events from webhooks where tenant_id = $1 and is_active order by id";
    ALL = "select tenant_id, events from webhooks where is_active";
    LOCK = "select last_number, pending from webhooks where id = $1 and is_active", 0, " for update";
    QUEUE = "update webhooks set last_number = $2, pending = $3, dropped = dropped + $4 where id = $1";
    PUT = "insert into webhook_events (webhook_id, number, event_id, kind, body) values ($1, $2, $3, $4, $5)";
    /// A former secret whose time is over is forgotten.
    CLAIM = "update webhooks set claims = claims + 1, attempts = attempts + 1, claimed_by = $2, claimed_until = $3, \
        former_secret = case when former_until > $4 then former_secret end, \
        former_until = case when former_until > $4 then former_until end where id = $1 \
        returning id, tenant_id, url, secret, former_secret, claims, attempts, refused, failing_since";
    FIRST = "select number, event_id, kind, body from webhook_events where webhook_id = $1 order by number limit 1";
    IS_OURS = "select count(*) from webhooks where id = $1 and claims = $2 and is_active";
    /// What is noted gives the claim back: noted again, as where the answer to a commit was lost, it changes nothing.
    DELIVERED = "update webhooks set pending = pending - 1, attempts = 0, refused = 0, next_attempt_at = $3, \
        claimed_by = null, claimed_until = null, failing_since = null, last_delivered_at = $3, last_error = null \
        where id = $1 and claims = $2 and claimed_by is not null";
    GIVEN_UP = "update webhooks set pending = pending - 1, dropped = dropped + 1, attempts = 0, refused = refused + 1, \
        next_attempt_at = $3, claimed_by = null, claimed_until = null, failing_since = coalesce(failing_since, $3), \
        last_failed_at = $3, last_error = $4 where id = $1 and claims = $2 and claimed_by is not null";
    /// After the webhook's row, as whoever disables or deletes it does: so none of them waits for the other for ever.
    TAKE_OUT = "delete from webhook_events where webhook_id = $1 and number = $2";
    AGAIN = "update webhooks set next_attempt_at = $4, claimed_by = null, claimed_until = null, \
        failing_since = coalesce(failing_since, $3), last_failed_at = $3, last_error = $5 where id = $1 and claims = $2 and claimed_by is not null";
    WAIT = "update webhooks set attempts = attempts - 1, next_attempt_at = $3, claimed_by = null, claimed_until = null, \
        last_error = $4 where id = $1 and claims = $2 and claimed_by is not null";
    EMPTY = "update webhooks set pending = 0, attempts = 0, claimed_by = null, claimed_until = null where id = $1";
    LET_GO = "update webhooks set attempts = attempts - 1, claimed_by = null, claimed_until = null \
        where id = $1 and claims = $2 and claimed_by is not null";
}

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    id: Uuid,
    tenant_id: Uuid,
    url: String,
    secret: Vec<u8>,
    former_secret: Option<Vec<u8>>,
    claims: i64,
    attempts: i64,
    refused: i64,
    failing_since: Option<i64>,
}

/// The number, the event's id, its kind and its body.
type FirstRow = (i64, Uuid, String, String);

/// A webhook that nobody else sends to until the claim lapses, and the event that comes first.
pub struct Claimed {
    /// Which webhook.
    pub id: WebhookId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Counts the claims; who knows the number has it.
    pub claim: i64,
    /// How often this event was tried, this time included.
    pub attempt: i64,
    /// How many events the webhook has refused since it took the last one.
    pub refused: i64,
    /// Since when the webhook takes nothing; none where it took the event before.
    pub failing_since: Option<Timestamp>,
    /// Where it is sent and what it is signed with, or why that cannot be read: other webhooks must not wait for it.
    pub target: Result<Target, StoreError>,
    /// The event.
    pub event: Queued,
}

/// Where events are sent.
pub struct Target {
    /// The address.
    pub url: WebhookUrl,
    /// What requests are signed with, newest first.
    pub secrets: Vec<WebhookSecret>,
}

/// An event that waits.
pub struct Queued {
    /// Its place in the webhook's order.
    pub number: i64,
    /// Its id.
    pub id: EventId,
    /// What kind of event it is; a newer version of the program may have put it there.
    pub kind: String,
    /// What is sent.
    pub body: String,
}

impl Tx {
    /// Has webhooks told of events once the transaction is committed, and never otherwise.
    pub fn tell(&mut self, events: impl IntoIterator<Item = Event>) {
        self.told.extend(events);
    }
}

/// Whether a tenant has an active webhook for events of a kind.
pub async fn is_wanted(tx: &mut Tx, tenant: TenantId, kind: EventKind) -> Result<bool, StoreError> {
    Ok(of_tenant(tx, tenant)
        .await?
        .iter()
        .any(|(_, events)| events.contains(&kind)))
}

/// Whether events wait for a webhook of the tenant that did not fail before that.
pub async fn is_being_told(tx: &mut Tx, tenant: TenantId, since: Timestamp) -> Result<bool, StoreError> {
    let since = since.as_microsecond();
    let (waiting,) = run!(tx, fetch_one::<(i64,)>(IS_TOLD, tenant.uuid(), since))?;
    Ok(waiting > 0)
}

/// The tenants that have an active webhook for events of one of these kinds.
pub async fn wanting(tx: &mut Tx, of: &[EventKind]) -> Result<BTreeSet<TenantId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, String)>(ALL))?;
    let wanting = rows.into_iter().filter(|(_, events)| {
        let events = kinds(events);
        of.iter().any(|kind| events.contains(kind))
    });
    Ok(wanting.map(|(tenant, _)| TenantId::from_uuid(tenant)).collect())
}

async fn of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Vec<(WebhookId, BTreeSet<EventKind>)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, String)>(OF_TENANT, tenant.uuid()))?;
    let parse = |(id, events): (Uuid, String)| (WebhookId::from_uuid(id), kinds(&events));
    Ok(rows.into_iter().map(parse).collect())
}

/// Puts events into the queues of those who want them; answers whether anybody did.
///
/// Right before the commit, and in the order of the webhooks: whoever waits for one holds none that others wait for with a later
/// id.
pub(super) async fn write(tx: &mut Tx, told: Vec<Event>) -> Result<bool, StoreError> {
    let mut wanted = Vec::new();
    let mut tenants = BTreeMap::new();
    for event in told {
        let listening = match tenants.entry(event.tenant) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(Listening::find(tx, event.tenant).await?),
        };
        let Some(Listening { tenant, webhooks }) = listening else {
            continue;
        };
        let of_kind = |(id, events): &(WebhookId, BTreeSet<_>)| events.contains(&event.kind).then_some(*id);
        let webhooks: Vec<WebhookId> = webhooks.iter().filter_map(of_kind).collect();
        // Its people are shut out, and so is whatever listens for them.
        let is_shut = !tenant.status.is_active() && !tells_of_its_end(tenant, event.kind);
        if webhooks.is_empty() || is_shut {
            continue;
        }
        let data = data(tx, tenant, &event).await?;
        wanted.extend(webhooks.into_iter().map(|id| (id, event.clone(), data.clone())));
    }
    // Events of one webhook stay in their order.
    wanted.sort_by_key(|(id, ..)| *id);
    let is_told = !wanted.is_empty();
    for (webhook, event, data) in wanted {
        put(tx, webhook, &event, &data).await?;
    }
    Ok(is_told)
}

/// A tenant, and what its active webhooks are told.
struct Listening {
    tenant: Tenant,
    webhooks: Vec<(WebhookId, BTreeSet<EventKind>)>,
}

impl Listening {
    /// None where nobody listens.
    async fn find(tx: &mut Tx, tenant: TenantId) -> Result<Option<Self>, StoreError> {
        let webhooks = of_tenant(tx, tenant).await?;
        if webhooks.is_empty() {
            return Ok(None);
        }
        let tenant = tenants::find(tx, tenant).await?;
        Ok(tenant.map(|tenant| Self { tenant, webhooks }))
    }
}

fn tells_of_its_end(tenant: &Tenant, kind: EventKind) -> bool {
    match tenant.status {
        TenantStatus::Active => false,
        TenantStatus::Suspended => kind == EventKind::TenantSuspended,
        TenantStatus::Deleting => kind == EventKind::TenantDeleted,
    }
}

async fn data(tx: &mut Tx, tenant: &Tenant, event: &Event) -> Result<Value, StoreError> {
    Ok(match &event.about {
        About::Tenant => tenant_data(tenant),
        About::User(id) => user_data(*id, users::find(tx, tenant.id, *id).await?.as_ref()),
        About::Told(data) => data.clone(),
    })
}

async fn put(tx: &mut Tx, webhook: WebhookId, event: &Event, data: &Value) -> Result<(), StoreError> {
    let locked = run!(tx, fetch_optional::<(i64, i64)>(LOCK, webhook.uuid()))?;
    // Deleted or disabled in this moment.
    let Some((last, pending)) = locked else {
        return Ok(());
    };
    let number = last.saturating_add(1);
    let is_full = pending >= MOST_PENDING;
    let (more, dropped) = if is_full { (0, 1) } else { (1, 0) };
    run!(
        tx,
        execute(QUEUE, webhook.uuid(), number, pending + more, dropped)
    )?;
    if is_full {
        return Ok(());
    }
    let body = Body {
        id: event.id,
        number,
        kind: event.kind,
        created_at: event.at,
        tenant_id: event.tenant,
        data,
    };
    let body = to_json_text("webhook_events.body", &body)?;
    run!(
        tx,
        execute(
            PUT,
            webhook.uuid(),
            number,
            event.id.uuid(),
            event.kind.as_str(),
            body
        )
    )?;
    Ok(())
}

/// Claims the webhook that has been due for longest, of other tenants than these. `holder` names the process for people.
pub async fn claim_due(
    tx: &mut Tx,
    holder: &str,
    now: Timestamp,
    ttl: Duration,
    but_of: &[TenantId],
) -> Result<Option<Claimed>, StoreError> {
    let Some(id) = webhook_turns::due(tx, but_of, now).await? else {
        return Ok(None);
    };
    let row = run!(
        tx,
        fetch_one::<ClaimedRow>(CLAIM, id, holder, later(now, ttl), now.as_microsecond())
    )?;
    let first = run!(tx, fetch_optional::<FirstRow>(FIRST, id))?;
    let Some((number, event_id, kind, body)) = first else {
        // Somebody has emptied the queue by hand: others are not to wait for it.
        run!(tx, execute(EMPTY, id))?;
        return Ok(None);
    };
    // Where that cannot be read it begins anew: others are not to wait for it.
    let failing_since = row
        .failing_since
        .and_then(|at| origin(id).time("failing_since", at).ok());
    Ok(Some(Claimed {
        id: WebhookId::from_uuid(row.id),
        tenant: TenantId::from_uuid(row.tenant_id),
        claim: row.claims,
        attempt: row.attempts,
        refused: row.refused,
        failing_since,
        target: target(tx, &row),
        event: Queued {
            number,
            id: EventId::from_uuid(event_id),
            kind,
            body,
        },
    }))
}

fn target(tx: &Tx, row: &ClaimedRow) -> Result<Target, StoreError> {
    Ok(Target {
        url: origin(row.id).text("url", &row.url)?,
        secrets: secrets(tx, row)?,
    })
}

fn secrets(tx: &Tx, row: &ClaimedRow) -> Result<Vec<WebhookSecret>, StoreError> {
    let id = WebhookId::from_uuid(row.id);
    let place = place(TenantId::from_uuid(row.tenant_id), id);
    let open = |sealed: &[u8]| opened(id, tx.unseal(&place, sealed)?);
    let mut secrets = vec![open(&row.secret)?];
    // One that cannot be opened, as of a sealing key that was lost, is what the rotation was for.
    secrets.extend(row.former_secret.as_deref().and_then(|former| open(former).ok()));
    Ok(secrets)
}

/// Whether a webhook is still there, active, and claimed by whoever knows the number.
pub async fn is_claimed_by(tx: &mut Tx, id: WebhookId, claim: i64) -> Result<bool, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(IS_OURS, id.uuid(), claim))?;
    Ok(count == 1)
}

/// Notes that the event was delivered; false when the webhook is not claimed by this any more.
pub async fn delivered(tx: &mut Tx, claimed: &Claimed, now: Timestamp) -> Result<bool, StoreError> {
    let (id, claim) = (claimed.id.uuid(), claimed.claim);
    let noted = run!(tx, execute(DELIVERED, id, claim, now.as_microsecond()))?;
    take_out(tx, claimed, noted).await
}

/// Gives the event up and goes on with the next one; false when the webhook is not claimed by this any more.
pub async fn give_up(
    tx: &mut Tx,
    claimed: &Claimed,
    now: Timestamp,
    error: &str,
) -> Result<bool, StoreError> {
    let (id, claim) = (claimed.id.uuid(), claimed.claim);
    let noted = run!(
        tx,
        execute(GIVEN_UP, id, claim, now.as_microsecond(), kept(error))
    )?;
    take_out(tx, claimed, noted).await
}

/// Removes an event of which that was noted.
async fn take_out(tx: &mut Tx, claimed: &Claimed, noted: u64) -> Result<bool, StoreError> {
    if noted != 1 {
        return Ok(false);
    }
    run!(tx, execute(TAKE_OUT, claimed.id.uuid(), claimed.event.number))?;
    Ok(true)
}

/// Leaves the webhook alone until `at`; false when it is not claimed by this any more.
pub async fn retry_later(
    tx: &mut Tx,
    claimed: &Claimed,
    now: Timestamp,
    at: Timestamp,
    error: &str,
) -> Result<bool, StoreError> {
    let (id, claim) = (claimed.id.uuid(), claimed.claim);
    let (now, at) = (now.as_microsecond(), at.as_microsecond());
    Ok(run!(tx, execute(AGAIN, id, claim, now, at, kept(error)))? == 1)
}

/// Leaves the webhook alone until `at` for what is no fault of its own: it is not counted. False when it is not claimed by this
/// any more.
pub async fn wait(tx: &mut Tx, claimed: &Claimed, at: Timestamp, error: &str) -> Result<bool, StoreError> {
    let (id, claim) = (claimed.id.uuid(), claimed.claim);
    Ok(run!(tx, execute(WAIT, id, claim, at.as_microsecond(), kept(error)))? == 1)
}

/// Lets a webhook go to which nothing was sent.
pub async fn let_go(tx: &mut Tx, claimed: &Claimed) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(LET_GO, claimed.id.uuid(), claimed.claim))? == 1)
}

/// An error on one line, cut to what is kept.
fn kept(error: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    storable(error).chars().map(visible).take(LONGEST_ERROR).collect()
}
