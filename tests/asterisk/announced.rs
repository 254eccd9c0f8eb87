//! What becomes of a recorded call whose phone is busy, silent, or not there, with an announcement and as ever without one.

use rstest::rstest;
use switchyard::domain::call_record::{CallRecord, Disposition};
use switchyard::domain::leg::Endpoint;
use switchyard::domain::recording_notice::NoticeFor::{All, Inbound};
use switchyard::driver::PbxDriver as _;
use switchyard::driver::feed::News;

use super::notices::{SOUND, silent, tenant};
use super::office::{ACME, Office};
use super::recorded::Recorded;
use super::support::media::Media;
use super::support::sipp::Account;
use super::support::tenants::TestTenant;
use super::support::wait::until;

impl Recorded {
    /// What is on record of the first call, once another one after it has ended.
    async fn first_of_two(&mut self) -> CallRecord {
        let mut call = self.office.call(&Account::new("1001", ACME), "*43", "9");
        call.status(200).await;
        self.office.hang_up_all();
        assert!(call.ended().await, "{:#?}", call.heard());
        self.hear_until(|news| matches!(news, News::Record(_)) && format!("{news:?}").contains("*43"))
            .await;
        let mut calls = self.calls(ACME).await;
        assert_eq!(calls.len(), 2, "{calls:#?}");
        calls.swap_remove(0)
    }
}

/// Without an announcement it is as it was before there were any.
#[rstest]
#[case::phone_off(None, silent(), 0)]
#[case::phone_silent(Some("silent"), silent(), 0)]
#[case::phone_off_announced(None, tenant(All, SOUND), 2)]
#[case::phone_silent_announced(Some("silent"), tenant(All, SOUND), 2)]
#[case::phone_off_announced_to_others(None, tenant(Inbound, SOUND), 0)]
#[tokio::test]
async fn a12_who_is_forwarded_where_nobody_answers_is_recorded_with_whoever_does(
    #[case] first: Option<&str>,
    #[case] tenant: TestTenant,
    #[case] announced: usize,
) {
    let office = Office::open(&[tenant]).await;
    let _fay = match first {
        Some(scenario) => Some(office.phone(scenario, "1005", ACME).await),
        None => None,
    };
    let (anns, cys) = (Media::start(), Media::start());
    let _cy = office.phone_with("answer", "1003", ACME, &cys.port()).await;
    let mut call = office.call(&Account::new("1001", ACME), "1005", &anns.port());
    call.status(200).await;
    if announced == 0 {
        anns.speak_to(call.media_of_the_other_side());
    }
    until("Cy hears Ann", || cys.hears_the_voice()).await;
    until("Ann hears Cy", || anns.hears_the_voice()).await;
    office.records().await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    assert_eq!(office.announced().len(), announced, "{}", office.played());
    assert_eq!(
        office.lines_with("Begin MixMonitor Recording").len(),
        1,
        "{}",
        office.played()
    );
}

#[tokio::test]
async fn a12_who_was_announced_to_and_finds_the_phone_busy_hears_the_tone_and_it_is_on_record_as_busy() {
    let mut recorded = Recorded::open(&[tenant(All, SOUND)]).await;
    let _bob = recorded.office.phone("busy", "1002", ACME).await;
    let anns = Media::start();
    let mut call = recorded
        .office
        .call(&Account::new("1001", ACME), "1002", &anns.port());
    call.status(200).await;
    until("the tone", || {
        recorded.office.lines_with("Busy(\"PJSIP/1001").len() == 1
    })
    .await;
    let before = anns.heard();
    until("Ann hears it", || anns.heard() > before + 20).await;
    assert!(call.ended().await, "{:#?}", call.heard());
    assert_eq!(recorded.office.announced().len(), 1);
    let call = recorded.first_of_two().await;
    assert_eq!(
        (call.disposition, call.billable),
        (Disposition::Busy, 0),
        "{call:#?}"
    );
}

/// By a click, whose phone has answered before it calls.
#[tokio::test]
async fn a12_without_an_announcement_a_busy_phone_ends_a_call_at_once_also_one_that_was_answered_before() {
    let office = Office::open(&[silent()]).await;
    let anns = office.phone("answer", "1001", ACME).await;
    let _bob = office.phone("busy", "1002", ACME).await;
    let ann = Endpoint::parse("1001@acme.example.com").unwrap();
    let bob = "1002".parse().unwrap();
    office.bench.driver.call(&ann, &bob).await.unwrap();
    until("Ann is hung up on", || anns.request("BYE").is_some()).await;
    let played = office.played();
    for announced in ["Busy(", "CDR(userfield)"] {
        assert!(!played.contains(announced), "{played}");
    }
    assert!(played.contains("Hangup(\"PJSIP/1001"), "{played}");
}

