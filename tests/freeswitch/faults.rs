//! An event socket that goes before, at and after the reload, and a process that dies there: what is known then.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{self, Failed, Live, RolledBack};

use super::freeswitch::{Effect, Fault, NewCall, PASSWORD, Refused};
use super::rig::{RELOAD, Rig};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::world::ended;

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
async fn without_an_event_socket_nothing_that_is_live_is_touched(#[case] socket: Socket, #[case] code: &str) {
    let (mut rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let before = rig.standing().await;
    let freeswitch = &mut rig.plain.freeswitch;
    match socket {
        Socket::Closed => freeswitch.close().await,
        Socket::OtherPassword => freeswitch.change_password("another"),
        Socket::AddressDenied => freeswitch.faults().deny_address(true),
    }
    let ended = rig.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&code), "{ended:#?}");
    assert!(ended.words().contains("Nothing was touched") && !ended.words().contains(PASSWORD));
    assert_eq!(rig.standing().await, before);
    let freeswitch = &mut rig.plain.freeswitch;
    match socket {
        Socket::Closed => freeswitch.open().await,
        Socket::OtherPassword => freeswitch.change_password(PASSWORD),
        Socket::AddressDenied => freeswitch.faults().deny_address(false),
    }
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

/// The connection breaks once, at or after the reload. What FreeSWITCH serves then is asked for: where somebody who is gone
/// was not signed out, it goes back.
#[rstest]
#[case::nothing_was_read(RELOAD, Effect::CloseUndone, RolledBack)]
#[case::it_was_read(RELOAD, Effect::CloseDone, RolledBack)]
#[case::at_the_question_for_profiles("api sofia status", Effect::CloseUndone, RolledBack)]
#[case::at_the_end_of_registrations("flush_inbound_reg", Effect::CloseUndone, RolledBack)]
#[case::at_the_proof("user_data", Effect::CloseUndone, Live)]
#[case::at_the_marker("xml_locate directory", Effect::CloseUndone, Live)]
#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_ends_in_a_state_that_is_proven(
    #[case] at: &str,
    #[case] effect: Effect,
    #[case] status: DeploymentStatus,
) {
    let (rig, acme, [ann, bob], ..) = Rig::live(Sqlite).await;
    rig.register(&acme, &bob).await.unwrap();
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.delete(&acme, &bob).await;
    let faults = rig.plain.freeswitch.faults();
    // Before anything is touched a plan asks for markers.
    let nth = if at.starts_with("xml_locate") { 2 } else { 1 };
    faults.add(Fault::at(at, effect).nth(nth));
    let ended = rig.deploy(&acme).await;
    let ended = ended.expect(status);
    let name = if status == Live { "Anne" } else { "Ann" };
    assert_eq!(
        rig.name_of(&acme, "1001").await.as_deref(),
        Some(name),
        "{ended:#?}"
    );
    assert_eq!(rig.standing().await, rig.world.live().await);
    let looked = rig.look().await;
    assert!(looked.ok, "{looked:#?}");
    rig.deploy(&acme).await;
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert_eq!(rig.register(&acme, &bob).await, Err(Refused::Unknown));
}

/// The extension is gone and its phone signed out: what is served is right, and a call of its is not ended.
#[rstest]
#[case::at_the_question_for_calls("show channels")]
#[case::at_the_end_of_the_call("uuid_kill")]
#[tokio::test]
async fn a_call_that_could_not_be_ended_is_told(#[case] at: &str) {
    let (rig, acme, [_, bob], ..) = Rig::live(Sqlite).await;
    rig.register(&acme, &bob).await.unwrap();
    let freeswitch = &rig.plain.freeswitch;
    let call = freeswitch.add_call(&NewCall::within(&acme.domain, "1002", "1001"));
    rig.delete(&acme, &bob).await;
    freeswitch.faults().add(Fault::at(at, Effect::CloseUndone));
    let ended = rig.deploy(&acme).await.expect(Live);
    assert_eq!(freeswitch.calls(), [call]);
    assert!(ended.codes().contains(&"calls_not_ended"), "{ended:#?}");
    assert!(ended.words().contains("uuid_kill"), "{ended:#?}");
    assert_eq!(rig.register(&acme, &bob).await, Err(Refused::Unknown));
}

