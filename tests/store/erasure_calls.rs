//! Somebody who is taken out of records of calls: their number, name and phone go, and nobody else's, and nothing of another tenant.

use std::collections::BTreeSet;

use rstest::rstest;
use switchyard::domain::call_part::{CallPart, Phone};
use switchyard::domain::call_record::CallRecord;
use switchyard::domain::call_text::CallText;
use switchyard::domain::extension::Extension;
use switchyard::domain::ids::{CallRecordId, TenantId};
use switchyard::domain::sip_domain::SipDomain;
use switchyard::domain::stranger::Stranger;
use switchyard::store::call_records::{self, Seen};
use switchyard::store::{Store, erasure_rows};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, part};
use super::erasure_finds::{GLOBEX, told};
use super::samples::{World, store_extension};

const PSEUDONYM: &str = "erased-4711";

fn stranger(number: &str) -> Stranger {
    Stranger::new(number, CallText::of(PSEUDONYM).unwrap()).unwrap()
}

/// Two tenants with the same extensions and the same call: 1001 calls 1002, and is forwarded to 1003.
struct Calls {
    bench: Bench,
    store: Store,
    world: World,
    extensions: [Extension; 3],
    own: CallRecordId,
    theirs: CallRecordId,
}

impl Calls {
    async fn new(backend: Backend) -> Self {
        let (bench, store) = Bench::migrated(backend).await;
        let world = World::store(&store).await;
        let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
        for number in ["1001", "1002", "1003"] {
            store_extension(&store, globex, number, "x").await;
        }
        let extensions = [
            store_extension(&store, acme, "1001", "Ann").await,
            store_extension(&store, acme, "1002", "Bob").await,
            store_extension(&store, acme, "1003", "Cleo").await,
        ];
        let mut tx = store.begin("calls").await.unwrap();
        let mut ids = Vec::new();
        for (tenant, domain) in [(acme, ACME), (globex, GLOBEX)] {
            for (sequence, to) in [(1, "1002"), (2, "1003")] {
                let one = part("1.0", sequence, ("1001", to), domain, i64::from(sequence));
                ids.push(told(&mut tx, tenant, here, "1.0", &one).await);
            }
        }
        tx.commit().await.unwrap();
        Self {
            bench,
            store,
            world,
            extensions,
            own: ids[0],
            theirs: ids[2],
        }
    }

    async fn leave(&self, tenant: TenantId, call: CallRecordId, number: &str) -> bool {
        let domains = [ACME].map(|domain| domain.parse::<SipDomain>().unwrap());
        let mut tx = self.store.begin("leave").await.unwrap();
        let domains = BTreeSet::from(domains);
        let left = erasure_rows::leave_call(&mut tx, tenant, call.uuid(), &stranger(number), &domains)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        left
    }

    async fn tell(&self, part: &CallPart) {
        let mut tx = self.store.begin("tell").await.unwrap();
        told(&mut tx, self.world.acme.id, self.world.instance.id, "1.0", part).await;
        tx.commit().await.unwrap();
    }

