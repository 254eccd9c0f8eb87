//! Recorded calls that are announced: who hears it, that nothing is recorded before it, and what is never recorded.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::call_record::Disposition;
use switchyard::domain::recording_notice::{NoticeFor, RecordingNotice};

use super::office::{ACME, Office, plain};
use super::recorded::Recorded;
use super::support::media::Media;
use super::support::sipp::Account;
use super::support::tenants::TestTenant;
use super::support::wait::until;

/// A sound that every Asterisk has which has any.
pub const SOUND: &str = "conf-now-recording";

/// All calls are recorded but Ann's and Cy's.
pub fn tenant(hearers: NoticeFor, sound: &str) -> TestTenant {
    let recorded = |number: &str, name: &str| json!({"number": number, "name": name, "recording": "inbound", "ring_time": 5});
    let mut tenant = TestTenant::new(
        ACME,
        &[
            plain("1001", "Ann"),
            recorded("1002", "Bob"),
            plain("1003", "Cy"),
            json!({"number": "1004", "name": "Eve", "recording": "inbound", "forward": {"always": "1002"}}),
            json!({"number": "1005", "name": "Fay", "recording": "inbound", "ring_time": 5, "forward": {"no_answer": "1003"}}),
            json!({"number": "1006", "name": "Gus", "recording": "inbound", "voicemail": {"enabled": true}}),
        ],
    );
    tenant.config.notice = RecordingNotice {
        hearers,
        sound: Some(sound.parse().unwrap()),
    };
    tenant
}

/// The same without a notice.
pub fn silent() -> TestTenant {
    let mut tenant = tenant(NoticeFor::Nobody, SOUND);
    tenant.config.notice = RecordingNotice::unsaid();
    tenant
}

impl Office {
    /// The lines of what Asterisk did that say this.
    pub fn lines_with(&self, what: &str) -> Vec<usize> {
        let played = self.played();
        let lines = played.lines().enumerate();
        lines
            .filter(|(_, line)| line.contains(what))
            .map(|(at, _)| at)
            .collect()
    }

    pub fn announced(&self) -> Vec<usize> {
        self.lines_with(&format!("Playing '{SOUND}."))
    }

    pub fn talking(&self) -> Vec<usize> {
        self.lines_with("joined 'simple_bridge'")
    }

    pub fn recordings(&self) -> Vec<u64> {
        let directory = self.bench.pbx.home().join("spool/monitor/switchyard").join(ACME);
        let Ok(entries) = std::fs::read_dir(directory) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect()
    }

    /// A header alone has 44 bytes.
    pub async fn records(&self) {
        until(
            "the recording is there",
            || matches!(self.recordings()[..], [bytes] if bytes > 8_000),
        )
        .await;
    }
}

#[rstest]
#[case::called_itself("1002")]
#[case::called_by_a_forward("1004")]
#[tokio::test]
async fn a12_caller_and_called_hear_it_once_each_before_anything_is_recorded(#[case] dialled: &str) {
    let office = Office::open(&[tenant(NoticeFor::All, SOUND)]).await;
    let bobs = Media::start();
    let _bob = office.phone_with("answer", "1002", ACME, &bobs.port()).await;
    let anns = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), dialled, &anns.port());
    call.status(200).await;
    until("Ann hears it", || anns.heard() > 20).await;
    until("Bob hears it", || bobs.heard() > 20).await;
    until("Bob hears Ann", || bobs.hears_the_voice()).await;
    until("Ann hears Bob", || anns.hears_the_voice()).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    office.records().await;
    until("the recording is whole", || {
        office.lines_with("End MixMonitor Recording").len() == 1
    })
    .await;
    // 20 ms of it are as long as a packet. Bob heard all of the talk, and the announcement, which has 116 packets.
    let recorded = usize::try_from(office.recordings()[0]).unwrap() / 320;
    let heard = bobs.heard();
    assert!(
        recorded + 58 < heard,
        "{recorded} of {heard} packets are recorded"
    );
    let (announced, begun) = (
        office.announced(),
        office.lines_with("Begin MixMonitor Recording"),
    );
    let (dialled, talking) = (
        office.lines_with("Called PJSIP/1002"),
        office.lines_with("joined 'simple_bridge'"),
    );
    let (&[caller, called], &[begun], &[dialled]) = (&announced[..], &begun[..], &dialled[..]) else {
        panic!("{}", office.played());
    };
    // The two begin at once: Asterisk's lines of them may stand in either order.
    assert!(
        caller < begun && caller < dialled && dialled < called,
        "{}",
        office.played()
    );
    assert!(
        talking.len() == 2 && talking.iter().all(|at| called < *at),
        "{}",
        office.played()
    );
}

