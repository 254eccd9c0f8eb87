//! How the databases go about what is looked for of a person: by an index to what is asked for, however much there is.

use rstest::rstest;

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::Bench;
use super::call_plans::{FILL, many_tenants, named, plan_of_postgres, plan_of_sqlite};

#[rstest]
#[case::entries("::erasure_finds::PAYLOADS", &["audit_entries_by_tenant (tenant_id=? AND "])]
#[case::last_seen("::erasure_finds::LAST_SEEN", &["audit_entries_by_tenant (tenant_id=?)"])]
#[case::made("::erasure_finds::MADE", &["audit_entries_by_tenant (tenant_id=?)"])]
#[case::recordings_of_a_call(
    "::erasure_finds::RECORDINGS_OF_CALL",
    &["call_records_by_tenant (tenant_id=? AND id=?)", "(record_id=?)", "recordings_by_channel (channel=? AND tenant_id=? AND instance_id=?)"]
)]
#[case::calls("::erasure_finds::CALLS_NAMING", &["call_records_by_start (tenant_id=? AND started_at>? AND started_at<?)", "(record_id=?)"])]
#[case::a_message("::erasure_finds::PLACE_OF_MESSAGE", &["(tenant_id=? AND id=?)"])]
#[case::tickets("::erasure_finds::TICKETS", &["tickets_by_"])]
#[case::comments("::erasure_finds::COMMENTS", &["ticket_comments_by_author (tenant_id=? AND author_id=?)"])]
#[case::events("::erasure_finds::EVENTS", &["webhooks_by_tenant (tenant_id=?)", "(webhook_id=?)"])]
#[case::erasures("::erasures::LIST", &["erasures_by_tenant (tenant_id=?)"])]
#[case::how_many_erasures("::erasures::COUNT", &["erasures_by_tenant (tenant_id=?)"])]
#[case::exported_erasures("::exports::ERASURES", &["erasures_by_tenant (tenant_id=?)"])]
#[case::when_somebody_was_erased_last("::erasures::LAST_NOTED", &["erasures_by_tenant (tenant_id=?)"])]
#[case::what_runs("::erasures::RUNNING", &["erasures_running"])]
#[case::what_runs_of_a_tenant("::erasures::RUNNING_OF", &["erasures_running (tenant_id=?)"])]
#[case::what_is_forgotten("::erasure_ends::FORGET_OPEN", &["erasures_open (requested_at<?)"])]
#[case::what_is_kept("::erasure_ends::STALE", &["erasures_kept (ended_at<?)"])]
#[case::targets("::erasure_targets::NEXT", &["(erasure_id=? AND position=?)"])]
#[case::all_targets("::erasure_targets::ALL", &["(erasure_id=? AND position=?)"])]
#[tokio::test]
async fn a22_what_is_looked_for_is_found_by_an_index(#[case] name: &str, #[case] indexes: &[&str]) {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let plan = plan_of_sqlite(&bench, &named(name)).await;
    for index in indexes {
        assert!(plan.contains(index), "{index} is not used: {plan}");
    }
    // But for an index of those alone that run.
    let others = plan.replace("SCAN e USING INDEX erasures_running", "");
    assert!(!others.contains("SCAN "), "a table is read whole: {plan}");
    // Neither is what was found put in order once more, but where it is of several indexes.
    if name.contains("RECORDINGS")
        || name.contains("PAYLOADS")
        || name.contains("NEXT")
        || name.contains("STALE")
    {
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

/// Entries, tickets, comments, and events that wait, evenly of all tenants.
const MORE: &str = "
    insert into audit_entries (id, number, at, actor_kind, operating_as, action, resource, target_id, tenant_id, payload_digest,
        digest, salt, actor_name)
        select gen_random_uuid(), 1000 + row_number() over (order by n), n, 'user', false, 'x', 'x', 'x', t.id, '', '', '', 'x'
        from tenants t cross join generate_series(1, 2000) n;
    insert into tickets (id, tenant_id, subject, state, opened_by_kind, opened_by_id, opened_by_name, assignee_id,
        assignee_name, comments, archived, version, created_at, updated_at, text)
        select gen_random_uuid(), t.id, 'x', 'open', 'user', substr(md5(n % 40 || 'o'), 1, 32)::uuid, 'x',
        substr(md5(n % 40 || 'a'), 1, 32)::uuid, 'x', 0, n % 2 = 0, 1, n, n, repeat('x', 500)
        from tenants t cross join generate_series(1, 500) n;
    insert into ticket_comments (id, ticket_id, tenant_id, author_kind, author_id, author_name, created_at, text)
        select gen_random_uuid(), id, tenant_id, 'user', opened_by_id, 'x', created_at, 'x' from tickets;
    insert into voicemail_messages (id, tenant_id, instance_id, domain, mailbox, message, folder, left_at, bytes)
        select gen_random_uuid(), t.id, t.instance_id, t.domain, n % 50, n, 'INBOX', n, 1
        from tenants t cross join generate_series(1, 500) n;
    analyze;
";

/// By which index each is found.
const READS: [(&str, &[&str]); 8] = [
    ("::erasure_finds::PAYLOADS", &["audit_entries_by_tenant"]),
    ("::erasure_finds::LAST_SEEN", &["audit_entries_by_tenant"]),
    ("::erasure_finds::MADE", &["audit_entries_by_tenant"]),
    (
        "::erasure_finds::RECORDINGS_OF_CALL",
        &["call_record_parts_pkey", "recordings_by_channel"],
    ),
    ("::erasure_finds::CALLS_NAMING", &["call_records_by_start"]),
    ("::erasure_finds::TICKETS", &["tickets_by_"]),
    ("::erasure_finds::COMMENTS", &["ticket_comments_by_author"]),
    ("::erasure_finds::PLACE_OF_MESSAGE", &["voicemail_"]),
];

#[tokio::test]
async fn a22_postgresql_with_figures_reads_no_table_whole_to_find_somebody() {
    let (bench, store) = Bench::migrated(Postgres).await;
    many_tenants(&store).await;
    let mut fill = format!("{FILL}{MORE}");
    let mut wrong = Vec::new();
    for (name, indexes) in READS {
        let plan = plan_of_postgres(&bench, &named(name), &fill).await;
        fill.clear();
        let used = indexes.iter().all(|index| plan.contains(index));
        if !used || plan.contains("Seq Scan on") {
            wrong.push(format!("{name}: {plan}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
