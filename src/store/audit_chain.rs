//! The audit log as a chain: its head, and its entries as they are stored.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::audit_row::Row;
use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::audit::{ActorKind, AuditHead, CERTIFIED, ERASED, RETAINED};
use crate::domain::audit_check::StoredLink;
use crate::domain::digest::Digest;

statements! {
    HEAD = "select number, digest from audit_head where log = 'audit'";
    AFTER = "select e.number, e.id, e.at, e.actor_kind, e.actor_id, e.operating_as, e.action, e.resource, e.target_id, \
        e.tenant_id, e.payload_digest, e.digest, e.salt, e.actor_name, e.before, e.after, e.reason, e.request_id, \
        e.address, e.agent, e.blanked_by, \
        b.number as teller, b.action as teller_action, b.actor_kind as teller_kind, b.tenant_id as teller_tenant, \
        b.target_id as told_of, b.blanked_by as teller_blanked_by, \
        case when e.tenant_id is null or b.action = 'compliance.erased' then b.after end as names \
        from audit_entries e left join audit_entries b on b.id = e.blanked_by \
        and b.action in ('tenant.gone', 'compliance.purged', 'compliance.erased') \
        where e.number > $1 order by e.number limit $2";
}

/// The last entry of the log; `None` where the row that names it is gone.
pub async fn head(tx: &mut Tx) -> Result<Option<AuditHead>, StoreError> {
    let row = run!(tx, fetch_optional::<(i64, Vec<u8>)>(HEAD))?;
    let origin = Origin {
        table: "audit_head",
        id: "audit",
    };
    row.map(|(number, digest)| {
        let digest =
            Digest::try_from(digest.as_slice()).map_err(|invalid| origin.corrupt("digest", invalid))?;
        Ok(AuditHead { number, digest })
    })
    .transpose()
}

#[derive(sqlx::FromRow)]
struct CheckedRow {
    #[sqlx(flatten)]
    row: Row,
    teller: Option<i64>,
    teller_action: Option<String>,
    teller_kind: Option<String>,
    teller_tenant: Option<Uuid>,
    told_of: Option<String>,
    teller_blanked_by: Option<Uuid>,
    names: Option<String>,
}

impl CheckedRow {
    /// What tells of a blanking, and of whose entries, stands in the chain: it cannot be made of another entry.
    fn stored(self) -> StoredLink {
        let is_later = self.teller.is_some_and(|teller| teller > self.row.number());
        if self.teller_action.as_deref() == Some(RETAINED) {
            let is_retained = is_later && self.is_retained();
            return self.row.stored(is_retained);
        }
        if self.teller_action.as_deref() == Some(ERASED) {
            let is_erased = is_later && self.is_erased();
            return self.row.stored(is_erased);
        }
        let is_of = match self.row.tenant_id() {
            Some(tenant) => self.told_of.and_then(|id| Uuid::parse_str(&id).ok()) == Some(tenant),
            // A move is no tenant's: the entry of the deletion names it. Nothing else of no tenant's is ever blanked.
            None => {
                self.row.action() == "user.move"
                    && self
                        .names
                        .is_some_and(|after| names(&after, "moves", self.row.id()))
            }
        };
        self.row.stored(is_later && is_of)
    }

    /// Whether it was blanked by an erasure, as an entry of the daemon tells: of the same tenant, with its id among those that it
    /// names. Where that one is blanked itself, its tenant is gone, and everything of it.
    fn is_erased(&self) -> bool {
        let named = self.names.as_ref();
        let is_named = named.is_some_and(|after| names(after, "entries", self.row.id()));
        let is_told = is_named || self.teller_blanked_by.is_some();
        self.is_told_by_daemon() && is_told && self.tells_of_nothing()
    }

    /// Whether an entry of the daemon in the same tenant tells of it.
    fn is_told_by_daemon(&self) -> bool {
        let is_own = self.row.tenant_id().is_some() && self.teller_tenant == self.row.tenant_id();
        is_own && self.teller_kind.as_deref() == Some(ActorKind::System.as_str())
    }

    /// Such an entry tells of others only, and of no certificate, which outlives what it is about.
    fn tells_of_nothing(&self) -> bool {
        ![RETAINED, ERASED, CERTIFIED].contains(&self.row.action())
    }

    /// Whether its tenant kept it no longer, as an entry of the daemon tells: of the same tenant, with the time that it is
    /// from before.
    fn is_retained(&self) -> bool {
        let cutoff: Option<Timestamp> = self.told_of.as_ref().and_then(|time| time.parse().ok());
        let is_older = cutoff.is_some_and(|cutoff| self.row.at() < cutoff.as_microsecond());
        self.is_told_by_daemon() && is_older && self.tells_of_nothing()
    }
}

/// Whether what an entry says names another one in this list.
fn names(after: &str, list: &str, id: Uuid) -> bool {
    let after: Value = serde_json::from_str(after).unwrap_or_default();
    let named = after.get(list).and_then(Value::as_array);
    let named = named.into_iter().flatten();
    let mut ids = named.filter_map(|id| Uuid::parse_str(id.as_str()?).ok());
    ids.any(|named| named == id)
}

/// The entries with a number above `after`, by number, as many as `most`, with every column as it is stored.
pub async fn after(tx: &mut Tx, after: i64, most: i64) -> Result<Vec<StoredLink>, StoreError> {
    let rows = run!(tx, fetch_all::<CheckedRow>(AFTER, after, most))?;
    Ok(rows.into_iter().map(CheckedRow::stored).collect())
}
