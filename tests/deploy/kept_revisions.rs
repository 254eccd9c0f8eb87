//! Revisions that nothing needs any more go while others deploy, go back and look: none of them misses one.

use std::sync::Arc;

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::{deployments, revisions};
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::deployment::DeploymentStatus::Live;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::domains::change;
use super::drivers::{Drivers, Moment, Order, Witness};
use super::moved::second;
use super::rollback::roll_back;
use super::served::caller_id;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, ended, operator, record};

const ANN: &str = "1001@acme.example.com";

/// Removes what nothing needs, as the daemon does once an hour; gives how many revisions went.
async fn forget(world: &World) -> u64 {
    let stop = CancellationToken::new();
    revisions::forget_unneeded(&world.app, &stop).await.unwrap()
}

/// Stops once, where files are compared with what was written: heads are taken by then, and nothing is planned.
struct Held {
    is_there: Notify,
    go_on: Notify,
}

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            is_there: Notify::new(),
            go_on: Notify::new(),
        })
    }
}

#[async_trait]
impl Witness for Held {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) == (Order::Drifted, Moment::Before) {
            self.is_there.notify_one();
            self.go_on.notified().await;
            self.go_on.notify_one();
        }
    }
}

#[rstest]
#[tokio::test]
async fn a42_what_is_kept_can_be_gone_back_to_after_all_else_has_gone(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    let (app, _) = world.with_options(Drivers::plain(&world.pbx), |options| options.keep_generations = 2);
    world.deploy_platform_with(&app).await.expect(Live);
    let mut deployed = Vec::new();
    for name in ["One", "Two", "Three"] {
        world.patch(&acme, &ann, json!({"name": name})).await;
        deployed.push(world.deploy_with(&app, &acme).await.expect(Live));
    }
    let numbers = async || {
        let numbers = "select t.name || ' ' || cast(r.number as text) from revisions r join tenants t on t.id = r.tenant_id \
            order by 1";
        world.database.ask(numbers.to_owned()).await
    };
    let all = ["acme 1", "acme 2", "acme 3", "acme 4", "globex 1"].map(|one| format!("Tenant {one}"));
    assert_eq!(numbers().await, all);
    assert_eq!(forget(&world).await, 2);
    let kept = ["acme 3", "acme 4", "globex 1"].map(|one| format!("Tenant {one}"));
    assert_eq!(numbers().await, kept);
    assert_eq!(forget(&world).await, 0);

    let gone = deployments::roll_back(&app, &acme.caller, deployed[0].deployment.id, None).await;
    let gone = gone.unwrap_err();
    assert!(
        matches!(
            gone,
            AppError::Conflict {
                code: "never_live",
                ..
            }
        ),
        "{gone}"
    );
    roll_back(&world, &acme, &deployed[1]).await.expect(Live);
    assert_eq!(caller_id(&world, ANN).unwrap(), "\"Two\" <1001>");
    assert_eq!(forget(&world).await, 0, "the head is as it was edited");
    let newest = deployed[2].deployment.generation.unwrap();
    let back = deployments::roll_back_instance(&app, &operator(), world.instance_id, newest).await;
    ended(&app, &back.unwrap()).await.expect(Live);
    assert_eq!(caller_id(&world, ANN).unwrap(), "\"Three\" <1001>");
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    assert!(deployments::plan(&app, &acme.caller).await.unwrap().unchanged);
}

/// What the deploy has taken is nobody's head by then, and in no generation yet.
#[rstest]
#[tokio::test]
async fn a42_a_deploy_of_an_instance_keeps_what_it_took_although_the_tenant_was_edited_or_moved(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] moves: bool,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let elsewhere = second(&world).await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Taken"})).await;
    let request = deployments::deploy_instance(&world.app, &operator(), world.instance_id)
        .await
        .unwrap();
    let held = Held::new();
    let witness: Arc<dyn Witness> = held.clone();
    let (_, engine) = world.with(Never, Drivers::witnessed(&world.pbx, witness));
    let stop = CancellationToken::new();
    let meanwhile = async {
        held.is_there.notified().await;
        world.patch(&acme, &ann, json!({"name": "Edited"})).await;
        if moves {
            change(&world, &acme, json!({"pbx_instance_id": elsewhere}))
                .await
                .unwrap();
        }
        let forgotten = forget(&world).await;
        held.go_on.notify_one();
        forgotten
    };
    let (worked, forgotten) = tokio::join!(Box::pin(engine.work_off(world.instance_id, &stop)), meanwhile);
    assert_eq!((worked.unwrap(), forgotten), (1, 0));
    record(&world.app, &request).await.expect(Live);
    assert_eq!(caller_id(&world, ANN).unwrap(), "\"Taken\" <1001>");
    // What is served and what can be gone back to is all that there is.
    assert_eq!(forget(&world).await, 0);
    let seen = deployments::verify_instance(&world.app, &operator(), world.instance_id).await;
    assert!(seen.unwrap().ok);
}

#[rstest]
#[tokio::test]
async fn a42_a_plan_of_what_went_since_it_was_begun_is_made_anew(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let (app, _) = world.with_options(Drivers::plain(&world.pbx), |options| options.keep_generations = 1);
    world.deploy_platform_with(&app).await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "First"})).await;
    let held = Held::new();
    let witness: Arc<dyn Witness> = held.clone();
    let (looking, _) = world.with(Never, Drivers::witnessed(&world.pbx, witness));
    let meanwhile = async {
        held.is_there.notified().await;
        world.deploy_with(&app, &acme).await.expect(Live);
        world.patch(&acme, &ann, json!({"name": "Second"})).await;
        let forgotten = forget(&world).await;
        held.go_on.notify_one();
        forgotten
    };
    let (plan, forgotten) = tokio::join!(deployments::plan(&looking, &acme.caller), meanwhile);
    assert_eq!(forgotten, 1, "what was live when the plan was begun");
    let plan = plan.unwrap();
    let shown: String = plan.files.iter().map(|file| file.diff.as_str()).collect();
    assert!(shown.contains("First") && shown.contains("Second"), "{shown}");
    assert!(!shown.contains("\"acme\""), "{shown}");
}

/// One generation is kept, so that each deploy leaves something to go; it does so all the while.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a42_deploys_plans_and_looks_beside_it_miss_nothing(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    let (app, _) = world.with_options(Drivers::plain(&world.pbx), |options| options.keep_generations = 1);
    world.deploy_platform_with(&app).await.expect(Live);
    let done = CancellationToken::new();
    let deploys = async {
        for round in 0..8 {
            world
                .patch(&acme, &ann, json!({"name": format!("Ann {round}")}))
                .await;
            world.deploy_with(&app, &acme).await.expect(Live);
            world
                .patch(&globex, &gina, json!({"name": format!("Gina {round}")}))
                .await;
            world.deploy_platform_with(&app).await.expect(Live);
        }
        done.cancel();
    };
    let forgetting = async {
        let mut forgotten = 0;
        while !done.is_cancelled() {
            forgotten += forget(&world).await;
            tokio::task::yield_now().await;
        }
        forgotten + forget(&world).await
    };
    let looks = async {
        while !done.is_cancelled() {
            deployments::verify(&world.app, &globex.caller).await.unwrap();
            deployments::plan_instance(&world.app, &operator(), world.instance_id)
                .await
                .unwrap();
        }
    };
    let ((), forgotten, ()) = tokio::join!(deploys, forgetting, looks);
    assert_eq!(forgotten, 16);
}
