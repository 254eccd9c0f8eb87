//! What a change costs and reaches: the rows that differ, and what FreeSWITCH has of them in its cache.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};

use super::freeswitch::{Caller, Keys, NewCall, Phone as SignedIn, Refused};
use super::fusionpbx::Booleans::{Native, Text};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, ended};

/// A lookup fills the cache, and then the new name is served from the next deploy on.
#[tokio::test]
async fn a_changed_name_is_one_changed_row_and_is_served_at_once() {
    for keys in [Keys::Plain, Keys::WithHostname] {
        let world = World::with(Sqlite, Native, keys).await;
        let (acme, [ann, _], globex, _) = world.acme_and_globex().await;
        world.deploy_platform().await.expect(Live);
        assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
        assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
        let others_key = world.freeswitch.user_key("1001", &globex.domain);
        let before = world.fusionpbx.snapshot().await;
        world.freeswitch.journal().clear();

        world.patch(&acme, &ann, json!({"name": "Anne"})).await;
        world.deploy(&acme).await.expect(Live);
        assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
        let after = world.fusionpbx.snapshot().await;
        let changed = before.missing_in(&after);
        let (notes, rows): (Vec<&String>, Vec<&String>) =
            changed.iter().partition(|row| row.contains("switchyard-note"));
        assert_eq!(notes.len(), 1, "{changed:?}");
        // The user, the digest of its rows, and the mailbox that bears its name.
        assert_eq!(rows.len(), 3, "{changed:?}");
        let of_it = rows.iter().filter(|row| row.contains("1001"));
        assert_eq!(of_it.count(), 2, "{changed:?}");
        let deletions = world.freeswitch.journal().with("api lua");
        assert_eq!(deletions.len(), 2, "{deletions:?}");
        assert!((deletions[1].at - deletions[0].at).as_millis() >= 30);
        assert!(deletions.iter().all(|deletion| {
            deletion.command.contains("directory:1001@acme.example.com")
                && !deletion.command.contains("globex")
        }));
        assert!(world.freeswitch.cache().holds(&others_key));
    }
}

#[tokio::test]
async fn an_extension_that_goes_is_signed_out_and_its_call_ends() {
    let world = World::with(Postgres, Text, Keys::Plain).await;
    let (acme, [ann, bob], globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    for (tenant, phone) in [(&acme, &ann), (&acme, &bob), (&globex, &gina)] {
        world.register(tenant, phone).await.unwrap();
    }
    world
        .freeswitch
        .add_call(&NewCall::within(&acme.domain, "1002", "1001"));
    let caller = Caller::Outside {
        number: "493012345".to_owned(),
        name: "Somebody".to_owned(),
        host: "carrier.example".to_owned(),
        ip: "192.0.2.9".to_owned(),
        dialled: "5550100".to_owned(),
    };
    world.freeswitch.add_call(&NewCall {
        caller,
        ..NewCall::within(&acme.domain, "1001", "1002")
    });
    let stays = world
        .freeswitch
        .add_call(&NewCall::within(&globex.domain, "1001", "1003"));

    world.delete(&acme, &bob).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.register(&acme, &bob).await, Err(Refused::Unknown));
    let phones = world.freeswitch.phones();
    let mut left: Vec<String> = phones
        .iter()
        .map(|phone| format!("{}@{}", phone.user, phone.domain))
        .collect();
    left.sort();
    assert_eq!(left, ["1001@acme.example.com", "1001@globex.example.com"]);
    assert_eq!(world.freeswitch.calls(), [stays]);
    for (table, count) in [
        ("v_extensions", 2),
        ("v_extension_settings", 4),
        ("v_voicemails", 2),
    ] {
        let rows = world.ours(table).await;
        assert_eq!(rows.len(), count, "{table}: {rows:?}");
    }
    assert!(world.is_verified().await);
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

/// A phone on a profile that does not run is nowhere to be signed out.
#[tokio::test]
async fn a_phone_that_stays_signed_in_keeps_a_removal_from_being_proven() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let phone = SignedIn::at("stopped", "1002", &acme.domain, 5099, 0);
    world.freeswitch.sign_in(&phone);
    world.delete(&acme, &bob).await;
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"phone_left"), "{ended:#?}");
    world.register(&acme, &bob).await.unwrap();
}

/// All of its texts differ then, and no other tenant's rows.
#[tokio::test]
async fn a_tenant_that_comes_leaves_the_others_in_the_cache() {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    world.extension(&acme, "1001", "Ann").await;
    world.deploy_platform().await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    let globex = world.tenant("globex").await;
    world.extension(&globex, "1001", "Gina").await;
    world.freeswitch.journal().clear();
    world.deploy_platform().await.expect(Live);
    let deletions = world.freeswitch.journal().with("api lua");
    assert_eq!(deletions.len(), 2, "{deletions:?}");
    let is_globexs = |command: &str| command.contains("globex") && !command.contains("acme");
    assert!(
        deletions.iter().all(|deletion| is_globexs(&deletion.command)),
        "{deletions:?}"
    );
    let kept = world.freeswitch.user_key("1001", &acme.domain);
    assert!(world.freeswitch.cache().holds(&kept));
}

#[rstest]
#[tokio::test]
async fn a_rollback_restores_the_rows_of_a_former_generation(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::on(backend).await;
    let (acme, [ann, bob], ..) = world.acme_and_globex().await;
    let first = world.deploy(&acme).await.expect(Live);
    world.deploy_platform().await.expect(Live);
    let columns = "extension, effective_caller_id_name, enabled, call_timeout, password";
    let rows = format!(
        "select concat_ws('|', {columns}) from v_extensions where accountcode = 'acme.example.com' order by 1"
    );
    let before = texts(&world, &rows).await;
    world
        .patch(&acme, &ann, json!({"name": "Later", "ring_time": 55}))
        .await;
    world.delete(&acme, &bob).await;
    world.extension(&acme, "1007", "New").await;
    world.deploy(&acme).await.expect(Live);
    assert_ne!(texts(&world, &rows).await, before);
    assert_eq!(world.name_of(&acme, "1007").await.as_deref(), Some("New"));

    let asked = deployments::roll_back(&world.app, &acme.caller, first.deployment.id, None).await;
    ended(&world.app, &asked.unwrap().into_inner()).await.expect(Live);
    assert_eq!(texts(&world, &rows).await, before);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert_eq!(world.name_of(&acme, "1007").await, None);
    world.register(&acme, &bob).await.unwrap();
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

async fn texts(world: &World, sql: &str) -> Vec<String> {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::query_scalar(sql)
        .fetch_all(&world.fusionpbx.pool)
        .await
        .unwrap()
}
