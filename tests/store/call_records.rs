//! Calls that are over: once each, however often they are told, and seen by whom they may be seen, on both databases.

use rstest::rstest;
use switchyard::domain::call_part::{CallPart, Phone};
use switchyard::domain::call_record::{CallDirection, CallFilter, CallQuery, CallRecord, Disposition};
use switchyard::domain::call_text::{CallText, PbxCallId};
use switchyard::domain::extension::Extension;
use switchyard::domain::ids::{CallRecordId, InstanceId, SystemIds, TenantId, UserId};
use switchyard::domain::role::Rank;
use switchyard::store::call_records::{self, OfCall, Seen};
use switchyard::store::{Store, Tx, tenant_lifecycle, users};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::{World, at, store_extension};
use super::users::{add, now};

pub const ACME: &str = "acme.example.com";
pub const GLOBEX: &str = "globex.example.com";
pub const SECOND: i64 = 1_000_000;

fn phone(number: &str, domain: &str) -> Option<Phone> {
    Phone::of(number, domain)
}

/// From a phone of a domain to another, with the second of its beginning.
pub fn part(channel: &str, sequence: u32, numbers: (&str, &str), domain: &str, second: i64) -> CallPart {
    CallPart {
        key: format!("{channel}:{sequence}").parse().unwrap(),
        channel: channel.parse().unwrap(),
        caller: phone(numbers.0, domain),
        called: phone(numbers.1, domain),
        left: false,
        is_of_called: false,
        from_number: CallText::of(numbers.0),
        from_name: CallText::of("=Ann\u{0}"),
        to: CallText::of(numbers.1),
        started: at(second * SECOND),
        answered: Some(at((second + 1) * SECOND)),
        ended: at((second + 5) * SECOND),
        disposition: Disposition::Answered,
        cause: "NORMAL_CLEARING".parse().ok(),
    }
}

pub async fn keep(tx: &mut Tx, tenant: TenantId, instance: InstanceId, call: &str, part: &CallPart) {
    let call: PbxCallId = call.parse().unwrap();
    let of = OfCall {
        id: CallRecordId::fresh(&SystemIds),
        tenant,
        instance,
        call: &call,
        is_rough: false,
    };
    call_records::keep(tx, of, part, |domain| domain == ACME || domain == GLOBEX)
        .await
        .unwrap();
}

pub async fn all(store: &Store, tenant: TenantId, seen: Seen, filter: CallFilter) -> Vec<CallRecord> {
    let mut tx = store.read("calls").await.unwrap();
    let mut query = CallQuery {
        filter,
        after: None,
        per_page: 2,
    };
    let mut calls = Vec::new();
    loop {
        let page = call_records::list(&mut tx, tenant, seen, &query).await.unwrap();
        assert!(page.calls.len() <= 2);
        calls.extend(page.calls);
        query.after = page.next;
        if query.after.is_none() {
            return calls;
        }
    }
}

pub fn froms(calls: &[CallRecord]) -> Vec<&str> {
    calls
        .iter()
        .map(|call| call.from_number.as_ref().unwrap().as_str())
        .collect()
}

pub struct Office {
    pub store: Store,
    bench: Bench,
    pub world: World,
    ann: Extension,
    bob: Extension,
    cleo: Extension,
}

impl Office {
    pub async fn new(backend: Backend) -> Self {
        let (bench, store) = Bench::migrated(backend).await;
        let world = World::store(&store).await;
        let ann = store_extension(&store, world.acme.id, "1001", "Ann").await;
        let bob = store_extension(&store, world.acme.id, "1002", "Bob").await;
        let cleo = store_extension(&store, world.acme.id, "1003", "Cleo").await;
        Self {
            store,
            bench,
            world,
            ann,
            bob,
            cleo,
        }
    }

    pub async fn keep(&self, tenant: TenantId, call: &str, part: &CallPart) {
        let mut tx = self.store.begin("keep").await.unwrap();
        keep(&mut tx, tenant, self.world.instance.id, call, part).await;
        tx.commit().await.unwrap();
    }

