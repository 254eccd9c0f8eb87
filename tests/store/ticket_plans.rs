//! How the databases go about tickets: by an index to what is asked for, however many there are.

use rstest::rstest;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_plans::{many_tenants, named, plan_of_postgres, plan_of_sqlite};

/// Tickets and comments, evenly of all tenants: what PostgreSQL plans by is its figures of them.
const FILL: &str = "
    insert into tickets (id, tenant_id, subject, state, opened_by_kind, opened_by_id, opened_by_name, assignee_id,
        assignee_name, comments, archived, version, created_at, updated_at, text)
        select gen_random_uuid(), t.id, 'x', case n % 50 when 0 then 'open' else 'closed' end,
        'user', substr(md5(n % 40 || 'o'), 1, 32)::uuid, 'x',
        case n % 20 when 0 then null else substr(md5(n % 40 || 'a'), 1, 32)::uuid end,
        case n % 20 when 0 then null else 'x' end, 0, n % 2 = 0, 1, n, n, 'x'
        from tenants t cross join generate_series(1, 1000) n;
    insert into ticket_comments (id, ticket_id, tenant_id, author_kind, author_id, author_name, created_at, text)
        select gen_random_uuid(), id, tenant_id, 'user', opened_by_id, 'x', created_at, 'x' from tickets;
    analyze;
";

#[rstest]
#[case::all("::ticket_lists::LIST", &["tickets_by_time (tenant_id=? AND archived=? AND (created_at"])]
#[case::in_a_state("::ticket_lists::LIST_IN_STATE", &["tickets_by_state (tenant_id=? AND archived=? AND state=? AND (created_at"])]
#[case::assigned(
    "::ticket_lists::LIST_ASSIGNED",
    &["tickets_by_assignee (tenant_id=? AND archived=? AND assignee_id=? AND (created_at"]
)]
#[case::assigned_in_a_state(
    "::ticket_lists::LIST_ASSIGNED_IN_STATE",
    &["tickets_by_assignee_and_state (tenant_id=? AND archived=? AND assignee_id=? AND state=? AND (created_at"]
)]
#[case::unassigned(
    "::ticket_lists::LIST_UNASSIGNED",
    &["tickets_by_assignee (tenant_id=? AND archived=? AND assignee_id=? AND (created_at"]
)]
#[case::unassigned_in_a_state(
    "::ticket_lists::LIST_UNASSIGNED_IN_STATE",
    &["tickets_by_assignee_and_state (tenant_id=? AND archived=? AND assignee_id=? AND state=? AND (created_at"]
)]
#[case::of_who_left(
    "::ticket_lists::LIST_LEFT",
    &["tickets_by_time (tenant_id=? AND archived=? AND (created_at", "sqlite_autoindex_users_1 (id=?)"]
)]
#[case::of_who_left_in_a_state(
    "::ticket_lists::LIST_LEFT_IN_STATE",
    &["tickets_by_state (tenant_id=? AND archived=? AND state=? AND (created_at", "sqlite_autoindex_users_1 (id=?)"]
)]
#[case::own(
    "::ticket_lists::LIST_OWN",
    &[
        "tickets_by_opener (tenant_id=? AND archived=? AND opened_by_id=? AND (created_at",
        "tickets_by_assignee (tenant_id=? AND archived=? AND assignee_id=? AND (created_at",
    ]
)]
#[case::own_in_a_state(
    "::ticket_lists::LIST_OWN_IN_STATE",
    &[
        "tickets_by_opener_and_state (tenant_id=? AND archived=? AND opened_by_id=? AND state=? AND (created_at",
        "tickets_by_assignee_and_state (tenant_id=? AND archived=? AND assignee_id=? AND state=? AND (created_at",
    ]
)]
#[case::own_by_assignee(
    "::ticket_lists::LIST_OPENED",
    &["tickets_by_opener (tenant_id=? AND archived=? AND opened_by_id=? AND (created_at"]
)]
#[case::how_many("::tickets::COUNT", &["COVERING INDEX tickets_by_", "(tenant_id=?"])]
#[case::waiting("::tickets::WAITING", &["COVERING INDEX tickets_by_state (tenant_id=? AND archived=? AND state=?"])]
#[case::waiting_of_one(
    "::tickets::WAITING_OF_ONE",
    &["COVERING INDEX tickets_by_opener_and_state (tenant_id=? AND archived=? AND opened_by_id=? AND state=?"]
)]
#[case::opened("::tickets::NTH_OPENED", &["COVERING INDEX tickets_by_opener (tenant_id=? AND archived=? AND opened_by_id=? AND created_at>?"])]
#[case::comments("::ticket_comments::LIST", &["ticket_comments_by_ticket (ticket_id=?"])]
#[case::held("::ticket_comments::HELD", &["ticket_comments_by_ticket (ticket_id=?"])]
#[case::said(
    "::ticket_comments::NTH_SAID",
    &["COVERING INDEX ticket_comments_by_author (tenant_id=? AND author_id=? AND created_at>?"]
)]
#[tokio::test]
async fn a16_a_page_of_tickets_is_found_by_the_index_of_the_way_it_is_asked_for(
    #[case] name: &str,
    #[case] indexes: &[&str],
) {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let plan = plan_of_sqlite(&bench, &named(name)).await;
    for index in indexes {
        assert!(plan.contains(index), "{index} is not used: {plan}");
    }
    // Nothing is sorted but the rows of a page, or what one person opened within an hour.
    let sorts = plan.matches("TEMP B-TREE").count();
    let few = match name.rsplit("::").next().unwrap() {
        "LIST_OWN" | "LIST_OWN_IN_STATE" => 2,
        name if name == "NTH_OPENED" || name.starts_with("LIST") => 1,
        _ => 0,
    };
    assert!(sorts <= few, "{plan}");
}

