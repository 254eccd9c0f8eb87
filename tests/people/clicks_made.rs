//! Calls that are made and ended for whoever asks: what the PBX is told of it.

use std::time::Duration;

use jiff::SignedDuration;
use switchyard::app::error::AppError;
use switchyard::app::{click_to_call, hang_up};
use switchyard::domain::call::Call;
use switchyard::domain::ids::CallId;
use switchyard::domain::leg::LegId;
use switchyard::monitor::board::Board;
use switchyard::monitor::stream::Streams;
use tokio::time::timeout;

use super::freeswitch::{FreeSwitch, NewCall, PASSWORD};
use super::support::board::{a_call, told};
use super::support::database::Backend::Sqlite;
use super::world::World;

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
