//! Tickets of a tenant: list, read, open, change, archive; an agent's are those that they opened or look after.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::patch::Patch;
use super::precondition::{IfMatch, tag_of_ticket};
use super::ticket_guards as guards;
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity};
use crate::domain::audit::ActorKind;
use crate::domain::given::given;
use crate::domain::ids::{ExtensionId, TenantId, TicketId, UserId};
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::permission::Permission;
use crate::domain::ticket::{Assignee, Ticket, TicketAuthor, TicketExtension, TicketState, WholeTicket};
use crate::domain::ticket_query::{TicketPage, TicketQuery};
use crate::domain::ticket_text::{TicketSubject, TicketText};
use crate::domain::user::{User, UserStatus};
use crate::store::tickets::Sight;
use crate::store::{Tx, extensions, roles, ticket_comments, ticket_lists, tickets, users};

/// A ticket as it is opened.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["subject", "text"]))]
pub struct TicketInput {
    /// What it is about.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "TicketSubject")]
    pub subject: Option<String>,
    /// All there is to say about it.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "TicketText")]
    pub text: Option<String>,
    /// The extension that it is about; one of the tenant's.
    pub extension_id: Option<ExtensionId>,
}

/// What is to change of a ticket; what is absent stays.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TicketPatch {
    /// What it is about; for whoever opened it, or sees all tickets.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "TicketSubject")]
    pub subject: Option<String>,
    /// How far it has come. What was resolved or closed is reopened by `open`.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "TicketState")]
    pub state: Option<String>,
    /// Who looks after it: an active user of the tenant who may read tickets; `null` for nobody.
    #[schemars(with = "Option<UserId>")]
    pub assignee_id: Patch<UserId>,
    /// The extension that it is about; one of the tenant's, or `null` for none.
    #[schemars(with = "Option<ExtensionId>")]
    pub extension_id: Patch<ExtensionId>,
}

/// One page of the tickets that the caller may see.
pub async fn list(app: &App, caller: &Caller, query: &TicketQuery) -> Result<TicketPage, AppError> {
    let tenant = caller.tenant(Permission::TicketsView, Act::Read)?;
    let mut tx = app.store.read_once("list_tickets").await?;
    Ok(ticket_lists::list(&mut tx, tenant, sight(caller), query).await?)
}

/// One ticket with all that was said; one that the caller may not see is not there.
pub async fn find(app: &App, caller: &Caller, id: TicketId) -> Result<WholeTicket, AppError> {
    let tenant = caller.tenant(Permission::TicketsView, Act::Read)?;
    let mut tx = app.store.read("find_ticket").await?;
    whole(&mut tx, tenant, sight(caller), id).await
}

/// Refuses an id of a ticket that the caller does not see, before a body is looked at.
pub async fn exists(app: &App, caller: &Caller, id: TicketId) -> Result<(), AppError> {
    let tenant = caller.inside(Act::Change)?;
    let mut tx = app.store.read("find_ticket").await?;
    seen(&mut tx, tenant, caller, id).await.map(drop)
}

