//! Rows of FusionPBX's calls as it writes each kind of call, through its real table; those that tell of none are told, and keep
//! nothing else away.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use switchyard::domain::call_record::{CallDirection, CallRecord};
use switchyard::domain::call_text::CallText;
use switchyard::domain::clock::Clock as _;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::ids::ExtensionId;
use switchyard::domain::retention::{Days, Keep, RetentionKind, RetentionPolicy};
use switchyard::driver::feed::{Skipped, Untold};
use switchyard::store::retention;

use super::past_calls_world::{Missed, Row, archive, import};
use super::world::Phone;

/// The only call that is read in of a row.
async fn read(missed: &Missed, row: Row) -> CallRecord {
    import(&missed.world, &[row]).await;
    missed.look_for(&mut missed.looker(), 1).await;
    let mut calls = missed.calls(&missed.acme).await;
    assert_eq!(calls.len(), 1, "{calls:#?}");
    calls.remove(0)
}

fn ids(phones: &[&Phone]) -> Vec<ExtensionId> {
    let mut ids: Vec<ExtensionId> = phones.iter().map(|phone| phone.extension.id).collect();
    ids.sort();
    ids
}

fn sorted(call: &CallRecord) -> Vec<ExtensionId> {
    let mut ids = call.extension_ids.clone();
    ids.sort();
    ids
}

fn text(text: Option<&CallText>) -> Option<&str> {
    text.map(CallText::as_str)
}

#[tokio::test]
async fn a11_the_extension_that_fusionpbx_names_takes_part_and_one_of_another_domain_does_not() {
    let missed = Missed::new().await;
    let [ann, bob] = &missed.phones;
    // A group that is no extension.
    let group = |at| {
        let mut row = Row::of(&missed.acme, missed.at(at), 9);
        row.destination = "'7000'".to_owned();
        row
    };
    let call = read(&missed, group(5).naming("1002", &missed.acme.domain)).await;
    assert_eq!(call.direction, CallDirection::Internal);
    assert_eq!(sorted(&call), ids(&[ann, bob]));
    // That one has the number of Ann.
    let mut other = group(6).naming("1001", &missed.globex.domain);
    other.number = "'1002'".to_owned();
    import(&missed.world, &[other]).await;
    missed.look_for(&mut missed.looker(), 1).await;
    let calls = missed.calls(&missed.acme).await;
    assert_eq!((calls.len(), sorted(&calls[0])), (2, ids(&[bob])));
}

#[tokio::test]
async fn a11_a_call_that_left_is_its_callers() {
    let missed = Missed::new().await;
    let mut row = Row::of(&missed.acme, missed.at(5), 9).naming("1001", &missed.acme.domain);
    row.direction = "'outbound'".to_owned();
    row.number = "'493012345'".to_owned();
    row.dialled = Some("'004989123456'".to_owned());
    row.destination = "'4989123456'".to_owned();
    let call = read(&missed, row).await;
    assert_eq!(call.direction, CallDirection::Outbound);
    assert_eq!(text(call.from_number.as_ref()), Some("1001"));
    assert_eq!(text(call.to_number.as_ref()), Some("004989123456"));
    assert_eq!(sorted(&call), ids(&[&missed.phones[0]]));
}

#[tokio::test]
async fn a11_a_call_that_came_in_is_of_whom_it_rang() {
    let missed = Missed::new().await;
    let mut row = Row::of(&missed.acme, missed.at(5), 9).naming("1002", &missed.acme.domain);
    row.direction = "'inbound'".to_owned();
    // What a stranger shows is nobody's.
    row.number = "'1001'".to_owned();
    row.dialled = Some("'493012345'".to_owned());
    let call = read(&missed, row).await;
    assert_eq!(call.direction, CallDirection::Inbound);
    assert_eq!(text(call.from_number.as_ref()), Some("1001"));
    assert_eq!(text(call.to_number.as_ref()), Some("493012345"));
    assert_eq!(sorted(&call), ids(&[&missed.phones[1]]));
}

#[tokio::test]
async fn a11_whoever_forwarded_a_call_outside_has_not_called() {
    let missed = Missed::new().await;
    // 1001 calls 1002, who has calls forwarded to a mobile.
    let mut row = Row::of(&missed.acme, missed.at(5), 9).naming("1002", &missed.acme.domain);
    row.direction = "'outbound'".to_owned();
    row.dialled = Some("'1002'".to_owned());
    row.destination = "'4915112345'".to_owned();
    let call = read(&missed, row).await;
    assert_eq!(text(call.from_number.as_ref()), Some("1001"), "as it was shown");
    assert_eq!(text(call.to_number.as_ref()), Some("1002"));
    assert_eq!(call.direction, CallDirection::Inbound);
    assert_eq!(sorted(&call), ids(&[&missed.phones[1]]));
}

#[tokio::test]
async fn a11_of_a_call_by_a_click_the_number_that_was_called_has_not_called() {
    let missed = Missed::new().await;
    // 1001 has 1002 called: their own phone rang first, under the number that is called then.
    let mut row = Row::of(&missed.acme, missed.at(5), 9).naming("1002", &missed.acme.domain);
    row.number = "'1002'".to_owned();
    let call = read(&missed, row).await;
    assert_eq!((&call.from_number, &call.from_name), (&None, &None));
    assert_eq!(call.direction, CallDirection::Inbound);
    assert_eq!(sorted(&call), ids(&[&missed.phones[1]]));
}

