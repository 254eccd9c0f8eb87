//! Calls of who is served no more: ended although the table of channels is behind, and told where they go on.

use std::time::Duration;

use switchyard::domain::deployment::DeploymentStatus::Live;

use super::freeswitch::{Effect, Fault, NewCall};
use super::fusionpbx::Booleans::Native;
use super::lives::{followed, suspend};
use super::world::World;

/// The table of channels shows a call up to 275 ms after it began (measured).
#[tokio::test]
async fn a_call_that_the_table_of_channels_does_not_show_yet_ends_too() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.freeswitch.lag(Duration::from_millis(250));
    world.delete(&acme, &bob).await;
    world.freeswitch.journal().clear();
    let begins = async {
        while world.freeswitch.journal().with("flush_inbound_reg").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world
            .freeswitch
            .add_call(&NewCall::within(&acme.domain, "1002", "1001"));
    };
    let (deployed, ()) = tokio::join!(world.deploy(&acme), begins);
    let deployed = deployed.expect(Live);
    assert_eq!(world.freeswitch.calls(), [""; 0]);
    assert!(!deployed.codes().contains(&"call_left"), "{deployed:#?}");
}

#[tokio::test]
async fn a_call_that_goes_on_is_told_of_and_keeps_nobody_from_going() {
    let world = World::new(Native).await;
    let (acme, [_, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world
        .freeswitch
        .add_call(&NewCall::within(&acme.domain, "1002", "1001"));
    let nothing = Effect::Print("+OK\n".to_owned());
    world
        .freeswitch
        .faults()
        .add(Fault::at("uuid_kill", nothing.clone()).always());
    world.delete(&acme, &bob).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert_eq!(ended.codes(), ["call_left"]);
    assert!(
        ended.words().contains("a call of 1002@acme.example.com goes on"),
        "{ended:#?}"
    );

    world
        .freeswitch
        .faults()
        .add(Fault::at("hupall", nothing).always());
    let asked = suspend(&world, &acme).await;
    let ended = followed(&world, &asked).await.expect(Live);
    assert!(
        ended.codes().iter().all(|code| *code == "call_left"),
        "{ended:#?}"
    );
    for part in ["2 channels go on", "0 channels hung up"] {
        assert!(ended.words().contains(part), "{part}: {ended:#?}");
    }
    assert_eq!(world.freeswitch.calls().len(), 1);
}

/// They are looked for in two ways, one after the other.
#[tokio::test]
async fn the_channels_of_a_blocked_tenant_are_counted_once_they_have_gone() {
    let world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world
        .freeswitch
        .add_call(&NewCall::within(&acme.domain, "1001", "1002"));
    let asked = suspend(&world, &acme).await;
    let ended = followed(&world, &asked).await.expect(Live);
    assert!(ended.words().contains("2 channels hung up"), "{ended:#?}");
    assert_eq!(ended.codes(), [""; 0]);
}