    /// An agent whose phone this is.
    async fn agent(&self, email: &str, extension: Option<&Extension>) -> UserId {
        let mut tx = self.store.begin("agent").await.unwrap();
        let mut user = add(&mut tx, email, Some((self.world.acme.id, Rank::Agent))).await;
        user.extension_id = extension.map(|extension| extension.id);
        users::set_person(
            &mut tx,
            user.id,
            &user.name,
            &user.contact,
            user.extension_id,
            now(),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        user.id
    }

    pub async fn seen(&self, seen: Seen) -> Vec<CallRecord> {
        all(&self.store, self.world.acme.id, seen, CallFilter::default()).await
    }
}

#[rstest]
#[tokio::test]
async fn a11_a_call_is_one_record_however_often_and_in_which_order_it_is_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    let mut first = part("1.0", 1, ("1001", "1002"), ACME, 0);
    (first.answered, first.disposition) = (None, Disposition::NoAnswer);
    let second = part("1.0", 2, ("1001", "1003"), ACME, 5);
    let mut records = Vec::new();
    for told in [&second, &first, &second, &first] {
        office.keep(acme, "1.0", told).await;
        records.push(office.seen(Seen::All).await);
    }
    assert_eq!(records.pop(), records.pop());
    let call = &office.seen(Seen::All).await[0];
    assert_eq!(office.seen(Seen::All).await.len(), 1);
    let mut extensions = vec![office.ann.id, office.bob.id, office.cleo.id];
    extensions.sort();
    assert_eq!(call.extension_ids, extensions);
    assert_eq!((call.duration, call.billable), (10, 4));
    assert_eq!((call.started_at, call.answered_at), (at(0), Some(at(6 * SECOND))));
    assert_eq!(call.to_number, CallText::of("1002"));
    assert_eq!(call.from_name, CallText::of("=Ann"));
    assert_eq!(call.disposition, Disposition::Answered);
    assert_eq!(call.hangup_cause.as_ref().unwrap().as_str(), "NORMAL_CLEARING");
}

#[rstest]
#[tokio::test]
async fn a11_who_was_taken_for_the_one_that_was_dialled_does_not_stay_so(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    let first = part("1.0", 1, ("1001", "1002"), ACME, 0);
    // A later part, which tells a number as dialled that no phone of the call has.
    let mut second = part("1.0", 2, ("1001", "1002"), ACME, 5);
    second.to = CallText::of("1003");
    let extensions = async || office.seen(Seen::All).await.remove(0).extension_ids;
    office.keep(acme, "1.0", &second).await;
    assert!(extensions().await.contains(&office.cleo.id));
    office.keep(acme, "1.0", &first).await;
    let mut expected = vec![office.ann.id, office.bob.id];
    expected.sort();
    assert_eq!(extensions().await, expected);
}

#[rstest]
#[tokio::test]
async fn a11_one_id_on_two_pbxs_or_of_two_tenants_is_two_calls(#[values(Sqlite, Postgres)] backend: Backend) {
    let office = Office::new(backend).await;
    let World { acme, globex, .. } = &office.world;
    office
        .keep(acme.id, "1.0", &part("1.0", 1, ("1001", "1002"), ACME, 0))
        .await;
    office
        .keep(globex.id, "1.0", &part("1.0", 1, ("2001", "1001"), GLOBEX, 0))
        .await;
    let mut tx = office.store.begin("keep").await.unwrap();
    let elsewhere = InstanceId::fresh(&SystemIds);
    keep(
        &mut tx,
        acme.id,
        elsewhere,
        "1.0",
        &part("1.0", 1, ("1003", "1002"), ACME, 1),
    )
    .await;
    tx.commit().await.unwrap();
    assert_eq!(froms(&office.seen(Seen::All).await), ["1003", "1001"]);
    let theirs = all(&office.store, globex.id, Seen::All, CallFilter::default()).await;
    assert_eq!(froms(&theirs), ["2001"]);
    // C02: for another tenant there is none, by its id either.
    let mut tx = office.store.read("find").await.unwrap();
    for (tenant, is_there) in [(globex.id, true), (acme.id, false)] {
        let found = call_records::find(&mut tx, tenant, Seen::All, theirs[0].id)
            .await
            .unwrap();
        assert_eq!(found.is_some(), is_there);
    }
}

#[rstest]
#[tokio::test]
async fn a11_own_calls_are_those_in_which_the_own_extension_took_part(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    office
        .keep(acme, "1.0", &part("1.0", 1, ("1001", "1002"), ACME, 0))
        .await;
    office
        .keep(acme, "2.0", &part("2.0", 1, ("1001", "1003"), ACME, 10))
        .await;
    office
        .keep(acme, "3.0", &part("3.0", 1, ("1003", "1002"), ACME, 20))
        .await;
    let bob = office.agent("bob@example.com", Some(&office.bob)).await;
    let none = office.agent("dan@example.com", None).await;
    assert_eq!(froms(&office.seen(Seen::Own(Some(bob))).await), ["1003", "1001"]);
    assert_eq!(office.seen(Seen::Own(Some(none))).await, []);
    assert_eq!(office.seen(Seen::Own(None)).await, []);
    assert_eq!(office.seen(Seen::All).await.len(), 3);
    let hidden = office
        .seen(Seen::All)
        .await
        .into_iter()
        .find(|call| call.to_number == CallText::of("1003"));
    let mut tx = office.store.read("find").await.unwrap();
    let id = hidden.unwrap().id;
    assert_eq!(
        call_records::find(&mut tx, acme, Seen::Own(Some(bob)), id)
            .await
            .unwrap(),
        None
    );
    assert!(
        call_records::find(&mut tx, acme, Seen::All, id)
            .await
            .unwrap()
            .is_some()
    );
}

