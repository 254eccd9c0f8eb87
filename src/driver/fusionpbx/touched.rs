//! Whose users and dialplans a write has touched, and who is served no more: what FreeSWITCH still has in its cache of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::difference::{Difference, Found, Rows, is_value};
use crate::domain::fusionpbx_row::{FusionRow, FusionTable, FusionValue};
use crate::driver::event_socket::User;

/// What was served before or is served now otherwise.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Touched {
    /// Users that were, are, or are otherwise.
    pub users: BTreeSet<User>,
    /// Domains whose dialplan is another one, or whose list of users.
    pub domains: BTreeSet<String>,
    /// Users that are no more.
    pub gone_users: BTreeSet<User>,
    /// Domains that are no more.
    pub gone_domains: BTreeSet<String>,
    /// Domains that are still there, and in which nobody is served any more.
    pub silent_domains: BTreeSet<String>,
}

/// A row of one state or the other.
#[derive(Clone, Copy)]
enum Row<'a> {
    There(&'a Found),
    Wanted(&'a FusionRow),
}

impl<'a> Row<'a> {
    fn text(self, column: &str) -> Option<&'a str> {
        match self {
            Self::There(row) => row.get(column).and_then(Value::as_str),
            Self::Wanted(row) => row.text(column),
        }
    }

    /// Whether a switch of it is on; one that is not read is.
    fn is_on(self, column: &str) -> bool {
        match self {
            Self::There(row) => row
                .get(column)
                .is_none_or(|value| is_value(&FusionValue::Flag(true), value)),
            Self::Wanted(row) => row.values.iter().all(|(name, value)| match value {
                FusionValue::Flag(on) => *on || name.as_str() != column,
                _ => true,
            }),
        }
    }

    fn uuid(self, column: &str) -> Option<Uuid> {
        self.text(column).and_then(|text| text.parse().ok())
    }

    /// By which numbers it is looked up.
    fn numbers(self) -> Vec<&'a str> {
        let numbers = ["extension", "number_alias"].into_iter();
        let numbers = numbers.filter_map(|column| self.text(column));
        numbers.filter(|number| !number.is_empty()).collect()
    }
}

/// An extension: its numbers, its domain's id, and whether it is served.
struct Extension<'a> {
    numbers: Vec<&'a str>,
    domain: Uuid,
    on: bool,
}

/// One state: domains and extensions by id.
#[derive(Default)]
struct Served<'a> {
    domains: BTreeMap<Uuid, &'a str>,
    /// Those of others that extensions of ours are in.
    strange: BTreeMap<Uuid, &'a str>,
    /// Domains of ours that are switched off.
    off: BTreeSet<Uuid>,
    extensions: BTreeMap<Uuid, Extension<'a>>,
}

impl<'a> Served<'a> {
    fn of(rows: impl Iterator<Item = (FusionTable, Uuid, Row<'a>)>) -> Self {
        let mut served = Self::default();
        for (table, id, row) in rows {
            match table {
                FusionTable::Domains => {
                    served
                        .domains
                        .extend(row.text("domain_name").map(|name| (id, name)));
                    if !row.is_on("domain_enabled") {
                        served.off.insert(id);
                    }
                }
                FusionTable::Extensions => {
                    let extension = row.uuid("domain_uuid").map(|domain| Extension {
                        numbers: row.numbers(),
                        domain,
                        on: row.is_on("enabled"),
                    });
                    served
                        .extensions
                        .extend(extension.map(|extension| (id, extension)));
                }
                FusionTable::ExtensionSettings | FusionTable::Voicemails | FusionTable::Dialplans => {}
            }
        }
        served
    }

    fn name(&self, domain: Option<Uuid>) -> Option<&'a str> {
        let domain = domain?;
        let known = self.domains.get(&domain);
        known.or_else(|| self.strange.get(&domain)).copied()
    }

    fn users(&self, numbers: &[&str], domain: Option<Uuid>) -> Vec<User> {
        let Some(domain) = self.name(domain) else {
            return Vec::new();
        };
        let user = |number: &&str| ((*number).to_owned(), domain.to_owned());
        numbers.iter().map(user).collect()
    }

