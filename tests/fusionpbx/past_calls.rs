//! What FusionPBX wrote down of calls that nobody heard of: each comes in once, to whom it belongs, and the time stays told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use rstest::rstest;
use switchyard::domain::call_record::{CallDirection, Disposition};
use switchyard::domain::ids::SystemIds;
use switchyard::driver::DriverError;
use switchyard::driver::feed::{Archive, Asked, News, Page, Place};
use switchyard::monitor::records::Keeper;

use super::fusionpbx::OPERATOR_UUID;
use super::past_calls_world::{Missed, Row, archive, import};

#[tokio::test]
async fn a11_a_call_that_was_missed_comes_in_once_however_often_it_is_looked_for() {
    let missed = Missed::new().await;
    let row = Row::of(&missed.acme, missed.at(5), 9);
    import(&missed.world, std::slice::from_ref(&row)).await;
    missed.look_for(&mut missed.looker(), 3).await;
    // After a restart.
    missed.look_for(&mut missed.looker(), 3).await;
    let calls = missed.calls(&missed.acme).await;
    assert_eq!(calls.len(), 1, "{calls:#?}");
    let call = &calls[0];
    assert_eq!(call.call.as_str(), row.id);
    assert_eq!(call.from_number.as_ref().unwrap().as_str(), "1001");
    assert_eq!(call.to_number.as_ref().unwrap().as_str(), "1002");
    assert_eq!((call.duration, call.billable), (9, 8));
    assert_eq!(call.direction, CallDirection::Internal);
    assert_eq!(call.disposition, Disposition::Answered);
    assert_eq!(call.extension_ids.len(), 2);
    assert!(missed.calls(&missed.globex).await.is_empty());
}

#[tokio::test]
async fn a11_a_call_that_came_both_ways_is_one_record_as_the_event_told_it() {
    let missed = Missed::new().await;
    let world = &missed.world;
    let before = Row::of(&missed.acme, missed.at(5), 9);
    let after = Row::of(&missed.acme, missed.at(6), 9);
    let rows = [before.clone(), after.clone()];
    import(world, &rows).await;
    let told = archive(world)
        .page(&missed.asked(), None)
        .await
        .unwrap()
        .parts
        .into_iter()
        .map(|mut part| {
            // As exact as an event; and behind a pair of halves that only those who listened have heard of.
            part.part.started += SignedDuration::from_millis(250);
            part.part.from_name = "Told".parse().ok();
            if part.part.key.as_str() == before.id {
                part.call = "of-another-leg".parse().unwrap();
            }
            part
        });
    let mut told: Vec<_> = told.collect();
    let last = told.pop().unwrap();
    let clock = Arc::new(world.clock.clone());
    let mut keeper = Keeper::new(world.store.clone(), clock, Arc::new(SystemIds), world.instance_id);
    let mut looker = missed.looker();
    keeper.hear(&News::Record(Box::new(told.pop().unwrap())));
    keeper.write().await.unwrap();
    looker.turn().await.unwrap();
    assert_eq!(missed.calls(&missed.acme).await.len(), 2);
    keeper.hear(&News::Record(Box::new(last)));
    keeper.write().await.unwrap();
    missed.look_for(&mut looker, 3).await;
    let calls = missed.calls(&missed.acme).await;
    let ids: Vec<&str> = calls.iter().map(|call| call.call.as_str()).collect();
    assert_eq!(ids, [after.id.as_str(), "of-another-leg"]);
    for call in &calls {
        assert_eq!(call.from_name.as_ref().unwrap().as_str(), "Told");
        assert_eq!(call.started_at.subsec_millisecond(), 250);
    }
}