/// Nobody is gone whose call could go on.
#[tokio::test]
async fn of_a_reload_whose_answer_was_lost_and_that_is_proven_nothing_is_told() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let faults = rig.plain.freeswitch.faults();
    faults.add(Fault::at(RELOAD, Effect::CloseDone));
    let ended = rig.deploy(&acme).await.expect(Live);
    assert_eq!(ended.codes(), [""; 0], "{ended:#?}");
}

/// Cut once at the first command of a deploy, at the second, and so on, until a deploy has no more of them.
#[tokio::test]
async fn at_whichever_command_the_connection_breaks_it_is_known_what_is_served_and_the_next_deploy_goes_on() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let mut served = "Ann".to_owned();
    let mut ends = BTreeSet::new();
    for nth in 1..100 {
        let name = format!("Ann {nth}");
        rig.patch(&acme, &ann, json!({ "name": name })).await;
        let (journal, faults) = (rig.plain.freeswitch.journal(), rig.plain.freeswitch.faults());
        journal.clear();
        faults.add(Fault::at("api", Effect::CloseUndone).nth(nth));
        let ended = rig.deploy(&acme).await;
        let reached = journal.with("api").len() >= nth;
        faults.clear();
        let status = ended.deployment.status;
        assert!(matches!(status, Live | RolledBack | Failed), "{nth}: {ended:#?}");
        if status == Live {
            served.clone_from(&name);
        }
        assert_eq!(
            rig.name_of(&acme, "1001").await.as_ref(),
            Some(&served),
            "{nth}: {ended:#?}"
        );
        assert_eq!(rig.standing().await, rig.world.live().await, "{nth}: {ended:#?}");
        let looked = rig.look().await;
        assert!(looked.ok, "{nth}: {looked:#?}");
        if !reached {
            assert_eq!(status, Live, "{ended:#?}");
            assert_eq!(ends.len(), 3, "not every end was met: {ends:?}");
            return;
        }
        ends.insert(status.as_str());
        if status != Live {
            rig.deploy(&acme).await.expect(Live);
            served = name;
        }
    }
    panic!("a deploy has no end of commands");
}

/// Nobody knows what FreeSWITCH serves, and that is what the record says.
#[tokio::test]
async fn an_event_socket_that_stays_away_leaves_an_unknown_state_that_the_next_deploy_mends() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let brief = rig.extension(&acme, "1009", "Brief").await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let faults = rig.plain.freeswitch.faults();
    faults.add(Fault::at(RELOAD, Effect::CloseDone).always());
    faults.add(Fault::at("user_", Effect::CloseUndone).always());
    let ended = rig.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&"state_unknown"), "{ended:#?}");

    rig.plain.freeswitch.faults().clear();
    rig.delete(&acme, &brief).await;
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert_eq!(rig.name_of(&acme, "1009").await, None);
    assert!(rig.look().await.ok);
}

/// Between the link and FreeSWITCH's answer.
#[rstest]
#[case(Sqlite, Effect::HangUndone)]
#[case(Sqlite, Effect::HangDone)]
#[case(Postgres, Effect::HangUndone)]
#[tokio::test]
async fn what_a_process_left_that_died_at_the_reload_is_finished_by_the_next(
    #[case] backend: Backend,
    #[case] effect: Effect,
) {
    let (rig, acme, [ann, bob], ..) = Rig::live(backend).await;
    rig.register(&acme, &bob).await.unwrap();
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.delete(&acme, &bob).await;
    rig.plain.freeswitch.faults().add(Fault::at(RELOAD, effect));
    let request = rig.request(&acme).await;
    let before = rig.standing().await;
    rig.dies_at_the_reload().await;
    assert_ne!(rig.standing().await, before);
    let app = rig.after_a_death();
    ended(&app, &request).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    let left: Vec<String> = rig
        .plain
        .freeswitch
        .phones()
        .into_iter()
        .map(|phone| phone.user)
        .collect();
    assert_eq!(
        left,
        Vec::<String>::new(),
        "the phone of who was gone is signed out all the same"
    );
    assert_eq!(rig.standing().await, rig.world.live().await);
}
