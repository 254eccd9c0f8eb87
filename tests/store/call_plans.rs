//! How SQLite goes about calls and recordings: by an index to what is asked for, however much a tenant has.

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
use switchyard::store::Statement;

use super::bench::Backend::Sqlite;
use super::bench::Bench;

/// The steps of a statement, whatever its parameters are. SQLite's do not depend on what the tables hold (it is built so);
/// PostgreSQL plans by that.
async fn plan(bench: &Bench, statement: &Statement) -> String {
    let mut connection = SqliteConnection::connect(&bench.text).await.unwrap();
    let sql = AssertSqlSafe(format!("explain query plan {}", statement.sql));
    let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
    steps.join("\n")
}

#[rstest]
#[case::the_recordings_of_a_call("::call_records::LIST", &["recordings_by_channel"], "recordings_by_time")]
#[case::a_page_of_the_tenant("::call_records::LIST", &["call_records_by_start"], "call_records_instance_id")]
#[case::own_calls("::call_records::LIST_OWN", &["call_record_extensions_by_extension"], "call_records_by_start")]
#[case::calls_of_an_extension(
    "::call_records::LIST_OF",
    &["call_record_extensions_by_extension"],
    "call_records_by_start"
)]
#[case::the_call_of_a_recording(
    "::recordings::LIST",
    &["recordings_by_time", "call_record_parts_by_channel"],
    "call_records_by_start"
)]
#[case::how_much_a_tenant_has("::tenant_overviews::BY_FILES", &["recordings_by_length"], "recordings_by_time")]
#[case::how_much_the_pages_tenants_have(
    "::tenant_overviews::BY_NAME",
    &["recordings_by_length"],
    "recordings_by_time"
)]
#[tokio::test]
async fn a11_a12_what_is_asked_for_is_found_by_an_index(
    #[case] name: &str,
    #[case] indexes: &[&str],
    #[case] reads_all: &str,
) {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let statements = switchyard::store::statements();
    let statement = statements.iter().find(|statement| statement.name.ends_with(name));
    let plan = plan(&bench, statement.unwrap()).await;
    for index in indexes {
        assert!(plan.contains(index), "{index} is not used: {plan}");
    }
    assert!(!plan.contains(reads_all), "{reads_all} is used: {plan}");
}