#[tokio::test]
async fn a11_rows_of_others_never_come_in() {
    let missed = Missed::new().await;
    let own = Row::of(&missed.acme, missed.at(5), 9);
    let fresh = |change: &dyn Fn(&mut Row)| {
        let mut row = Row::of(&missed.acme, missed.at(5), 9);
        change(&mut row);
        row
    };
    let operators = format!("'{OPERATOR_UUID}'");
    let rows = [
        own.clone(),
        Row::of(&missed.globex, missed.at(5), 9),
        // The operator's own domain, by whichever name.
        fresh(&|row| row.domain_uuid.clone_from(&operators)),
        fresh(&|row| {
            row.domain_uuid.clone_from(&operators);
            row.domain = "'pbx.operator.example'".to_owned();
        }),
        // Of nobody, of nobody known, and of a domain of which ours is a part.
        fresh(&|row| row.domain_uuid = "null".to_owned()),
        fresh(&|row| row.domain_uuid = "gen_random_uuid()".to_owned()),
        fresh(&|row| row.domain = "'my.acme.example.com'".to_owned()),
        // Found by a name that the other tenant had.
        fresh(&|row| row.domain = "'globex.example.com'".to_owned()),
        // Before the tenant had its domain.
        fresh(&|row| {
            let begin = missed.at(-90).as_second();
            (row.started, row.end) = (begin, missed.at(2).as_second().to_string());
        }),
        // Over before the gap, or begun after it: they were heard.
        Row::of(&missed.acme, missed.at(-10), 60),
        Row::of(&missed.acme, missed.at(40), 60),
    ];
    import(&missed.world, &rows).await;
    missed.look_for(&mut missed.looker(), 2).await;
    let of = |calls: Vec<switchyard::domain::call_record::CallRecord>| -> Vec<String> {
        calls.iter().map(|call| call.call.to_string()).collect()
    };
    assert_eq!(of(missed.calls(&missed.acme).await), [own.id]);
    assert_eq!(of(missed.calls(&missed.globex).await), [rows[1].id.clone()]);
}

#[tokio::test]
async fn a11_a_domain_that_changed_hands_since_gives_its_calls_to_nobody_else() {
    let missed = Missed::new().await;
    // FusionPBX found the domain by its name when it imported the call: by then it was the other tenant's.
    let mut row = Row::of(&missed.globex, missed.at(5), 9);
    row.domain = "'acme.example.com'".to_owned();
    let taken = missed.at(10).as_microsecond();
    let (acme, globex) = (missed.acme.id, missed.globex.id);
    missed
        .world
        .database
        .sql(
            format!(
                "insert into domain_tenures (domain, tenant_id, since) select 'acme.example.com', id, {taken} from tenants \
                 where domain = 'globex.example.com'"
            )
            .leak(),
        )
        .await;
    // The former holder's by its id, and begun once it was the other one's: FusionPBX knows a domain's id for a while.
    let mut stale = Row::of(&missed.acme, missed.at(12), 9);
    stale.domain = "'acme.example.com'".to_owned();
    let mut later = row.clone();
    (later.id, later.started) = (
        Row::of(&missed.acme, missed.at(5), 9).id,
        missed.at(12).as_second(),
    );
    later.end = (later.started + 4).to_string();
    import(&missed.world, &[row, stale, later.clone()]).await;
    missed.look_for(&mut missed.looker(), 2).await;
    assert!(missed.calls(&missed.acme).await.is_empty(), "{acme}");
    let calls = missed.calls(&missed.globex).await;
    assert_eq!(calls.len(), 1, "{globex}: {calls:#?}");
    assert_eq!(calls[0].call.as_str(), later.id);
}

/// What lacks.
#[derive(Clone, Copy, Debug)]
enum Lack {
    Right,
    Table,
    Column,
    Stamp,
}

#[rstest]
#[case(Lack::Right, "the role lacks select on v_xml_cdr")]
#[case(Lack::Table, "there is no table v_xml_cdr")]
#[case(Lack::Column, "v_xml_cdr has no end_epoch")]
#[case(Lack::Stamp, "v_xml_cdr.start_stamp is no timestamp")]
#[tokio::test]
async fn a11_without_the_right_or_the_table_nothing_comes_in_until_it_is_mended(
    #[case] lack: Lack,
    #[case] said: &str,
) {
    let missed = Missed::new().await;
    import(&missed.world, &[Row::of(&missed.acme, missed.at(5), 9)]).await;
    let role = missed.world.settings.database_username.to_string();
    let (take, give) = match lack {
        Lack::Right => (
            format!("revoke select on v_xml_cdr from {role}"),
            format!("grant select on v_xml_cdr to {role}"),
        ),
        Lack::Table => (
            "alter table v_xml_cdr rename to away".to_owned(),
            "alter table away rename to v_xml_cdr".to_owned(),
        ),
        Lack::Column => (
            "alter table v_xml_cdr rename column end_epoch to away".to_owned(),
            "alter table v_xml_cdr rename column away to end_epoch".to_owned(),
        ),
        Lack::Stamp => (
            "alter table v_xml_cdr alter column start_stamp type timestamp".to_owned(),
            "alter table v_xml_cdr alter column start_stamp type timestamptz".to_owned(),
        ),
    };
    missed.world.fusionpbx.run(&take).await;
    let error = archive(&missed.world)
        .page(&missed.asked(), None)
        .await
        .unwrap_err();
    assert!(error.full().contains(said), "{}", error.full());
    assert!(
        error.full().contains("pbx/fusionpbx/grants.sql"),
        "{}",
        error.full()
    );
    let mut looker = missed.looker();
    missed.look_for(&mut looker, 4).await;
    assert!(missed.calls(&missed.acme).await.is_empty());
    // Once it is mended, it is looked for again.
    missed.world.fusionpbx.run(&give).await;
    missed.look_for(&mut looker, 8).await;
    assert_eq!(missed.calls(&missed.acme).await.len(), 1);
    assert_eq!(missed.gaps().await, [missed.gap]);
}

