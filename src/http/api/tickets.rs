//! `/api/v1/tickets`.

use axum::extract::State;

use crate::app::App;
use crate::app::precondition::tag_of_ticket;
use crate::app::ticket_comments::{self, CommentInput};
use crate::app::tickets::{self, TicketInput, TicketPatch};
use crate::app::views::{TicketCommentView, TicketView, WholeTicketView};
use crate::auth::caller::Caller;
use crate::domain::ids::TicketId;
use crate::domain::ticket::WholeTicket;
use crate::domain::ticket_query::{TicketFilter, TicketQuery};
use crate::http::answer::{Created, NoContent, Replayed, Tagged};
use crate::http::body::{Body, Changes, NoBody, Patched};
use crate::http::envelope::{Behind, Single, behind, single};
use crate::http::id::Id;
use crate::http::idempotency::Repeatable;
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

impl Parameters for TicketQuery {
    fn read(given: &mut Given) -> Self {
        Self {
            filter: TicketFilter {
                state: given.optional("state"),
                assignee: given.optional("assignee"),
                archived: given.flag(
                    "archived",
                    "Whether those that are archived are listed, instead of those that are not.",
                ),
            },
            after: given.optional("cursor"),
            per_page: given.per_page(),
        }
    }
}

impl Patched for TicketPatch {}

/// A ticket with all that was said, and the tag of its version.
type TaggedTicket = Tagged<Single<WholeTicketView>>;

fn tagged(whole: WholeTicket) -> TaggedTicket {
    Tagged::new(tag_of_ticket(&whole.ticket), single(whole.into()))
}

/// `GET /tickets`: one page, newest first.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<TicketQuery>,
) -> Result<Behind<TicketView>, Problem> {
    let page = tickets::list(&app, &caller, &query.read()?).await?;
    Ok(behind(page.tickets.into_iter().map(TicketView::from), page.next))
}

/// `GET /tickets/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TicketId>,
    query: Query,
) -> Result<TaggedTicket, Problem> {
    let whole = tickets::find(&app, &caller, id).await?;
    query.read()?;
    Ok(tagged(whole))
}

/// `POST /tickets`; with an `Idempotency-Key` it is opened once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    repeatable: Repeatable,
    body: Body<TicketInput>,
) -> Result<Replayed<Created<TaggedTicket>>, Problem> {
    caller.reason_to_change()?;
    let key = repeatable.key()?;
    let (bytes, input) = body.read_with_bytes().await?;
    query.read()?;
    let once = key.map(|key| key.with_open_body(&bytes));
    let done = tickets::create(&app, &caller, input, once.as_ref()).await?;
    let replayed = done.is_repeated();
    Ok(Replayed::new(replayed, Created(tagged(done.into_inner()))))
}

/// `PATCH /tickets/{id}`; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TicketId>,
    query: Query,
    precondition: Precondition,
    body: Changes<TicketPatch>,
) -> Result<Tagged<Single<TicketView>>, Problem> {
    tickets::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let patch = body.read().await?;
    query.read()?;
    let ticket = tickets::change(&app, &caller, id, patch, &if_match).await?;
    Ok(Tagged::new(tag_of_ticket(&ticket), single(ticket.into())))
}

/// `POST /tickets/{id}/comments`; with an `Idempotency-Key` it is said once, with `If-Match` only about the version that it
/// names; answered with the tag of the ticket.
pub async fn comment(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TicketId>,
    query: Query,
    precondition: Precondition,
    repeatable: Repeatable,
    body: Body<CommentInput>,
) -> Result<Replayed<Created<Tagged<Single<TicketCommentView>>>>, Problem> {
    tickets::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let key = repeatable.key()?;
    let (bytes, input) = body.read_with_bytes().await?;
    query.read()?;
    let once = key.map(|key| key.with_open_body(&bytes));
    let done = ticket_comments::create(&app, &caller, id, &input, &if_match, once.as_ref()).await?;
    let replayed = done.is_repeated();
    let said = done.into_inner();
    let tagged = Tagged::new(said.tag, single(said.comment.into()));
    Ok(Replayed::new(replayed, Created(tagged)))
}

/// `DELETE /tickets/{id}`: archives it; with `If-Match` only of the version that it names.
pub async fn archive(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<TicketId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    tickets::exists(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    tickets::archive(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}
