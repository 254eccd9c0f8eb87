//! What happens to rows of ours between two looks: in the middle of a write, in another domain, on another server.

use std::time::Duration;

use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::fusionpbx::Booleans::Native;
use super::fusionpbx::{OPERATOR, OPERATOR_UUID};
use super::world::{World, operator};

async fn sees_drift(world: &World) -> bool {
    let planned = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
    let planned = planned.unwrap();
    planned.findings.iter().any(|finding| finding.code == "drift")
}

/// A name that somebody has recorded is some hundred kilobytes.
#[tokio::test]
async fn of_our_rows_only_the_columns_that_we_write_are_read() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    let role = world.settings.database_username.as_str();
    let narrow = format!(
        "revoke select on v_voicemails from {role}; \
         grant select (voicemail_uuid, domain_uuid, voicemail_id, voicemail_password, voicemail_mail_to, voicemail_file, \
           voicemail_local_after_email, voicemail_tutorial, voicemail_enabled, voicemail_description, insert_user, xmin) \
           on v_voicemails to {role}"
    );
    world.fusionpbx.run(&narrow).await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.deploy(&acme).await.expect(Live);
    world
        .fusionpbx
        .run("update v_voicemails set voicemail_mail_to = 'x@y.example' where voicemail_description = 'Bob'")
        .await;
    assert!(sees_drift(&world).await && !world.is_verified().await);
    world.deploy_platform().await.expect(Live);
    assert!(world.is_verified().await);
}

/// Whoever has it locked is waited for, and then it is gone.
#[tokio::test]
async fn a_row_that_somebody_removes_while_it_is_written_is_written_all_the_same() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let mut theirs = world.fusionpbx.pool.begin().await.unwrap();
    sqlx::query("delete from v_extensions where effective_caller_id_name = 'Bob'")
        .execute(&mut *theirs)
        .await
        .unwrap();
    world.patch(&acme, &bob, json!({"name": "Bert"})).await;
    let removing = async {
        let waiting = "select count(*) from pg_stat_activity where usename = $1 and wait_event_type = 'Lock'";
        loop {
            let waiting = sqlx::query_scalar(waiting).bind(world.settings.database_username.as_str());
            let waiting: i64 = waiting.fetch_one(&world.fusionpbx.pool).await.unwrap();
            if waiting > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        theirs.commit().await.unwrap();
    };
    let (deployed, ()) = tokio::join!(world.deploy(&acme), removing);
    deployed.expect(Live);
    assert_eq!(world.name_of(&acme, "1002").await.as_deref(), Some("Bert"));
    assert!(world.is_verified().await);
    world.deploy_platform().await.expect(Unchanged);
}

/// It was served there, and nothing of that domain is ours.
#[tokio::test]
async fn an_extension_that_somebody_moved_to_another_domain_is_served_there_no_more() {
    let world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.extension(&acme, "1007", "Zoe").await;
    world.deploy_platform().await.expect(Live);
    let moving = format!(
        "update v_extensions set domain_uuid = '{OPERATOR_UUID}' where effective_caller_id_name = 'Zoe'"
    );
    world.fusionpbx.run(&moving).await;
    assert!(world.freeswitch.user("1007", OPERATOR).await.is_some());
    let neighbour = world.freeswitch.user_key("1001", OPERATOR);
    assert!(world.freeswitch.user("1001", OPERATOR).await.is_some());
    let mended = world.deploy_platform().await.expect(Live);
    assert!(mended.codes().contains(&"drift_mended"), "{mended:#?}");
    assert!(world.freeswitch.user("1007", OPERATOR).await.is_none());
    assert_eq!(world.name_of(&acme, "1007").await.as_deref(), Some("Zoe"));
    assert!(world.freeswitch.cache().holds(&neighbour));
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

/// There each transaction has a lower number than those that are noted.
#[tokio::test]
async fn an_edit_is_seen_where_the_database_was_restored_on_a_server_that_has_counted_less() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let later = |field: &str| {
        format!(
            "update v_dialplans set dialplan_description = jsonb_set(dialplan_description::jsonb, '{{{field}}}', \
             to_jsonb((dialplan_description::jsonb ->> '{field}')::bigint + 1000000))::text \
             where dialplan_name = 'switchyard-note'; "
        )
    };
    let restored = ["transaction", "since"].map(later).concat();
    world.fusionpbx.run(&restored).await;
    assert!(!sees_drift(&world).await);
    world
        .fusionpbx
        .run("update v_extensions set call_timeout = 77 where effective_caller_id_name = 'Bob'")
        .await;
    assert!(sees_drift(&world).await);
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let mended = world.deploy_platform().await.expect(Live);
    assert!(mended.codes().contains(&"drift_mended"), "{mended:#?}");
    assert!(!sees_drift(&world).await);
    world.deploy_platform().await.expect(Unchanged);
}