#[tokio::test]
async fn a11_a_call_that_is_written_down_late_is_found_for_a_day_and_the_gap_stays_told() {
    let missed = Missed::new().await;
    let mut looker = missed.looker();
    missed.import_around().await;
    missed.look_for(&mut looker, 10).await;
    for (wait, count) in [(0, 2), (22 * 60, 3)] {
        missed.world.clock.forward(Duration::from_mins(wait));
        import(&missed.world, &[Row::of(&missed.acme, missed.at(5), 9)]).await;
        missed.look_for(&mut looker, 62).await;
        // One from after the gap, which is near enough, and the late ones.
        assert_eq!(missed.calls(&missed.acme).await.len(), count);
    }
    // FreeSWITCH may have stopped in it, and then nothing was written down of calls that were up.
    assert_eq!(missed.gaps().await, [missed.gap]);
}

#[tokio::test]
async fn a11_a_gap_of_long_ago_is_not_looked_for_and_stays_told() {
    let missed = Missed::new().await;
    import(&missed.world, &[Row::of(&missed.acme, missed.at(5), 9)]).await;
    missed.world.clock.forward(Duration::from_hours(25));
    missed.look_for(&mut missed.looker(), 3).await;
    assert!(missed.calls(&missed.acme).await.is_empty());
    assert_eq!(missed.gaps().await, [missed.gap]);
}

#[tokio::test]
async fn a11_what_somebody_writes_into_a_row_is_data_and_what_cannot_be_read_keeps_nothing_else_away() {
    let missed = Missed::new().await;
    let mut hostile = Row::of(&missed.acme, missed.at(5), 9);
    hostile.name = "E'\\x01=cmd|\\' /C calc\\'!A0\\u202E' || repeat('x', 100000)".to_owned();
    hostile.number = "E'1001\\r\\nAction: Originate'".to_owned();
    hostile.destination = "'''; drop table v_xml_cdr; --'".to_owned();
    let mut empty = Row::of(&missed.acme, missed.at(6), 9);
    for column in [
        &mut empty.direction,
        &mut empty.number,
        &mut empty.name,
        &mut empty.destination,
        &mut empty.answer,
        &mut empty.leg,
    ] {
        *column = "null".to_owned();
    }
    let ends = ["null", "'NaN'", "1e30"].map(|end| {
        let mut row = Row::of(&missed.acme, missed.at(7), 9);
        row.end = end.to_owned();
        row
    });
    import(&missed.world, &[hostile.clone(), empty.clone()]).await;
    import(&missed.world, &ends).await;
    missed.look_for(&mut missed.looker(), 2).await;
    let calls = missed.calls(&missed.acme).await;
    let found = |id: &str| calls.iter().find(|call| call.call.as_str() == id).unwrap();
    let name = found(&hostile.id).from_name.as_ref().unwrap().as_str();
    assert!(
        name.starts_with("=cmd|' /C calc'!A0xxx") && name.len() == 128,
        "{name}"
    );
    assert_eq!(found(&hostile.id).direction, CallDirection::Inbound);
    assert_eq!(found(&empty.id).disposition, Disposition::NoAnswer);
    assert_eq!(calls.len(), 2, "{calls:#?}");
}