#[tokio::test]
async fn a12_with_inbound_a_phone_of_the_tenant_hears_nothing_and_a_caller_from_outside_does() {
    let office = Office::open(&[tenant(NoticeFor::Inbound, SOUND)]).await;
    let _bob = office.phone("answer", "1002", ACME).await;
    let mut call = office.call(&Account::new("1001", ACME), "1002", "9");
    call.status(200).await;
    until("they talk", || office.talking().len() == 2).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    assert!(office.announced().is_empty(), "{}", office.played());

    let target = format!("Local/1002@{ACME}");
    let outside = [
        ("Channel", target.as_str()),
        ("Application", "Echo"),
        ("Async", "true"),
    ];
    office.bench.pbx.ami().ask("Originate", &outside);
    until("they talk too", || office.talking().len() == 4).await;
    office.hang_up_all();
    let (announced, begun) = (
        office.announced(),
        office.lines_with("Begin MixMonitor Recording"),
    );
    assert_eq!((announced.len(), begun.len()), (1, 2), "{}", office.played());
    assert!(
        begun[0] < announced[0] && announced[0] < begun[1],
        "{}",
        office.played()
    );
}

#[tokio::test]
async fn a12_what_cannot_be_announced_is_not_recorded_and_the_log_says_so() {
    let office = Office::open(&[tenant(NoticeFor::All, "custom/not-there")]).await;
    let bobs = Media::start();
    let _bob = office.phone_with("answer", "1002", ACME, &bobs.port()).await;
    let anns = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "1004", &anns.port());
    call.status(200).await;
    anns.speak_to(call.media_of_the_other_side());
    until("Bob hears Ann", || bobs.hears_the_voice()).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    assert!(
        office.lines_with("Begin MixMonitor").is_empty(),
        "{}",
        office.played()
    );
    assert!(office.recordings().is_empty());
    let log = std::fs::read_to_string(office.bench.pbx.home().join("log/messages")).unwrap();
    let told = "The sound custom/not-there of acme.example.com cannot be played: this call is not recorded";
    assert_eq!(log.matches(told).count(), 1, "{log}");
}

#[tokio::test]
async fn a12_a_call_that_is_not_recorded_begins_with_nothing() {
    let office = Office::open(&[tenant(NoticeFor::All, SOUND)]).await;
    let _cy = office.phone("answer", "1003", ACME).await;
    let mut call = office.call(&Account::new("1001", ACME), "1003", "9");
    call.status(200).await;
    until("they talk", || office.talking().len() == 2).await;
    office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    assert!(office.announced().is_empty() && office.recordings().is_empty());
}

#[tokio::test]
async fn a12_an_announced_call_that_nobody_takes_is_on_record_as_such() {
    let mut recorded = Recorded::open(&[tenant(NoticeFor::All, SOUND)]).await;
    let _bob = recorded.office.phone("silent", "1002", ACME).await;
    let mut call = recorded.office.call(&Account::new("1001", ACME), "1002", "9");
    call.status(200).await;
    call.ended().await;
    // What the caller hears after the ringing is no part of it.
    recorded.hear_parts(1).await;
    let calls = recorded.calls(ACME).await;
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].disposition, Disposition::NoAnswer, "{calls:#?}");
    assert!(recorded.office.recordings().iter().all(|bytes| *bytes <= 44));
}
