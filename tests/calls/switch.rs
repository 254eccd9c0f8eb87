//! Live calls of a FreeSWITCH, by its events and by its table that is behind them.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::call::{CallDirection, CallState, Presence};
use switchyard::domain::call_record::CallQuery;
use switchyard::domain::call_text::CallText;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::ExtensionId;
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::leg::{Endpoint, LegId};
use switchyard::driver::freeswitch::FreeSwitchDriver;
use switchyard::driver::{DriverError, PbxDriver as _};
use switchyard::monitor::board::Figures;
use switchyard::store::call_records::{self, Seen};
use switchyard::wire::esl::Word;

use super::freeswitch::{Caller, Effect, Fault, FreeSwitch, NewCall, Phone};
use super::halves::{SIP_CALL, recorded};
use super::instances::{secrets, settings};
use super::rig::{ACME, Monitor, through_polls};
use super::support::database::Backend;
use super::support::wait::until;
use super::support::world::{Tenant, World};

pub struct Rig {
    pub freeswitch: FreeSwitch,
    pub world: World,
    pub acme: Tenant,
    monitor: Monitor,
    home: tempfile::TempDir,
}

impl Rig {
    pub async fn start() -> Self {
        Self::start_polling(Duration::from_secs(1)).await
    }

    pub async fn start_polling(period: Duration) -> Self {
        let freeswitch = FreeSwitch::start().await;
        let port = freeswitch.port;
        Self::start_at(port, freeswitch, period).await
    }

    /// Listened to at this port.
    pub async fn start_at(port: u16, freeswitch: FreeSwitch, period: Duration) -> Self {
        let home = tempfile::tempdir().unwrap();
        let world = World::new(
            Backend::Sqlite,
            settings(port, home.path()),
            secrets(),
            home.path(),
        )
        .await;
        let acme = world.tenant("acme").await;
        world.extension(&acme, "1001", "Ann").await;
        let monitor = Monitor::start(&world, period);
        let rig = Self {
            freeswitch,
            world,
            acme,
            monitor,
            home,
        };
        until("it is known", || rig.total() == Some(0)).await;
        rig
    }

    pub fn figures(&self) -> Figures {
        self.monitor.figures().unwrap()
    }

    /// How many calls there are; none while that is stale.
    pub fn total(&self) -> Option<usize> {
        let figures = self.monitor.figures()?;
        (!figures.freshness.stale).then_some(figures.total)
    }

    pub fn calls(&self) -> Vec<std::sync::Arc<switchyard::domain::call::Call>> {
        self.monitor
            .board
            .of_tenant(self.acme.id, self.world.instance_id, SystemClock.now())
            .0
    }

    /// How often the table was asked for.
    fn polls(&self) -> usize {
        self.freeswitch.journal().with("show channels").len()
    }

    /// FreeSWITCH tells of a leg. `more`: what else it says.
    fn tell(&self, name: &str, uuid: &str, more: &[(&str, &str)]) {
        let mut event = json!({"Event-Name": name, "Unique-ID": uuid, "Channel-Call-UUID": uuid});
        for (key, value) in more {
            event[key] = json!(value);
        }
        self.play(&event);
    }

    /// FreeSWITCH tells this.
    pub fn play(&self, event: &Value) {
        let text = event.to_string();
        let message = format!(
            "Content-Length: {}\nContent-Type: text/event-json\n\n{text}",
            text.len()
        );
        self.freeswitch.play(message.as_bytes());
    }
}

/// What is said of a leg of Ann's.
const ANNS: [(&str, &str); 6] = [
    ("Channel-Name", "sofia/internal/1001@acme.example.com"),
    ("Channel-Presence-ID", "1001@acme.example.com"),
    ("Caller-Context", ACME),
    ("Call-Direction", "inbound"),
    ("Caller-Caller-ID-Number", "1001"),
    ("Caller-Destination-Number", "1002"),
];

#[tokio::test]
async fn o10_events_tell_of_a_call_before_the_table_shows_it() {
    let rig = Rig::start().await;
    rig.freeswitch.lag(Duration::from_hours(1));
    rig.tell("CHANNEL_CREATE", "leg-a", &ANNS);
    until("the call is told", || rig.calls().len() == 1).await;
    let call = rig.calls().remove(0);
    assert_eq!(
        (call.from.as_str(), call.to.as_str(), call.state),
        ("1001", "1002", CallState::Ringing)
    );
    assert_eq!(call.extension_ids.len(), 1);
    let answered: Vec<(&str, &str)> = ANNS.into_iter().chain([("Answer-State", "answered")]).collect();
    rig.tell("CHANNEL_ANSWER", "leg-a", &answered);
    until("it is answered", || {
        rig.calls()
            .first()
            .is_some_and(|call| call.state == CallState::Answered)
    })
    .await;
    rig.tell("CHANNEL_HANGUP_COMPLETE", "leg-a", &[]);
    until("it is over", || rig.calls().is_empty()).await;
}

