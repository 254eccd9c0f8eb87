//! Purges and what they remove, on both databases: what is older than a time and nothing else, counted with what counts it.

use rstest::rstest;
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Scope};
use switchyard::domain::ids::{InstanceId, PurgeId, RecordingId, SystemIds, TenantId};
use switchyard::domain::purge::{Amount, Batch, Purge, PurgeCursor, PurgePart, PurgeStatus};
use switchyard::domain::recording::FoundRecording;
use switchyard::domain::retention::{Days, Keep, RetentionKind, RetentionPolicy};
use switchyard::store::call_records::Seen;
use switchyard::store::purge_rows::Rows;
use switchyard::store::{
    Store, StoreError, deployments, instances, purge_rows, purges, recordings, retention, tenant_lifecycle,
};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::{ACME, Office, SECOND, froms, part};
use super::samples::{World, at, deployment, instance, instance_secrets, store_generation, store_revision};

fn days(days: i64) -> Keep {
    Keep::Days(Days::new(days).unwrap())
}

#[rstest]
#[tokio::test]
async fn a20_a_policy_is_one_tenants_and_is_replaced_as_a_whole(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut tx = store.begin("retention").await.unwrap();
    let (acme, globex) = (world.acme.id, world.globex.id);
    assert!(retention::find(&mut tx, acme).await.unwrap().is_forever());
    for calls in [days(7), days(8), Keep::Forever] {
        let policy = RetentionPolicy {
            call_records: calls,
            deployments: days(30),
            ..RetentionPolicy::default()
        };
        retention::put(&mut tx, acme, &policy).await.unwrap();
        assert_eq!(retention::find(&mut tx, acme).await.unwrap(), policy);
    }
    assert!(retention::find(&mut tx, globex).await.unwrap().is_forever());
    assert_eq!(retention::tenants(&mut tx).await.unwrap(), [acme]);
    retention::put(&mut tx, acme, &RetentionPolicy::default())
        .await
        .unwrap();
    assert_eq!(retention::tenants(&mut tx).await.unwrap(), []);
    // One that goes has nothing purged.
    let policy = RetentionPolicy {
        recordings: days(1),
        ..RetentionPolicy::default()
    };
    retention::put(&mut tx, globex, &policy).await.unwrap();
    tenant_lifecycle::let_go(&mut tx, globex, at(9)).await.unwrap();
    assert_eq!(retention::tenants(&mut tx).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn a20_of_one_tenants_calls_the_oldest_go_and_none_from_the_cutoff_on(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let office = Office::new(backend).await;
    let (acme, globex) = (office.world.acme.id, office.world.globex.id);
    for second in 0..5 {
        let (channel, number) = (format!("{second}.0"), format!("100{second}"));
        let told = part(&channel, 1, (&number, "1777"), ACME, second);
        office.keep(acme, &channel, &told).await;
        office.keep(globex, &channel, &told).await;
    }
    let mut tx = office.store.begin("purge").await.unwrap();
    let cutoff = at(3 * SECOND);
    let counted = purge_rows::count(&mut tx, acme, Rows::Calls, cutoff)
        .await
        .unwrap();
    assert_eq!(counted, Amount { found: 3, bytes: 0 });
    for expected in [2, 1, 0] {
        let deleted = purge_rows::delete(&mut tx, acme, Rows::Calls, cutoff, 2)
            .await
            .unwrap();
        assert_eq!(deleted, expected);
    }
    let left = purge_rows::count(&mut tx, globex, Rows::Calls, cutoff)
        .await
        .unwrap();
    assert_eq!(left.found, 3);
    tx.commit().await.unwrap();
    assert_eq!(froms(&office.seen(Seen::All).await), ["1004", "1003"]);
}

pub async fn recorded(
    store: &Store,
    world: &World,
    tenant: TenantId,
    instance: InstanceId,
    second: i64,
) -> RecordingId {
    let id = RecordingId::fresh(&SystemIds);
    let found = FoundRecording {
        path: format!(
            "{}/{second}.{}.wav",
            world.acme.domain,
            id.uuid().as_u128() % 1_000_000_007
        )
        .parse()
        .unwrap(),
        bytes: 100 + second,
        written_at: at(second * SECOND),
    };
    let mut tx = store.begin("recorded").await.unwrap();
    recordings::put(&mut tx, id, tenant, instance, &found)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

#[rstest]
#[tokio::test]
async fn a20_old_recordings_are_found_by_pbx_and_each_once_behind_the_last(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let second = instance("second");
    let mut tx = store.begin("second").await.unwrap();
    instances::insert(&mut tx, &second, &instance_secrets())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (acme, here, there) = (world.acme.id, world.instance.id, second.id);
    let mut expected = Vec::new();
    for second in [2, 0, 1, 1] {
        expected.push((second, recorded(&store, &world, acme, here, second).await));
    }
    recorded(&store, &world, acme, here, 3).await;
    recorded(&store, &world, acme, there, 0).await;
    recorded(&store, &world, world.globex.id, here, 0).await;
    expected.sort_by_key(|(second, id)| (*second, id.uuid()));
    let mut tx = store.read("old").await.unwrap();
    let cutoff = at(3 * SECOND);
    let places = purge_rows::places(&mut tx, acme, cutoff).await.unwrap();
    assert_eq!(places.len(), 2);
    assert_eq!(purge_rows::places(&mut tx, acme, at(0)).await.unwrap(), []);
    for (place, amount) in [(here, (4, 404)), (there, (1, 100))] {
        let counted = purge_rows::count_recordings(&mut tx, acme, place, cutoff)
            .await
            .unwrap();
        assert_eq!((counted.found, counted.bytes), amount);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let old = purge_rows::recordings(&mut tx, acme, here, cutoff, after, 1)
            .await
            .unwrap();
        let Some(one) = old.first() else { break };
        after = Some(one.cursor());
        found.push(one.id);
    }
    let expected: Vec<RecordingId> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(found, expected);
}

/// A record of a deploy that ended then.
async fn ended(store: &Store, instance: InstanceId, scope: Scope, second: i64) -> Deployment {
    let deployment = Deployment {
        status: DeploymentStatus::Rejected,
        ended_at: Some(at(second * SECOND)),
        ..deployment(instance, scope, (second - 1) * SECOND)
    };
    let mut tx = store.begin("ended").await.unwrap();
    deployments::insert(&mut tx, &deployment).await.unwrap();
    tx.commit().await.unwrap();
    deployment
}

#[rstest]
#[tokio::test]
async fn a20_of_deploys_stays_what_is_gone_back_to_and_what_decides_what_is_done_next(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, instance) = (world.acme.id, world.instance.id);
    let revision = store_revision(&store, acme).await;
    let generation = store_generation(&store, instance, &[&revision]).await;
    let of = |tenant_id| Scope::Tenant {
        tenant_id,
        revision_id: revision.id,
    };
    let status = Scope::TenantStatus {
        tenant_id: acme,
        revision_id: revision.id,
    };
    let mut gone = Vec::new();
    let mut stays = Vec::new();
    gone.push(ended(&store, instance, of(acme), 1).await.id);
    gone.push(ended(&store, instance, status, 2).await.id);
    // One that a kept generation is of: it can be gone back to.
    let live = Deployment {
        status: DeploymentStatus::Live,
        generation_id: Some(generation.id),
        generation: Some(generation.number),
        ended_at: Some(at(3 * SECOND)),
        ..deployment(instance, of(acme), 2 * SECOND)
    };
    let running = deployment(instance, of(acme), 3 * SECOND);
    let mut tx = store.begin("live").await.unwrap();
    deployments::insert(&mut tx, &live).await.unwrap();
    deployments::insert(&mut tx, &running).await.unwrap();
    tx.commit().await.unwrap();
    stays.extend([live.id, running.id]);
    // The newest ones of the status and of the configuration, another tenant's, and the platform's.
    stays.push(ended(&store, instance, status, 5).await.id);
    stays.push(ended(&store, instance, of(acme), 6).await.id);
    stays.push(ended(&store, instance, of(world.globex.id), 1).await.id);
    stays.push(ended(&store, instance, Scope::Platform, 1).await.id);

    let mut tx = store.begin("purge").await.unwrap();
    let cutoff = at(100 * SECOND);
    let early = purge_rows::count(&mut tx, acme, Rows::Deployments, at(2 * SECOND))
        .await
        .unwrap();
    assert_eq!(early.found, 1, "one ended in that moment");
    let counted = purge_rows::count(&mut tx, acme, Rows::Deployments, cutoff)
        .await
        .unwrap();
    assert_eq!(counted.found, 2);
    for expected in [1, 1, 0] {
        let deleted = purge_rows::delete(&mut tx, acme, Rows::Deployments, cutoff, 1)
            .await
            .unwrap();
        assert_eq!(deleted, expected);
    }
    for id in gone {
        assert_eq!(deployments::find_anywhere(&mut tx, id).await.unwrap(), None);
    }
    for id in stays {
        assert!(deployments::find_anywhere(&mut tx, id).await.unwrap().is_some());
    }
    // As soon as its generation is not kept any more, nothing can be gone back to.
    tx.commit().await.unwrap();
    bench.sql("update deployments set generation_id = null").await;
    let mut tx = store.read("count").await.unwrap();
    let counted = purge_rows::count(&mut tx, acme, Rows::Deployments, cutoff)
        .await
        .unwrap();
    assert_eq!(counted.found, 1);
}

pub fn purge(tenant: TenantId, second: i64) -> Purge {
    let part = |position, kind| PurgePart::new(position, kind, None, at(second * SECOND));
    Purge {
        id: PurgeId::fresh(&SystemIds),
        tenant_id: tenant,
        requested_by: "zoe@example.com".to_owned(),
        requested_at: at(second * SECOND),
        policy: RetentionPolicy {
            call_records: days(7),
            ..RetentionPolicy::default()
        },
        time: at(second * SECOND),
        status: PurgeStatus::Running,
        ended_at: None,
        parts: vec![
            part(0, RetentionKind::CallRecords),
            PurgePart {
                instance_id: Some(InstanceId::fresh(&SystemIds)),
                ..part(1, RetentionKind::Recordings)
            },
        ],
    }
}

#[rstest]
#[tokio::test]
async fn a20_what_a_purge_did_adds_up_until_its_end(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let mut asked = purge(acme, 10);
    let mut tx = store.begin("purge").await.unwrap();
    purges::insert(&mut tx, &asked, 2).await.unwrap();
    tx.commit().await.unwrap();
    // One at a time.
    let mut tx = store.begin("purge").await.unwrap();
    let refused = purges::insert(&mut tx, &purge(acme, 11), 2).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    drop(tx);

    let mut tx = store.begin("purge").await.unwrap();
    assert_eq!(
        purges::find(&mut tx, acme, asked.id).await.unwrap(),
        Some(asked.clone())
    );
    assert_eq!(purges::find(&mut tx, globex, asked.id).await.unwrap(), None);
    assert_eq!(purges::running_of(&mut tx, acme).await.unwrap(), Some(asked.id));
    assert_eq!(purges::running_of(&mut tx, globex).await.unwrap(), None);
    assert_eq!(purges::running(&mut tx).await.unwrap(), [(acme, asked.id)]);
    assert_eq!(
        purges::last_requested(&mut tx, acme).await.unwrap(),
        Some(at(10 * SECOND))
    );

    let amount = Amount { found: 5, bytes: 50 };
    assert!(
        purges::begin_part(&mut tx, acme, asked.id, 0, amount, None)
            .await
            .unwrap()
    );
    assert!(
        !purges::begin_part(&mut tx, acme, asked.id, 0, amount, None)
            .await
            .unwrap()
    );
    let after = PurgeCursor {
        at: 7,
        id: asked.id.uuid(),
    };
    let batches = [
        Batch {
            removed: 3,
            bytes: 30,
            kept: 1,
            detail: Some("a disk".to_owned()),
            after: Some(after),
            is_last: false,
        },
        Batch {
            removed: 1,
            bytes: 10,
            is_last: true,
            ..Batch::default()
        },
    ];
    // Another tenant's hand reaches none of it.
    assert_eq!(purges::part(&mut tx, globex, asked.id, 0).await.unwrap(), None);
    assert!(
        !purges::note(&mut tx, globex, asked.id, 0, &batches[0], at(19))
            .await
            .unwrap()
    );
    purges::set_back(&mut tx, acme, asked.id, 0, at(30))
        .await
        .unwrap();
    purges::set_back(&mut tx, acme, asked.id, 0, at(40))
        .await
        .unwrap();
    let part = purges::part(&mut tx, acme, asked.id, 0).await.unwrap().unwrap();
    assert_eq!((part.setbacks, part.retry_at), (2, Some(at(40))));
    for batch in &batches {
        assert!(
            purges::note(&mut tx, acme, asked.id, 0, batch, at(20))
                .await
                .unwrap()
        );
    }
    // It has ended, and counts no more.
    assert!(
        !purges::note(&mut tx, acme, asked.id, 0, &batches[0], at(21))
            .await
            .unwrap()
    );
    let first = asked.parts.first_mut().unwrap();
    (first.found, first.removed, first.bytes, first.kept) = (Some(amount), 4, 40, 1);
    // What goes on again has failed no more.
    (first.setbacks, first.retry_at) = (0, Some(at(40)));
    (first.detail, first.after, first.ended_at) = (Some("a disk".to_owned()), Some(after), Some(at(20)));
    assert_eq!(
        purges::find(&mut tx, acme, asked.id).await.unwrap(),
        Some(asked.clone())
    );
    assert_eq!(asked.outcome(), PurgeStatus::Running);
    assert!(
        purges::note(&mut tx, acme, asked.id, 1, &Batch::over("no disk"), at(22))
            .await
            .unwrap()
    );
    let done = purges::find(&mut tx, acme, asked.id).await.unwrap().unwrap();
    assert!(purges::end(&mut tx, &done, at(23)).await.unwrap());
    assert!(!purges::end(&mut tx, &done, at(24)).await.unwrap());
    let done = purges::find(&mut tx, acme, asked.id).await.unwrap().unwrap();
    assert_eq!((done.status, done.ended_at), (PurgeStatus::Partial, Some(at(23))));
    assert_eq!(purges::running(&mut tx).await.unwrap(), []);
    tx.commit().await.unwrap();
}