#[tokio::test]
async fn a11_legs_that_were_called_are_parts_of_their_call_and_halves_of_a_pair_no_calls() {
    let missed = Missed::new().await;
    let caller = Row::of(&missed.acme, missed.at(5), 9);
    let mut phone = Row::of(&missed.acme, missed.at(5), 9);
    // Of the same second, and before its caller's by the id.
    phone.id = "00000000-0000-4000-8000-000000000001".to_owned();
    phone.leg = "'b'".to_owned();
    phone.originating = format!("'{}'", caller.id);
    let mut half = Row::of(&missed.acme, missed.at(5), 9);
    half.sip_call_id = "''".to_owned();
    let mut behind = phone.clone();
    (behind.id, behind.originating) = (
        Row::of(&missed.acme, missed.at(5), 9).id,
        format!("'{}'", half.id),
    );
    let mut alone = phone.clone();
    (alone.id, alone.originating) = (Row::of(&missed.acme, missed.at(5), 9).id, "null".to_owned());
    import(&missed.world, &[phone, behind, half, alone, caller.clone()]).await;
    missed.look_for(&mut missed.looker(), 1).await;
    let calls = missed.calls(&missed.acme).await;
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].call.as_str(), caller.id);
    assert_eq!(calls[0].extension_ids.len(), 2);
    assert_eq!(calls[0].direction, CallDirection::Internal);
}

#[tokio::test]
async fn a11_a_number_that_is_no_phone_of_the_domain_is_nobody_of_the_tenant() {
    let missed = Missed::new().await;
    let mut shown = Row::of(&missed.acme, missed.at(5), 9);
    shown.number = "'1009'".to_owned();
    // The other tenant has no 1002.
    let mut theirs = Row::of(&missed.globex, missed.at(5), 9);
    (theirs.number, theirs.destination) = ("'1002'".to_owned(), "'1001'".to_owned());
    import(&missed.world, &[shown, theirs]).await;
    missed.look_for(&mut missed.looker(), 1).await;
    for tenant in [&missed.acme, &missed.globex] {
        let calls = missed.calls(tenant).await;
        assert_eq!(calls.len(), 1, "{calls:#?}");
        assert_eq!(calls[0].direction, CallDirection::Inbound);
        assert_eq!(calls[0].extension_ids.len(), 1);
    }
}

#[tokio::test]
async fn a11_an_older_version_without_some_columns_tells_what_it_can() {
    let missed = Missed::new().await;
    let row = Row::of(&missed.acme, missed.at(5), 9);
    import(&missed.world, std::slice::from_ref(&row)).await;
    missed
        .world
        .fusionpbx
        .run(
            "alter table v_xml_cdr drop column domain_name, drop column caller_id_name, drop column caller_destination, \
             drop column extension_uuid, drop column originating_leg_uuid",
        )
        .await;
    missed.look_for(&mut missed.looker(), 1).await;
    let calls = missed.calls(&missed.acme).await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].to_number.as_ref().unwrap().as_str(), "1002");
}

/// The archive, which breaks after so many pages.
struct Breaking(Box<dyn Archive>, Arc<AtomicUsize>);

#[async_trait]
impl Archive for Breaking {
    async fn page(&self, asked: &Asked, behind: Option<Place>) -> Result<Page, DriverError> {
        if self
            .1
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_err()
        {
            return Err(DriverError::unknown("a page", std::io::Error::other("it broke")));
        }
        self.0.page(asked, behind).await
    }
}

#[tokio::test]
async fn a11_more_rows_than_a_page_come_in_once_each_also_where_it_breaks_in_the_midst() {
    let missed = Missed::new().await;
    // All in one second: the page ends within it.
    let rows: Vec<Row> = (0..1_234)
        .map(|_| Row::of(&missed.acme, missed.at(5), 9))
        .collect();
    import(&missed.world, &rows).await;
    let pages = Arc::new(AtomicUsize::new(1));
    let breaking = Breaking(archive(&missed.world), Arc::clone(&pages));
    missed
        .look_for(&mut missed.looker_at(Box::new(breaking)), 1)
        .await;
    assert_eq!(missed.calls(&missed.acme).await.len(), 500);
    let page = archive(&missed.world).page(&missed.asked(), None).await.unwrap();
    assert_eq!(page.parts.len(), 500);
    // Another process begins anew.
    missed.look_for(&mut missed.looker(), 1).await;
    let calls = missed.calls(&missed.acme).await;
    let ids: std::collections::BTreeSet<_> = calls.iter().map(|call| call.call.to_string()).collect();
    assert_eq!((calls.len(), ids.len()), (1_234, 1_234));
}