    /// Those of the extensions.
    fn users_of(&self, which: impl Fn(&Extension<'_>) -> bool) -> BTreeSet<User> {
        let extensions = self.extensions.values().filter(|extension| which(extension));
        extensions
            .flat_map(|extension| self.users(&extension.numbers, Some(extension.domain)))
            .collect()
    }

    /// Whoever is served under a domain of ours. In one of somebody else's a number may be theirs.
    fn all(&self) -> BTreeSet<User> {
        self.users_of(|extension| {
            extension.on
                && self.domains.contains_key(&extension.domain)
                && !self.off.contains(&extension.domain)
        })
    }

    fn names(&self) -> BTreeSet<String> {
        self.domains.values().map(|name| (*name).to_owned()).collect()
    }

    /// What rows are about.
    fn touch_all<'r>(&self, rows: impl Iterator<Item = (FusionTable, Uuid, Row<'r>)>, touched: &mut Touched) {
        let mut domains = BTreeSet::new();
        for (table, id, row) in rows {
            if table == FusionTable::Domains {
                domains.insert(id);
            }
            self.touch(table, row, touched);
        }
        // All users of a domain that is another one are other ones.
        touched
            .users
            .extend(self.users_of(|extension| domains.contains(&extension.domain)));
    }

    /// What a row is about.
    fn touch(&self, table: FusionTable, row: Row<'_>, touched: &mut Touched) {
        match table {
            FusionTable::Domains => {
                touched.domains.extend(row.text("domain_name").map(str::to_owned));
            }
            FusionTable::Extensions => {
                let domain = row.uuid("domain_uuid");
                touched.domains.extend(self.name(domain).map(str::to_owned));
                touched.users.extend(self.users(&row.numbers(), domain));
            }
            FusionTable::ExtensionSettings => {
                let owner = row.uuid("extension_uuid").and_then(|id| self.extensions.get(&id));
                if let Some(extension) = owner {
                    let users = self.users(&extension.numbers, Some(extension.domain));
                    touched.users.extend(users);
                }
            }
            FusionTable::Voicemails => {
                let numbers: Vec<&str> = row.text("voicemail_id").into_iter().collect();
                touched
                    .users
                    .extend(self.users(&numbers, row.uuid("domain_uuid")));
            }
            FusionTable::Dialplans => {
                touched
                    .domains
                    .extend(row.text("dialplan_context").map(str::to_owned));
            }
        }
    }
}

impl Touched {
    /// By what differs; or all that there is and was, with `everything`. `strayed`: the domains of others that rows of ours
    /// are found in. `former`: what an earlier write touched that FreeSWITCH may never have been told of.
    pub fn by(
        found: &Rows,
        wanted: &[FusionRow],
        difference: &Difference<'_>,
        strayed: &BTreeMap<Uuid, String>,
        former: Self,
        everything: bool,
    ) -> Self {
        let there = found
            .iter()
            .map(|((table, id), row)| (*table, *id, Row::There(row)));
        let mut before = Served::of(there);
        before.strange = strayed.iter().map(|(id, name)| (*id, name.as_str())).collect();
        let after = Served::of(wanted.iter().map(|row| (row.table, row.id, Row::Wanted(row))));
        let mut touched = former;
        let (all_before, all_after) = (before.all(), after.all());
        if everything {
            touched.users.extend(before.users_of(|_| true));
            touched.users.extend(after.users_of(|_| true));
            touched.domains.extend(before.names());
            touched.domains.extend(after.names());
        }
        let gone = difference.surplus.iter().copied();
        let changed = difference
            .other
            .iter()
            .map(|(row, there)| (row.table, row.id, *there));
        before.touch_all(
            gone.chain(changed)
                .map(|(table, id, row)| (table, id, Row::There(row))),
            &mut touched,
        );
        let new = difference.missing.iter().copied();
        let new = new.chain(difference.other.iter().map(|(row, _)| *row));
        after.touch_all(new.map(|row| (row.table, row.id, Row::Wanted(row))), &mut touched);
        touched.gone_users.extend(all_before);
        touched.gone_users.retain(|user| !all_after.contains(user));
        touched.gone_domains.extend(before.names());
        let domains = after.names();
        touched.gone_domains.retain(|domain| !domains.contains(domain));
        touched
    }

    /// Domains that are still there, of users that are no more.
    pub fn domains_that_lost_somebody(&self) -> BTreeSet<&str> {
        let domains = self.gone_users.iter().map(|(_, domain)| domain.as_str());
        domains
            .filter(|name| !self.gone_domains.contains(*name))
            .collect()
    }

    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.domains.is_empty()
    }
}

#[cfg(test)]
mod tests;
