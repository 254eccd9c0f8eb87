//! What goes wrong before, between and after the rows and the cache, and what is known then.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Rejected, RolledBack};
use tokio_util::sync::CancellationToken;

use super::freeswitch::{Effect, Fault};
use super::fusionpbx::Booleans::Native;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Phone, TestTenant, World, ended};

/// What makes FreeSWITCH look anew.
const DELETION: &str = "api lua";

async fn live() -> (World, TestTenant, Phone) {
    live_on(Sqlite).await
}

async fn live_on(backend: Backend) -> (World, TestTenant, Phone) {
    let world = World::on(backend).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    (world, acme, ann)
}

/// Why the event socket does not take orders.
#[derive(Clone, Copy)]
enum Socket {
    Closed,
    OtherPassword,
    AddressDenied,
}

#[rstest]
#[case(Socket::Closed, "pbx_unreachable")]
#[case(Socket::OtherPassword, "pbx_not_ready")]
#[case(Socket::AddressDenied, "pbx_not_ready")]
#[tokio::test]
async fn without_an_event_socket_nothing_is_written(#[case] socket: Socket, #[case] code: &str) {
    let (mut world, acme, ann) = live().await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let before = world.fusionpbx.snapshot().await;
    match socket {
        Socket::Closed => world.freeswitch.close().await,
        Socket::OtherPassword => world.freeswitch.change_password("another"),
        Socket::AddressDenied => world.freeswitch.faults().deny_address(true),
    }
    let ended = world.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&code), "{ended:#?}");
    assert!(ended.words().contains("Nothing was touched"), "{ended:#?}");
    assert!(!ended.words().contains(super::freeswitch::PASSWORD));
    assert_eq!(world.fusionpbx.snapshot().await, before);

    match socket {
        Socket::Closed => world.freeswitch.open().await,
        Socket::OtherPassword => world.freeswitch.change_password(super::freeswitch::PASSWORD),
        Socket::AddressDenied => world.freeswitch.faults().deny_address(false),
    }
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

#[tokio::test]
async fn a_database_that_does_not_let_us_in_or_is_not_there_is_named_and_nothing_is_written() {
    let world = World::new(Native).await;
    world.acme_and_globex().await;
    world
        .reach(|_, secrets| secrets.database = Some("wrong".into()))
        .await;
    let refused = world.deploy_platform().await.expect(Failed);
    assert!(refused.codes().contains(&"pbx_not_ready"), "{refused:#?}");
    assert!(
        refused.words().contains("password authentication failed"),
        "{refused:#?}"
    );
    assert!(!refused.words().contains("\"wrong\""));
    world.assert_nothing_written().await;
    // Nothing listens there.
    world.reach(|settings, _| settings.database_port = 1).await;
    let ended = world.deploy_platform().await.expect(Failed);
    assert!(ended.codes().contains(&"pbx_unreachable"), "{ended:#?}");
    assert!(ended.words().contains("was not reached"), "{ended:#?}");
    world.reach(|_, _| {}).await;
    world.deploy_platform().await.expect(Live);
}

#[rstest]
#[case::another_column(
    "alter table v_extensions rename column user_context to context",
    "v_extensions.user_context"
)]
#[case::no_table("drop table v_voicemails", "the table v_voicemails")]
#[case::a_column_of_the_note(
    "alter table v_dialplans rename column dialplan_description to notes",
    "v_dialplans.dialplan_description"
)]
#[case::a_flag_of_another_type(
    "alter table v_voicemails alter voicemail_enabled type integer using 1",
    "v_voicemails.voicemail_enabled as integer"
)]
#[tokio::test]
async fn an_unknown_schema_is_refused_with_what_was_found(#[case] change: &str, #[case] named: &str) {
    let world = World::new(Native).await;
    world.acme_and_globex().await;
    world.fusionpbx.run(change).await;
    let ended = world.deploy_platform().await.expect(Rejected);
    assert!(ended.codes().contains(&"rows_refused"), "{ended:#?}");
    for part in [named, "v_domains with"] {
        assert!(ended.words().contains(part), "{part}: {ended:#?}");
    }
    let ours = world.fusionpbx.run(
        "do $$ begin if exists (select from v_domains where domain_name = 'acme.example.com') \
        then raise exception 'written'; end if; end $$",
    );
    ours.await;
}

#[tokio::test]
async fn rows_that_the_database_does_not_take_are_rejected_before_anything_is_touched() {
    let world = World::new(Native).await;
    world.acme_and_globex().await;
    let role = world.settings.database_username.to_string();
    world
        .fusionpbx
        .run(&format!("revoke insert on v_voicemails from {role}"))
        .await;
    let ended = world.deploy_platform().await.expect(Rejected);
    assert!(ended.codes().contains(&"rows_refused"), "{ended:#?}");
    assert!(ended.words().contains("permission denied"), "{ended:#?}");
    world.assert_nothing_written().await;
}

/// The connection breaks once between the rows and the cache: what is served is looked at, and taken back.
#[rstest]
#[case::first_deletion(1)]
#[case::second_deletion(2)]
#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_taken_back_and_that_is_proven(#[case] nth: usize) {
    let (world, acme, ann) = live().await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world
        .freeswitch
        .faults()
        .add(Fault::at(DELETION, Effect::CloseUndone).nth(nth));
    let ended = world.deploy(&acme).await;
    let ended = ended.expect(RolledBack);
    assert!(ended.codes().contains(&"cache_not_cleared"), "{ended:#?}");
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert!(world.is_verified().await);
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

