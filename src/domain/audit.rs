//! The audit log: one entry for each change, written in the change's own transaction.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::ids::{AuditId, TenantId};
use super::invalid::Invalid;

/// Who changed what. Holds no secret: `before` and `after` come from types that cannot be serialized with one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it, as they were called then: outlives the user.
    pub actor: String,
    /// What was done: `create`, `update`, `delete`, `deploy`, `reveal_secret`, ….
    pub action: String,
    /// The kind of the target: `extension`, `tenant`, ….
    pub resource: String,
    /// The target's id.
    pub target_id: String,
    /// Whose it is; absent for what belongs to the platform.
    pub tenant_id: Option<TenantId>,
    /// The target as it was.
    pub before: Option<Value>,
    /// The target as it became.
    pub after: Option<Value>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
}

/// Which entries a list asks for; what is absent does not restrict.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AuditFilter {
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only this kind of target.
    pub resource: Option<String>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// The last entry of a page; the next page begins behind it. Written as `<microseconds>-<uuid>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditCursor {
    /// The entry's time.
    pub at: Timestamp,
    /// The entry's id.
    pub id: AuditId,
}

/// Entries, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<AuditCursor>,
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.as_microsecond(), self.id)
    }
}

impl FromStr for AuditCursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || Invalid::new("must be the `next_cursor` of the page before");
        let (at, id) = text.split_once('-').ok_or_else(refused)?;
        let at = at
            .parse()
            .ok()
            .and_then(|micros| Timestamp::from_microsecond(micros).ok());
        let id = Uuid::parse_str(id).map_err(|_| refused())?;
        Ok(Self {
            at: at.ok_or_else(refused)?,
            id: AuditId::from_uuid(id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_cursor_reads_back() {
        let cursor = AuditCursor {
            at: "2026-11-20T10:00:00.123456Z".parse().unwrap(),
            id: "0198c0de-0000-7000-8000-000000000001".parse().unwrap(),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[rstest]
    #[case("")]
    #[case("12")]
    #[case("x-0198c0de-0000-7000-8000-000000000001")]
    #[case("12-0198c0de")]
    #[case("9223372036854775807-0198c0de-0000-7000-8000-000000000001")]
    fn anything_else_is_no_cursor(#[case] text: &str) {
        assert!(text.parse::<AuditCursor>().is_err());
    }
}