#[tokio::test]
async fn o10_what_the_lagging_table_still_shows_does_not_come_back() {
    let mut rig = Rig::start().await;
    rig.freeswitch.novelties().next_uuids(["leg-a", "leg-b"]);
    rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
    until("a poll shows it", || rig.total() == Some(1)).await;
    // The table shows what has ended for longer than a poll waits for it: one poll at least sees it.
    rig.freeswitch.lag(Duration::from_millis(1100));
    let client = rig.freeswitch.client().await;
    assert!(
        client
            .hang_up(&Word::new("leg-a").unwrap(), Duration::from_secs(10))
            .await
            .unwrap()
    );
    for leg in ["leg-a", "leg-b"] {
        rig.tell("CHANNEL_HANGUP_COMPLETE", leg, &[]);
    }
    until("it is over", || rig.total() == Some(0)).await;
    through_polls(|| rig.polls(), "it came back", || rig.total() == Some(0)).await;
}

#[tokio::test]
async fn o10_a_call_from_outside_is_nobodys_until_it_is_answered_and_then_its_tenants() {
    let rig = Rig::start().await;
    let outside = |answered| NewCall {
        caller: Caller::Outside {
            number: "1001".to_owned(),
            name: "Somebody".to_owned(),
            // Whatever they say they are.
            host: ACME.to_owned(),
            ip: "192.0.2.9".to_owned(),
            dialled: "15551234".to_owned(),
        },
        answered,
        ..NewCall::within(ACME, "", "1002")
    };
    rig.freeswitch.add_call(&outside(false));
    until("it is counted", || rig.total() == Some(1)).await;
    assert_eq!(
        (rig.calls().len(), rig.monitor.figures().unwrap().by_tenant.len()),
        (0, 0)
    );
    rig.freeswitch.add_call(&outside(true));
    until("the answered one is the tenant's", || rig.calls().len() == 1).await;
    let call = rig.calls().remove(0);
    assert_eq!(
        (call.direction, call.from.as_str()),
        (CallDirection::Inbound, "1001")
    );
    assert_eq!(
        call.extension_ids.len(),
        0,
        "whoever is outside is no extension, whatever their number"
    );
}

#[tokio::test]
async fn o10_a_call_whose_tenant_only_a_variable_names_stays_the_tenants_through_polls() {
    let mut rig = Rig::start().await;
    rig.freeswitch.novelties().next_uuids(["leg-a"]);
    // A destination that leads out again within `public`: the table shows nothing of the tenant.
    rig.freeswitch.add_call(&NewCall {
        caller: Caller::Outside {
            number: "4930123".to_owned(),
            name: "Somebody".to_owned(),
            host: "carrier.example.net".to_owned(),
            ip: "192.0.2.9".to_owned(),
            dialled: "15551234".to_owned(),
        },
        answered: false,
        ..NewCall::within(ACME, "", "1002")
    });
    until("a poll shows it", || rig.total() == Some(1)).await;
    assert_eq!(rig.calls().len(), 0);
    let said = [
        ("Channel-Name", "sofia/external/4930123@carrier.example.net"),
        ("Channel-Presence-ID", "4930123@carrier.example.net"),
        ("Caller-Context", "public"),
        ("Call-Direction", "inbound"),
        ("variable_domain_name", ACME),
    ];
    rig.tell("CHANNEL_ANSWER", "leg-a", &said);
    until("an event names its tenant", || rig.calls().len() == 1).await;
    through_polls(|| rig.polls(), "a poll took it away", || rig.calls().len() == 1).await;
    // What the link missed is not what was heard.
    rig.freeswitch.close().await;
    // Before that, what is known looks known again, and nobody hears what is told.
    until("it is stale", || rig.total().is_none()).await;
    rig.freeswitch.open().await;
    until("it is known again", || rig.total() == Some(1)).await;
    assert_eq!(rig.calls().len(), 1);
    // The table goes on to show it.
    rig.tell("CHANNEL_HANGUP_COMPLETE", "leg-a", &[]);
    until("it is over", || rig.calls().is_empty()).await;
    let client = rig.freeswitch.client().await;
    let ended = client
        .hang_up(&Word::new("leg-a").unwrap(), Duration::from_secs(10))
        .await;
    assert!(ended.unwrap());
    until("it is gone for good", || rig.total() == Some(0)).await;
    through_polls(|| rig.polls(), "it came back", || rig.calls().is_empty()).await;
}

