//! Instances that come, change and go while the daemon runs.

use std::time::Duration;

use switchyard::app::precondition::IfMatch;
use switchyard::app::{instance_changes, instances};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::instance::{FreeSwitchSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;

use super::freeswitch::{FreeSwitch, NewCall, PASSWORD};
use super::rig::Monitor;
use super::support::database::Backend;
use super::support::wait::until;
use super::support::world::{NODE, World, operator};

pub fn settings(port: u16, home: &std::path::Path) -> InstanceSettings {
    InstanceSettings::FreeSwitch(FreeSwitchSettings {
        event_socket_host: "127.0.0.1".parse().unwrap(),
        event_socket_port: port,
        config_dir: home.join("config").display().to_string().parse().unwrap(),
        recordings_dir: None,
        emergency_numbers: Vec::new(),
    })
}

pub fn secrets() -> InstanceSecrets {
    InstanceSecrets::of_control(PASSWORD.to_owned().into())
}

#[tokio::test]
async fn o10_instances_are_followed_as_they_come_change_and_go() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (FreeSwitch::start().await, FreeSwitch::start().await);
    one.add_call(&NewCall::within("acme.example.com", "1001", "1002"));
    let world = World::new(
        Backend::Sqlite,
        settings(one.port, home.path()),
        secrets(),
        home.path(),
    )
    .await;
    let acme = world.tenant("acme").await;
    let monitor = Monitor::start(&world, Duration::from_secs(1));
    let total = || {
        monitor
            .figures()
            .filter(|figures| !figures.freshness.stale)
            .map(|figures| figures.total)
    };
    until("the call is known", || total() == Some(1)).await;
    assert_eq!(monitor.figures().unwrap().by_tenant, [(acme.id, 1)].into());

    world.reach(settings(other.port, home.path()), &secrets()).await;
    until("nothing is left of the PBX before", || total() == Some(0)).await;
    other.add_call(&NewCall::within("acme.example.com", "1001", "1002"));
    until("the call at the other is known", || total() == Some(1)).await;

    one.change_password("other");
    world.reach(settings(one.port, home.path()), &secrets()).await;
    until("a PBX that does not let us in is not known", || {
        monitor
            .figures()
            .is_some_and(|figures| figures.freshness.as_of.is_none())
    })
    .await;
    world
        .reach(
            settings(one.port, home.path()),
            &InstanceSecrets::of_control("other".to_owned().into()),
        )
        .await;
    until("it lets us in with the right password", || total() == Some(1)).await;

    let new = instances::NewInstance {
        name: "second".parse().unwrap(),
        node: NODE.parse().unwrap(),
        settings: settings(other.port, &home.path().join("second")),
        secrets: secrets(),
    };
    let second = instances::create(&world.app, &operator(), new).await.unwrap().id;
    let known = || monitor.board.figures(SystemClock.now()).len();
    until("the second is known", || known() == 2).await;
    instance_changes::delete(&world.app, &operator(), second, &IfMatch::Any)
        .await
        .unwrap();
    until("the second is gone", || known() == 1).await;
}