/// What PostgreSQL reads by which index.
const READS: &[(&str, &[&str])] = &[
    ("::ticket_lists::LIST", &["tickets_by_time"]),
    ("::ticket_lists::LIST_IN_STATE", &["tickets_by_state"]),
    ("::ticket_lists::LIST_ASSIGNED", &["tickets_by_assignee"]),
    (
        "::ticket_lists::LIST_ASSIGNED_IN_STATE",
        &["tickets_by_assignee_and_state"],
    ),
    ("::ticket_lists::LIST_UNASSIGNED", &["tickets_by_assignee"]),
    (
        "::ticket_lists::LIST_UNASSIGNED_IN_STATE",
        &["tickets_by_assignee_and_state"],
    ),
    ("::ticket_lists::LIST_LEFT", &["tickets_by_time"]),
    (
        "::ticket_lists::LIST_OWN",
        &["tickets_by_opener", "tickets_by_assignee"],
    ),
    (
        "::ticket_lists::LIST_OWN_IN_STATE",
        &["tickets_by_opener_and_state", "tickets_by_assignee_and_state"],
    ),
    ("::ticket_lists::LIST_OPENED", &["tickets_by_opener"]),
    ("::tickets::WAITING_OF_ONE", &["tickets_by_opener_and_state"]),
    ("::tickets::NTH_OPENED", &["tickets_by_opener"]),
    ("::ticket_comments::LIST", &["ticket_comments_by_ticket"]),
    ("::ticket_comments::NTH_SAID", &["ticket_comments_by_author"]),
];

#[tokio::test]
async fn a16_postgresql_with_figures_reads_tickets_by_the_same_indexes() {
    let (bench, store) = Bench::migrated(Postgres).await;
    many_tenants(&store).await;
    let mut fill = FILL;
    for (name, indexes) in READS {
        let plan = plan_of_postgres(&bench, &named(name), fill).await;
        fill = "";
        for index in *indexes {
            assert!(plan.contains(index), "{name}: {index} is not used: {plan}");
        }
        for table in ["tickets", "ticket_comments"] {
            let whole = format!("Seq Scan on {table} ");
            assert!(!plan.contains(&whole), "{name}: {table} is read whole: {plan}");
        }
    }
}

/// SQLite reads a row from its beginning: what stands behind a long text is read through the pages that it fills.
#[rstest]
#[tokio::test]
async fn a16_the_long_text_is_the_last_of_its_row(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("tickets", "ticket_comments")] table: &str,
) {
    let (bench, _store) = Bench::migrated(backend).await;
    let sql = match backend {
        Sqlite => format!("select name from pragma_table_info('{table}') order by cid desc limit 1"),
        Postgres => format!(
            "select column_name::text from information_schema.columns where table_name = '{table}' \
             order by ordinal_position desc limit 1"
        ),
    };
    assert_eq!(bench.ask(sql).await, ["text"]);
}