#[tokio::test]
async fn o10_phones_are_counted_by_events_and_by_the_profiles_lists() {
    let rig = Rig::start().await;
    let number = "1001".parse().unwrap();
    let nobody = ExtensionId::from_uuid(uuid::Uuid::nil());
    let presence = || {
        let asked = [(nobody, &number)];
        rig.monitor
            .board
            .presences(rig.acme.id, rig.world.instance_id, &asked, SystemClock.now())[0]
    };
    until("phones are known", || presence() == Some(Presence::Offline)).await;
    let user = [
        ("from-user", "1001"),
        ("from-host", ACME),
        ("call-id", "1-1@192.0.2.1"),
    ];
    let mut told = vec![("Event-Subclass", "sofia::register")];
    told.extend(user);
    rig.tell("CUSTOM", "", &told);
    until("the phone is there", || presence() == Some(Presence::Available)).await;
    let gone = [
        ("Event-Subclass", "sofia::expire"),
        ("user", "1001"),
        ("host", ACME),
        ("call-id", "1-1@192.0.2.1"),
    ];
    rig.tell("CUSTOM", "", &gone);
    until("it is gone", || presence() == Some(Presence::Offline)).await;
    let now = SystemClock.now().as_second();
    rig.freeswitch
        .sign_in(&Phone::at("internal", "1001", ACME, 5099, now));
    rig.freeswitch
        .play(b"Content-Length: 3\nContent-Type: text/event-json\n\n{x}");
    until("what was missed is found", || {
        presence() == Some(Presence::Available)
    })
    .await;
}

fn recorded_ends() -> Vec<Value> {
    let mut events = recorded(SIP_CALL);
    events.retain(|event| event["Event-Name"] == "CHANNEL_HANGUP_COMPLETE");
    events
}

#[tokio::test]
async fn a11_a_call_that_ended_is_on_record_once_however_often_its_legs_are_told() {
    let rig = Rig::start().await;
    let ends = recorded_ends();
    assert_eq!(ends.len(), 2);
    let mut other = ends[0].clone();
    for field in [
        "variable_domain_name",
        "Caller-Context",
        "Channel-Presence-ID",
        "variable_domain_uuid",
    ] {
        // Another tenant's, of which ours is a part.
        other[field] = json!("my.acme.example.com");
    }
    other["Unique-ID"] = json!("00000000-0000-4000-8000-000000000001");
    other["variable_originating_leg_uuid"] = json!("");
    other["Other-Type"] = json!("");
    for event in ends.iter().rev().chain(&ends).chain([&other]) {
        rig.play(event);
    }
    let mut records = Vec::new();
    for _ in 0..500 {
        let mut tx = rig.world.store.read("records").await.unwrap();
        let page = call_records::list(&mut tx, rig.acme.id, Seen::All, &CallQuery::default()).await;
        records = page.unwrap().calls;
        if records.first().is_some_and(|call| call.extension_ids.len() == 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(records.len(), 1, "{records:#?}");
    let call = &records[0];
    assert_eq!(
        [&call.from_number, &call.to_number],
        [&CallText::of("1001"), &CallText::of("1002")]
    );
    assert_eq!((call.duration, call.billable), (3, 3));
    assert_eq!(call.hangup_cause.as_ref().unwrap().as_str(), "NORMAL_CLEARING");
}

#[tokio::test]
async fn a48_a_click_is_one_line_of_words_and_a_leg_is_ended_by_its_own_id() {
    let rig = Rig::start().await;
    let InstanceSettings::FreeSwitch(settings) = settings(rig.freeswitch.port, rig.home.path()) else {
        panic!("another kind");
    };
    let driver = FreeSwitchDriver::new(settings, secrets());
    let ann = Endpoint::parse("1001@acme.example.com").unwrap();
    let refused = driver.call(&ann, &"+4930123".parse().unwrap()).await;
    assert!(matches!(refused, Err(DriverError::Refused { .. })), "{refused:?}");
    let sent = rig.freeswitch.journal().with("originate");
    let sent: Vec<&str> = sent.iter().map(|heard| heard.command.as_str()).collect();
    let line = "bgapi originate {origination_caller_id_number=+4930123,origination_caller_id_name=+4930123}\
        user/1001@acme.example.com +4930123 XML acme.example.com";
    assert_eq!(sent, [line]);
    let uuid = rig.freeswitch.add_call(&NewCall::within(ACME, "1001", "1002"));
    let leg = LegId::new(&uuid).unwrap();
    driver.hang_up(std::slice::from_ref(&leg)).await.unwrap();
    assert!(rig.freeswitch.calls().is_empty());
    // It has ended by now.
    driver.hang_up(std::slice::from_ref(&leg)).await.unwrap();
    let no_word = LegId::new("x y").unwrap();
    assert!(driver.hang_up(&[no_word]).await.is_err());
}

#[tokio::test]
async fn a48_a_phone_that_rings_longer_than_anybody_waits_is_being_called() {
    let rig = Rig::start().await;
    let InstanceSettings::FreeSwitch(settings) = settings(rig.freeswitch.port, rig.home.path()) else {
        panic!("another kind");
    };
    let driver = FreeSwitchDriver::new(settings, secrets());
    rig.freeswitch
        .faults()
        .add(Fault::at("originate", Effect::JobWithoutEnd));
    let ann = Endpoint::parse("1001@acme.example.com").unwrap();
    driver.call(&ann, &"1002".parse().unwrap()).await.unwrap();
    assert_eq!(rig.freeswitch.journal().with("originate").len(), 1);
}
