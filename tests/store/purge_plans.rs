//! How the databases go about what is older than it is kept: by an index, however much there is and however much has gone.

use rstest::rstest;

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::Bench;
use super::call_plans::{FILL, many_tenants, named, plan_of_postgres, plan_of_sqlite};

/// Recordings on several PBXs, entries of which most were blanked before, deploys, tickets and messages, evenly of all tenants.
const MORE: &str = "
    update recordings set instance_id = substr(md5((written_at % 20)::text), 1, 32)::uuid;
    update recordings set instance_id = i.id from instances i where written_at % 20 = 0;
    insert into audit_entries (id, number, at, actor_kind, operating_as, action, resource, target_id, tenant_id, payload_digest,
        digest, salt, actor_name, blanked_by)
        select gen_random_uuid(), 1000 + row_number() over (order by n), n, 'user', false, 'x', 'x', 'x', t.id, '', '',
        case when n < 400 then null else ''::bytea end, case when n < 400 then null else 'x' end,
        case when n < 400 then t.id end from tenants t cross join generate_series(1, 500) n;
    insert into deployments (id, instance_id, scope, tenant_id, revision_id, status, requested_by, changes, findings, created_at,
        ended_at, queue_number)
        select gen_random_uuid(), t.instance_id, 'tenant_status', t.id, t.id, 'rejected', 'x', '[]', '[]', n, n,
        row_number() over (order by t.id, n) from tenants t cross join generate_series(1, 500) n;
    insert into tickets (id, tenant_id, subject, state, opened_by_kind, opened_by_name, comments, archived, archived_at, version,
        created_at, updated_at, text)
        select gen_random_uuid(), t.id, 'x', 'open', 'user', 'x', 0, n % 2 = 0, case n % 2 when 0 then n end, 1, n, n, 'x'
        from tenants t cross join generate_series(1, 500) n;
    insert into voicemail_messages (id, tenant_id, instance_id, domain, mailbox, message, folder, left_at, bytes)
        select gen_random_uuid(), t.id, t.instance_id, t.domain, n % 50, n, 'INBOX', n, 1
        from tenants t cross join generate_series(1, 500) n;
    analyze;
";

#[rstest]
#[case::how_many_calls(
    "::purge_rows::COUNT_CALLS",
    "COVERING INDEX call_records_by_start (tenant_id=? AND started_at<?)"
)]
#[case::any_call(
    "::purge_rows::ANY_CALL",
    "COVERING INDEX call_records_by_start (tenant_id=? AND started_at<?)"
)]
#[case::calls(
    "::purge_rows::DELETE_CALLS",
    "COVERING INDEX call_records_by_start (tenant_id=? AND started_at<?)"
)]
#[case::where_recordings_lie(
    "::purge_rows::PLACES",
    "COVERING INDEX recordings_by_place (tenant_id=? AND instance_id=? AND written_at<?)"
)]
#[case::how_many_recordings(
    "::purge_rows::COUNT_RECORDINGS",
    "COVERING INDEX recordings_by_place (tenant_id=? AND instance_id=? AND written_at<?)"
)]
#[case::recordings(
    "::purge_rows::RECORDINGS",
    "INDEX recordings_by_place (tenant_id=? AND instance_id=? AND written_at>? AND written_at<?)"
)]
#[case::how_many_payloads(
    "::audit_retention::COUNT",
    "COVERING INDEX audit_entries_with_payload (tenant_id=? AND number<?)"
)]
#[case::any_payload(
    "::audit_retention::OLDEST",
    "COVERING INDEX audit_entries_with_payload (tenant_id=?)"
)]
#[case::payloads(
    "::audit_retention::NEXT",
    "INDEX audit_entries_with_payload (tenant_id=? AND number>? AND number<?)"
)]
#[case::how_many_deploys(
    "::purge_rows::COUNT_DEPLOYMENTS",
    "INDEX deployments_by_tenant (tenant_id=? AND created_at<?)"
)]
#[case::deploys(
    "::purge_rows::DELETE_DEPLOYMENTS",
    "INDEX deployments_by_tenant (tenant_id=? AND created_at<?)"
)]
#[case::how_many_tickets(
    "::purge_rows::COUNT_TICKETS",
    "COVERING INDEX tickets_by_archiving (tenant_id=? AND archived_at"
)]
#[case::tickets(
    "::purge_rows::DELETE_TICKETS",
    "COVERING INDEX tickets_by_archiving (tenant_id=? AND archived_at"
)]
#[case::where_messages_lie(
    "::voicemail::PLACES",
    "COVERING INDEX voicemail_by_place (tenant_id=? AND instance_id=? AND left_at<?)"
)]
#[case::how_many_messages(
    "::voicemail::COUNT",
    "COVERING INDEX voicemail_by_place (tenant_id=? AND instance_id=? AND left_at<?)"
)]
#[case::messages(
    "::voicemail::OLD",
    "INDEX voicemail_by_place (tenant_id=? AND instance_id=? AND left_at>? AND left_at<?)"
)]
#[tokio::test]
async fn a20_what_is_old_is_found_by_an_index_and_in_its_order(#[case] name: &str, #[case] index: &str) {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let plan = plan_of_sqlite(&bench, &named(name)).await;
    assert!(plan.contains(index), "{index} is not used: {plan}");
    // Neither are the tenant's deploys gone through once more for each of them, nor is all that is old put in order.
    if name.contains("DEPLOYMENT") {
        assert!(!plan.contains("CORRELATED"), "{plan}");
    } else {
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

/// By which index each is found.
const READS: [(&str, &str); 14] = [
    ("::purge_rows::COUNT_CALLS", "call_records_by_start"),
    ("::purge_rows::DELETE_CALLS", "call_records_by_start"),
    ("::purge_rows::PLACES", "recordings_by_place"),
    ("::purge_rows::COUNT_RECORDINGS", "recordings_by_place"),
    ("::purge_rows::RECORDINGS", "recordings_by_place"),
    ("::audit_retention::COUNT", "audit_entries_with_payload"),
    ("::audit_retention::OLDEST", "audit_entries_with_payload"),
    ("::audit_retention::NEXT", "audit_entries_with_payload"),
    ("::purge_rows::COUNT_DEPLOYMENTS", "deployments_by_tenant"),
    ("::purge_rows::COUNT_TICKETS", "tickets_by_archiving"),
    ("::purge_rows::DELETE_TICKETS", "tickets_by_archiving"),
    ("::voicemail::PLACES", "voicemail_by_place"),
    ("::voicemail::COUNT", "voicemail_by_place"),
    ("::voicemail::OLD", "voicemail_by_place"),
];

#[tokio::test]
async fn a20_postgresql_with_figures_reads_no_table_whole_to_find_what_is_old() {
    let (bench, store) = Bench::migrated(Postgres).await;
    many_tenants(&store).await;
    let mut fill = format!("{FILL}{MORE}");
    for (name, index) in READS {
        let plan = plan_of_postgres(&bench, &named(name), &fill).await;
        fill.clear();
        assert!(plan.contains(index), "{name}: {index} is not used: {plan}");
        for table in [
            "call_records",
            "recordings",
            "audit_entries",
            "deployments",
            "tickets",
            "voicemail_messages",
        ] {
            let whole = format!("Seq Scan on {table} ");
            assert!(!plan.contains(&whole), "{name}: {table} is read whole: {plan}");
        }
    }
}
