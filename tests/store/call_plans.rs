//! How the databases go about calls and recordings: by an index to what is asked for, however much there is.

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use switchyard::store::{Statement, Store, tenants};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::{World, tenant};

/// The largest parameter that a statement of the lists has.
const MOST_PARAMETERS: usize = 20;
/// One of them asks for one in so many.
const TENANTS: usize = 40;

/// Calls, parts, who took part and recordings, evenly of all tenants: what PostgreSQL plans by is its figures of them.
pub const FILL: &str = "
    insert into call_records select gen_random_uuid(), t.id, t.instance_id, t.id::text || n, n::text, null, (n + 250)::text, 'internal',
        n, null, n, 0, 0, 'answered', null from tenants t cross join generate_series(1, 500) n;
    insert into call_record_parts select id, '1', call, '{}'::jsonb from call_records;
    insert into call_record_extensions select id, substr(md5(call), 1, 32)::uuid from call_records;
    insert into recordings select gen_random_uuid(), tenant_id, instance_id, call, call, 1, started_at from call_records;
    analyze;
";

pub fn named(name: &str) -> Statement {
    let statements = switchyard::store::statements();
    let mut named = statements
        .iter()
        .filter(|statement| statement.name.ends_with(name));
    **named.next().unwrap()
}

/// The steps of a statement, whatever its parameters are. SQLite's do not depend on what the tables hold (it is built so).
pub async fn plan_of_sqlite(bench: &Bench, statement: &Statement) -> String {
    let mut connection = SqliteConnection::connect(&bench.text).await.unwrap();
    let sql = AssertSqlSafe(format!("explain query plan {}", statement.sql));
    let rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
    steps.join("\n")
}

/// The same of PostgreSQL, whose steps depend on what the tables hold.
pub async fn plan_of_postgres(bench: &Bench, statement: &Statement, fill: &str) -> String {
    let mut connection = PgConnection::connect(&bench.text).await.unwrap();
    let is_asked = |number: &usize| statement.postgres.contains(&format!("${number}"));
    let most = (1..=MOST_PARAMETERS).rfind(is_asked).unwrap();
    let nothing = vec!["null"; most].join(", ");
    let sql = format!(
        "{fill} set plan_cache_mode = force_generic_plan; prepare asked as {}; explain execute asked({nothing});",
        statement.postgres
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    steps.join("\n")
}

#[rstest]
#[case::the_recordings_of_a_call("::call_records::LIST", &["recordings_by_channel"], "recordings_by_time")]
#[case::a_page_of_the_tenant("::call_records::LIST", &["call_records_by_start"], "call_records_instance_id")]
#[case::calls_of_a_number(
    "::call_records::LIST_OF_NUMBER",
    &["call_records_by_caller", "call_records_by_called"],
    "call_records_by_start"
)]
#[case::calls_that_go_first("::tenant_lifecycle::FORGET_CALLS", &["call_records_by_start"], "SCAN r")]
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
#[case::whether_a_channel_is_on_record("::recorded_calls::IS_TOLD", &["call_record_parts_by_channel"], "SCAN")]
#[case::what_is_known_of_a_disk("::recordings::KNOWN", &["(instance_id=? AND path>?)"], "TEMP B-TREE")]
#[case::what_goes_of_a_tenant(
    "::recordings::OF_TENANT",
    &["recordings_by_place (tenant_id=? AND instance_id=? AND written_at>?)"],
    "TEMP B-TREE"
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
    let plan = plan_of_sqlite(&bench, &named(name)).await;
    for index in indexes {
        assert!(plan.contains(index), "{index} is not used: {plan}");
    }
    assert!(!plan.contains(reads_all), "{reads_all} is used: {plan}");
}

#[rstest]
#[case::a_page_of_the_tenant("::call_records::LIST", &["call_records_by_start", "recordings_by_channel"])]
#[case::calls_of_a_number("::call_records::LIST_OF_NUMBER", &["call_records_by_caller", "call_records_by_called"])]
#[case::own_calls("::call_records::LIST_OWN", &["call_record_extensions_by_extension"])]
#[case::calls_of_an_extension("::call_records::LIST_OF", &["call_record_extensions_by_extension"])]
#[case::the_call_of_a_recording("::recordings::LIST", &["recordings_by_time", "call_record_parts_by_channel"])]
#[case::whether_a_channel_is_on_record("::recorded_calls::IS_TOLD", &["call_record_parts_by_channel"])]
#[tokio::test]
async fn a11_a12_postgresql_with_figures_reads_no_table_whole(#[case] name: &str, #[case] indexes: &[&str]) {
    postgresql_reads_no_table_whole(name, indexes).await;
}

/// With figures of calls and recordings of many tenants, its plan has these steps, and goes through none of their tables.
pub async fn postgresql_reads_no_table_whole(name: &str, steps: &[&str]) {
    let (bench, store) = Bench::migrated(Postgres).await;
    many_tenants(&store).await;
    let plan = plan_of_postgres(&bench, &named(name), FILL).await;
    for step in steps {
        assert!(plan.contains(step), "{step} is not there: {plan}");
    }
    for table in [
        "call_records",
        "call_record_parts",
        "call_record_extensions",
        "recordings",
    ] {
        let whole = format!("Seq Scan on {table} ");
        assert!(!plan.contains(&whole), "{table} is read whole: {plan}");
    }
}

#[rstest]
#[case::sqlite(Sqlite, [
    "call_records_by_caller (tenant_id=? AND from_number=? AND started_at>? AND started_at<?)",
    "call_records_by_called (tenant_id=? AND to_number=? AND started_at>? AND started_at<?)",
])]
#[case::postgresql(Postgres, [
    "(from_number = $5) AND (started_at >= $2) AND (started_at < $3)",
    "(to_number = $5) AND (started_at >= $2) AND (started_at < $3)",
])]
#[tokio::test]
async fn a11_of_a_numbers_calls_no_older_ones_are_read_than_are_asked_for(
    #[case] backend: Backend,
    #[case] bounds: [&str; 2],
) {
    let (bench, store) = Bench::migrated(backend).await;
    let statement = named("::call_records::LIST_OF_NUMBER");
    let plan = match backend {
        Sqlite => plan_of_sqlite(&bench, &statement).await,
        Postgres => {
            many_tenants(&store).await;
            plan_of_postgres(&bench, &statement, FILL).await
        }
    };
    for bound in bounds {
        let step = plan.lines().find(|step| step.contains(bound));
        let step = step.unwrap_or_else(|| panic!("no index is bounded by {bound}: {plan}"));
        assert!(backend == Sqlite || step.contains("Index Cond"), "{step}");
    }
}

pub async fn many_tenants(store: &Store) {
    let world = World::store(store).await;
    let mut tx = store.begin("tenants").await.unwrap();
    for number in 0..TENANTS {
        let more = tenant(world.instance.id, &format!("Tenant{number}"));
        tenants::insert(&mut tx, &more).await.unwrap();
    }
    tx.commit().await.unwrap();
}
