//! How the databases find the webhook that is sent to next: by the index of those that are due, however many there are.

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::Bench;
use super::call_plans::{many_tenants, named, plan_of_postgres, plan_of_sqlite};

const DUE: &str = "::webhook_turns::DUE";

/// Webhooks of all tenants, of which few have events that wait.
const FILL: &str = "
    insert into webhooks (id, tenant_id, url, events, secret, is_active, pending, next_attempt_at, created_at, updated_at)
        select gen_random_uuid(), t.id, 'x', 'call.ended', '', true, case when n % 50 = 0 then 1 else 0 end, n, 0, 0
        from tenants t cross join generate_series(1, 500) n;
    analyze;
";

#[tokio::test]
async fn sqlite_finds_the_webhook_that_is_due_by_its_index() {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let plan = plan_of_sqlite(&bench, &named(DUE)).await;
    assert!(plan.contains("webhooks_due (next_attempt_at<?)"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[tokio::test]
async fn postgresql_with_figures_finds_the_webhook_that_is_due_by_its_index() {
    let (bench, store) = Bench::migrated(Postgres).await;
    many_tenants(&store).await;
    let plan = plan_of_postgres(&bench, &named(DUE), FILL).await;
    assert!(plan.contains("webhooks_due"), "{plan}");
    assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
}
