//! How the databases go about the pages of an export: by an index to where the next one begins, however much there is.

use rstest::rstest;

use super::bench::Backend::Sqlite;
use super::bench::Bench;
use super::call_plans::{named, plan_of_sqlite, postgresql_reads_no_table_whole};

#[rstest]
#[case("::exports::CALLS", "call_records_by_tenant (tenant_id=? AND id<?)")]
#[case("::exports::PARTS", "call_records_by_tenant (tenant_id=? AND id>? AND id<?)")]
#[case(
    "::exports::CALLS_OF_EXTENSION",
    "call_records_by_tenant (tenant_id=? AND id=?)"
)]
#[case(
    "::exports::CALLS_OF_EXTENSION",
    "call_record_extensions_by_extension (extension_id=?)"
)]
#[case(
    "::exports::CALLS_OF_NUMBER",
    "call_records_by_caller (tenant_id=? AND from_number=?"
)]
#[case(
    "::exports::CALLS_OF_NUMBER",
    "call_records_by_called (tenant_id=? AND to_number=?"
)]
#[case("::exports::PURGES", "purges_by_tenant (tenant_id=?)")]
#[case("::recordings::BEHIND", "recordings_by_tenant (tenant_id=? AND id<?)")]
#[case("::voicemail::BEHIND", "voicemail_by_tenant (tenant_id=? AND id<?)")]
#[case(
    "::voicemail::LEFT_IN",
    "voicemail_by_mailbox (tenant_id=? AND mailbox=? AND left_at>? AND left_at<?)"
)]
#[case(
    "::voicemail::LEFT_BY_OR_IN",
    "voicemail_by_mailbox (tenant_id=? AND mailbox=? AND left_at>? AND left_at<?)"
)]
#[case(
    "::voicemail::LEFT_BY_OR_IN",
    "voicemail_by_caller (tenant_id=? AND caller=? AND left_at>? AND left_at<?)"
)]
#[case("::ticket_lists::BEHIND", "tickets_by_tenant (tenant_id=? AND id<?)")]
#[case(
    "::audit_of_person::REACH",
    "audit_entries_by_tenant (tenant_id=? AND (at,id)<(?,?))"
)]
#[case("::audit_of_person::FIND", "audit_entries_by_tenant (tenant_id=? AND ")]
#[case("::exports::EXTENSIONS", "(tenant_id=? AND number>?)")]
#[case(
    "::exports::DEPLOYMENTS",
    "deployments_by_tenant (tenant_id=? AND (created_at,id)<(?,?))"
)]
#[case("::exports::REVISION", "(tenant_id=? AND number<?)")]
#[case(
    "::exports::SAID",
    "ticket_comments_by_author (tenant_id=? AND author_id=? AND created_at<?)"
)]
#[case("::exports::USERS", "users_by_tenant (tenant_id=?)")]
#[case("::exports::ENDED", "audit_entries_by_tenant (tenant_id=? AND at>?)")]
#[tokio::test]
async fn a46_the_next_page_is_found_by_an_index(#[case] name: &str, #[case] index: &str) {
    let (bench, _store) = Bench::migrated(Sqlite).await;
    let plan = plan_of_sqlite(&bench, &named(name)).await;
    assert!(plan.contains(index), "{index} is not used: {plan}");
}

#[rstest]
#[case("::exports::CALLS", &["call_records_by_tenant"])]
#[case("::exports::PARTS", &["call_records_by_tenant", "(record_id >= $2) AND (record_id < $3)"])]
#[case("::exports::CALLS_OF_EXTENSION", &["call_record_extensions_by_extension"])]
#[case("::recordings::BEHIND", &["recordings_by_tenant"])]
#[tokio::test]
async fn a46_postgresql_with_figures_reads_no_table_whole_for_a_page(
    #[case] name: &str,
    #[case] steps: &[&str],
) {
    postgresql_reads_no_table_whole(name, steps).await;
}
