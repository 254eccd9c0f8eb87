//! Which tickets a list asks for, and where its pages begin.

use std::fmt;
use std::str::FromStr;

pub use super::call_record::CallCursor as TicketCursor;
use super::ids::UserId;
use super::invalid::Invalid;
use super::page::PageRequest;
use super::parsed::text_schema;
use super::ticket::{Ticket, TicketState};

/// Whom tickets are assigned to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AssignedTo {
    /// Nobody.
    Nobody,
    /// Somebody who does not work for the tenant any more.
    SomebodyWhoLeft,
    /// This user.
    User(UserId),
}

/// The word for nobody.
const NOBODY: &str = "none";
/// The word for somebody who does not work for the tenant any more.
const LEFT: &str = "left";

text_schema! {
    /// A user's id, `none` for those that are assigned to nobody, or `left` for those that are assigned to somebody who does
    /// not work for the tenant any more.
    AssignedTo, { "anyOf": [{"enum": [NOBODY, LEFT]}, {"format": "uuid"}] }
}

impl fmt::Display for AssignedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str(NOBODY),
            Self::SomebodyWhoLeft => f.write_str(LEFT),
            Self::User(id) => id.fmt(f),
        }
    }
}

impl FromStr for AssignedTo {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            NOBODY => Ok(Self::Nobody),
            LEFT => Ok(Self::SomebodyWhoLeft),
            id => {
                let user = id.parse().map(Self::User);
                user.map_err(|_| Invalid::new("must be a user's id, `none` or `left`"))
            }
        }
    }
}

/// Which tickets a list asks for; what is absent does not restrict.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TicketFilter {
    /// Only those in this state.
    pub state: Option<TicketState>,
    /// Only those that are assigned so.
    pub assignee: Option<AssignedTo>,
    /// Those that are archived, instead of those that are not.
    pub archived: bool,
}

/// One page of tickets, newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TicketQuery {
    /// Which tickets.
    pub filter: TicketFilter,
    /// Behind which one; absent for the first page.
    pub after: Option<TicketCursor>,
    /// How many at most.
    pub per_page: i64,
}

impl Default for TicketQuery {
    fn default() -> Self {
        Self {
            filter: TicketFilter::default(),
            after: None,
            per_page: PageRequest::default().per_page(),
        }
    }
}

/// Tickets, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TicketPage {
    /// The tickets.
    pub tickets: Vec<Ticket>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<TicketCursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a16_tickets_are_asked_for_by_whom_they_are_assigned_to_or_whether_there_is_anybody() {
        let user = AssignedTo::User("0198c0de-0000-7000-8000-000000000001".parse().unwrap());
        for assigned in [AssignedTo::Nobody, AssignedTo::SomebodyWhoLeft, user] {
            assert_eq!(assigned.to_string().parse(), Ok(assigned));
        }
        for text in ["", "nobody", "None", "gone", "0198c0de", "ann@example.com"] {
            assert!(text.parse::<AssignedTo>().is_err(), "{text}");
        }
    }
}
