//! A disk that is full where a deploy keeps what it is about to write: nothing reaches FusionPBX's tables.

use std::fs;
use std::os::unix::fs::symlink;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live};

use super::freeswitch::Admitted;
use super::support::database::Backend::Postgres;
use super::support::mounts::{fill, small_disk};
use super::world::World;

/// What of the state directory lies on the full disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Full {
    Rendered,
    Staged,
}

#[rstest]
#[case::rendered(Full::Rendered)]
#[case::staged(Full::Staged)]
#[tokio::test]
async fn a10_a_disk_that_is_full_is_named_and_no_row_is_other_than_before(#[case] full: Full) {
    let Some(disk) = small_disk() else { return };
    // Our own database is on the server's disk, which has room.
    let world = World::on(Postgres).await;
    let state = world.staged().parent().unwrap().to_owned();
    let name = match full {
        Full::Rendered => "instances",
        Full::Staged => "staged",
    };
    fs::create_dir(disk.join(name)).unwrap();
    symlink(disk.join(name), state.join(name)).unwrap();
    let (acme, [ann, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let before = (
        world.fusionpbx.snapshot().await,
        world.live().await,
        world.standing().await,
    );
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    world.delete(&acme, &bob).await;
    world.freeswitch.journal().clear();

    let filled = fill(&disk);
    let ended = world.deploy(&acme).await.expect(Failed);
    let errors = ended
        .deployment
        .findings
        .iter()
        .filter(|finding| finding.is_error());
    let errors: Vec<&str> = errors.map(|finding| finding.message.as_str()).collect();
    let [message] = errors[..] else {
        panic!("{ended:#?}");
    };
    let place = match full {
        Full::Rendered => "state directory".to_owned(),
        Full::Staged => world.staged().display().to_string(),
    };
    for words in [
        place.as_str(),
        "No space left",
        "Nothing was touched",
        "then deploy again",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
    let after = (
        world.fusionpbx.snapshot().await,
        world.live().await,
        world.standing().await,
    );
    assert_eq!(after, before);
    assert_eq!(
        world.freeswitch.journal().with("lua").len(),
        0,
        "it was told of nothing"
    );
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert_eq!(world.register(&acme, &bob).await, Ok(Admitted::Hash));
    assert!(world.is_verified().await);

    fs::remove_file(filled).unwrap();
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anna"));
    assert_eq!(world.name_of(&acme, "1002").await, None);
    assert!(world.is_verified().await);
}
