//! Of an export, tickets, with what was said about them.

use super::archive::Cut;
use super::making::Making;
use crate::app::views::WholeTicketView;
use crate::domain::export::ExportKind;
use crate::domain::ids::{TicketId, UserId};
use crate::domain::ticket::{Ticket, WholeTicket};
use crate::store::{ticket_comments, ticket_lists, tickets};

/// Tickets that are read at once, without what they say.
const TICKETS: i64 = 100;

/// A way through all tickets, or those of somebody, archived or not, page by page.
pub(super) struct Walk {
    whose: Option<UserId>,
    after: Option<TicketId>,
}

impl Walk {
    pub(super) const fn new(whose: Option<UserId>) -> Self {
        Self { whose, after: None }
    }

    /// The next page; empty behind the last one.
    pub(super) async fn next(&mut self, making: &mut Making<'_>) -> Result<Vec<Ticket>, Cut> {
        making.archive.name_kind(ExportKind::Tickets);
        let mut tx = making.read("export_tickets").await?;
        let page = ticket_lists::behind(&mut tx, making.job.tenant, self.whose, self.after, TICKETS).await?;
        self.after = page.last().map(|last| last.id);
        Ok(page)
    }
}

/// All tickets of the tenant.
pub(super) async fn all(making: &mut Making<'_>) -> Result<(), Cut> {
    let tenant = making.job.tenant;
    let mut walk = Walk::new(None);
    loop {
        let page = walk.next(making).await?;
        if page.is_empty() {
            return Ok(());
        }
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
}
