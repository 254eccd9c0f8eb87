//! Calls over real SIP, and what is on record of them afterwards: each once, whatever happened to the link meanwhile.

use serde_json::json;
use switchyard::domain::call_record::{CallDirection, CallFilter, CallRecord, Disposition};
use switchyard::domain::call_text::CallText;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::recording::RecordingQuery;
use switchyard::driver::feed::News;
use switchyard::monitor::recordings::search;
use switchyard::store::call_records::Seen;
use switchyard::store::{call_gaps, recordings};

use super::office::{ACME, GLOBEX, Office, plain};
use super::recorded::Recorded;
use super::support::ami::{Ami, field};
use super::support::media::Media;
use super::support::sipp::Account;
use super::support::tenants::TestTenant;
use super::support::wait::until;

fn two_tenants() -> [TestTenant; 2] {
    [
        TestTenant::new(
            ACME,
            &[
                plain("1001", "Ann =cmd|'/C calc'!A0"),
                plain("1002", "Bob"),
                json!({"number": "1003", "name": "Cleo", "ring_time": 5, "forward": {"no_answer": "1002"}}),
                json!({"number": "1004", "name": "Dan", "forward": {"always": "1002"}}),
                plain("1005", "Eve"),
            ],
        ),
        TestTenant::new(GLOBEX, &[plain("1001", "Gina"), plain("1002", "Hugo")]),
    ]
}

fn text(text: &str) -> Option<CallText> {
    CallText::of(text)
}

/// How long Asterisk itself says that a call was, in whole seconds.
fn seconds(call: &CallRecord) -> i64 {
    (call.ended_at.as_microsecond() - call.started_at.as_microsecond()) / 1_000_000
}

#[tokio::test]
async fn a11_what_is_on_record_is_what_was_called_once_each_and_each_tenants_own() {
    let mut recorded = Recorded::open(&two_tenants()).await;
    let _bob = recorded.office.phone("answer", "1002", ACME).await;
    let _hugo = recorded.office.phone("answer", "1002", GLOBEX).await;
    for domain in [ACME, GLOBEX] {
        let mut call = recorded.office.call(&Account::new("1001", domain), "1002", "9");
        call.status(200).await;
        recorded.office.hang_up_all();
        assert!(call.ended().await, "{:#?}", call.heard());
    }
    // Nobody is there, nobody has the number, and a service answers.
    for number in ["1005", "1777", "*43"] {
        let mut call = recorded.office.call(&Account::new("1001", ACME), number, "9");
        if number == "*43" {
            call.status(200).await;
            recorded.office.hang_up_all();
        }
        call.ended().await;
    }
    recorded.hear_parts(5).await;

    let calls = recorded.calls(ACME).await;
    let shown: Vec<_> = calls
        .iter()
        .map(|call| (call.to_number.clone().unwrap().to_string(), call.disposition))
        .collect();
    let expected = [
        ("1002", Disposition::Answered),
        ("1005", Disposition::Failed),
        ("1777", Disposition::NoAnswer),
        ("*43", Disposition::Answered),
    ];
    assert_eq!(shown, expected.map(|(to, came)| (to.to_owned(), came)));
    for call in &calls {
        assert_eq!(call.from_number, text("1001"));
        // A name that a spreadsheet would run is data.
        assert_eq!(call.from_name, text("Ann =cmd|'/C calc'!A0"));
        assert_eq!(call.direction, CallDirection::Internal);
        assert_eq!(call.duration, seconds(call));
        assert_eq!(
            call.answered_at.is_some(),
            call.disposition == Disposition::Answered
        );
    }
    assert_eq!(recorded.took_part(ACME, &calls[0]), ["1001", "1002"]);
    assert_eq!(recorded.took_part(ACME, &calls[2]), ["1001"]);
    let theirs = recorded.calls(GLOBEX).await;
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].from_name, text("Gina"));
    assert_eq!(recorded.took_part(GLOBEX, &theirs[0]), ["1001", "1002"]);
}

