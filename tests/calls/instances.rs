//! Instances that come, change and go while the daemon runs.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{instance_changes, instances};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::{FreeSwitchSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::leg::{Contact, Leg};
use switchyard::driver::DriverError;
use switchyard::driver::feed::{Feed, FeedFactory, News, Poll};

use super::freeswitch::{FreeSwitch, NewCall, PASSWORD};
use super::rig::Monitor;
use super::support::database::Backend;
use super::support::wait::until;
use super::support::world::{NODE, World, operator};

pub fn settings(port: u16, home: &Path) -> InstanceSettings {
    InstanceSettings::FreeSwitch(FreeSwitchSettings {
        event_socket_host: "127.0.0.1".parse().unwrap(),
        event_socket_port: port,
        config_dir: home.join("config").display().to_string().parse().unwrap(),
        recordings_dir: None,
        voicemail_dir: None,
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

/// A feed of which nothing ever comes.
#[derive(Clone, Copy)]
enum Mute {
    /// It ends at once.
    Ended,
    /// It breaks whoever listens.
    Broken,
}

#[async_trait]
impl Feed for Mute {
    async fn next(&mut self) -> Option<News> {
        match self {
            Self::Ended => None,
            Self::Broken => panic!("as a test wants it"),
        }
    }

    fn poll(&self) -> Box<dyn Poll> {
        Box::new(*self)
    }
}

#[async_trait]
impl Poll for Mute {
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    async fn legs(&self, _: Timestamp) -> Result<Vec<Leg>, DriverError> {
        Ok(Vec::new())
    }

    async fn contacts(&self) -> Result<Vec<Contact>, DriverError> {
        Ok(Vec::new())
    }
}

/// Makes a feed for each instance, none for the first; notes for which it was asked, in that order.
struct Noted {
    first: InstanceId,
    for_first: Option<Mute>,
    asked: Arc<Mutex<Vec<InstanceId>>>,
}

impl FeedFactory for Noted {
    fn feed(&self, instance: &PbxInstance, _: InstanceSecrets) -> Option<Box<dyn Feed>> {
        self.asked.lock().unwrap().push(instance.id);
        let feed = if instance.id == self.first {
            self.for_first
        } else {
            Some(Mute::Ended)
        };
        feed.map(|feed| Box::new(feed) as Box<dyn Feed>)
    }
}

/// For which instance a feed was asked for, of a first with this feed and a second whose feed ends each time, until the
/// second was asked for so often.
async fn asked(for_first: Option<Mute>, often: usize) -> Vec<bool> {
    let home = tempfile::tempdir().unwrap();
    let world = World::new(Backend::Sqlite, settings(1, home.path()), secrets(), home.path()).await;
    let new = instances::NewInstance {
        name: "second".parse().unwrap(),
        node: NODE.parse().unwrap(),
        settings: settings(2, &home.path().join("second")),
        secrets: secrets(),
    };
    instances::create(&world.app, &operator(), new).await.unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let feeds = Noted {
        first: world.instance_id,
        for_first,
        asked: Arc::clone(&asked),
    };
    let _monitor = Monitor::start_with(&world, Arc::new(feeds), Duration::from_secs(1));
    let are_first = || {
        asked
            .lock()
            .unwrap()
            .iter()
            .map(|id| *id == world.instance_id)
            .collect::<Vec<bool>>()
    };
    until("the second was asked for often", || {
        are_first().iter().filter(|is_first| !**is_first).count() >= often
    })
    .await;
    are_first()
}

#[tokio::test]
async fn an_instance_that_cannot_be_listened_to_is_asked_once_until_it_is_another() {
    let asked = asked(None, 4).await;
    assert_eq!(asked.iter().filter(|is_first| **is_first).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn while_one_listener_rests_that_broke_the_others_are_followed() {
    let asked = asked(Some(Mute::Broken), 4).await;
    let begin = asked.iter().position(|is_first| *is_first).unwrap();
    let before_the_next = asked
        .iter()
        .skip(begin + 1)
        .take_while(|is_first| !**is_first)
        .count();
    assert!(before_the_next >= 2, "{asked:?}");
}

/// A database with this FreeSWITCH in it.
async fn world_on(switch: &FreeSwitch, home: &Path) -> World {
    World::new(Backend::Sqlite, settings(switch.port, home), secrets(), home).await
}

/// A phone with the number 1001 calls.
fn ring(switch: &FreeSwitch, leg: &str, domain: &str) {
    let event = serde_json::json!({
        "Event-Name": "CHANNEL_CREATE", "Unique-ID": leg, "Channel-Call-UUID": leg,
        "Channel-Name": format!("sofia/internal/1001@{domain}"), "Channel-Presence-ID": format!("1001@{domain}"),
        "Caller-Context": domain, "Call-Direction": "inbound", "Caller-Caller-ID-Number": "1001",
    });
    let text = event.to_string();
    let length = text.len();
    switch.play(format!("Content-Length: {length}\nContent-Type: text/event-json\n\n{text}").as_bytes());
}

#[tokio::test]
async fn o10_while_the_database_does_not_say_whose_extensions_are_calls_are_stale_and_then_right() {
    let home = tempfile::tempdir().unwrap();
    let switch = FreeSwitch::start().await;
    let world = world_on(&switch, home.path()).await;
    let acme = world.tenant("acme").await;
    world.extension(&acme, "1001", "Ann").await;
    // One poll, and no other that would read all again.
    let monitor = Monitor::start(&world, Duration::from_mins(5));
    until("it is known", || monitor.is_fresh()).await;
    world.database.sql("alter table extensions rename to away").await;
    ring(&switch, "leg-a", "acme.example.com");
    let calls = || {
        monitor
            .board
            .of_tenant(acme.id, world.instance_id, SystemClock.now())
    };
    until("the call is told", || calls().0.len() == 1).await;
    assert!(calls().1.stale && calls().0[0].extension_ids.is_empty());
    world.database.sql("alter table away rename to extensions").await;
    until("it is known whose it is", || !calls().1.stale).await;
    assert_eq!(calls().0[0].extension_ids.len(), 1);
}

#[tokio::test]
async fn o10_a_tenant_whose_extensions_cannot_be_read_keeps_nobody_elses_calls_from_being_known() {
    let home = tempfile::tempdir().unwrap();
    let switch = FreeSwitch::start().await;
    let world = world_on(&switch, home.path()).await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    world.extension(&acme, "1001", "Ann").await;
    world.database.sql("update extensions set number = 'none'").await;
    world.extension(&globex, "1001", "Bob").await;
    let monitor = Monitor::start(&world, Duration::from_mins(5));
    until("it is known", || monitor.is_fresh()).await;
    ring(&switch, "leg-a", "acme.example.com");
    ring(&switch, "leg-b", "globex.example.com");
    let of = |tenant| {
        let (calls, freshness) = monitor
            .board
            .of_tenant(tenant, world.instance_id, SystemClock.now());
        let calls: Vec<usize> = calls.iter().map(|call| call.extension_ids.len()).collect();
        (calls, freshness.stale)
    };
    until("both are told", || {
        of(acme.id) == (vec![0], false) && of(globex.id) == (vec![1], false)
    })
    .await;
}
