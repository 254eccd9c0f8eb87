//! How the databases find revisions that nothing needs any more: by indexes, however many there are and were deployed.

use rstest::rstest;

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::Bench;
use super::call_plans::{many_tenants, named, plan_of_postgres, plan_of_sqlite};

/// Revisions, generations and deploys, evenly of all tenants: of the deploys nearly all have ended.
const FILL: &str = "
    insert into revisions (id, tenant_id, number, digest, config, created_at)
        select gen_random_uuid(), t.id, n, n::text, '{}', n from tenants t cross join generate_series(1, 500) n;
    insert into template_sets (digest, created_at) values ('x', 1);
    insert into generations (id, instance_id, number, template_digest, settings_revision, marker_salt, created_at)
        select gen_random_uuid(), i.id, n, 'x', 1, 0, n from instances i cross join generate_series(1, 200) n;
    insert into generation_tenants (generation_id, tenant_id, revision_id)
        select g.id, r.tenant_id, r.id from generations g join revisions r on r.number = g.number;
    insert into served (instance_id, tenant_id, revision_id, secrets_version, service, fragments)
        select g.instance_id, t.tenant_id, t.revision_id, 1, 'open', '{}' from generations g
        join generation_tenants t on t.generation_id = g.id where g.number = 200;
    insert into deployments (id, instance_id, scope, tenant_id, revision_id, status, requested_by, changes, findings, created_at,
        ended_at, queue_number)
        select gen_random_uuid(), t.instance_id, 'tenant', t.id, r.id, case when r.number = 500 then 'queued' else 'live' end,
        'x', '[]', '[]', r.number, case when r.number = 500 then null else r.number end, row_number() over (order by r.id)
        from tenants t join revisions r on r.tenant_id = t.id;
    insert into leases (instance_id, holder, epoch, expires_at) select id, 'x', 1, 1 from instances;
    analyze;
";

/// What the reasons to keep one are looked up by, for each revision.
const REASONS: [&str; 3] = [
    "COVERING INDEX generation_tenants_by_revision (tenant_id=? AND revision_id=?)",
    "COVERING INDEX served_by_tenant (tenant_id=? AND revision_id=?)",
    "INDEX deployments_open_by_revision (tenant_id=? AND revision_id=?)",
];

#[rstest]
#[case::whose(
    "::revisions::WITH_UNNEEDED",
    "SEARCH r USING COVERING INDEX sqlite_autoindex_revisions_4 (tenant_id>?)"
)]
#[case::which(
    "::revisions::FORGET_UNNEEDED",
    "SEARCH r USING INDEX sqlite_autoindex_revisions_2 (tenant_id=?)"
)]
#[tokio::test]
async fn a42_what_nothing_needs_is_found_by_indexes(#[case] name: &str, #[case] walk: &str) {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let plan = plan_of_sqlite(&bench, &named(name)).await;
    for step in REASONS.iter().chain([&walk]) {
        assert!(plan.contains(step), "{step} is not there: {plan}");
    }
    let open = "SEARCH d USING INDEX deployments_open (instance_id=?)";
    assert!(plan.contains(open), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[tokio::test]
async fn a42_postgresql_with_figures_reads_no_table_whole_to_find_what_nothing_needs() {
    let (bench, store) = Bench::migrated(Postgres).await;
    many_tenants(&store).await;
    let mut fill = FILL;
    for name in ["::revisions::FORGET_UNNEEDED", "::revisions::WITH_UNNEEDED"] {
        let plan = plan_of_postgres(&bench, &named(name), fill).await;
        fill = "";
        for table in ["revisions", "generation_tenants", "deployments"] {
            let whole = format!("Seq Scan on {table} ");
            assert!(!plan.contains(&whole), "{name}: {table} is read whole: {plan}");
        }
    }
}

#[rstest]
#[case::whose(
    "::recordings::WHOSE",
    "COVERING INDEX sqlite_autoindex_domain_tenures_1 (domain=? AND tenant_id=?)"
)]
#[case::since_when("::domains::HOLDERS", "INDEX sqlite_autoindex_domain_tenures_1 (domain=?)")]
#[case::which_domains("::domains::EVER_OF", "COVERING INDEX domain_tenures_by_tenant (tenant_id=?)")]
#[tokio::test]
async fn a12_whose_a_domain_was_is_found_by_an_index(#[case] name: &str, #[case] index: &str) {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let plan = plan_of_sqlite(&bench, &named(name)).await;
    assert!(plan.contains(index), "{index} is not used: {plan}");
}
