//! How the databases go about tickets: by an index to what is asked for, however many there are.

use rstest::rstest;

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::Bench;
use super::call_plans::{many_tenants, named, plan_of_postgres, plan_of_sqlite};

/// Tickets and comments, evenly of all tenants: what PostgreSQL plans by is its figures of them.
const FILL: &str = "
    insert into tickets select gen_random_uuid(), t.id, 'x', 'x',
        case n % 50 when 0 then 'open' else 'closed' end, 'user', substr(md5(n % 40 || 'o'), 1, 32)::uuid, 'x',
        case n % 20 when 0 then null else substr(md5(n % 40 || 'a'), 1, 32)::uuid end,
        case n % 20 when 0 then null else 'x' end,
        null, null, 0, n % 2 = 0, null, 1, n, n from tenants t cross join generate_series(1, 1000) n;
    insert into ticket_comments select gen_random_uuid(), id, tenant_id, 'user', opened_by_id, 'x', 'x', created_at
        from tickets;
    analyze;
";

#[rstest]
#[case::all("::ticket_lists::LIST", &["tickets_by_time (tenant_id=? AND archived=? AND (created_at"])]
#[case::in_a_state("::ticket_lists::LIST_IN_STATE", &["tickets_by_state (tenant_id=? AND archived=? AND state=? AND (created_at"])]
#[case::assigned(
    "::ticket_lists::LIST_ASSIGNED",
    &["tickets_by_assignee (tenant_id=? AND archived=? AND assignee_id=? AND (created_at"]
)]
#[case::unassigned(
    "::ticket_lists::LIST_UNASSIGNED",
    &["tickets_by_assignee (tenant_id=? AND archived=? AND assignee_id=? AND (created_at"]
)]
#[case::own(
    "::ticket_lists::LIST_OWN",
    &[
        "tickets_by_opener (tenant_id=? AND archived=? AND opened_by_id=? AND (created_at",
        "tickets_by_assignee (tenant_id=? AND archived=? AND assignee_id=? AND (created_at",
    ]
)]
#[case::waiting("::tickets::WAITING", &["COVERING INDEX tickets_by_state (tenant_id=? AND archived=? AND state=?"])]
#[case::opened("::tickets::NTH_OPENED", &["COVERING INDEX tickets_by_opener (tenant_id=? AND archived=? AND opened_by_id=? AND created_at>?"])]
#[case::comments("::ticket_comments::LIST", &["ticket_comments_by_ticket (ticket_id=?"])]
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
        "LIST_OWN" => 2,
        name if name == "NTH_OPENED" || name.starts_with("LIST") => 1,
        _ => 0,
    };
    assert!(sorts <= few, "{plan}");
}

#[rstest]
#[case::all("::ticket_lists::LIST", &["tickets_by_time"])]
#[case::in_a_state("::ticket_lists::LIST_IN_STATE", &["tickets_by_state"])]
#[case::assigned("::ticket_lists::LIST_ASSIGNED", &["tickets_by_assignee"])]
#[case::unassigned("::ticket_lists::LIST_UNASSIGNED", &["tickets_by_assignee"])]
#[case::own("::ticket_lists::LIST_OWN", &["tickets_by_opener", "tickets_by_assignee"])]
#[case::opened("::tickets::NTH_OPENED", &["tickets_by_opener"])]
#[case::comments("::ticket_comments::LIST", &["ticket_comments_by_ticket"])]
#[case::said("::ticket_comments::NTH_SAID", &["ticket_comments_by_author"])]
#[tokio::test]
async fn a16_postgresql_with_figures_reads_tickets_by_the_same_indexes(
    #[case] name: &str,
    #[case] indexes: &[&str],
) {
    let (bench, store) = Bench::migrated(Postgres).await;
    many_tenants(&store).await;
    let plan = plan_of_postgres(&bench, &named(name), FILL).await;
    for index in indexes {
        assert!(plan.contains(index), "{index} is not used: {plan}");
    }
    for table in ["tickets", "ticket_comments"] {
        let whole = format!("Seq Scan on {table} ");
        assert!(!plan.contains(&whole), "{table} is read whole: {plan}");
    }
}
