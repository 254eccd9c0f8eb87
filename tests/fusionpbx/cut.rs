//! A deploy whose way to FreeSWITCH or to the database is cut at each of its steps in turn.

use std::collections::BTreeSet;

use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, RolledBack};

use super::freeswitch::{Effect, Fault, NewCall, Refused};
use super::fusionpbx::Booleans::Native;
use super::world::World;

/// Cut once at the first command of a deploy, at the second, and so on, until a deploy has no more of them. One user is another
/// one by it, and one who is signed in and in a call is served no more: so it asks for users, profiles and channels too.
#[tokio::test]
async fn at_whichever_command_the_connection_breaks_it_is_known_what_is_served_and_the_next_deploy_goes_on() {
    let world = World::new(Native).await;
    let (acme, [ann, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let (journal, faults) = (world.freeswitch.journal(), world.freeswitch.faults());
    let mut served = "Ann".to_owned();
    let (mut ends, mut cut) = (BTreeSet::new(), String::new());
    for nth in 1..100 {
        world.register(&acme, &bob).await.unwrap();
        world
            .freeswitch
            .add_call(&NewCall::within(&acme.domain, "1002", "1003"));
        let name = format!("Ann {nth}");
        world.patch(&acme, &ann, json!({ "name": name })).await;
        world.patch(&acme, &bob, json!({"status": "disabled"})).await;
        journal.clear();
        faults.add(Fault::at("api", Effect::CloseUndone).nth(nth));
        let ended = world.deploy(&acme).await;
        let heard = journal.with("api");
        faults.clear();
        let status = ended.deployment.status;
        assert!(matches!(status, Live | RolledBack | Failed), "{nth}: {ended:#?}");
        if status == Live {
            served.clone_from(&name);
        }
        assert_eq!(
            world.name_of(&acme, "1001").await.as_ref(),
            Some(&served),
            "{nth}: {ended:#?}"
        );
        let is_there = world.name_of(&acme, "1002").await.is_some();
        assert_eq!(is_there, status != Live, "{nth}: {ended:#?}");
        assert_eq!(world.standing().await, world.live().await, "{nth}: {ended:#?}");
        assert!(world.is_verified().await, "{nth}: {ended:#?}");
        if status != Live {
            world.deploy(&acme).await.expect(Live);
            served = name;
        }
        assert_eq!(world.register(&acme, &bob).await, Err(Refused::Unknown));
        assert_eq!(world.freeswitch.phones().len(), 0, "{nth}: {ended:#?}");
        assert_eq!(world.freeswitch.calls(), [""; 0], "{nth}: {ended:#?}");
        let Some(at) = heard.get(nth - 1) else {
            assert_eq!(status, Live, "{ended:#?}");
            assert_eq!(ends.len(), 3, "not every end was met: {ends:?}");
            for step in [
                "lua",
                "sofia status",
                "flush_inbound_reg",
                "show channels",
                "user_data",
            ] {
                assert!(cut.contains(step), "{step}: {cut}");
            }
            return;
        };
        cut.push_str(&at.command);
        ends.insert(status.as_str());
        world.patch(&acme, &bob, json!({"status": "active"})).await;
        world.deploy(&acme).await.expect(Live);
    }
    panic!("a deploy has no end of commands");
}

/// The rows stand, FreeSWITCH was told, and that it was cannot be noted: it counts as not told.
#[tokio::test]
async fn a_note_that_cannot_be_written_once_freeswitch_was_told_is_taken_back_with_the_rows() {
    let world = World::new(Native).await;
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world
        .fusionpbx
        .run(
            "create sequence told; \
             create function not_now() returns trigger language plpgsql security definer as $$ begin \
               if nextval('told') = 1 then raise exception 'no note now'; end if; return new; end $$; \
             create trigger not_now before update on v_dialplans for each row \
               when (old.dialplan_name = 'switchyard-note') execute function not_now()",
        )
        .await;
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"cache_not_cleared"), "{ended:#?}");
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert_eq!(world.standing().await, world.live().await);
    assert!(world.is_verified().await);
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}
