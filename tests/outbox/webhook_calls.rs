//! Webhooks are told of calls: as they begin and are answered, and of their records in the records' own transaction.

use std::sync::Arc;

use jiff::Timestamp;
use rstest::rstest;
use serde_json::Value;
use switchyard::app::call_events;
use switchyard::domain::call::CallState;
use switchyard::domain::call_part::{CallPart, EndedPart};
use switchyard::domain::call_record::Disposition;
use switchyard::domain::ids::{CallId, SystemIds};
use switchyard::domain::leg::{LegId, WireText};
use switchyard::domain::tenant::Tenant;
use switchyard::driver::feed::News;
use switchyard::monitor::records::Keeper;
use tokio::task::JoinSet;

use super::hooked::Hooked;
use super::support::board::{a_call, told};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::receiver::Receiver;
use super::support::wait::until;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(4_000_000_000 + second).unwrap()
}

/// A part of a call of a tenant, in which its extension 1001 calls.
fn part(key: &str, tenant: &Tenant, ended: i64) -> News {
    let domain = tenant.domain.as_str();
    let id = format!("{domain}.1");
    News::Record(Box::new(EndedPart {
        call: id.parse().unwrap(),
        names: vec![domain.to_owned()],
        part: CallPart {
            key: key.parse().unwrap(),
            channel: id.parse().unwrap(),
            caller: None,
            called: None,
            left: false,
            is_of_called: false,
            from_number: "+4930123456".parse().ok(),
            from_name: None,
            to: "1002".parse().ok(),
            started: at(0),
            answered: Some(at(1)),
            ended: at(ended),
            disposition: Disposition::Answered,
            cause: None,
        },
    }))
}

#[rstest]
#[tokio::test]
async fn a_call_that_is_over_is_told_with_its_record_and_again_where_more_becomes_known(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    hooked.hook(&receiver, &["call.ended"]).await;
    let mut keeper = Keeper::new(
        hooked.store.clone(),
        Arc::new(hooked.clock.clone()),
        Arc::new(SystemIds),
        hooked.instance,
    );
    let mut hear = async |news: &[News]| {
        for news in news {
            keeper.hear(news);
        }
        keeper.write().await.unwrap();
        hooked.work_off().await;
    };
    // All parts that come at once are one event; those of another tenant are none.
    let first = [
        part("1", &hooked.acme, 5),
        part("2", &hooked.acme, 7),
        part("3", &hooked.globex, 9),
    ];
    hear(&first).await;
    assert_eq!(receiver.kinds(), ["call.ended"]);
    // What is told again changes nothing.
    hear(&first).await;
    assert_eq!(receiver.kinds().len(), 1);
    hear(&[part("4", &hooked.acme, 11)]).await;
    let calls: Vec<Value> = receiver
        .got()
        .iter()
        .map(|got| got.json()["data"]["call"].clone())
        .collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["record_id"], calls[1]["record_id"]);
    let durations: Vec<_> = calls.iter().map(|call| call["duration"].as_i64()).collect();
    assert_eq!(durations, [Some(7), Some(11)]);
    assert_eq!(calls[0]["from"], "+4930123456");
    let link = LegId::new(&format!("{}.1", hooked.acme.domain)).unwrap();
    let while_up = CallId::of(hooked.instance, &link);
    assert_eq!(calls[0]["id"], while_up.to_string());
}

#[rstest]
#[tokio::test]
async fn a_call_that_begins_or_is_answered_is_told_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    let made = hooked.hook(&receiver, &["call.began", "call.answered"]).await;
    let mut running = JoinSet::new();
    let app = hooked.app.clone();
    running.spawn(call_events::run(app, hooked.stop.clone()));
    until("somebody listens", || hooked.board.hearers() > 0).await;
    hooked.board.add(hooked.instance);
    let mut call = a_call(hooked.instance, hooked.acme.id);
    call.state = CallState::Ringing;
    hooked.board.report(hooked.instance, told(call.clone()));
    let foreign = a_call(hooked.instance, hooked.globex.id);
    hooked.board.report(hooked.instance, told(foreign));
    call.state = CallState::Answered;
    hooked.board.report(hooked.instance, told(call.clone()));
    call.to = WireText::of("1003");
    hooked.board.report(hooked.instance, told(call.clone()));
    // What is told of another one comes last.
    call.link = LegId::new(&format!("{}.2", hooked.acme.id)).unwrap();
    call.id = CallId::of(hooked.instance, &call.link);
    call.legs = vec![call.link.clone()];
    call.state = CallState::Ringing;
    hooked.board.report(hooked.instance, told(call));
    for _ in 0..1000 {
        if hooked.standing(&made).await.standing.pending >= 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    hooked.work_off().await;
    assert_eq!(receiver.kinds(), ["call.began", "call.answered", "call.began"]);
    let states: Vec<_> = receiver
        .got()
        .iter()
        .map(|got| got.json()["data"]["call"]["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["ringing", "answered", "ringing"]);
    hooked.stop.cancel();
    assert!(running.join_next().await.unwrap().unwrap().is_ok());
}
