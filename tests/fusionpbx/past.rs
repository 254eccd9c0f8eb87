//! What FusionPBX's own call records tell of a time in which nobody listened to its event socket.

use std::time::Duration;

use jiff::Timestamp;
use switchyard::domain::call_part::{EndedPart, WholeCall};
use switchyard::domain::call_record::{CallDirection, Disposition};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::driver::feed::{Feed as _, Past};
use switchyard::driver::fusionpbx::FusionPbxFeed;

use super::fusionpbx::Booleans::{Native, Text};
use super::world::World;

const CALLER: &str = "00000000-0000-4000-8000-00000000000a";
const CALLED: &str = "00000000-0000-4000-8000-00000000000b";
/// When the calls began.
const BEGAN: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGAN + second).unwrap()
}

impl World {
    /// What is told of legs that ended since this second.
    async fn past(&self, since: i64) -> Option<Past> {
        let feed = FusionPbxFeed::open_with(
            self.instance_id,
            &self.settings,
            &self.secrets,
            Duration::ZERO,
            || 0,
        );
        feed.unwrap().poll().ended_since(at(since)).await
    }

    /// A leg of 30 seconds as FusionPBX writes it. `more`: further columns with their values.
    async fn leg(&self, id: &str, domain: (&str, &str), direction: &str, ended: i64, more: (&str, &str)) {
        let (columns, values) = more;
        let (uuid, name) = domain;
        let began = BEGAN + ended - 30;
        let end = BEGAN + ended;
        self.fusionpbx
            .run(&format!(
                "insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, domain_name, direction, caller_id_name, caller_id_number, \
                 destination_number, start_epoch, answer_epoch, end_epoch, hangup_cause, leg{columns}) \
                 values ('{id}', '{uuid}', '{name}', '{direction}', 'Ann', '1001', '1002', {began}, {began} + 10, {end}, \
                 'NORMAL_CLEARING', 'a'{values})"
            ))
            .await;
    }
}

fn whole(parts: &[EndedPart]) -> WholeCall {
    let parts: Vec<_> = parts.iter().map(|told| told.part.clone()).collect();
    WholeCall::of(&parts, |domain| domain == "acme.example.com").unwrap()
}

#[tokio::test]
async fn a11_what_ended_while_nobody_listened_is_told_by_the_ids_of_its_legs_and_of_domains_of_ours_alone() {
    for booleans in [Native, Text] {
        let world = World::new(booleans).await;
        let (acme, ..) = world.acme_and_globex().await;
        world.deploy_platform().await.expect(Live);
        let acme_uuid = acme.id.to_string();
        let acme = (acme_uuid.as_str(), acme.domain.as_str());
        let said = |user: &str| {
            format!(", '{{\"variables\":{{\"user_name\":\"{user}\",\"dialed_user\":\"1002\"}}}}'")
        };
        let other = world.fusionpbx.add_domain("other.example.net").await;
        world.leg(&id(1), acme, "local", -10, ("", "")).await;
        world
            .leg(CALLER, acme, "local", 5, (", json", &said("1007")))
            .await;
        let originator = format!(", '{CALLER}'{}", said("1007"));
        world
            .leg(
                CALLED,
                acme,
                "local",
                5,
                (", originating_leg_uuid, json", &originator),
            )
            .await;
        let half = ", '{\"variables\":{\"is_loopback\":\"1\"}}'";
        world.leg(&id(2), acme, "local", 6, (", json", half)).await;
        world
            .leg(&id(3), (&other, "other.example.net"), "local", 6, ("", ""))
            .await;
        let past = world.past(0).await.unwrap();
        assert_eq!(past.known_from, None);
        let mut told: Vec<[&str; 2]> = past
            .parts
            .iter()
            .map(|told| [told.call.as_str(), told.part.key.as_str()])
            .collect();
        told.sort_unstable();
        assert_eq!(told, [[CALLER, CALLER], [CALLER, CALLED]]);
        assert!(past.parts.iter().all(|told| told.names == [acme.0, acme.1]));
        let call = whole(&past.parts);
        assert_eq!(
            (call.started, call.answered, call.ended),
            (at(-25), Some(at(-15)), at(5))
        );
        assert_eq!(
            (call.direction, call.disposition),
            (CallDirection::Internal, Disposition::Answered)
        );
        let numbers: Vec<&str> = call.numbers.iter().map(String::as_str).collect();
        assert_eq!(
            numbers,
            ["1002", "1007"],
            "who signed in, not what they call themselves"
        );
        // Asked again it tells the same.
        assert_eq!(world.past(0).await.unwrap(), past);
    }
}

#[tokio::test]
async fn a11_where_fusionpbx_keeps_nothing_of_the_variables_its_own_columns_tell() {
    let world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world
        .fusionpbx
        .run("alter table v_xml_cdr drop column json")
        .await;
    let uuid = acme.id.to_string();
    for (direction, expected) in [
        ("local", CallDirection::Internal),
        ("outbound", CallDirection::Outbound),
        ("inbound", CallDirection::Inbound),
    ] {
        world.fusionpbx.run("delete from v_xml_cdr").await;
        world
            .leg(CALLER, (&uuid, &acme.domain), direction, 5, ("", ""))
            .await;
        let past = world.past(0).await.unwrap();
        assert_eq!(whole(&past.parts).direction, expected, "{direction}");
    }
}

#[tokio::test]
async fn a11_without_the_table_or_the_right_nothing_is_told_which_is_a_gap_and_no_error() {
    let world = World::new(Native).await;
    assert_eq!(world.past(0).await.unwrap().parts, []);
    let role = &world.settings.database_username;
    world
        .fusionpbx
        .run(&format!("revoke select on v_xml_cdr from {role}"))
        .await;
    assert_eq!(world.past(0).await, None);
    world
        .fusionpbx
        .run(&format!("grant select on v_xml_cdr to {role}"))
        .await;
    assert!(world.past(0).await.is_some());
    world
        .fusionpbx
        .run("alter table v_xml_cdr rename column end_epoch to ended")
        .await;
    assert_eq!(world.past(0).await, None);
    world.fusionpbx.run("drop table v_xml_cdr").await;
    assert_eq!(world.past(0).await, None);
}

#[tokio::test]
async fn a11_of_more_rows_than_are_read_it_is_told_from_when_on_they_are_all() {
    let world = World::new(Native).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let (uuid, domain) = (acme.id, &acme.domain);
    world
        .fusionpbx
        .run(&format!(
            "insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, domain_name, direction, start_epoch, end_epoch, leg) \
             select gen_random_uuid(), '{uuid}', '{domain}', 'local', {BEGAN} + n, {BEGAN} + n, 'a' \
             from generate_series(1, 20005) n"
        ))
        .await;
    let past = world.past(0).await.unwrap();
    assert_eq!((past.parts.len(), past.known_from), (20_000, Some(at(7))));
}

fn id(number: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{number:02}")
}