/// Opens a ticket, which nobody looks after yet.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: TicketInput,
    once: Option<&Once>,
) -> Result<Done<WholeTicket>, AppError> {
    caller.tenant(Permission::TicketsCreate, Act::Change)?;
    caller.reason_to_change()?;
    let mut errors = FieldErrors::default();
    let required = |text: Option<String>| text.ok_or_else(|| Invalid::new("is required"));
    let subject = errors.take("subject", required(input.subject).and_then(|text| text.parse()));
    let text = errors.take(
        "text",
        required(input.text).and_then(|text| text.parse::<TicketText>()),
    );
    let (Some(subject), Some(text)) = (subject, text) else {
        return Err(errors.into());
    };
    let begun = app.begin_inside(caller, Permission::TicketsCreate, "create_ticket");
    let (mut tx, caller, tenant) = begun.await?;
    if let Some(id) = app.answered_before(&mut tx, tenant, &caller, once).await? {
        let mut before = whole(&mut tx, tenant, sight(&caller), id).await?;
        if !caller.may(Permission::TicketsView) {
            // It is told again what it wrote itself, and not what others said since.
            before.comments.clear();
        }
        return Ok(Done::Before(before));
    }
    let extension = match input.extension_id {
        Some(id) => Some(extension(&mut tx, tenant, id).await?),
        None => None,
    };
    let now = app.now();
    let opened_by = author(&caller);
    guards::may_open(&mut tx, tenant, &opened_by, now).await?;
    let ticket = Ticket {
        id: TicketId::fresh(app.ids.as_ref()),
        tenant_id: tenant,
        subject,
        state: TicketState::Open,
        opened_by,
        assignee: None,
        extension,
        comments: 0,
        archived_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    tickets::insert(&mut tx, &ticket, &text).await?;
    let entry = changed("ticket.create", &ticket, None, Some(view(&ticket)));
    app.audit(&mut tx, &caller, entry)?;
    app.keep_answer(&mut tx, tenant, &caller, once, ticket.id).await?;
    tx.commit().await?;
    Ok(Done::Now(WholeTicket {
        ticket,
        text,
        comments: Vec::new(),
    }))
}

/// Changes a ticket; one that changes nothing leaves no trace.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: TicketId,
    patch: TicketPatch,
    if_match: &IfMatch,
) -> Result<Ticket, AppError> {
    let begun = app.begin_inside(caller, Permission::TicketsUpdate, "change_ticket");
    let (mut tx, caller, tenant) = begun.await?;
    let before = seen(&mut tx, tenant, &caller, id).await?;
    caller.reason_to_change()?;
    let mut errors = FieldErrors::default();
    let subject = patch
        .subject
        .and_then(|text| errors.take("subject", text.parse()));
    let state = patch.state.and_then(|text| errors.take("state", text.parse()));
    errors.check()?;
    let mut after = Ticket {
        subject: subject.unwrap_or_else(|| before.subject.clone()),
        state: state.unwrap_or(before.state),
        ..before.clone()
    };
    if after.subject != before.subject {
        guards::may_rewrite(&caller, &before)?;
    }
    let about = before.extension.as_ref().map(|extension| extension.id);
    let extension_id = patch.extension_id.over(about);
    if extension_id != about {
        after.extension = match extension_id {
            Some(id) => Some(extension(&mut tx, tenant, id).await?),
            None => None,
        };
    }
    let looked_after = before.assignee.as_ref().map(|assignee| assignee.id);
    let assignee = patch.assignee_id.over(looked_after);
    if assignee != looked_after {
        // Before it is looked for: whoever may not would be told whose ids there are.
        guards::may_assign(&caller, &before, assignee)?;
        after.assignee = match assignee {
            Some(user) => Some(can_look_after(&mut tx, tenant, user).await?),
            None => None,
        };
    }
    if_match.check(&tag_of_ticket(&before))?;
    guards::not_archived(&before)?;
    if after == before {
        return Ok(before);
    }
    guards::transition(&mut tx, &caller, &before, after.state).await?;
    let now = app.now();
    tickets::update(&mut tx, tenant, &after, now).await?;
    after.version += 1;
    after.updated_at = now;
    let entry = changed("ticket.change", &after, Some(view(&before)), Some(view(&after)));
    app.audit(&mut tx, &caller, entry)?;
    tx.commit().await?;
    Ok(after)
}

/// Archives a ticket, for good; one that is archived stays so, and that leaves no trace.
pub async fn archive(app: &App, caller: &Caller, id: TicketId, if_match: &IfMatch) -> Result<(), AppError> {
    let begun = app.begin_inside(caller, Permission::TicketsDelete, "archive_ticket");
    let (mut tx, caller, tenant) = begun.await?;
    let before = seen(&mut tx, tenant, &caller, id).await?;
    caller.reason_to_change()?;
    if_match.check(&tag_of_ticket(&before))?;
    if before.archived_at.is_some() {
        return Ok(());
    }
    let now = app.now();
    tickets::archive(&mut tx, tenant, id, now).await?;
    let after = Ticket {
        archived_at: Some(now),
        ..before.clone()
    };
    let entry = changed("ticket.archive", &after, Some(view(&before)), Some(view(&after)));
    app.audit(&mut tx, &caller, entry)?;
    Ok(tx.commit().await?)
}

