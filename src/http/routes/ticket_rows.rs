//! The rows of the route table that are about tickets.

use super::route::routes;
use super::{Route, Shared};
use crate::auth::access::Access::Tenant;
use crate::domain::permission::Permission::{TicketsCreate, TicketsDelete, TicketsUpdate, TicketsView};
use crate::http::api::tickets;

pub(super) fn tickets() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/tickets", Tenant(TicketsView) => tickets::index,
            "Lists tickets, newest first: an agent's own and assigned ones, or the tenant's";
        post "/api/v1/tickets", Tenant(TicketsCreate), audits "ticket.create" => tickets::create,
            "Opens a ticket", 409 ["max_tickets_reached"], 429 ["too_many_tickets"];
        get "/api/v1/tickets/{id}", Tenant(TicketsView) => tickets::show,
            "Shows a ticket with all that was said";
        patch "/api/v1/tickets/{id}", Tenant(TicketsUpdate), audits "ticket.change" => tickets::change,
            "Changes a ticket's subject or state, whom it is assigned to, or the extension that it is about",
            409 ["archived", "bad_transition", "max_tickets_reached", "rank"];
        post "/api/v1/tickets/{id}/comments", Tenant(TicketsUpdate), audits "ticket.comment" => tickets::comment,
            "Says something about a ticket", 409 ["archived", "max_comments_reached", "ticket_closed"],
            429 ["too_many_comments"];
        delete "/api/v1/tickets/{id}", Tenant(TicketsDelete), audits "ticket.archive" => tickets::archive,
            "Archives a ticket, for good";
    }
}
