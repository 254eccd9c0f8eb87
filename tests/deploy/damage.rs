//! Files that somebody edited, lost or damaged behind the engine's back.

use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::json;
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Unchanged};
use switchyard::domain::instance::PbxKind;

use super::served::{endpoints, reloads};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

fn fragments(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(fragments(&path));
        } else if path.file_name().unwrap() != "lock" {
            found.push(path);
        }
    }
    found
}

#[rstest]
#[case::with_other_changes(true)]
#[case::with_none(false)]
#[tokio::test]
async fn a10_a_hand_edited_file_is_noticed_and_overwritten(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] other_changes: bool,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let text = |world: &World, file| world.files().remove(&file).unwrap().2;
    let whole = text(&world, Pjsip);

    std::fs::write(
        world.live_file(Pjsip),
        whole.replace("[1001@globex.example.com]", "[9@globex.example.com]"),
    )
    .unwrap();
    world.pbx.ami().ask("Reload", &[("Module", Pjsip.module())]);
    assert!(endpoints(&world).contains("9@globex.example.com"));
    assert!(!world.is_verified(&globex).await);
    if other_changes {
        world.patch(&acme, &ann, json!({"ring_time": 50})).await;
    }
    let (reloaded, ended) = reloads(&world, world.deploy(&acme)).await;
    let ended = ended.expect(Live);
    let drift: Vec<_> = ended
        .deployment
        .findings
        .iter()
        .filter(|f| f.code == "drift")
        .collect();
    assert_eq!(drift.len(), 1, "{ended:#?}");
    assert_eq!(drift[0].object.as_deref(), Some("pjsip.conf"));
    assert!(reloaded.contains(Pjsip.module()));
    assert_eq!(reloaded.contains(Extensions.module()), other_changes);
    assert_eq!(text(&world, Pjsip), whole);
    assert!(!endpoints(&world).contains("9@globex.example.com"));
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    world.deploy(&acme).await.expect(Unchanged);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_lost_file_or_link_is_put_back(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    std::fs::remove_file(world.live_file(Extensions)).unwrap();
    world.deploy(&acme).await.expect(Live);
    assert!(world.is_verified(&acme).await);
    std::fs::remove_file(world.config_dir().join("live")).unwrap();
    world.deploy(&acme).await.expect(Live);
    assert_eq!((world.standing(), world.files().len()), (world.live().await, 3));
    assert!(world.is_verified(&acme).await);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_lost_or_damaged_fragment_is_rendered_again(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);

    std::fs::remove_dir_all(world.state_dir()).unwrap();
    let (reloaded, ended) = reloads(&world, world.deploy(&acme)).await;
    ended.expect(Unchanged);
    assert!(reloaded.is_empty());
    assert_eq!(
        fragments(&world.state_dir()).len(),
        2 * Artifact::of(PbxKind::Asterisk).len()
    );

    for damage in ["", "damaged"] {
        for fragment in fragments(&world.state_dir()) {
            std::fs::write(fragment, damage).unwrap();
        }
        world
            .patch(&acme, &ann, json!({"name": format!("After {}", damage.len())}))
            .await;
        world.deploy(&acme).await.expect(Live);
        assert!(world.registers(&acme, &ann) && world.registers(&globex, &gina));
        assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    }
}

/// A deploy that no repetition would bring further ends, and is not in the way of the next.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_state_directory_that_cannot_be_used_is_named(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let live = world.deploy_platform().await.expect(Live).deployment.generation;
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    std::fs::write(world.state_dir(), "in the way").unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy(&acme).await.expect(Failed);
    let message = &ended.deployment.findings[0].message;
    assert!(
        message.contains("state directory") && message.contains("Nothing was touched"),
        "{message}"
    );
    assert_eq!((world.standing(), world.live().await), (live, live));
    std::fs::remove_file(world.state_dir()).unwrap();
    world.deploy(&acme).await.expect(Live);
}