#[tokio::test]
async fn a11_whoever_was_given_a_number_since_takes_no_part_in_the_calls_before() {
    let missed = Missed::new().await;
    let [ann, bob] = &missed.phones;
    // FusionPBX writes the calls down late: 1001 is somebody else's by then.
    missed.world.delete(&missed.acme, ann).await;
    let new = missed.world.extension(&missed.acme, "1001", "Zoe").await;
    missed.world.deploy_platform().await.expect(Live);
    let call = read(&missed, Row::of(&missed.acme, missed.at(5), 9)).await;
    assert_eq!(text(call.from_number.as_ref()), Some("1001"));
    assert_eq!(sorted(&call), ids(&[bob]));
    // What they call from then on is theirs.
    let from = missed.world.clock.now();
    missed.world.clock.forward(Duration::from_mins(30));
    missed.note_from(from).await;
    let later = Row::of(&missed.acme, from + SignedDuration::from_mins(10), 9);
    import(&missed.world, &[later]).await;
    missed.look_for(&mut missed.looker(), 1).await;
    let calls = missed.calls(&missed.acme).await;
    assert_eq!((calls.len(), sorted(&calls[0])), (2, ids(&[&new, bob])));
}

/// A text is broken by a disk or an older version, where the database knows how its texts are kept.
#[rstest]
#[case::kept_as_bytes("SQL_ASCII", "caf\\xe9")]
#[case::broken_at_its_end("UTF8", "caf\\xe9")]
#[case::broken_in_its_midst("UTF8", "caf\\xe9 noir")]
#[tokio::test]
async fn a11_a_row_that_cannot_be_decoded_is_skipped_and_its_neighbours_are_read(
    #[case] texts: &str,
    #[case] broken: &str,
) {
    let missed = Missed::new().await;
    let encoding = |encoding: &str| {
        let set = format!("update pg_database set encoding = pg_char_to_encoding('{encoding}')");
        format!("{set} where datname = current_database()")
    };
    let rows = [4, 5, 6].map(|minutes| Row::of(&missed.acme, missed.at(minutes), 9));
    import(&missed.world, &rows).await;
    missed.world.fusionpbx.run(&encoding("SQL_ASCII")).await;
    // The server knows of it with the next connection.
    let mut connection = PgConnection::connect(missed.world.fusionpbx.url()).await.unwrap();
    let id = &rows[1].id;
    let breaking = format!("update v_xml_cdr set caller_id_name = E'{broken}' where xml_cdr_uuid = '{id}'");
    for sql in [breaking, encoding(texts)] {
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let page = archive(&missed.world).page(&missed.asked(), None).await.unwrap();
    assert_eq!((page.parts.len(), page.next), (2, None));
    assert_eq!(page.skipped, counted(&[(Untold::Unreadable, 1)]));
    missed.look_for(&mut missed.looker(), 1).await;
    let calls = missed.calls(&missed.acme).await;
    let read: Vec<&str> = calls.iter().map(|call| call.call.as_str()).collect();
    assert_eq!(read, [rows[2].id.as_str(), rows[0].id.as_str()]);
}

fn counted(counts: &[(Untold, usize)]) -> Skipped {
    let mut skipped = Skipped::default();
    for (why, count) in counts {
        (0..*count).for_each(|_| skipped.add(*why));
    }
    skipped
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines since the last time that are about rows that come to no record.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().filter(|line| line.contains("come to no record"));
        lines.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a11_how_many_rows_come_to_no_record_and_why_is_logged_once_until_it_is_otherwise() {
    let log = Log::default();
    let writer = log.clone();
    let logging = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(logging);
    let missed = Missed::new().await;
    let fresh = |change: &dyn Fn(&mut Row)| {
        let mut row = Row::of(&missed.acme, missed.at(5), 9);
        change(&mut row);
        row
    };
    let leg = |row: &mut Row| row.leg = "'b'".to_owned();
    let rows = [
        fresh(&|_| {}),
        fresh(&|row| row.sip_call_id = "null".to_owned()),
        fresh(&leg),
        fresh(&leg),
        fresh(&|row| row.end = "null".to_owned()),
        fresh(&|row| row.domain = "'192.0.2.1'".to_owned()),
        fresh(&|row| {
            leg(row);
            row.originating = "gen_random_uuid()".to_owned();
        }),
    ];
    import(&missed.world, &rows).await;
    let mut looker = missed.looker();
    missed.look_for(&mut looker, 10).await;
    assert_eq!(missed.calls(&missed.acme).await.len(), 1);
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let all = [
        (Untold::NoSip, 1),
        (Untold::NoCaller, 2),
        (Untold::NoTimes, 1),
        (Untold::OtherDomain, 1),
        (Untold::CallerUnknown, 1),
    ];
    assert!(lines[0].contains(&counted(&all).to_string()), "{lines:#?}");
    assert!(
        lines[0].contains("2 of legs that were called, without an originating leg;"),
        "{lines:#?}"
    );
    // What is known by now is none of them, and one more has all of them told again.
    import(&missed.world, &[fresh(&leg)]).await;
    missed.look_for(&mut looker, 60).await;
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("3 of legs that were called,"), "{lines:#?}");
    // Nobody is to keep any of them any more.
    let mut policy = RetentionPolicy::default();
    policy.set(RetentionKind::CallRecords, Keep::Days(Days::new(1).unwrap()));
    let mut tx = missed.world.store.begin("retention").await.unwrap();
    retention::put(&mut tx, missed.acme.id, &policy).await.unwrap();
    tx.commit().await.unwrap();
    missed.world.clock.forward(Duration::from_mins(22 * 60 + 38));
    missed.believe(missed.world.clock.now()).await;
    import(&missed.world, &[fresh(&|_| {})]).await;
    missed.look_for(&mut looker, 10).await;
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("1 older than their tenant keeps"), "{lines:#?}");
}