    async fn call(&self, tenant: TenantId, id: CallRecordId) -> CallRecord {
        let mut tx = self.store.read("call").await.unwrap();
        call_records::find(&mut tx, tenant, Seen::All, id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn own(&self) -> CallRecord {
        self.call(self.world.acme.id, self.own).await
    }

    /// All that is told of the calls of the tenant: record by record, part by part.
    async fn texts(&self) -> Vec<String> {
        let own = "record_id in (select r.id from call_records r join tenants t on t.id = r.tenant_id \
                   where t.domain = 'acme.example.com')";
        let parts = format!("select cast(told as text) from call_record_parts where {own} order by part");
        let mut all = self.bench.ask(parts).await;
        let records = "select coalesce(from_number, '') || ' ' || coalesce(from_name, '') || ' ' || coalesce(to_number, '') \
                       from call_records r join tenants t on t.id = r.tenant_id where t.domain = 'acme.example.com'";
        all.extend(self.bench.ask(records.to_owned()).await);
        all
    }
}

#[rstest]
#[case::the_caller("1001", [PSEUDONYM, "", "1002"], &[1, 2])]
#[case::who_was_called("1002", ["1001", "=Ann", PSEUDONYM], &[0, 2])]
#[case::who_was_forwarded_to("1003", ["1001", "=Ann", "1002"], &[0, 1])]
#[tokio::test]
async fn a22_somebody_is_taken_out_of_a_calls_record_parts_and_phones(
    #[case] number: &str,
    #[case] texts: [&str; 3],
    #[case] left: &[usize],
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let calls = Calls::new(backend).await;
    let (acme, globex) = (calls.world.acme.id, calls.world.globex.id);
    let (before, theirs) = (calls.own().await, calls.call(globex, calls.theirs).await);
    // Neither by another tenant's hand, nor where they are not in it.
    assert!(!calls.leave(globex, calls.own, number).await);
    assert!(!calls.leave(acme, calls.theirs, number).await);
    for other in ["1004", "100", "10011", "+1001"] {
        assert!(!calls.leave(acme, calls.own, other).await, "{other}");
    }
    assert_eq!(calls.own().await, before);
    assert!(calls.leave(acme, calls.own, number).await);
    let [from, name, to] = texts.map(CallText::of);
    let mut extension_ids: Vec<_> = left.iter().map(|index| calls.extensions[*index].id).collect();
    extension_ids.sort();
    let after = CallRecord {
        from_number: from,
        from_name: name,
        to_number: to,
        extension_ids,
        ..before
    };
    assert_eq!(calls.own().await, after);
    for text in calls.texts().await {
        assert!(!text.contains(number), "{text}");
        assert!(number != "1001" || !text.contains("Ann"), "{text}");
    }
    assert!(!calls.leave(acme, calls.own, number).await, "once is enough");
    assert_eq!(calls.call(globex, calls.theirs).await, theirs);
}

/// The phone of an extension shows another number than its own: that number is erased.
#[rstest]
#[tokio::test]
async fn a22_who_is_known_by_a_number_that_a_phone_shows_leaves_no_name_in_the_record(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let calls = Calls::new(backend).await;
    for (sequence, to) in [(1, "1002"), (2, "1003")] {
        let mut shown = part("1.0", sequence, ("1001", to), ACME, i64::from(sequence));
        shown.from_number = CallText::of("+4930123");
        calls.tell(&shown).await;
    }
    assert!(calls.leave(calls.world.acme.id, calls.own, "+4930123").await);
    for text in calls.texts().await {
        assert!(!text.contains("+4930123") && !text.contains("Ann"), "{text}");
    }
}

/// Legs of whoever was called tell no phone that called, and show what the caller shows.
#[rstest]
#[tokio::test]
async fn a22_who_shows_another_number_leaves_it_in_no_leg_of_whoever_was_called_and_others_keep_theirs(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let calls = Calls::new(backend).await;
    let shown = |sequence, of_called: bool, from: &str, name: &str| {
        let mut part = part("1.0", sequence, ("1001", "1002"), ACME, i64::from(sequence));
        (part.from_number, part.from_name) = (CallText::of(from), CallText::of(name));
        if of_called {
            (part.caller, part.is_of_called) = (None, true);
        }
        part
    };
    let mut cleo = shown(6, false, "+4930123", "Cleo");
    cleo.caller = Phone::of("1003", ACME);
    for part in [
        // The first of all is of whoever was called: the record says what it shows.
        shown(0, true, "+4930123", "Ann Medlar"),
        shown(1, false, "+4930123", "Ann Medlar"),
        shown(2, false, "+4930123", "Ann Medlar"),
        shown(3, true, "+4930100", "Ann Medlar"),
        shown(4, true, "+4930123", "Ann M."),
        shown(5, true, "+4930999", "Bob"),
        cleo,
    ] {
        calls.tell(&part).await;
    }
    let before = calls.own().await;
    assert_eq!(before.from_number, CallText::of("+4930123"));
    assert_eq!(before.from_name, CallText::of("Ann Medlar"));
    assert!(calls.leave(calls.world.acme.id, calls.own, "1001").await);
    let texts = calls.texts().await;
    for text in &texts {
        assert!(!text.contains("Ann"), "{text}");
        assert!(!text.contains("+4930123") || text.contains("Cleo"), "{text}");
    }
    let with = |name: &str| texts.iter().filter(|text| text.contains(name)).count();
    assert_eq!(
        ["+4930100", "+4930999", "Bob", "+4930123", "Cleo"].map(with),
        [1, 1, 1, 1, 1],
        "{texts:?}"
    );
    let after = calls.own().await;
    assert_eq!(
        (after.from_number, after.from_name),
        (CallText::of(PSEUDONYM), None)
    );
    assert!(
        !calls.leave(calls.world.acme.id, calls.own, "1001").await,
        "once is enough"
    );
}

#[rstest]
#[tokio::test]
async fn a22_a_part_of_others_that_is_told_late_changes_nothing_of_what_was_erased(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let calls = Calls::new(backend).await;
    assert!(calls.leave(calls.world.acme.id, calls.own, "1001").await);
    let before = calls.own().await;
    let mut late = part("1.0", 3, ("1002", "1003"), ACME, 3);
    late.from_name = None;
    calls.tell(&late).await;
    let after = calls.own().await;
    assert_eq!(after.from_number, before.from_number);
    assert_eq!(after.from_name, None);
    assert_eq!(after.to_number, before.to_number);
    assert_eq!(after.extension_ids, before.extension_ids);
    assert_eq!(after.direction, before.direction, "it is what it was");
}

#[rstest]
#[tokio::test]
async fn a22_a_part_of_theirs_that_is_told_late_does_not_bring_them_back(
    #[values(3, 1)] sequence: u32,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let calls = Calls::new(backend).await;
    assert!(calls.leave(calls.world.acme.id, calls.own, "1001").await);
    let late = part("1.0", sequence, ("1001", "1002"), ACME, 1);
    calls.tell(&late).await;
    for text in calls.texts().await {
        assert!(!text.contains("1001") && !text.contains("Ann"), "{text}");
    }
}

#[rstest]
#[tokio::test]
async fn a22_a_call_that_is_removed_goes_with_its_parts_and_is_the_tenants_own(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let calls = Calls::new(backend).await;
    let (acme, globex) = (calls.world.acme.id, calls.world.globex.id);
    let mut tx = calls.store.begin("remove").await.unwrap();
    let mut removed = Vec::new();
    for (tenant, id) in [
        (globex, calls.own),
        (acme, calls.theirs),
        (acme, calls.own),
        (acme, calls.own),
    ] {
        removed.push(
            erasure_rows::remove_call(&mut tx, tenant, id.uuid())
                .await
                .unwrap(),
        );
    }
    assert_eq!(removed, [false, false, true, false]);
    tx.commit().await.unwrap();
    assert_eq!(calls.texts().await, [""; 0]);
    let left = "select (select count(*) from call_record_parts) || ' ' || (select count(*) from call_record_extensions)";
    assert_eq!(calls.bench.ask(left.to_owned()).await, ["2 3"]);
}
