//! A database that is gone, or refuses, in any stage of a deploy.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::app::{App, deployments};
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};
use switchyard::domain::deployment::{Deployment, Stage};
use tokio_util::sync::CancellationToken;

use super::drivers::{Drivers, Moment, Order, Witness};
use super::relay::{Fault, Relay};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Phone, TestTenant, World, engine, operator, options, record};

/// Makes the template say something else than what is asked for, so that the deploy goes back.
fn alter(world: &World) {
    world.override_template("asterisk/pjsip.conf", |text| {
        assert!(text.contains("context={{ tenant.domain }}"));
        text.replacen("context={{ tenant.domain }}", "context=other", 1)
    });
}

/// Cuts the database off at the first such moment of an order in a stage.
struct Cutter {
    /// Reaches the database by another way.
    app: App,
    relay: Relay,
    next: Mutex<Option<(Deployment, Stage, Moment)>>,
}

#[async_trait]
impl Witness for Cutter {
    async fn at(&self, _: Order, now: Moment) {
        let next = self.next.lock().unwrap().clone();
        let Some((deployment, stage, _)) = next.filter(|(.., moment)| *moment == now) else {
            return;
        };
        if open_stage(&self.app, &deployment).await == Some(stage) {
            *self.next.lock().unwrap() = None;
            self.relay.set(Fault::Cut(0));
        }
    }
}

async fn open_stage(app: &App, deployment: &Deployment) -> Option<Stage> {
    let stages = record(app, deployment).await.stages;
    let open = stages.last().filter(|stage| stage.ended_at.is_none());
    open.map(|stage| stage.stage)
}

async fn request(world: &World, (acme, ann): &(TestTenant, Phone), stage: Stage, edit: usize) -> Deployment {
    world
        .patch(acme, ann, json!({"name": format!("Ann {edit}")}))
        .await;
    if stage != Stage::RollingBack {
        return world.request(acme).await;
    }
    alter(world);
    let operator = operator();
    let platform = deployments::deploy_instance(&world.app, &operator, world.instance_id);
    platform.await.unwrap()
}

/// Whoever finds the database again finishes what was begun, or undoes it.
#[tokio::test]
async fn a10_a_database_that_is_gone_in_any_stage_leaves_nothing_to_mend_by_hand() {
    let world = World::new(Postgres).await;
    let [acme, (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let cutter = Arc::new(Cutter {
        app: world.shadowed(Never),
        relay: Relay::before(world.database.port()),
        next: Mutex::default(),
    });
    let store = world.database.store_behind(cutter.relay.port).await;
    let witness: Arc<dyn Witness> = cutter.clone();
    let drivers = Drivers::witnessed(&world.pbx, witness);
    let engine = engine(&world.pbx, &store, options(&world.pbx, Never), drivers);
    let stop = CancellationToken::new();
    let mut edit = 0;
    for stage in Stage::ALL {
        for moment in [Moment::Before, Moment::After] {
            edit += 1;
            let what = format!("{moment:?} an order in {stage}");
            let request = request(&world, &acme, *stage, edit).await;
            *cutter.next.lock().unwrap() = Some((request.clone(), *stage, moment));
            let worked = engine.work_off(world.instance_id, &stop).await;
            assert!(worked.is_err(), "{what}: {worked:?}");
            assert_eq!(open_stage(&world.app, &request).await, Some(*stage), "{what}");
            for file in world.files().values() {
                assert!(file.2.contains("switchyard-marker"), "{what}");
            }
            cutter.relay.set(Fault::None);
            let mut tries = 0;
            while !record(&world.app, &request).await.status().is_end() {
                let again = engine.work_off(world.instance_id, &stop).await;
                tries += 1;
                assert!(tries < 100, "{what}: {again:?}");
            }
            let ended = record(&world.app, &request).await;
            let back = *stage == Stage::RollingBack;
            ended.expect(if back { RolledBack } else { Live });
            assert_eq!(world.standing(), world.live().await, "{what}");
            for tenant in [&acme.0, &globex] {
                assert!(world.is_verified(tenant).await, "{what}");
            }
        }
    }
}

/// What it refuses will be refused again: then the PBX is put back at once, and nobody has to guess what it serves.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_whose_success_the_database_refuses_is_undone_and_proven_to_be(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    let live = world.deploy_platform().await.expect(Live).deployment.generation;
    let files = world.files();
    let refusing = match backend {
        Sqlite => {
            "create trigger guard before update of live_generation_id on instances \
             begin select raise(abort, 'refused'); end"
        }
        Postgres => {
            "create function guard() returns trigger language plpgsql as $$ begin \
             if new.live_generation_id <> old.live_generation_id then raise exception 'refused'; end if; \
             return new; end $$; create trigger guard before update on instances for each row execute function guard()"
        }
    };
    world.database.sql(refusing).await;
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"engine_failed"), "{ended:#?}");
    let texts = |files: std::collections::BTreeMap<_, super::world::LiveFile>| {
        files.into_values().map(|(.., text)| text).collect::<Vec<_>>()
    };
    assert_eq!(texts(world.files()), texts(files));
    assert_eq!((world.standing(), world.live().await), (live, live));
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    assert_eq!(
        super::served::caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"acme\" <1001>"
    );

    world
        .database
        .sql(match backend {
            Sqlite => "drop trigger guard",
            Postgres => "drop trigger guard on instances",
        })
        .await;
    world.deploy(&acme).await.expect(Live);
}
