//! What is found of a person: what names them as a whole, in the time that is theirs, and nothing of another tenant.

use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;
use switchyard::domain::call_part::CallPart;
use switchyard::domain::call_text::{CallText, PbxCallId};
use switchyard::domain::change::{Change, ChangeKind, FieldChange};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Scope};
use switchyard::domain::export::Span;
use switchyard::domain::finding::Finding;
use switchyard::domain::ids::{
    CallRecordId, IdSource as _, InstanceId, RecordingId, RevisionId, SystemIds, TenantId,
};
use switchyard::domain::recording::FoundRecording;
use switchyard::domain::role::Rank;
use switchyard::domain::ticket::TicketState;
use switchyard::store::call_records::{self, OfCall};
use switchyard::store::{Tx, deployments, erasure_finds, recordings, ticket_comments, tickets};
use uuid::Uuid;

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, SECOND, part};
use super::export_pages::change;
use super::samples::{World, at, deployment};
use super::tickets::{comment, looked_after, opened};
use super::users::{add, now, two_tenants};

pub const GLOBEX: &str = "globex.example.com";

/// Keeps a part of a call; gives the call's record.
pub async fn told(
    tx: &mut Tx,
    tenant: TenantId,
    instance: InstanceId,
    call: &str,
    part: &CallPart,
) -> CallRecordId {
    let call: PbxCallId = call.parse().unwrap();
    let of = OfCall {
        id: CallRecordId::fresh(&SystemIds),
        tenant,
        instance,
        call: &call,
        is_rough: false,
    };
    let is_own = |domain: &str| domain == ACME || domain == GLOBEX;
    call_records::keep(tx, of, part, is_own).await.unwrap()
}

/// An id as it is written in SQL.
pub fn sql_id(backend: Backend, id: Uuid) -> String {
    match backend {
        Sqlite => format!("x'{}'", id.simple()),
        Postgres => format!("'{id}'::uuid"),
    }
}

pub fn span(from: Option<Timestamp>, to: Option<Timestamp>) -> Span {
    Span { from, to }
}

#[rstest]
#[tokio::test]
async fn a22_calls_are_found_by_a_whole_number_wherever_it_stands_in_their_time_and_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
    let mut tx = store.begin("calls").await.unwrap();
    let calls = [
        ("+493012", "1001"),
        ("1001", "+493012"),
        ("+4930123", "1001"),
        ("1001", "493012"),
        ("1_01", "a\"b\\%c"),
        ("1x01", "a\"b\\dc"),
    ];
    let mut ids = Vec::new();
    for (second, numbers) in (0..).zip(calls) {
        let call = format!("{second}.0");
        let call_part = part(&call, 1, numbers, ACME, second);
        ids.push(told(&mut tx, acme, here, &call, &call_part).await);
    }
    // Forwarded, and its name is somebody's number.
    let mut first = part("7.0", 1, ("1002", "1001"), ACME, 7);
    first.from_name = CallText::of("say \"+4930199\"");
    let forwarded = told(&mut tx, acme, here, "7.0", &first).await;
    let second = part("7.0", 2, ("1002", "+493012"), ACME, 9);
    assert_eq!(told(&mut tx, acme, here, "7.0", &second).await, forwarded);
    let second = part("5.0", 2, ("1001", "2_%\\\"3"), ACME, 9);
    told(&mut tx, acme, here, "5.0", &second).await;
    let theirs = part("1.0", 1, ("+493012", "1001"), GLOBEX, 1);
    let theirs = told(&mut tx, globex, here, "1.0", &theirs).await;
    let all = Span::default();
    let second = |second: i64| Some(at(second * SECOND));
    for (number, within, expected) in [
        ("+493012", all, vec![ids[0], ids[1], forwarded]),
        ("+493012", span(second(1), None), vec![ids[1], forwarded]),
        // A call is as old as its beginning, whenever the part was that names it.
        ("+493012", span(second(1), second(7)), vec![ids[1]]),
        ("+493012", span(second(8), None), vec![]),
        ("+493012", span(None, second(1)), vec![ids[0]]),
        ("+4930123", all, vec![ids[2]]),
        ("493012", all, vec![ids[3]]),
        ("+49301", all, vec![]),
        ("+49301_", all, vec![]),
        ("+4930%", all, vec![]),
        ("%", all, vec![]),
        ("_", all, vec![]),
        ("\\", all, vec![]),
        ("\"", all, vec![]),
        ("\\%", all, vec![]),
        ("+4930199", all, vec![]),
        ("1_01", all, vec![ids[4]]),
        ("a\"b\\%c", all, vec![ids[4]]),
        ("a\"b\\dc", all, vec![ids[5]]),
        ("2_%\\\"3", all, vec![ids[5]]),
        ("2_%\\\"_", all, vec![]),
        ("2x%\\\"3", all, vec![]),
    ] {
        let mut expected = expected;
        expected.sort();
        let found = erasure_finds::calls_naming(&mut tx, acme, number, within).await;
        assert_eq!(found.unwrap(), expected, "{number} {within:?}");
    }
    let found = erasure_finds::calls_naming(&mut tx, globex, "+493012", all).await;
    assert_eq!(found.unwrap(), [theirs]);
}

