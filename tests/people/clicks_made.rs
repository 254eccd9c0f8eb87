//! Calls that are made and ended for whoever asks: what the PBX is told of it.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use switchyard::app::error::AppError;
use switchyard::app::{App, click_to_call, hang_up};
use switchyard::domain::call::Call;
use switchyard::domain::ids::{CallId, InstanceId};
use switchyard::domain::leg::LegId;
use switchyard::monitor::board::Board;
use switchyard::monitor::stream::Streams;
use tokio::time::timeout;

use super::freeswitch::{FreeSwitch, NewCall, PASSWORD};
use super::support::board::{a_call, told};
use super::support::database::Backend::Sqlite;
use super::world::{World, code};

#[tokio::test]
async fn a48_a_click_rings_the_phone_of_whoever_clicks_and_no_other_one() {
    let world = World::new(Sqlite).await;
    let switch = FreeSwitch::start().await;
    world.freeswitch_of_acme(switch.port, PASSWORD).await;
    let owner = world.owner().await;
    world.with_phone(&owner, "ann", "1001").await;
    let (bob, _) = world.with_phone(&owner, "bob", "1002").await;
    let mut asked = click_to_call::take(&world.app).unwrap();
    let (_, ()) = tokio::join!(world.click(&bob, None), async {
        let click = timeout(Duration::from_mins(1), asked.recv()).await;
        click_to_call::make(&world.app, click.unwrap().unwrap()).await;
    });
    let sent = switch.journal().with("originate");
    let [line] = &sent[..] else {
        panic!("{} lines", sent.len());
    };
    let whom = format!("}}user/1002@{0} 1777 XML {0}", world.acme.domain);
    assert!(line.command.ends_with(&whom), "{}", line.command);
}

#[tokio::test]
async fn a48_whoever_takes_part_in_a_call_ends_it_and_whoever_does_not_is_told_of_none() {
    let world = World::new(Sqlite).await;
    let switch = FreeSwitch::start().await;
    let instance = world.freeswitch_of_acme(switch.port, PASSWORD).await;
    let owner = world.owner().await;
    let (ann, phone) = world.with_phone(&owner, "ann", "1001").await;
    let (bob, _) = world.with_phone(&owner, "bob", "1002").await;
    let board = Board::new(Streams::new(1), SignedDuration::from_mins(10));
    board.add(instance);
    let app = world.app.clone().with_board(board.clone());
    let [own, others] = ["1003", "1004"].map(|to| {
        let leg =
            LegId::new(&switch.add_call(&NewCall::within(world.acme.domain.as_str(), "1001", to))).unwrap();
        Call {
            link: leg.clone(),
            legs: vec![leg.clone()],
            id: CallId::of(instance, &leg),
            ..a_call(instance, world.acme.id)
        }
    });
    let own = Call {
        extension_ids: vec![phone],
        ..own
    };
    for call in [&own, &others] {
        board.report(instance, told(call.clone()));
    }
    let is_up = |call: &Call| switch.calls().iter().any(|leg| leg == call.legs[0].as_str());
    for (caller, call) in [(&bob, &own), (&ann, &others)] {
        let refused = hang_up::end(&app, caller, call.id).await;
        assert!(matches!(refused, Err(AppError::NotFound)), "{refused:?}");
    }
    assert!(is_up(&own) && is_up(&others));
    hang_up::end(&app, &ann, own.id).await.unwrap();
    assert!(!is_up(&own) && is_up(&others));
    // Who may change the configuration ends each of the tenant's.
    hang_up::end(&app, &owner, others.id).await.unwrap();
    assert!(!is_up(&others));
    let said = "select action from audit_entries where action = 'call.hang_up'";
    assert_eq!(world.texts(said).await.len(), 2);
}

/// So many calls of Acme's, of nobody's extension, and what has heard of them.
fn up(world: &World, instance: InstanceId, count: usize) -> (App, Vec<CallId>) {
    let board = Board::new(Streams::new(1), SignedDuration::from_mins(10));
    board.add(instance);
    let calls = (0..count).map(|number| {
        let leg = LegId::new(&format!("leg-{number}")).unwrap();
        let call = Call {
            link: leg.clone(),
            legs: vec![leg.clone()],
            id: CallId::of(instance, &leg),
            ..a_call(instance, world.acme.id)
        };
        let id = call.id;
        board.report(instance, told(call));
        id
    });
    let calls = calls.collect();
    (world.app.clone().with_board(board), calls)
}

#[tokio::test]
async fn a48_who_ends_a_call_is_told_that_the_pbx_says_nothing_and_may_try_again() {
    let world = World::new(Sqlite).await;
    let (_silent, instance) = world.silent_pbx_of_acme().await;
    let owner = world.owner().await;
    let (app, calls) = up(&world, instance, 1);
    for _ in 0..2 {
        let refused = hang_up::end(&app, &owner, calls[0]).await;
        let Err(AppError::Conflict { code, message }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(code, "call_failed");
        assert!(message.contains("does not answer"), "{message}");
    }
}

#[tokio::test]
async fn a48_a_call_that_is_being_ended_is_not_asked_for_again_and_another_one_is() {
    let world = World::new(Sqlite).await;
    let (silent, instance) = world.silent_pbx_of_acme().await;
    let owner = world.owner().await;
    let (app, calls) = up(&world, instance, 2);
    let ending = [0, 0, 0, 1].map(|number| hang_up::end(&app, &owner, calls[number]));
    let mut codes: Vec<_> = join_all(ending).await.into_iter().map(code).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        ["call_failed", "call_failed", "call_under_way", "call_under_way"]
    );
    let mut asked = 0;
    while timeout(Duration::from_millis(100), silent.accept()).await.is_ok() {
        asked += 1;
    }
    assert_eq!(asked, 2);
}