#[rstest]
#[tokio::test]
async fn a11_each_filter_finds_what_it_names_and_nothing_else(#[values(Sqlite, Postgres)] backend: Backend) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    office
        .keep(acme, "1.0", &part("1.0", 1, ("1001", "1002"), ACME, 0))
        .await;
    let mut inbound = part("2.0", 1, ("+4930%", "1003"), ACME, 10);
    (inbound.caller, inbound.answered, inbound.disposition) = (None, None, Disposition::Busy);
    office.keep(acme, "2.0", &inbound).await;
    let mut outbound = part("3.0", 1, ("1003", "+4940"), ACME, 20);
    (outbound.called, outbound.left) = (None, true);
    office.keep(acme, "3.0", &outbound).await;
    let found = async |filter: CallFilter| {
        let calls = all(&office.store, acme, Seen::All, filter).await;
        calls.iter().map(|call| call.call.to_string()).collect::<Vec<_>>()
    };
    let usual = CallFilter::default;
    let direction = |direction| CallFilter {
        direction: Some(direction),
        ..usual()
    };
    assert_eq!(found(direction(CallDirection::Internal)).await, ["1.0"]);
    assert_eq!(found(direction(CallDirection::Inbound)).await, ["2.0"]);
    assert_eq!(found(direction(CallDirection::Outbound)).await, ["3.0"]);
    let extension = |id| CallFilter {
        extension: Some(id),
        ..usual()
    };
    assert_eq!(found(extension(office.cleo.id)).await, ["3.0", "2.0"]);
    let number = |number: &str| CallFilter {
        number: Some(number.to_owned()),
        ..usual()
    };
    assert_eq!(found(number("1003")).await, ["3.0", "2.0"]);
    assert_eq!(found(number("+4930%")).await, ["2.0"]);
    assert!(found(number("100%")).await.is_empty() && found(number("100")).await.is_empty());
    let disposition = CallFilter {
        disposition: Some(Disposition::Busy),
        ..usual()
    };
    assert_eq!(found(disposition).await, ["2.0"]);
    let span = CallFilter {
        from: Some(at(10 * SECOND)),
        to: Some(at(20 * SECOND)),
        ..usual()
    };
    assert_eq!(found(span).await, ["2.0"]);
    assert_eq!(found(usual()).await, ["3.0", "2.0", "1.0"]);
}

#[rstest]
#[tokio::test]
async fn calls_of_one_moment_are_each_on_one_page(#[values(Sqlite, Postgres)] backend: Backend) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    for call in 0..5 {
        let channel = format!("{call}.0");
        office
            .keep(acme, &channel, &part(&channel, 1, ("1001", "1002"), ACME, 0))
            .await;
    }
    let mut found: Vec<String> = office
        .seen(Seen::All)
        .await
        .iter()
        .map(|call| call.call.to_string())
        .collect();
    found.sort();
    assert_eq!(found, ["0.0", "1.0", "2.0", "3.0", "4.0"]);
}

#[rstest]
#[tokio::test]
async fn a_record_stays_without_its_extension_and_goes_with_its_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let acme = office.world.acme.id;
    office
        .keep(acme, "1.0", &part("1.0", 1, ("1001", "1002"), ACME, 0))
        .await;
    let mut tx = office.store.begin("delete").await.unwrap();
    switchyard::store::extensions::delete(&mut tx, acme, office.bob.id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(
        office.seen(Seen::All).await[0]
            .extension_ids
            .contains(&office.bob.id)
    );
    let mut tx = office.store.begin("delete").await.unwrap();
    tenant_lifecycle::delete(&mut tx, acme).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(office.seen(Seen::All).await, []);
    for table in ["call_records", "call_record_parts", "call_record_extensions"] {
        let rows = office
            .bench
            .ask(format!("select count(*) || '' from {table}"))
            .await;
        assert_eq!(rows, ["0"], "{table}");
    }
}
