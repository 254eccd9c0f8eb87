//! Whose users and dialplans a write has touched, and who is served no more: what FreeSWITCH still has in its cache of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::difference::{Difference, Found, Rows};
use crate::domain::fusionpbx_row::{FusionRow, FusionTable};
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

/// One state: domains by id, and by the id of an extension its numbers and its domain's id.
#[derive(Default)]
struct Served<'a> {
    domains: BTreeMap<Uuid, &'a str>,
    extensions: BTreeMap<Uuid, (Vec<&'a str>, Uuid)>,
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
                }
                FusionTable::Extensions => {
                    let extension = row
                        .uuid("domain_uuid")
                        .map(|domain| (id, (row.numbers(), domain)));
                    served.extensions.extend(extension);
                }
                FusionTable::ExtensionSettings | FusionTable::Voicemails | FusionTable::Dialplans => {}
            }
        }
        served
    }

    fn users(&self, numbers: &[&str], domain: Option<Uuid>) -> Vec<User> {
        let Some(domain) = domain.and_then(|id| self.domains.get(&id)) else {
            return Vec::new();
        };
        let user = |number: &&str| ((*number).to_owned(), (*domain).to_owned());
        numbers.iter().map(user).collect()
    }

    fn all(&self) -> BTreeSet<User> {
        let users = self.extensions.values();
        users
            .flat_map(|(numbers, domain)| self.users(numbers, Some(*domain)))
            .collect()
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
        for (numbers, domain) in self.extensions.values() {
            if domains.contains(domain) {
                touched.users.extend(self.users(numbers, Some(*domain)));
            }
        }
    }

    /// What a row is about.
    fn touch(&self, table: FusionTable, row: Row<'_>, touched: &mut Touched) {
        match table {
            FusionTable::Domains => {
                touched.domains.extend(row.text("domain_name").map(str::to_owned));
            }
            FusionTable::Extensions => {
                let domain = row.uuid("domain_uuid");
                let name = domain.and_then(|id| self.domains.get(&id));
                touched.domains.extend(name.map(|name| (*name).to_owned()));
                touched.users.extend(self.users(&row.numbers(), domain));
            }
            FusionTable::ExtensionSettings => {
                let owner = row.uuid("extension_uuid").and_then(|id| self.extensions.get(&id));
                if let Some((numbers, domain)) = owner {
                    touched.users.extend(self.users(numbers, Some(*domain)));
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
    /// By what differs; or all that there is and was, with `everything`. `former`: what an earlier write touched that
    /// FreeSWITCH may never have been told of.
    pub fn by(
        found: &Rows,
        wanted: &[FusionRow],
        difference: &Difference<'_>,
        former: Self,
        everything: bool,
    ) -> Self {
        let there = found
            .iter()
            .map(|((table, id), row)| (*table, *id, Row::There(row)));
        let before = Served::of(there);
        let after = Served::of(wanted.iter().map(|row| (row.table, row.id, Row::Wanted(row))));
        let mut touched = former;
        let (all_before, all_after) = (before.all(), after.all());
        if everything {
            touched.users.extend(all_before.iter().cloned());
            touched.users.extend(all_after.iter().cloned());
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

    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.domains.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::difference::as_found;
    use super::*;
    use serde_json::json;

    const DOMAIN: u128 = 1;

    fn row(table: FusionTable, id: u128, values: &Value) -> FusionRow {
        serde_json::from_value(json!({"table": table, "id": Uuid::from_u128(id), "values": values})).unwrap()
    }

    fn extension(id: u128, number: &str, name: &str) -> FusionRow {
        let values =
            json!({"domain_uuid": Uuid::from_u128(DOMAIN), "extension": number, "description": name});
        row(FusionTable::Extensions, id, &values)
    }

    fn domain() -> FusionRow {
        row(
            FusionTable::Domains,
            DOMAIN,
            &json!({"domain_name": "acme.example.com"}),
        )
    }

    fn as_rows(rows: &[FusionRow]) -> Rows {
        let found = |row: &FusionRow| ((row.table, row.id), as_found(row));
        rows.iter().map(found).collect()
    }

    fn touched(before: &[FusionRow], after: &[FusionRow], former: Touched) -> Touched {
        let found = as_rows(before);
        let difference = Difference::between(&found, after);
        Touched::by(&found, after, &difference, former, false)
    }

    fn users(numbers: &[&str]) -> BTreeSet<User> {
        let user = |number: &&str| ((*number).to_owned(), "acme.example.com".to_owned());
        numbers.iter().map(user).collect()
    }

    #[test]
    fn only_what_differs_is_touched() {
        let before = [domain(), extension(2, "1001", "Ann"), extension(3, "1002", "Bob")];
        let after = [
            domain(),
            extension(2, "1001", "Ann"),
            extension(3, "1002", "Bert"),
        ];
        let found = touched(&before, &after, Touched::default());
        assert_eq!(found.users, users(&["1002"]));
        assert!(found.gone_users.is_empty());
        assert!(touched(&before, &before, Touched::default()).is_empty());
    }

    #[test]
    fn a_setting_is_its_extensions_and_a_domain_is_all_of_its_users() {
        let setting = |value: &str| {
            let values = json!({"extension_uuid": Uuid::from_u128(2), "extension_setting_value": value});
            row(FusionTable::ExtensionSettings, 9, &values)
        };
        let rows = |value: &str| {
            [
                domain(),
                extension(2, "1001", "Ann"),
                extension(3, "1002", "Bob"),
                setting(value),
            ]
        };
        assert_eq!(
            touched(&rows("a"), &rows("b"), Touched::default()).users,
            users(&["1001"])
        );
        let gone = touched(&rows("a"), &[], Touched::default());
        assert_eq!(
            (&gone.users, &gone.gone_users),
            (&users(&["1001", "1002"]), &users(&["1001", "1002"]))
        );
        assert_eq!(gone.gone_domains, BTreeSet::from(["acme.example.com".to_owned()]));
    }

    /// A write that nobody told FreeSWITCH of, and then another one that undid it.
    #[test]
    fn what_freeswitch_was_never_told_of_stays_touched_and_what_is_back_is_not_gone() {
        let one = [domain(), extension(2, "1001", "Ann")];
        let two = [domain(), extension(2, "1001", "Ann"), extension(3, "1002", "Bob")];
        let untold = touched(&one, &two, Touched::default());
        let back = touched(&two, &one, untold);
        let again = touched(&one, &one, back.clone());
        assert_eq!(again, back);
        assert_eq!(
            (&again.users, &again.gone_users),
            (&users(&["1002"]), &users(&["1002"]))
        );
        assert!(touched(&one, &two, again).gone_users.is_empty());
    }

    #[test]
    fn a_number_that_somebody_gave_an_extension_beside_its_own_is_its_too() {
        let mut before = as_rows(&[domain(), extension(2, "1001", "Ann")]);
        let row = before
            .get_mut(&(FusionTable::Extensions, Uuid::from_u128(2)))
            .unwrap();
        row.insert("number_alias".to_owned(), json!("5550101"));
        let after = [domain()];
        let difference = Difference::between(&before, &after);
        let found = Touched::by(&before, &after, &difference, Touched::default(), false);
        assert_eq!(found.gone_users, users(&["1001", "5550101"]));
        assert_eq!(found.users, users(&["1001", "5550101"]));
    }
}
