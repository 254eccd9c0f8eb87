//! Whose users and dialplans a write has touched, and who is served no more: what FreeSWITCH still has in its cache of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::difference::{Difference, Found, Rows};
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};

/// A user as FreeSWITCH knows it: number and domain.
pub type User = (String, String);

/// What was served before or is served now otherwise.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Touched {
    /// Users that were, are, or are otherwise.
    pub users: BTreeSet<User>,
    /// Domains whose dialplan is another one, or whose list of users.
    pub domains: BTreeSet<String>,
    /// Users that are no more.
    pub gone_users: BTreeSet<User>,
    /// Domains that are no more.
    pub gone_domains: BTreeSet<String>,
}

/// One state: domains by id, and users by the id of their extension.
#[derive(Default)]
struct Served {
    domains: BTreeMap<String, String>,
    users: BTreeMap<String, (String, String)>,
}

impl Served {
    fn of<'a>(rows: impl Iterator<Item = (FusionTable, String, &'a Found)>) -> Self {
        let mut served = Self::default();
        for (table, id, row) in rows {
            match table {
                FusionTable::Domains => {
                    served.domains.extend(text(row, "domain_name").map(|name| (id, name)));
                }
                FusionTable::Extensions => {
                    let user = text(row, "extension").zip(text(row, "domain_uuid"));
                    served.users.extend(user.map(|user| (id, user)));
                }
                FusionTable::ExtensionSettings | FusionTable::Voicemails | FusionTable::Dialplans => {}
            }
        }
        served
    }

    fn user(&self, (number, domain): &(String, String)) -> Option<User> {
        Some((number.clone(), self.domains.get(domain)?.clone()))
    }

    fn all(&self) -> BTreeSet<User> {
        self.users.values().filter_map(|user| self.user(user)).collect()
    }

    fn names(&self) -> BTreeSet<String> {
        self.domains.values().cloned().collect()
    }

    /// What a row is about.
    fn touch(&self, table: FusionTable, id: &str, row: &Found, touched: &mut Touched) {
        match table {
            FusionTable::Domains => touched.domains.extend(text(row, "domain_name")),
            FusionTable::Extensions => {
                let user = text(row, "extension").zip(text(row, "domain_uuid"));
                let user = user.and_then(|user| self.user(&user));
                touched.domains.extend(user.iter().map(|(_, domain)| domain.clone()));
                touched.users.extend(user);
            }
            FusionTable::ExtensionSettings => {
                let owner = text(row, "extension_uuid").and_then(|id| self.users.get(&id));
                touched.users.extend(owner.and_then(|user| self.user(user)));
            }
            FusionTable::Voicemails => {
                let user = text(row, "voicemail_id").zip(text(row, "domain_uuid"));
                touched.users.extend(user.and_then(|user| self.user(&user)));
            }
            FusionTable::Dialplans => touched.domains.extend(text(row, "dialplan_context")),
        }
        // All users of a domain that is another one are other ones.
        if table == FusionTable::Domains {
            let own = self.users.values().filter(|(_, domain)| domain == id);
            touched.users.extend(own.filter_map(|user| self.user(user)));
        }
    }
}

impl Touched {
    /// By what differs; or all that there is and was, where it is not known what FreeSWITCH has looked up last.
    pub fn by(found: &Rows, wanted: &[FusionRow], difference: &Difference<'_>, everything: bool) -> Self {
        let rendered: Vec<(FusionTable, String, Found)> = wanted.iter().map(as_found).collect();
        let before = Served::of(found.iter().map(|((table, id), row)| (*table, id.to_string(), row)));
        let after = Served::of(rendered.iter().map(|(table, id, row)| (*table, id.clone(), row)));
        let mut touched = Self {
            gone_users: &before.all() - &after.all(),
            gone_domains: &before.names() - &after.names(),
            ..Self::default()
        };
        if everything {
            touched.users = &before.all() | &after.all();
            touched.domains = &before.names() | &after.names();
            return touched;
        }
        let gone = difference.surplus.iter().map(|(table, id, row)| (*table, *id, *row));
        let changed = difference.other.iter().map(|(row, there)| (row.table, row.id, *there));
        for (table, id, row) in gone.chain(changed) {
            before.touch(table, &id.to_string(), row, &mut touched);
        }
        let new = difference.missing.iter().copied();
        for row in new.chain(difference.other.iter().map(|(row, _)| *row)) {
            let (table, id, row) = as_found(row);
            after.touch(table, &id, &row, &mut touched);
        }
        touched
    }

    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.domains.is_empty()
    }
}

fn as_found(row: &FusionRow) -> (FusionTable, String, Found) {
    let values = row.values.iter().map(|(column, value)| {
        (column.as_str().to_owned(), serde_json::to_value(value).unwrap_or_default())
    });
    (row.table, row.id.to_string(), values.collect())
}

fn text(row: &Found, column: &str) -> Option<String> {
    row.get(column).and_then(Value::as_str).map(str::to_owned)
}
