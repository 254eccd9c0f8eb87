//! Lists of extensions: search, filter, order and pages.

use rstest::rstest;
use switchyard::domain::extension::{Extension, ExtensionStatus};
use switchyard::domain::page::PageRequest;
use switchyard::domain::query::{ExtensionQuery, ExtensionSort};
use switchyard::store::{Store, extensions};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, extension, secrets, store_extension};

/// Numbers, names, states and times that all sort differently.
async fn four(store: &Store, world: &World) {
    let rows = [
        ("1002", "beta", ExtensionStatus::Active, 3, 14),
        ("101", "Alpha", ExtensionStatus::Disabled, 4, 13),
        ("1001", "Élan", ExtensionStatus::Active, 1, 12),
        ("99", "Zulu", ExtensionStatus::Disabled, 2, 11),
    ];
    let mut tx = store.begin("four").await.unwrap();
    for (number, name, status, created, updated) in rows {
        let mut row = extension(world.acme.id, number, name);
        row.settings.status = status;
        (row.created_at, row.updated_at) = (at(created), at(updated));
        extensions::insert(&mut tx, &row, &secrets("CircleOfLife", "1234"))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn numbers(store: &Store, world: &World, query: &ExtensionQuery) -> Vec<String> {
    let mut tx = store.read("numbers").await.unwrap();
    let page = extensions::list(&mut tx, world.acme.id, query).await.unwrap();
    page.items
        .into_iter()
        .map(|extension| extension.number.into())
        .collect()
}

#[rstest]
#[case(ExtensionSort::Number, ["1001", "1002", "101", "99"])]
#[case(ExtensionSort::Name, ["101", "1002", "99", "1001"])]
#[case(ExtensionSort::CreatedAt, ["1001", "99", "1002", "101"])]
#[case(ExtensionSort::UpdatedAt, ["99", "1001", "101", "1002"])]
#[tokio::test]
async fn o20_each_sort_goes_both_ways(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] sort: ExtensionSort,
    #[case] expected: [&str; 4],
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    four(&store, &world).await;
    let mut query = ExtensionQuery {
        sort,
        ..ExtensionQuery::default()
    };
    assert_eq!(numbers(&store, &world, &query).await, expected);
    query.descending = true;
    let mut reversed = numbers(&store, &world, &query).await;
    reversed.reverse();
    assert_eq!(reversed, expected);
}

#[rstest]
#[tokio::test]
async fn o20_equal_states_are_sorted_by_id(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    four(&store, &world).await;
    let mut query = ExtensionQuery {
        sort: ExtensionSort::Status,
        ..ExtensionQuery::default()
    };
    assert_eq!(
        numbers(&store, &world, &query).await,
        ["1002", "1001", "101", "99"]
    );
    query.descending = true;
    assert_eq!(
        numbers(&store, &world, &query).await,
        ["99", "101", "1001", "1002"]
    );
}

#[rstest]
#[case::number("00", &["1001", "1002"])]
#[case::name("éLA", &["1001"])]
#[case::wildcard("%", &[])]
#[case::nothing("nobody", &[])]
#[tokio::test]
async fn o20_a_search_finds_parts_of_number_and_name(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] search: &str,
    #[case] expected: &[&str],
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    four(&store, &world).await;
    let query = ExtensionQuery {
        search: Some(search.to_owned()),
        ..ExtensionQuery::default()
    };
    assert_eq!(numbers(&store, &world, &query).await, expected);
}

#[rstest]
#[tokio::test]
async fn o20_filter_and_pages_agree_with_the_total(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    four(&store, &world).await;
    store_extension(&store, world.globex.id, "1003", "Elsewhere").await;
    let query = ExtensionQuery {
        status: Some(ExtensionStatus::Disabled),
        page: PageRequest::new(2, 1).unwrap(),
        ..ExtensionQuery::default()
    };
    assert_eq!(numbers(&store, &world, &query).await, ["99"]);
    let mut tx = store.begin("rename").await.unwrap();
    let page = extensions::list(&mut tx, world.acme.id, &query).await.unwrap();
    assert_eq!((page.total, page.last_page()), (2, 2));

    let [mut zulu] = <[Extension; 1]>::try_from(page.items).unwrap();
    zulu.settings.name = "Mike".parse().unwrap();
    zulu.settings.status = ExtensionStatus::Active;
    assert!(
        extensions::update_settings(&mut tx, world.acme.id, zulu.id, &zulu.settings, at(50))
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let search = |text: &str| ExtensionQuery {
        search: Some(text.to_owned()),
        ..ExtensionQuery::default()
    };
    assert_eq!(numbers(&store, &world, &search("zulu")).await, [] as [&str; 0]);
    assert_eq!(numbers(&store, &world, &search("mike")).await, ["99"]);
    let active = ExtensionQuery {
        status: Some(ExtensionStatus::Active),
        ..ExtensionQuery::default()
    };
    assert_eq!(numbers(&store, &world, &active).await, ["1001", "1002", "99"]);
}

/// A first page says its total with its rows, and whatever is beyond the last one has none to say it.
#[rstest]
#[case::first(1, &["1001", "1002"])]
#[case::last(2, &["101", "99"])]
#[case::beyond(3, &[])]
#[tokio::test]
async fn o20_each_page_says_how_many_there_are(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] page: i64,
    #[case] expected: &[&str],
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    four(&store, &world).await;
    store_extension(&store, world.globex.id, "1003", "Elsewhere").await;
    let query = ExtensionQuery {
        page: PageRequest::new(page, 2).unwrap(),
        ..ExtensionQuery::default()
    };
    assert_eq!(numbers(&store, &world, &query).await, expected);
    let mut tx = store.read("total").await.unwrap();
    let found = extensions::list(&mut tx, world.acme.id, &query).await.unwrap();
    assert_eq!(found.total, 4);
}

#[rstest]
#[case::full("", 4)]
#[case::empty("nobody", 0)]
#[tokio::test]
async fn o20_a_first_page_is_one_statement(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] search: &str,
    #[case] total: i64,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    four(&store, &world).await;
    let query = ExtensionQuery {
        search: Some(search.to_owned()),
        ..ExtensionQuery::default()
    };
    let mut tx = store.read_once("first_page").await.unwrap();
    let found = extensions::list(&mut tx, world.acme.id, &query).await.unwrap();
    assert_eq!(found.total, total);
}