/// Whoever is to erase it tells that it stays: it is not passed over.
#[rstest]
#[tokio::test]
async fn a22_a_call_that_cannot_be_read_is_found_where_it_may_name_the_number(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, here) = (world.acme.id, world.instance.id);
    let mut tx = store.begin("calls").await.unwrap();
    let mut ids = Vec::new();
    for (call, from) in [("1.0", "+493012"), ("2.0", "+493012"), ("3.0", "+493013")] {
        let told_of = part(call, 1, (from, "1001"), ACME, 1);
        ids.push(told(&mut tx, acme, here, call, &told_of).await);
    }
    tx.commit().await.unwrap();
    bench
        .sql("update call_record_parts set told = '{}' where channel <> '1.0'")
        .await;
    let mut tx = store.read("found").await.unwrap();
    let found = erasure_finds::calls_naming(&mut tx, acme, "+493012", Span::default()).await;
    ids.truncate(2);
    ids.sort();
    assert_eq!(found.unwrap(), ids);
}

#[rstest]
#[tokio::test]
async fn a22_recordings_and_messages_are_found_of_the_tenants_own_calls_and_mail_boxes(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
    let mut tx = store.begin("recorded").await.unwrap();
    let mut calls = Vec::new();
    let mut files = Vec::new();
    for (tenant, domain) in [(acme, ACME), (globex, GLOBEX)] {
        // Two parts of one channel, and one of another.
        for (channel, sequence) in [("1.0", 1), ("1.0", 2), ("2.0", 3)] {
            let one = part(channel, sequence, ("1001", "1002"), domain, 1);
            calls.push(told(&mut tx, tenant, here, "1.0", &one).await);
        }
        let other = part("3.0", 1, ("1001", "1002"), domain, 1);
        told(&mut tx, tenant, here, "3.0", &other).await;
        for channel in ["1.0", "2.0", "3.0"] {
            let id = RecordingId::fresh(&SystemIds);
            let file = FoundRecording {
                path: format!("{domain}/{channel}.wav").parse().unwrap(),
                bytes: 1,
                written_at: at(SECOND),
            };
            recordings::put(&mut tx, id, tenant, here, &file).await.unwrap();
            files.push(id);
        }
    }
    let found = async |tx: &mut Tx, tenant, call| {
        let found = erasure_finds::recordings_of_call(tx, tenant, call).await;
        found.unwrap()
    };
    let on = |files: &[RecordingId]| Some((here, files.iter().copied().collect()));
    assert_eq!(found(&mut tx, acme, calls[0]).await, on(&files[..2]));
    assert_eq!(found(&mut tx, globex, calls[3]).await, on(&files[3..5]));
    assert_eq!(found(&mut tx, globex, calls[0]).await, None);
    assert_eq!(found(&mut tx, acme, calls[3]).await, None);
    let other = part("4.0", 1, ("1001", "1002"), ACME, 1);
    let unrecorded = told(&mut tx, acme, here, "4.0", &other).await;
    assert_eq!(found(&mut tx, acme, unrecorded).await, on(&[]));
    tx.commit().await.unwrap();
    let message = SystemIds.next();
    let [id, tenant, instance] = [message, acme.uuid(), here.uuid()].map(|id| sql_id(backend, id));
    let sql = format!(
        "insert into voicemail_messages (id, tenant_id, instance_id, domain, mailbox, message, folder, left_at, bytes) \
         values ({id}, {tenant}, {instance}, 'acme.example.com', '1001', 'm', 'INBOX', 1, 1)"
    );
    change(&bench, &sql).await;
    let mut tx = store.read("place").await.unwrap();
    let place = erasure_finds::place_of_message(&mut tx, acme, message).await;
    assert_eq!(place.unwrap(), Some(here));
    let place = erasure_finds::place_of_message(&mut tx, globex, message).await;
    assert_eq!(place.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a22_tickets_are_found_by_who_opened_them_or_has_them_and_comments_by_who_wrote_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("tickets").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((acme, Rank::Manager))).await;
    let (mut own, mut said, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for (tenant, after) in [(acme, 0), (acme, 1), (beta, 0)] {
        let by_ann = opened(&mut tx, tenant, &ann, after).await;
        let by_bob = opened(&mut tx, tenant, &bob, after).await;
        let of_ann = opened(&mut tx, tenant, &bob, after).await;
        let of_ann = looked_after(&mut tx, of_ann, &ann, TicketState::Open).await;
        let words = [comment(&ann, 5), comment(&bob, 6)];
        for said in &words {
            ticket_comments::insert(&mut tx, tenant, by_bob.id, said)
                .await
                .unwrap();
        }
        if tenant == acme {
            own.extend([by_ann.id.uuid(), of_ann.id.uuid()]);
            said.push(words[0].id.uuid());
        } else {
            theirs.extend([by_ann.id.uuid(), of_ann.id.uuid()]);
        }
        if after == 1 {
            assert!(tickets::archive(&mut tx, acme, by_ann.id, now()).await.unwrap());
        }
    }
    for ids in [&mut own, &mut said, &mut theirs] {
        ids.sort_unstable();
    }
    let of = ann.id.uuid();
    assert_eq!(erasure_finds::tickets(&mut tx, acme, of).await.unwrap(), own);
    assert_eq!(erasure_finds::tickets(&mut tx, beta, of).await.unwrap(), theirs);
    assert_eq!(erasure_finds::comments(&mut tx, acme, of).await.unwrap(), said);
    let nobody = SystemIds.next();
    assert!(
        erasure_finds::tickets(&mut tx, acme, nobody)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        erasure_finds::comments(&mut tx, acme, nobody)
            .await
            .unwrap()
            .is_empty()
    );
}

/// A record of a deploy that says what an extension was called, and what was wrong with it.
pub fn deployed(
    instance: InstanceId,
    scope: Scope,
    when: i64,
    of: TenantId,
    objects: [&str; 2],
) -> Deployment {
    let named = FieldChange {
        field: "name".to_owned(),
        before: json!("Ann"),
        after: json!("Anna"),
    };
    let revised = Change {
        fields: vec![named],
        ..Change::whole(ChangeKind::Changed, Some(of), objects[0])
    };
    let finding = Finding {
        tenant_id: Some(of),
        object: Some(objects[1].to_owned()),
        quote: Some("Ann".to_owned()),
        ..Finding::error("refused", "Ann's")
    };
    Deployment {
        status: DeploymentStatus::Rejected,
        changes: vec![revised],
        findings: vec![finding],
        ended_at: Some(at(when + 1)),
        ..deployment(instance, scope, when)
    }
}

#[rstest]
#[tokio::test]
async fn a22_deploys_are_found_that_have_ended_and_name_the_object_as_a_whole(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
    let of = |tenant_id| Scope::TenantStatus {
        tenant_id,
        revision_id: RevisionId::fresh(&SystemIds),
    };
    let (ann, other) = ("extension 1001", "extension 10012");
    let rows = [
        deployed(here, of(acme), 10, acme, [ann, other]),
        deployed(here, of(acme), 20, acme, [other, ann]),
        deployed(here, Scope::Platform, 30, acme, [ann, ann]),
        deployed(here, of(acme), 40, acme, [other, "extension 1_01"]),
        deployed(here, of(globex), 10, globex, [ann, ann]),
        Deployment {
            status: DeploymentStatus::Queued,
            ended_at: None,
            ..deployed(here, of(acme), 50, acme, [ann, ann])
        },
    ];
    let mut tx = store.begin("deploys").await.unwrap();
    for row in &rows {
        deployments::insert(&mut tx, row).await.unwrap();
    }
    let cases = [
        (acme, ann, None, None, vec![0, 1, 2]),
        (acme, ann, Some(20), Some(30), vec![1]),
        (acme, ann, Some(11), None, vec![1, 2]),
        (acme, ann, None, Some(10), vec![]),
        (acme, other, None, None, vec![0, 1, 3]),
        (acme, "extension 1_01", None, None, vec![3]),
        (acme, "extension 1%", None, None, vec![]),
        (acme, "extension 100", None, None, vec![]),
        (globex, ann, None, None, vec![2, 4]),
    ];
    for (tenant, object, from, to, expected) in cases {
        let mut expected: Vec<Uuid> = expected
            .into_iter()
            .map(|row: usize| rows[row].id.uuid())
            .collect();
        expected.sort_unstable();
        let within = span(from.map(at), to.map(at));
        let found = erasure_finds::deployments(&mut tx, tenant, object, within).await;
        assert_eq!(found.unwrap(), expected, "{object} {within:?}");
    }
}
