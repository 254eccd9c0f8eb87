//! Calls that the PBX is asked to make, and to end, over real SIP.

use switchyard::domain::call_record::{CallDirection, Disposition};
use switchyard::domain::call_text::CallText;
use switchyard::domain::leg::{Endpoint, LegId};
use switchyard::driver::{DriverError, PbxDriver as _};

use super::office::{ACME, GLOBEX, plain};
use super::recorded::Recorded;
use super::support::tenants::TestTenant;
use super::support::wait::until;

fn tenants() -> [TestTenant; 2] {
    let extensions = [plain("1001", "Ann"), plain("1002", "Bob")];
    [
        TestTenant::new(ACME, &extensions),
        TestTenant::new(GLOBEX, &extensions),
    ]
}

fn ann() -> Endpoint {
    Endpoint::parse("1001@acme.example.com").unwrap()
}

/// The ids of the channels that are up.
fn up(recorded: &Recorded) -> Vec<LegId> {
    let channels = recorded.office.bench.pbx.ami().list("CoreShowChannels", &[]);
    let ids = channels.iter().filter_map(|channel| {
        let id = super::support::ami::field(channel, "Uniqueid")?;
        LegId::new(id)
    });
    ids.collect()
}

#[tokio::test]
async fn a48_the_own_phone_rings_then_the_other_one_and_it_is_one_call_that_can_be_ended() {
    let mut recorded = Recorded::open(&tenants()).await;
    let anns = recorded.office.phone("answer", "1001", ACME).await;
    let bobs = recorded.office.phone("answer", "1002", ACME).await;
    let hugos = recorded.office.phone("answer", "1002", GLOBEX).await;
    recorded
        .office
        .bench
        .driver
        .call(&ann(), &"1002".parse().unwrap())
        .await
        .unwrap();
    until("both phones are called", || {
        anns.request("INVITE").is_some() && bobs.request("ACK").is_some()
    })
    .await;
    assert!(hugos.request("INVITE").is_none());
    // Whoever is called sees who calls, and not himself.
    let from = bobs.request("INVITE").unwrap();
    let from = from.header("From").unwrap();
    assert!(from.starts_with("\"Ann\" <sip:1001@acme.example.com>"), "{from}");
    let legs = up(&recorded);
    assert_eq!(legs.len(), 2);
    recorded.office.bench.driver.hang_up(&legs).await.unwrap();
    until("both phones are hung up", || {
        anns.request("BYE").is_some() && bobs.request("BYE").is_some()
    })
    .await;
    // They have ended by now.
    recorded.office.bench.driver.hang_up(&legs).await.unwrap();
    recorded.hear_parts(1).await;
    let calls = recorded.calls(ACME).await;
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(
        [&calls[0].from_number, &calls[0].to_number],
        [&CallText::of("1001"), &CallText::of("1002")]
    );
    assert_eq!(
        (calls[0].direction, calls[0].disposition),
        (CallDirection::Internal, Disposition::Answered)
    );
    assert_eq!(recorded.took_part(ACME, &calls[0]), ["1001", "1002"]);
    assert!(recorded.calls(GLOBEX).await.is_empty());
}

#[tokio::test]
async fn a48_where_no_phone_is_signed_in_nothing_is_called_and_that_is_told() {
    let recorded = Recorded::open(&tenants()).await;
    let bobs = recorded.office.phone("answer", "1002", ACME).await;
    let refused = recorded
        .office
        .bench
        .driver
        .call(&ann(), &"1002".parse().unwrap())
        .await;
    let Err(error @ DriverError::Refused { .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        error.full().contains("no phone is signed in as 1001"),
        "{}",
        error.full()
    );
    assert!(up(&recorded).is_empty() && bobs.request("INVITE").is_none());
}