#[tokio::test]
async fn a11_forwards_forks_and_transfers_are_one_call_each() {
    let mut recorded = Recorded::open(&two_tenants()).await;
    let _bob = recorded.office.phone("answer", "1002", ACME).await;
    let _cleo = recorded.office.phone("silent", "1003", ACME).await;
    let ann = Account::new("1001", ACME);
    // Always forwarded: one part. Unanswered, then forwarded: two.
    for number in ["1004", "1003"] {
        let mut call = recorded.office.call(&ann, number, "9");
        call.status(200).await;
        recorded.office.hang_up_all();
        assert!(call.ended().await, "{:#?}", call.heard());
    }
    recorded.hear_parts(3).await;
    // Two phones ring at once: a part for each.
    let _eve = recorded.office.phone("answer", "1005", ACME).await;
    let _eve_too = recorded.office.phone("silent", "1005", ACME).await;
    let mut call = recorded.office.call(&ann, "1005", "9");
    call.status(200).await;
    recorded.office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    recorded.hear_parts(5).await;
    // Transferred by whoever called, and by whoever was called.
    for (transferrer, expected) in [("PJSIP/1001@", 8), ("PJSIP/1002@", 11)] {
        let mut call = recorded.office.call(&ann, "1002", "9");
        call.status(200).await;
        let channel = recorded.channel(transferrer);
        let mut ami = recorded.office.bench.pbx.ami();
        let headers = [
            ("Channel", channel.as_str()),
            ("Context", ACME),
            ("Exten", "1005"),
        ];
        ami.ask("BlindTransfer", &headers);
        until("the transferred call is up", || {
            let channels = recorded
                .office
                .bench
                .pbx
                .ami()
                .console("core show channels concise");
            channels
                .iter()
                .any(|line| line.starts_with("PJSIP/1005@") && line.contains("!Up!"))
        })
        .await;
        recorded.office.hang_up_all();
        call.ended().await;
        recorded.hear_parts(expected).await;
    }

    let calls = recorded.calls(ACME).await;
    let shown: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call.to_number.clone().unwrap().to_string(),
                recorded.took_part(ACME, call),
            )
        })
        .collect();
    let expected: [(&str, &[&str]); 5] = [
        ("1004", &["1001", "1002", "1004"]),
        ("1003", &["1001", "1002", "1003"]),
        ("1005", &["1001", "1005"]),
        ("1002", &["1001", "1002", "1005"]),
        ("1002", &["1001", "1002", "1005"]),
    ];
    let expected = expected.map(|(to, took)| (to.to_owned(), took.iter().map(|n| (*n).to_owned()).collect()));
    assert_eq!(shown, expected);
    for call in &calls {
        assert_eq!(call.from_number, text("1001"), "{call:?}");
        assert_eq!(call.disposition, Disposition::Answered);
        assert!(call.billable <= call.duration, "{call:?}");
    }
    // Nobody talked while the silent phone rang.
    assert!(calls[1].duration - calls[1].billable >= 4, "{:?}", calls[1]);
}

#[tokio::test]
async fn a11_a_call_between_two_halves_that_the_pbx_makes_is_one_call() {
    let mut recorded = Recorded::open(&two_tenants()).await;
    let _ann = recorded.office.phone("answer", "1001", ACME).await;
    let _bob = recorded.office.phone("answer", "1002", ACME).await;
    let mut ami = recorded.office.bench.pbx.ami();
    let headers = [
        ("Channel", "Local/1001@acme.example.com"),
        ("Context", ACME),
        ("Exten", "1002"),
        ("Priority", "1"),
        ("Async", "true"),
    ];
    ami.ask("Originate", &headers);
    until("both phones talk", || {
        let channels = recorded
            .office
            .bench
            .pbx
            .ami()
            .console("core show channels concise");
        let up = |line: &&String| line.starts_with("PJSIP/") && line.contains("!Up!");
        channels.iter().filter(up).count() == 2
    })
    .await;
    recorded.office.hang_up_all();
    recorded.hear_parts(2).await;
    let calls = recorded.calls(ACME).await;
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(recorded.took_part(ACME, &calls[0]), ["1001", "1002"]);
}

