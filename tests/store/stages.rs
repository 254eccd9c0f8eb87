//! The stages of deployments.

use rstest::rstest;
use switchyard::domain::deployment::{DeploymentStatus, Scope, Stage, StageRecord, StageResult};
use switchyard::domain::ids::{DeploymentId, RevisionId, SystemIds};
use switchyard::store::{StoreError, deployments, stages};

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, at, deployment};

#[rstest]
#[tokio::test]
async fn stages_are_kept_in_order_one_at_a_time(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (row, other) = (
        deployment(world.instance.id, Scope::Platform, 50),
        deployment(world.instance.id, Scope::Platform, 51),
    );
    let id = row.id;
    let mut tx = store.begin("stages").await.unwrap();
    deployments::insert(&mut tx, &row).await.unwrap();
    deployments::insert(&mut tx, &other).await.unwrap();
    stages::begin(&mut tx, id, Stage::Planning, at(1)).await.unwrap();
    stages::begin(&mut tx, other.id, Stage::Planning, at(1))
        .await
        .unwrap();
    assert!(
        !stages::end(&mut tx, id, Stage::Applying, StageResult::Ok, "", at(2))
            .await
            .unwrap()
    );
    assert!(
        stages::end(
            &mut tx,
            id,
            Stage::Planning,
            StageResult::Interrupted,
            "died",
            at(2)
        )
        .await
        .unwrap()
    );
    assert!(
        !stages::end(&mut tx, id, Stage::Planning, StageResult::Ok, "", at(3))
            .await
            .unwrap()
    );
    stages::begin(&mut tx, id, Stage::Planning, at(3)).await.unwrap();
    let record = |started, ended_at, result, detail: &str| StageRecord {
        stage: Stage::Planning,
        started_at: at(started),
        ended_at,
        result,
        detail: detail.to_owned(),
    };
    assert_eq!(
        stages::of_deployment(&mut tx, id).await.unwrap(),
        [
            record(1, Some(at(2)), Some(StageResult::Interrupted), "died"),
            record(3, None, None, "")
        ]
    );
    tx.commit().await.unwrap();

    let mut tx = store.begin("second_stage").await.unwrap();
    let error = stages::begin(&mut tx, id, Stage::Applying, at(4))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict { table, columns }
            if table == "deployment_stages" && *columns == ["deployment_id"]),
        "{error:?}"
    );
}

#[rstest]
#[tokio::test]
async fn each_stage_and_result_comes_back(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let row = deployment(world.instance.id, Scope::Platform, 50);
    let mut tx = store.begin("stages").await.unwrap();
    deployments::insert(&mut tx, &row).await.unwrap();
    let mut expected = Vec::new();
    for (stage, result) in Stage::ALL.iter().zip(StageResult::ALL.iter().cycle()) {
        stages::begin(&mut tx, row.id, *stage, at(1)).await.unwrap();
        assert!(
            stages::end(&mut tx, row.id, *stage, *result, "done", at(2))
                .await
                .unwrap()
        );
        expected.push((*stage, Some(*result)));
    }
    let found = stages::of_deployment(&mut tx, row.id).await.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|record| (record.stage, record.result))
            .collect::<Vec<_>>(),
        expected
    );
    let absent = DeploymentId::fresh(&SystemIds);
    assert_eq!(stages::of_deployment(&mut tx, absent).await.unwrap(), []);
    tx.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn c02_progress_is_told_of_the_tenants_own_deployment(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let scope = Scope::Tenant {
        tenant_id: world.acme.id,
        revision_id: RevisionId::fresh(&SystemIds),
    };
    let row = deployment(world.instance.id, scope, 50);
    let platform = deployment(world.instance.id, Scope::Platform, 51);
    let (acme, globex, id) = (world.acme.id, world.globex.id, row.id);
    let mut tx = store.begin("stages").await.unwrap();
    deployments::insert(&mut tx, &row).await.unwrap();
    deployments::insert(&mut tx, &platform).await.unwrap();
    for (tenant, id) in [
        (globex, id),
        (acme, platform.id),
        (acme, DeploymentId::fresh(&SystemIds)),
    ] {
        assert_eq!(
            stages::progress_of_tenant(&mut tx, tenant, id).await.unwrap(),
            None
        );
    }
    let mut seen = Vec::new();
    let status = |number: usize| [row.status, DeploymentStatus::Planning][number.min(1)];
    for number in 0..4 {
        let progress = stages::progress_of_tenant(&mut tx, acme, id)
            .await
            .unwrap()
            .unwrap();
        let (begun, ended) = [(0, 0), (0, 0), (1, 0), (1, 1)][number];
        assert_eq!((progress.begun, progress.ended), (begun, ended));
        assert_eq!(progress.status, status(number));
        seen.push(progress.to_string());
        match number {
            0 => assert!(
                deployments::set_status(&mut tx, id, status(1)).await.unwrap(),
                "it has not ended"
            ),
            1 => stages::begin(&mut tx, id, Stage::Planning, at(1)).await.unwrap(),
            _ => drop(
                stages::end(&mut tx, id, Stage::Planning, StageResult::Ok, "", at(2))
                    .await
                    .unwrap(),
            ),
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 4, "{seen:?}");
}