#[rstest]
#[case::silent(silent(), 0)]
#[case::announced(tenant(All, SOUND), 1)]
#[tokio::test]
async fn a12_a_message_is_on_record_as_answered_and_no_part_of_a_recording_announced_or_not(
    #[case] tenant: TestTenant,
    #[case] announced: usize,
) {
    let mut recorded = Recorded::open(&[tenant]).await;
    let _gus = recorded.office.phone("busy", "1006", ACME).await;
    let anns = Media::start();
    let mut call = recorded
        .office
        .call(&Account::new("1001", ACME), "1006", &anns.port());
    call.status(200).await;
    recorded.office.prompt("vm-intro").await;
    recorded.office.prompt("beep").await;
    recorded.office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    assert_eq!(recorded.office.announced().len(), announced);
    let taken_back = recorded.office.lines_with("CDR(userfield)=\"");
    assert_eq!(taken_back.len(), announced, "{}", recorded.office.played());
    assert!(recorded.office.recordings().iter().all(|bytes| *bytes <= 44));
    let call = recorded.first_of_two().await;
    assert_eq!(call.disposition, Disposition::Answered, "{call:#?}");
}

#[tokio::test]
async fn a12_who_hangs_up_during_the_announcement_reached_nobody_and_rings_nobody() {
    let mut recorded = Recorded::open(&[tenant(All, SOUND)]).await;
    let bob = recorded.office.phone("answer", "1002", ACME).await;
    let mut call = recorded.office.call(&Account::new("1001", ACME), "1002", "9");
    call.status(200).await;
    until("it begins", || recorded.office.announced().len() == 1).await;
    recorded.office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    let call = recorded.first_of_two().await;
    assert_eq!(
        (call.disposition, call.billable),
        (Disposition::NoAnswer, 0),
        "{call:#?}"
    );
    assert!(bob.request("INVITE").is_none() && recorded.office.recordings().is_empty());
}

/// As an inbound route of the operator's leads it to an extension; an endpoint may be named as a phone of somebody else's is.
#[rstest]
#[case::of_a_name("carrier")]
#[case::as_a_phone_of_another_domain("carrier@carrier.example.net")]
#[tokio::test]
async fn a12_with_inbound_a_caller_by_a_trunk_hears_it(#[case] endpoint: &str) {
    let office = Office::open(&[tenant(Inbound, SOUND)]).await;
    let carrier = Account::new("carrier", "carrier.example.net");
    let own = office.bench.pbx.home().join("etc/pjsip.conf");
    let text = std::fs::read_to_string(&own).unwrap();
    let trunk = format!(
        "[{endpoint}]\ntype=endpoint\ncontext={ACME}\nauth=carrier\nallow=!all,alaw\n[carrier]\ntype=auth\nauth_type=userpass\n\
         username=carrier\npassword={}\n",
        carrier.secret
    );
    std::fs::write(own, format!("{text}\n{trunk}")).unwrap();
    office.bench.pbx.ami().console("module reload res_pjsip.so");
    let _bob = office.phone("answer", "1002", ACME).await;
    let mut call = office.run(
        "call",
        &carrier,
        &[("target", &format!("1002@{ACME}")), ("media", "9")],
    );
    call.status(200).await;
    until("they talk", || office.talking().len() == 2).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    let (announced, begun) = (
        office.announced(),
        office.lines_with("Begin MixMonitor Recording"),
    );
    let (&[announced], &[begun]) = (&announced[..], &begun[..]) else {
        panic!("{}", office.played());
    };
    assert!(announced < begun, "{}", office.played());
}

/// No phone is ever dialled, so nothing but the caller's own way is on record.
#[rstest]
#[case::silent(silent())]
#[case::announced(tenant(All, SOUND))]
#[tokio::test]
async fn a12_who_is_forwarded_from_a_phone_that_is_off_to_another_is_on_record_as_failed(
    #[case] tenant: TestTenant,
) {
    let mut recorded = Recorded::open(&[tenant]).await;
    let mut call = recorded.office.call(&Account::new("1001", ACME), "1005", "9");
    assert!(call.ended().await, "{:#?}", call.heard());
    let call = recorded.first_of_two().await;
    assert_eq!(
        (call.disposition, call.billable),
        (Disposition::Failed, 0),
        "{call:#?}"
    );
}

/// As it is without an announcement.
#[rstest]
#[case::silent(silent())]
#[case::announced(tenant(All, SOUND))]
#[tokio::test]
async fn a12_a_phone_that_cannot_take_a_call_has_it_on_record_as_failed_announced_or_not(
    #[case] tenant: TestTenant,
) {
    let mut recorded = Recorded::open(&[tenant]).await;
    let _bob = recorded.office.phone("failing", "1002", ACME).await;
    let mut call = recorded.office.call(&Account::new("1001", ACME), "1002", "9");
    assert!(call.ended().await, "{:#?}", call.heard());
    let call = recorded.first_of_two().await;
    assert_eq!(call.disposition, Disposition::Failed, "{call:#?}");
}
