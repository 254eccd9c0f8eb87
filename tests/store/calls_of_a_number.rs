//! Calls from or to a number, which are found by two indexes, on both databases.

use rstest::rstest;
use switchyard::domain::call_record::CallFilter;
use switchyard::store::call_records::Seen;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::call_records::{ACME, Office, SECOND, all, froms, part};
use super::samples::at;

#[rstest]
#[tokio::test]
async fn a11_calls_from_a_number_and_to_it_are_listed_once_each_newest_first_page_by_page(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    let calls = [
        ("1001", "1002"),
        ("1002", "1003"),
        ("1001", "1003"),
        ("1002", "1002"),
        ("1003", "1002"),
    ];
    for (second, numbers) in (0..).zip(calls) {
        let call = format!("{second}.0");
        office
            .keep(acme, &call, &part(&call, 1, numbers, ACME, second))
            .await;
    }
    let of = CallFilter {
        number: Some("1002".to_owned()),
        ..CallFilter::default()
    };
    let found = all(&office.store, acme, Seen::All, of.clone()).await;
    assert_eq!(froms(&found), ["1003", "1002", "1002", "1001"]);
    let before = CallFilter {
        to: Some(at(3 * SECOND)),
        ..of
    };
    let found = all(&office.store, acme, Seen::All, before.clone()).await;
    assert_eq!(froms(&found), ["1002", "1001"]);
    assert!(
        all(&office.store, office.world.globex.id, Seen::All, before)
            .await
            .is_empty()
    );
}
