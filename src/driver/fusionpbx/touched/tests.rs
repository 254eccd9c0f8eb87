//! What one state and the next touch.

use super::super::choices::Choices;
use super::super::difference::as_found;
use super::*;
use serde_json::json;

const DOMAIN: u128 = 1;

fn row(table: FusionTable, id: u128, values: &Value) -> FusionRow {
    serde_json::from_value(json!({"table": table, "id": Uuid::from_u128(id), "values": values})).unwrap()
}

fn extension(id: u128, number: &str, name: &str) -> FusionRow {
    let values = json!({"domain_uuid": Uuid::from_u128(DOMAIN), "extension": number, "description": name});
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
    let difference = Difference::between(&found, after, &Choices::all());
    Touched::by(&found, after, &difference, &BTreeMap::new(), former, false)
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
    let difference = Difference::between(&before, &after, &Choices::all());
    let nowhere = BTreeMap::new();
    let found = Touched::by(&before, &after, &difference, &nowhere, Touched::default(), false);
    assert_eq!(found.gone_users, users(&["1001", "5550101"]));
    assert_eq!(found.users, users(&["1001", "5550101"]));
}
/// Its row stays, and so does what others wrote into it.
#[test]
fn an_extension_that_is_switched_off_is_gone_and_one_that_was_off_is_not_gone_again() {
    let switched = |on: bool| {
        let mut extension = extension(2, "1001", "Ann");
        extension
            .values
            .insert("enabled".parse().unwrap(), FusionValue::Flag(on));
        [domain(), extension]
    };
    let off = touched(&switched(true), &switched(false), Touched::default());
    assert_eq!(
        (&off.users, &off.gone_users),
        (&users(&["1001"]), &users(&["1001"]))
    );
    assert!(off.gone_domains.is_empty());
    let on = touched(&switched(false), &switched(true), Touched::default());
    assert_eq!((&on.users, on.gone_users.len()), (&users(&["1001"]), 0));
    let removed = touched(&switched(false), &[domain()], Touched::default());
    assert_eq!((&removed.users, removed.gone_users.len()), (&users(&["1001"]), 0));
    let domain_off = |on: bool| {
        let mut rows = switched(true);
        rows[0]
            .values
            .insert("domain_enabled".parse().unwrap(), FusionValue::Flag(on));
        rows
    };
    let off = touched(&domain_off(true), &domain_off(false), Touched::default());
    assert_eq!(off.gone_users, users(&["1001"]));
}

/// Its number may be theirs there: it is looked up anew, and nobody is signed out.
#[test]
fn an_extension_that_somebody_moved_to_another_domain_is_touched_in_both() {
    let after = [domain(), extension(2, "1001", "Ann")];
    let mut before = as_rows(&after);
    let row = before
        .get_mut(&(FusionTable::Extensions, Uuid::from_u128(2)))
        .unwrap();
    row.insert("domain_uuid".to_owned(), json!(Uuid::from_u128(77)));
    let difference = Difference::between(&before, &after, &Choices::all());
    let strayed = BTreeMap::from([(Uuid::from_u128(77), "theirs.example.com".to_owned())]);
    let found = Touched::by(&before, &after, &difference, &strayed, Touched::default(), false);
    let mut wanted = users(&["1001"]);
    wanted.insert(("1001".to_owned(), "theirs.example.com".to_owned()));
    assert_eq!(found.users, wanted);
    assert!(found.gone_users.is_empty() && found.gone_domains.is_empty());
}
