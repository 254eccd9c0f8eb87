//! Deployments and their queue.

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use switchyard::domain::change::{Change, ChangeKind, FieldChange};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Scope};
use switchyard::domain::finding::Finding;
use switchyard::domain::ids::RevisionId;
use switchyard::domain::page::PageRequest;
use switchyard::store::{deployments, instances};
use uuid::Uuid;

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, deployment, instance, instance_secrets, store_generation, store_revision};

fn finding(message: &str) -> Finding {
    Finding::error("asterisk_refused", message)
        .about("extension 1001")
        .quoting("[x] \"y\"\tz")
}

fn change() -> Change {
    let fields = vec![FieldChange {
        field: "ring_time".into(),
        before: json!(null),
        after: json!(30),
    }];
    Change {
        fields,
        ..Change::whole(ChangeKind::Changed, None, "extension 1001")
    }
}

#[rstest]
#[tokio::test]
async fn every_field_comes_back(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let revision = store_revision(&store, world.acme.id).await;
    let generation = store_generation(&store, world.instance.id, &[&revision]).await;
    let tenant_id = world.acme.id;
    let full = Deployment {
        status: DeploymentStatus::Partial,
        requested_by: "Zoë <zoe@example.com>".into(),
        generation_id: Some(generation.id),
        generation: Some(generation.number),
        changes: vec![
            change(),
            Change::whole(ChangeKind::Removed, Some(tenant_id), "extension 1002"),
        ],
        findings: vec![finding("a").of_tenant(tenant_id), Finding::warning("x", "y")],
        ended_at: Some(at(60)),
        ..deployment(
            world.instance.id,
            Scope::TenantRollback {
                tenant_id,
                revision_id: some_revision(),
            },
            50,
        )
    };
    let plain = deployment(
        world.instance.id,
        Scope::Tenant {
            tenant_id,
            revision_id: some_revision(),
        },
        51,
    );
    let platform = deployment(world.instance.id, Scope::Platform, 52);
    let mut tx = store.begin("insert").await.unwrap();
    for expected in [&full, &plain, &platform] {
        deployments::insert(&mut tx, expected).await.unwrap();
        let found = deployments::find(&mut tx, world.instance.id, expected.id)
            .await
            .unwrap();
        assert_eq!(found.as_ref(), Some(expected));
    }
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn c02_a_tenant_sees_its_own_deployments_only(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let own = Scope::Tenant {
        tenant_id: world.acme.id,
        revision_id: some_revision(),
    };
    let (old, new) = (
        deployment(world.instance.id, own, 50),
        deployment(world.instance.id, own, 51),
    );
    let foreign = deployment(
        world.instance.id,
        Scope::Tenant {
            tenant_id: world.globex.id,
            revision_id: some_revision(),
        },
        52,
    );
    let platform = deployment(world.instance.id, Scope::Platform, 53);
    let elsewhere = instance("elsewhere");
    let mut tx = store.begin("look").await.unwrap();
    for row in [&old, &new, &foreign, &platform] {
        deployments::insert(&mut tx, row).await.unwrap();
    }
    let acme = world.acme.id;
    assert_eq!(
        deployments::find_of_tenant(&mut tx, acme, old.id)
            .await
            .unwrap()
            .as_ref(),
        Some(&old)
    );
    assert_eq!(
        deployments::find_of_tenant(&mut tx, acme, foreign.id)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        deployments::find_of_tenant(&mut tx, acme, platform.id)
            .await
            .unwrap(),
        None
    );
    let page = deployments::list_of_tenant(&mut tx, acme, PageRequest::default())
        .await
        .unwrap();
    assert_eq!((page.total, page.items), (2, vec![new.clone(), old.clone()]));

    let id = world.instance.id;
    let page = deployments::list_of_instance(&mut tx, id, PageRequest::new(1, 3).unwrap())
        .await
        .unwrap();
    assert_eq!((page.total, page.items), (4, vec![platform, foreign, new]));
    instances::insert(&mut tx, &elsewhere, &instance_secrets())
        .await
        .unwrap();
    assert_eq!(
        deployments::find(&mut tx, elsewhere.id, old.id).await.unwrap(),
        None
    );
    let page = deployments::list_of_instance(&mut tx, elsewhere.id, PageRequest::default())
        .await
        .unwrap();
    assert_eq!(page.total, 0);
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn the_queue_is_served_in_the_order_of_requests_whatever_the_time_and_equal_ones_are_found(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    let tenant = Scope::Tenant {
        tenant_id: world.acme.id,
        revision_id: some_revision(),
    };
    let back = Scope::TenantRollback {
        tenant_id: world.acme.id,
        revision_id: some_revision(),
    };
    let rows = [
        deployment(id, tenant, 53),
        deployment(id, Scope::Platform, 51),
        deployment(id, tenant, 52),
        deployment(id, back, 54),
        deployment(
            id,
            Scope::Tenant {
                tenant_id: world.globex.id,
                revision_id: some_revision(),
            },
            55,
        ),
    ];
    let other = instance("other");
    let mut tx = store.begin("queue").await.unwrap();
    instances::insert(&mut tx, &other, &instance_secrets())
        .await
        .unwrap();
    let running = Deployment {
        status: DeploymentStatus::Applying,
        ..deployment(other.id, Scope::Platform, 1)
    };
    for row in [&deployment(other.id, Scope::Platform, 1), &running] {
        deployments::insert(&mut tx, row).await.unwrap();
    }
    for row in &rows {
        deployments::insert(&mut tx, row).await.unwrap();
    }
    let equal = deployments::queued_equal(&mut tx, id, &tenant).await.unwrap();
    assert_eq!(equal, [rows[0].clone(), rows[2].clone()]);
    assert_eq!(
        deployments::queued_equal(&mut tx, id, &Scope::Platform)
            .await
            .unwrap(),
        [rows[1].clone()]
    );
    assert_eq!(
        deployments::queued_equal(&mut tx, id, &back).await.unwrap(),
        [rows[3].clone()]
    );

    assert_eq!(deployments::unfinished(&mut tx, id).await.unwrap(), []);
    for (next, status) in [
        (&rows[0], DeploymentStatus::Planning),
        (&rows[1], DeploymentStatus::Validating),
        (&rows[2], DeploymentStatus::Applying),
        (&rows[3], DeploymentStatus::Verifying),
    ] {
        let found = deployments::next_queued(&mut tx, id).await.unwrap().unwrap();
        assert_eq!(found, *next);
        assert!(deployments::set_status(&mut tx, found.id, status).await.unwrap());
    }
    assert!(
        deployments::end(&mut tx, rows[4].id, DeploymentStatus::Superseded, &[], at(70))
            .await
            .unwrap()
    );
    assert_eq!(deployments::next_queued(&mut tx, id).await.unwrap(), None);
    assert_eq!(deployments::queued_equal(&mut tx, id, &tenant).await.unwrap(), []);
    let unfinished = deployments::unfinished(&mut tx, id).await.unwrap();
    assert_eq!(
        unfinished.iter().map(|row| row.id).collect::<Vec<_>>(),
        [rows[0].id, rows[1].id, rows[2].id, rows[3].id]
    );
    tx.commit().await.unwrap();
}

/// Those that wait for the upgrade keep their order, and what comes later is behind them.
#[rstest]
#[tokio::test]
async fn a_queue_of_before_the_upgrade_keeps_its_order(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    let rows = [53, 51, 52].map(|created| deployment(id, Scope::Platform, created));
    let mut tx = store.begin("before").await.unwrap();
    for row in &rows {
        deployments::insert(&mut tx, row).await.unwrap();
    }
    tx.commit().await.unwrap();
    bench.sql("drop index deployments_open").await;
    bench
        .sql("alter table deployments drop column queue_number")
        .await;
    bench.sql("drop table deployment_queues").await;
    bench
        .sql("create index deployments_open on deployments (instance_id, created_at, id)")
        .await;
    bench.forget_migration("queue_numbers").await;
    store.database().migrate().await.unwrap();

    let mut tx = store.begin("after").await.unwrap();
    let later = deployment(id, Scope::Platform, 1);
    deployments::insert(&mut tx, &later).await.unwrap();
    let queue = deployments::queued_equal(&mut tx, id, &Scope::Platform)
        .await
        .unwrap();
    let [third, first, second] = rows;
    assert_eq!(queue, [first, second, third, later]);
}

/// Nobody gets the place of another, and a request that was given up leaves no gap that anybody waits for.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_queue_one_behind_the_other(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let id = world.instance.id;
    let requests = (0..30).map(|place| {
        let store = store.clone();
        async move {
            let row = deployment(id, Scope::Platform, place);
            let mut tx = store.begin("request").await.unwrap();
            deployments::insert(&mut tx, &row).await.unwrap();
            if place % 3 == 0 {
                drop(tx);
            } else {
                tx.commit().await.unwrap();
            }
        }
    });
    join_all(requests).await;
    let mut tx = store.begin("look").await.unwrap();
    let queue = deployments::queued_equal(&mut tx, id, &Scope::Platform)
        .await
        .unwrap();
    assert_eq!(queue.len(), 20);
    let next = deployments::next_queued(&mut tx, id).await.unwrap();
    assert_eq!(next.as_ref(), queue.first());
}

#[rstest]
#[tokio::test]
async fn a_deployment_gathers_findings_and_ends_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let generation = store_generation(&store, world.instance.id, &[]).await;
    let row = deployment(world.instance.id, Scope::Platform, 50);
    let mut tx = store.begin("deploy").await.unwrap();
    deployments::insert(&mut tx, &row).await.unwrap();
    let (id, changes) = (row.id, [change()]);
    assert!(
        deployments::set_plan(&mut tx, id, Some(&generation), &changes)
            .await
            .unwrap()
    );
    assert!(
        deployments::add_findings(&mut tx, id, &[finding("one"), finding("two")])
            .await
            .unwrap()
    );
    assert!(deployments::add_findings(&mut tx, id, &[]).await.unwrap());
    let last = [finding("a NUL \0 of the PBX")];
    assert!(
        deployments::end(&mut tx, id, DeploymentStatus::Failed, &last, at(61))
            .await
            .unwrap()
    );

    let ended = Deployment {
        status: DeploymentStatus::Failed,
        generation_id: Some(generation.id),
        generation: Some(generation.number),
        changes: changes.to_vec(),
        findings: vec![
            finding("one"),
            finding("two"),
            finding("a NUL \u{FFFD} of the PBX"),
        ],
        ended_at: Some(at(61)),
        ..row
    };
    assert!(
        !deployments::end(&mut tx, id, DeploymentStatus::Live, &[], at(62))
            .await
            .unwrap()
    );
    assert!(
        !deployments::set_status(&mut tx, id, DeploymentStatus::Applying)
            .await
            .unwrap()
    );
    assert!(!deployments::set_plan(&mut tx, id, None, &[]).await.unwrap());
    assert!(
        !deployments::add_findings(&mut tx, id, &[finding("late")])
            .await
            .unwrap()
    );
    assert_eq!(
        deployments::find(&mut tx, world.instance.id, id).await.unwrap(),
        Some(ended)
    );
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_status_and_the_end_must_fit(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    for status in DeploymentStatus::ALL {
        let row = deployment(world.instance.id, Scope::Platform, 50);
        let mut tx = store.begin("set_status").await.unwrap();
        deployments::insert(&mut tx, &row).await.unwrap();
        assert_eq!(
            deployments::set_status(&mut tx, row.id, *status).await.is_ok(),
            !status.is_end(),
            "{status}"
        );
        drop(tx);
        let mut tx = store.begin("end").await.unwrap();
        deployments::insert(&mut tx, &row).await.unwrap();
        let ended = deployments::end(&mut tx, row.id, *status, &[], at(60)).await;
        assert_eq!(ended.is_ok(), status.is_end(), "{status}");
    }
}

fn some_revision() -> RevisionId {
    RevisionId::from_uuid(Uuid::from_u128(1))
}