#[tokio::test]
async fn a11_a_link_that_breaks_leaves_each_call_once_and_says_what_it_missed() {
    let mut recorded = Recorded::open(&two_tenants()).await;
    let _bob = recorded.office.phone("answer", "1002", ACME).await;
    let ann = Account::new("1001", ACME);
    // A call that was up before and ends after the cut is told whole.
    let mut long = recorded.office.call(&ann, "1002", "9");
    long.status(200).await;
    recorded.link.cut();
    recorded.hear_until(|news| *news == News::LinkDown).await;
    let mut missed = recorded.office.call(&Account::new("1001", ACME), "1777", "9");
    missed.ended().await;
    recorded.link.mend();
    recorded.hear_until(|news| *news == News::LinkUp).await;
    recorded.office.hang_up_all();
    assert!(long.ended().await, "{:#?}", long.heard());
    recorded.hear_parts(1).await;
    // Told once more, it is no second call.
    let again = recorded.parts[0].clone();
    recorded.keeper.hear(&News::Record(Box::new(again)));
    recorded.keeper.write().await.unwrap();
    let calls = recorded.calls(ACME).await;
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].to_number, text("1002"));
    let mut tx = recorded.store.read("gaps").await.unwrap();
    let tenant = recorded.tenant(ACME).id;
    let gaps = call_gaps::of_tenant(&mut tx, tenant, &CallFilter::default(), 9)
        .await
        .unwrap();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].from < gaps[0].to && gaps[0].instance_id == recorded.instance.id);
}

#[tokio::test]
async fn a12_what_asterisk_records_is_found_and_belongs_to_its_call() {
    let tenants = [
        TestTenant::new(
            ACME,
            &[
                plain("1001", "Ann"),
                json!({"number": "1002", "name": "Bob", "recording": "inbound"}),
            ],
        ),
        TestTenant::new(GLOBEX, &[plain("1001", "Gina")]),
    ];
    let mut recorded = Recorded::open(&tenants).await;
    let bobs = Media::start();
    let _bob = recorded
        .office
        .phone_with("answer", "1002", ACME, &bobs.port())
        .await;
    let anns = Media::start();
    let mut call = recorded
        .office
        .call(&Account::new("1001", ACME), "1002", &anns.port());
    call.status(200).await;
    anns.speak_to(call.media_of_the_other_side());
    until("Bob hears Ann", || bobs.hears_the_voice()).await;
    recorded.office.hang_up_all();
    assert!(call.ended().await, "{:#?}", call.heard());
    recorded.hear_parts(1).await;
    let instance = recorded.instance.clone();
    let directory = instance.settings.recordings_dir().unwrap().as_path().join(ACME);
    until("the recording is there", || {
        std::fs::read_dir(&directory).is_ok_and(|files| files.count() == 1)
    })
    .await;
    let searched = search(&recorded.store, &SystemIds, &instance).await.unwrap();
    assert_eq!((searched.kept, searched.lost), (1, 0));
    assert_eq!(
        search(&recorded.store, &SystemIds, &instance).await.unwrap().kept,
        0
    );

    let listed = async |tenant: TenantId| {
        let mut tx = recorded.store.read("recordings").await.unwrap();
        let page = recordings::list(&mut tx, tenant, Seen::All, &RecordingQuery::default()).await;
        page.unwrap().recordings
    };
    let calls = recorded.calls(ACME).await;
    let found = listed(recorded.tenant(ACME).id).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].call_id, Some(calls[0].id));
    assert_eq!(calls[0].recording_ids, [found[0].id]);
    assert!(found[0].bytes > 44, "{found:?}");
    assert!(listed(recorded.tenant(GLOBEX).id).await.is_empty());
    std::fs::remove_file(directory.join(found[0].path.file_name())).unwrap();
    assert_eq!(
        search(&recorded.store, &SystemIds, &instance).await.unwrap().lost,
        1
    );
    assert!(listed(recorded.tenant(ACME).id).await.is_empty());
}