/// Which tickets a caller may see.
pub(super) fn sight(caller: &Caller) -> Sight {
    match caller.identity() {
        Identity::User(user) if caller.sees_own_tickets_only() => Sight::Own(user.user_id.uuid()),
        Identity::ApiKey(key) if caller.sees_own_tickets_only() => Sight::Own(key.key_id.uuid()),
        _ => Sight::All,
    }
}

/// A ticket that the caller sees.
pub(super) async fn seen(
    tx: &mut Tx,
    tenant: TenantId,
    caller: &Caller,
    id: TicketId,
) -> Result<Ticket, AppError> {
    let ticket = tickets::find(tx, tenant, sight(caller), id).await?;
    ticket.ok_or(AppError::NotFound)
}

/// The caller as tickets name them: by name, since not everybody who reads tickets may read addresses.
pub(super) fn author(caller: &Caller) -> TicketAuthor {
    let actor = caller.identity().actor();
    TicketAuthor {
        kind: match caller.operates_in() {
            // To the tenant they are the operator's, wherever else they work.
            Some(_) => ActorKind::Manager,
            None => actor.kind,
        },
        id: actor.id,
        name: match caller.identity() {
            Identity::User(user) => user.name.to_string(),
            _ => actor.name,
        },
        has_left: false,
    }
}

pub(super) fn changed(
    action: &'static str,
    ticket: &Ticket,
    before: Option<Value>,
    after: Option<Value>,
) -> Changed {
    Changed {
        action,
        resource: "ticket",
        target: ticket.id.to_string(),
        tenant_id: Some(ticket.tenant_id),
        before,
        after,
    }
}

/// What can be changed of a ticket. What was said stays in the ticket, where it cannot be changed.
fn view(ticket: &Ticket) -> Value {
    json!({
        "subject": ticket.subject, "state": ticket.state, "archived": ticket.archived_at.is_some(),
        "assignee_id": ticket.assignee.as_ref().map(|assignee| assignee.id),
        "extension_id": ticket.extension.as_ref().map(|extension| extension.id),
    })
}

async fn whole(tx: &mut Tx, tenant: TenantId, sight: Sight, id: TicketId) -> Result<WholeTicket, AppError> {
    let ticket = tickets::find(tx, tenant, sight, id).await?;
    let ticket = ticket.ok_or(AppError::NotFound)?;
    let text = tickets::text(tx, tenant, id).await?;
    Ok(WholeTicket {
        text: text.ok_or(AppError::NotFound)?,
        comments: ticket_comments::list(tx, tenant, id).await?,
        ticket,
    })
}

/// An extension of the tenant. One that is another tenant's is answered like one that is not there.
async fn extension(tx: &mut Tx, tenant: TenantId, id: ExtensionId) -> Result<TicketExtension, AppError> {
    let found = extensions::find(tx, tenant, id).await?;
    let found = found.ok_or_else(|| {
        let reason = "must be the id of one of the tenant's extensions";
        FieldErrors::one("extension_id", reason)
    })?;
    Ok(TicketExtension {
        id: found.id,
        number: found.number,
    })
}

/// A user of the tenant who can look after a ticket. All others are answered alike, those of other tenants too.
async fn can_look_after(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Assignee, AppError> {
    let user = users::find(tx, tenant, id).await?;
    let user = user.filter(|user| user.status == UserStatus::Active);
    match user {
        Some(user) if reads_tickets(tx, tenant, &user).await? => Ok(Assignee {
            id,
            name: user.name,
            has_left: false,
        }),
        _ => {
            let reason = "must be the id of an active user of the tenant who may read tickets";
            Err(FieldErrors::one("assignee_id", reason).into())
        }
    }
}

async fn reads_tickets(tx: &mut Tx, tenant: TenantId, user: &User) -> Result<bool, AppError> {
    let Some(membership) = &user.membership else {
        return Ok(false);
    };
    let role = roles::find(tx, tenant, membership.role_id).await?;
    Ok(role.is_some_and(|role| role.permissions.contains(&Permission::TicketsView)))
}
