//! Of an export, tickets, with what was said about them.

use serde::Serialize;

use super::archive::Cut;
use super::making::Making;
use crate::app::views::{TicketView, WholeTicketView};
use crate::domain::export::ExportKind;
use crate::domain::ticket::{Ticket, WholeTicket};
use crate::domain::ticket_query::TicketQuery;
use crate::domain::ticket_text::TicketText;
use crate::store::tickets::Sight;
use crate::store::{ticket_comments, ticket_lists, tickets};

/// Tickets that are read at once, without what they say.
const TICKETS: i64 = 100;

/// A ticket with what it says, where that is to be given.
#[derive(Serialize)]
pub(super) struct TicketRow {
    #[serde(flatten)]
    pub(super) ticket: TicketView,
    /// What it was opened with; null where somebody else wrote that.
    pub(super) text: Option<TicketText>,
}

/// A way through the tickets that are seen so, page by page; archived ones last.
pub(super) struct Walk {
    sight: Sight,
    /// None behind the last page.
    query: Option<TicketQuery>,
}

impl Walk {
    pub(super) fn new(sight: Sight) -> Self {
        let query = TicketQuery {
            per_page: TICKETS,
            ..TicketQuery::default()
        };
        Self {
            sight,
            query: Some(query),
        }
    }

    /// The next page, which may be empty; none behind the last one.
    pub(super) async fn next(&mut self, making: &mut Making<'_>) -> Result<Option<Vec<Ticket>>, Cut> {
        making.archive.name_kind(ExportKind::Tickets);
        let Some(mut query) = self.query.take() else {
            return Ok(None);
        };
        let mut tx = making.read("export_tickets").await?;
        let page = ticket_lists::list(&mut tx, making.job.tenant, self.sight, &query).await?;
        drop(tx);
        let is_last = page.next.is_none();
        if !(is_last && query.filter.archived) {
            query.filter.archived |= is_last;
            query.after = page.next;
            self.query = Some(query);
        }
        Ok(Some(page.tickets))
    }
}

/// All tickets of the tenant.
pub(super) async fn all(making: &mut Making<'_>) -> Result<(), Cut> {
    let tenant = making.job.tenant;
    let mut walk = Walk::new(Sight::All);
    while let Some(page) = walk.next(making).await? {
        for ticket in page {
            // Each by itself: one may hold as much as many others.
            let mut tx = making.read("export_ticket").await?;
            let text = tickets::text(&mut tx, tenant, ticket.id).await?;
            let comments = ticket_comments::list(&mut tx, tenant, ticket.id).await?;
            drop(tx);
            let whole = text.map(|text| WholeTicket {
                ticket,
                text,
                comments,
            });
            let row = whole.map(WholeTicketView::from);
            making.found(ExportKind::Tickets, row.as_ref()).await?;
        }
    }
    Ok(())
}