/// A second reader, which shares no code with the one under test.
#[tokio::test]
async fn a11_the_private_asterisk_tells_which_call_each_record_is_of() {
    let office = Office::open(&two_tenants()).await;
    let mut ami = Ami::listening(&office.bench.pbx.private);
    let mut call = office.call(&Account::new("1001", ACME), "1777", "9");
    call.ended().await;
    let heard = ami.heard_until(|event| field(event, "Event") == Some("Cdr"));
    let record = heard.last().unwrap();
    for name in ["LinkedID", "Sequence", "StartEpoch", "AnswerEpoch", "EndEpoch"] {
        let value = field(record, name);
        assert!(value.is_some_and(|value| !value.is_empty()), "{name}: {record:?}");
    }
    assert_eq!(field(record, "Destination"), Some("1777"));
}

/// What is in that file already: it reaches back to before any gap.
const LONG_AGO: &str = r#""","1001","1777","acme.example.com","""Ann"" <1001>","PJSIP/1001@acme.example.com-00000001","","Dial","","2023-11-14 22:13:20","","2023-11-14 22:13:21",1,0,"NO ANSWER","DOCUMENTATION","1700000000.1","","","1700000000.1",1
"#;

#[tokio::test]
async fn a11_what_asterisks_own_file_tells_of_a_gap_is_on_record_once_and_leaves_none() {
    let mut recorded = Recorded::open(&two_tenants()).await;
    let home = recorded.office.bench.pbx.home();
    let directory = home.join("log/cdr-csv");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("Master.csv");
    std::fs::write(&file, LONG_AGO).unwrap();
    for path in [&directory, &file] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    }
    let conf = home.join("etc/cdr.conf");
    let before = std::fs::read_to_string(&conf).unwrap();
    let csv = "[csv]\nusegmtime = yes\nloguniqueid = yes\nloguserfield = yes\nnewcdrcolumns = yes\naccountlogs = no\n";
    std::fs::write(&conf, before + csv).unwrap();
    // Its command line refuses that to whoever comes by the manager interface.
    let load = [("Module", "cdr_csv.so"), ("LoadType", "load")];
    let loaded = recorded.office.bench.pbx.ami().ask("ModuleLoad", &load);
    assert_eq!(field(&loaded, "Response"), Some("Success"), "{loaded:?}");

    let call = async |recorded: &Recorded| {
        let mut call = recorded.office.call(&Account::new("1001", ACME), "1777", "9");
        call.ended().await;
    };
    // Told both ways: by the event, and in the file, since nobody knows for how long the link had been dead.
    call(&recorded).await;
    recorded.hear_parts(1).await;
    let exact = recorded.calls(ACME).await;
    recorded.link.cut();
    recorded.hear_until(|news| *news == News::LinkDown).await;
    call(&recorded).await;
    recorded.link.mend();
    recorded.hear_until(|news| *news == News::LinkUp).await;
    let calls = recorded.calls(ACME).await;
    assert_eq!(calls.len(), 2, "{calls:#?}");
    assert_eq!(calls[0], exact[0], "what is known exactly stays so");
    assert_eq!(calls[1].to_number, text("1777"));
    assert_eq!(calls[1].from_name, exact[0].from_name);
    let gaps = async |recorded: &Recorded| {
        let mut tx = recorded.store.read("gaps").await.unwrap();
        let tenant = recorded.tenant(ACME).id;
        call_gaps::of_tenant(&mut tx, tenant, &CallFilter::default(), 9)
            .await
            .unwrap()
    };
    assert_eq!(gaps(&recorded).await, [], "nothing was missed");
    // What was told last is not in it any more: nobody knows what else is not.
    std::fs::write(&file, LONG_AGO).unwrap();
    recorded.link.cut();
    recorded.hear_until(|news| *news == News::LinkDown).await;
    recorded.link.mend();
    recorded.hear_until(|news| *news == News::LinkUp).await;
    assert_eq!(gaps(&recorded).await.len(), 1);
}
