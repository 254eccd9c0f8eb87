//! The stages of deployments.

use rstest::rstest;
use switchyard::domain::deployment::{Scope, Stage, StageRecord, StageResult};
use switchyard::domain::ids::{DeploymentId, SystemIds};
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