/// The rows stand, and FreeSWITCH cannot be told: nobody knows what it serves, and that is what the record says.
#[rstest]
#[tokio::test]
async fn an_event_socket_that_goes_between_commit_and_cache_leaves_an_unknown_state_that_the_next_deploy_mends(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (world, acme, ann) = live_on(backend).await;
    let new = world.extension(&acme, "1009", "Brief").await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world
        .freeswitch
        .faults()
        .add(Fault::at(DELETION, Effect::CloseUndone).always());
    let ended = world.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&"state_unknown"), "{ended:#?}");

    // The deploy's own question has brought the new one into the cache, and its row is gone again.
    world.freeswitch.faults().clear();
    world.delete(&acme, &new).await;
    world.freeswitch.journal().clear();
    world.deploy(&acme).await.expect(Live);
    let deletions = world.freeswitch.journal().with(DELETION);
    let all = deletions
        .iter()
        .map(|deletion| deletion.command.as_str())
        .collect::<String>();
    for key in [
        "directory:1001@acme",
        "directory:1009@acme",
        "directory:1001@globex",
        "dialplan:acme",
    ] {
        assert!(all.contains(key), "{key}: {all}");
    }
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert_eq!(world.name_of(&acme, "1009").await, None);
    assert!(world.is_verified().await);
}

#[rstest]
#[tokio::test]
async fn a_process_that_dies_between_commit_and_cache_leaves_the_rest_to_the_next(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (world, acme, ann) = live_on(backend).await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let gone = world.extension(&acme, "1008", "Short").await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1008").await.as_deref(), Some("Short"));
    world.patch(&acme, &ann, json!({"name": "Annie"})).await;
    world.delete(&acme, &gone).await;
    world
        .freeswitch
        .faults()
        .add(Fault::at(DELETION, Effect::HangUndone));
    let request = world.request(&acme).await;
    world.freeswitch.journal().clear();
    {
        let stop = CancellationToken::new();
        let working = Box::pin(world.engine.work_off(world.instance_id, &stop));
        let dies = async {
            while world.freeswitch.journal().with(DELETION).is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            worked = working => panic!("it did not get that far: {worked:?}"),
            () = dies => {}
        }
    }
    // The rows are there, and the cache has what was there before.
    assert_eq!(world.name_of(&acme, "1008").await.as_deref(), Some("Short"));
    assert!(
        !world
            .ours("v_extensions")
            .await
            .iter()
            .any(|row| row.contains("1008"))
    );

    let app = world.after_a_death();
    ended(&app, &request).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1008").await, None);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Annie"));
    assert_eq!(world.standing().await, world.live().await);
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

/// Until then a process that dies has touched nothing, and says so.
#[tokio::test]
async fn a_first_deploy_writes_nothing_before_it_has_noted_that_it_does() {
    let world = World::new(Native).await;
    world.acme_and_globex().await;
    world
        .fusionpbx
        .run(
            "create function not_yet() returns trigger language plpgsql as $$ begin \
               if new.dialplan_description like '{\"generation\":0,%' then raise exception 'too early'; end if; \
               return new; end $$; \
             create trigger not_yet before insert on v_dialplans for each row execute function not_yet()",
        )
        .await;
    world.deploy_platform().await.expect(Live);
}

/// A trial that was cut off says nothing against the rows: they are written anew.
#[tokio::test]
async fn a_database_that_goes_in_the_middle_leaves_nothing_half_written() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world
        .fusionpbx
        .run(
            "create sequence written; \
             create function go() returns trigger language plpgsql security definer as $$ begin \
               if nextval('written') <= 2 then perform pg_terminate_backend(pg_backend_pid()); end if; \
               return null; end $$; \
             create trigger go after insert on v_extensions for each statement execute function go()",
        )
        .await;
    // At the trial, and then again where it is written for good.
    let ended = world.deploy_platform().await.expect(Failed);
    for code in ["rows_not_tried", "not_applied"] {
        assert!(ended.codes().contains(&code), "{code}: {ended:#?}");
    }
    world.assert_nothing_written().await;
    world.deploy_platform().await.expect(Live);
    world.register(&acme, &ann).await.unwrap();
}

/// Between the trial and its commit the event socket is asked, and here the server ends who waits for that.
#[tokio::test]
async fn a_trial_that_the_server_ended_is_written_anew() {
    let (world, acme, ann) = live().await;
    world.freeswitch.faults().delay(Duration::from_millis(500));
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ending = async {
        let idle = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = '{}' \
             and state = 'idle in transaction' and state_change < clock_timestamp() - interval '100 ms'",
            world.settings.database_username
        );
        loop {
            let idle = sqlx::AssertSqlSafe(idle.clone());
            let ended: Vec<bool> = sqlx::query_scalar(idle)
                .fetch_all(&world.fusionpbx.pool)
                .await
                .unwrap();
            if !ended.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (deployed, ()) = tokio::join!(world.deploy(&acme), ending);
    deployed.expect(Live);
    world.freeswitch.faults().delay(Duration::ZERO);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert!(world.is_verified().await);
}

/// Nobody can say what became of a commit whose answer never came; the next question to the database does.
#[rstest]
#[tokio::test]
async fn a_database_that_goes_at_the_commit_ends_in_a_state_that_is_proven(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (world, acme, ann) = live_on(backend).await;
    world
        .fusionpbx
        .run(
            "create sequence committed; \
             create function go() returns trigger language plpgsql security definer as $$ begin \
               if nextval('committed') = 1 then perform pg_terminate_backend(pg_backend_pid()); end if; \
               return null; end $$; \
             create constraint trigger go after update on v_extensions deferrable initially deferred \
               for each row execute function go()",
        )
        .await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"marker_missing"), "{ended:#?}");
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert_eq!(world.standing().await, world.live().await);
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}
