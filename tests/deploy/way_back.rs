//! The way back when the former generation was removed or damaged meanwhile, or the link moved behind the engine's back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rstest::rstest;
use serde_json::json;
use switchyard::deploy::ShadowPolicy::Never;
use switchyard::domain::artifact::Artifact;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};

use super::drivers::{Drivers, Moment, Order, Witness};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

/// Does something to the directory once, right after the swap and the reloads.
struct Meddler {
    directory: PathBuf,
    former: i64,
    meddle: fn(&Path, i64),
    done: AtomicBool,
}

#[async_trait]
impl Witness for Meddler {
    async fn at(&self, order: Order, moment: Moment) {
        if (order, moment) == (Order::Apply, Moment::After) && !self.done.swap(true, Ordering::SeqCst) {
            (self.meddle)(&self.directory, self.former);
        }
    }
}

fn meddled(world: &World, former: i64, meddle: fn(&Path, i64)) -> Drivers {
    let meddler = Meddler {
        directory: world.config_dir(),
        former,
        meddle,
        done: AtomicBool::new(false),
    };
    Drivers::witnessed(&world.pbx, Arc::new(meddler))
}

fn texts(world: &World) -> BTreeMap<Artifact, String> {
    world
        .files()
        .into_iter()
        .map(|(file, (.., text))| (file, text))
        .collect()
}

fn remove(directory: &Path, former: i64) {
    std::fs::remove_dir_all(directory.join("generations").join(former.to_string())).unwrap();
}

/// In place: the file is the very same in both generations, as long as it did not change.
fn damage(directory: &Path, former: i64) {
    let former = directory.join("generations").join(former.to_string());
    let shared = former.join("voicemail.conf");
    assert_eq!(
        std::fs::read(&shared).unwrap(),
        std::fs::read(directory.join("live/voicemail.conf")).unwrap()
    );
    std::fs::write(shared, "; by hand\n").unwrap();
}

#[rstest]
#[case::removed(remove)]
#[case::damaged(damage)]
#[tokio::test]
async fn a10_a_former_generation_that_was_lost_or_damaged_is_written_anew_to_go_back_to(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] meddle: fn(&Path, i64),
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    let former = world
        .deploy_platform()
        .await
        .expect(Live)
        .deployment
        .generation
        .unwrap();
    let before = texts(&world);
    // What is served is not what was asked for.
    world.override_template("asterisk/pjsip.conf", |text| {
        assert!(text.contains("context={{ tenant.domain }}"));
        text.replacen("context={{ tenant.domain }}", "context=other", 1)
    });
    let (app, _) = world.with(Never, meddled(&world, former, meddle));
    world.deploy_platform_with(&app).await.expect(RolledBack);
    assert_eq!(
        (world.standing(), world.live().await),
        (Some(former), Some(former))
    );
    assert_eq!(texts(&world), before);
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    assert!(world.registers(&acme, &ann) && world.registers(&globex, &gina));
}

/// The running PBX is as it should be, but would not be after its next start: that is not live.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_what_runs_is_live_only_if_it_also_stands_on_disk(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let former = world
        .deploy_platform()
        .await
        .expect(Live)
        .deployment
        .generation
        .unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let link_back = |directory: &Path, former: i64| {
        let link = directory.join("live");
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(format!("generations/{former}"), link).unwrap();
    };
    let (app, _) = world.with(Never, meddled(&world, former, link_back));
    let ended = world.deploy_with(&app, &acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"not_in_place"), "{ended:#?}");
    assert_eq!(
        (world.standing(), world.live().await),
        (Some(former), Some(former))
    );
    assert!(world.is_verified(&acme).await);
    world.deploy(&acme).await.expect(Live);
}
