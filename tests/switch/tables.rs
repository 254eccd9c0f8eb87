//! The tables in both ways of keeping booleans, what stands in them, and the proof that it was not touched.

use rstest::rstest;
use sqlx::{Connection as _, PgConnection};

use crate::fusionpbx::{Booleans, FusionPbx, OPERATOR, OPERATOR_UUID};

#[rstest]
#[case::native(Booleans::Native, "boolean")]
#[case::text(Booleans::Text, "text")]
#[tokio::test]
async fn booleans_are_kept_as_the_version_keeps_them(#[case] booleans: Booleans, #[case] kind: &str) {
    let fusionpbx = FusionPbx::empty(booleans).await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select table_name || '.' || column_name, data_type from information_schema.columns \
         where table_schema = 'public' and column_name ~ '(enabled|visible|_continue|_record)$' order by 1",
    )
    .fetch_all(&fusionpbx.pool)
    .await
    .unwrap();
    assert!(columns.len() > 25, "{columns:?}");
    for (column, found) in columns {
        // It names who records, and is a text in every version.
        let expected = if column == "v_extensions.user_record" {
            "text"
        } else {
            kind
        };
        assert_eq!(found, expected, "{column}");
    }
}

#[tokio::test]
async fn nothing_but_primary_keys_keeps_rows_apart() {
    let fusionpbx = FusionPbx::furnished(Booleans::Native).await;
    let kinds: Vec<String> = sqlx::query_scalar(
        "select distinct c.contype::text from pg_constraint c join pg_class t on t.oid = c.conrelid \
         where t.relname like 'v\\_%' and c.contype <> 'n'",
    )
    .fetch_all(&fusionpbx.pool)
    .await
    .unwrap();
    assert_eq!(kinds, ["p"]);
    let twice: i64 = sqlx::query_scalar("select count(*) from v_extensions where extension = '1999'")
        .fetch_one(&fusionpbx.pool)
        .await
        .unwrap();
    assert_eq!(twice, 2);
}

#[rstest]
#[case::native(Booleans::Native, "t")]
#[case::text(Booleans::Text, "true")]
#[tokio::test]
async fn every_table_has_something_in_it_and_some_of_it_is_junk(
    #[case] booleans: Booleans,
    #[case] yes: &str,
) {
    let fusionpbx = FusionPbx::furnished(booleans).await;
    let snapshot = fusionpbx.snapshot().await;
    for table in [
        "v_domains",
        "v_domain_settings",
        "v_default_settings",
        "v_extensions",
        "v_extension_users",
        "v_extension_settings",
        "v_voicemails",
        "v_dialplans",
        "v_dialplan_details",
        "v_destinations",
        "v_ring_groups",
        "v_ring_group_destinations",
        "v_users",
        "v_sip_profiles",
        "v_sip_profile_settings",
    ] {
        assert!(!snapshot.rows(table).is_empty(), "{table}");
    }
    let domain = format!("({OPERATOR_UUID},,{OPERATOR},{yes},\"The first one\",");
    let domains = snapshot.rows("v_domains");
    assert!(domains.iter().any(|row| row.starts_with(&domain)), "{domains:?}");
    let nameless = "(04c4c8d2-0000-4000-8000-000000000003,,,,,,,,)".to_owned();
    assert!(domains.contains(&nameless), "{domains:?}");
}

#[tokio::test]
async fn a_snapshot_tells_what_was_changed_or_taken_and_not_what_was_added() {
    let fusionpbx = FusionPbx::furnished(Booleans::Native).await;
    let before = fusionpbx.snapshot().await;
    assert_eq!(before, fusionpbx.snapshot().await);
    fusionpbx.add_domain("new.example").await;
    let added = fusionpbx.snapshot().await;
    assert_eq!(before.missing_in(&added), [""; 0]);
    assert_eq!(added.missing_in(&before).len(), 1);

    // An empty text in the place of NULL is a change, and so is one of two rows of a number that goes.
    fusionpbx
        .run(
            "update v_extensions set number_alias = '' where description = 'Front desk'; \
             delete from v_extensions where description = 'second of two'",
        )
        .await;
    let touched = before.missing_in(&fusionpbx.snapshot().await);
    assert_eq!(touched.len(), 2, "{touched:?}");
    assert!(
        touched.iter().all(|row| row.starts_with("v_extensions (")),
        "{touched:?}"
    );
}

#[tokio::test]
async fn a_role_has_the_rights_that_it_was_given() {
    let fusionpbx = FusionPbx::furnished(Booleans::Native).await;
    let url = fusionpbx
        .role(|role| format!("grant select on v_domains to {role}"))
        .await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let domains: i64 = sqlx::query_scalar("select count(*) from v_domains")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(domains, 3);
    for refused in ["select count(*) from v_extensions", "delete from v_domains"] {
        let error = sqlx::query(refused).execute(&mut connection).await.unwrap_err();
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{refused}: {error}");
    }
    assert!(
        url.ends_with(fusionpbx.url().rsplit('/').next().unwrap()),
        "the same database"
    );
}
