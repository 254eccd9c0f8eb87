//! A ticket: what somebody of a tenant asks for or reports, who looks after it, and how far it has come.

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::ActorKind;
use super::dial::ExtensionNumber;
use super::ids::{CommentId, ExtensionId, TenantId, TicketId, UserId};
use super::name::PersonName;
use super::parsed::word_enum;
use super::ticket_text::{TicketSubject, TicketText};

word_enum! {
    /// How far a ticket has come.
    TicketState {
        /// Something is to be done about it.
        Open = "open",
        /// It waits for an answer.
        Pending = "pending",
        /// It is done, as whoever did it thinks.
        Resolved = "resolved",
        /// It is over.
        Closed = "closed",
    }
}

impl TicketState {
    /// What can become of it, in words. What was resolved or closed is reopened by becoming open.
    #[must_use]
    pub const fn next(self) -> &'static [&'static str] {
        match self {
            Self::Open => &["pending", "resolved", "closed"],
            Self::Pending => &["open", "resolved", "closed"],
            Self::Resolved => &["open", "closed"],
            Self::Closed => &["open"],
        }
    }

    /// Whether it can become that.
    #[must_use]
    pub fn becomes(self, other: Self) -> bool {
        self.next().contains(&other.as_str())
    }

    /// Whether something is still to come.
    #[must_use]
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Open | Self::Pending)
    }
}

/// Who opened a ticket or said something about it. Outlives the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TicketAuthor {
    /// What kind of somebody; whoever is the operator's is `manager`.
    pub kind: ActorKind,
    /// The user's or the key's id; none where the program itself acts.
    pub id: Option<Uuid>,
    /// A user's name, as it is while they work for the tenant, and as it was then once they do not; a key's as it was then.
    pub name: String,
    /// Whether it is a user who does not work for the tenant any more.
    pub has_left: bool,
}

/// Who looks after a ticket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignee {
    /// The user's id.
    pub id: UserId,
    /// Their name, as it is while they work for the tenant, and as it was then once they do not.
    pub name: PersonName,
    /// Whether they do not work for the tenant any more.
    pub has_left: bool,
}

/// Which phone a ticket is about. The extension may be deleted since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TicketExtension {
    /// Its id.
    pub id: ExtensionId,
    /// Its number, which never changes.
    pub number: ExtensionNumber,
}

/// A ticket, without what was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What it is about.
    pub subject: TicketSubject,
    /// How far it has come.
    pub state: TicketState,
    /// Who opened it.
    pub opened_by: TicketAuthor,
    /// Who looks after it.
    pub assignee: Option<Assignee>,
    /// Which phone it is about.
    pub extension: Option<TicketExtension>,
    /// How many comments it has.
    pub comments: i64,
    /// Since when it is archived; nothing changes of it then.
    pub archived_at: Option<Timestamp>,
    /// Counts the changes, comments among them.
    pub version: i64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When something was last changed or said.
    pub updated_at: Timestamp,
}

/// What somebody said about a ticket; it stays as it was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TicketComment {
    /// Its id.
    pub id: CommentId,
    /// Who said it.
    pub author: TicketAuthor,
    /// What they said.
    pub text: TicketText,
    /// When.
    pub created_at: Timestamp,
}

/// A ticket with all that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WholeTicket {
    /// The ticket.
    pub ticket: Ticket,
    /// What it was opened with.
    pub text: TicketText,
    /// What was said since, oldest first.
    pub comments: Vec<TicketComment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a16_a_ticket_goes_from_each_state_to_those_that_are_named_and_to_no_other() {
        let ways = [
            (TicketState::Open, "pending resolved closed"),
            (TicketState::Pending, "open resolved closed"),
            (TicketState::Resolved, "open closed"),
            (TicketState::Closed, "open"),
        ];
        for (from, expected) in ways {
            let all = TicketState::ALL.iter();
            let becomes: Vec<&str> = all
                .filter(|to| from.becomes(**to))
                .map(|to| to.as_str())
                .collect();
            assert_eq!(becomes.join(" "), expected, "{from}");
            assert_eq!(from.next().join(" "), expected, "{from}");
        }
    }

    #[test]
    fn a16_what_was_resolved_or_closed_does_not_wait() {
        let waiting: Vec<_> = TicketState::ALL
            .iter()
            .filter(|state| state.is_waiting())
            .collect();
        assert_eq!(waiting, [&TicketState::Open, &TicketState::Pending]);
    }
}
