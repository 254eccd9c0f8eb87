//! A session of FusionPBX's that holds what a deploy is to write.

use serde_json::json;
use sqlx::Executor as _;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live};

use super::fusionpbx::Booleans::Native;
use super::world::World;

/// Somebody began to edit a row in a transaction, and went to lunch.
#[tokio::test]
async fn a_row_that_a_session_of_fusionpbx_holds_is_waited_for_with_an_end_and_nothing_is_written() {
    let world = World::new(Native).await;
    let (acme, [ann, bob], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let before = world.fusionpbx.snapshot().await;
    let mut session = world.fusionpbx.pool.begin().await.unwrap();
    session
        .execute("update v_extensions set hold_music = 'local_stream://rock' where extension = '1001'")
        .await
        .unwrap();
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.patch(&acme, &bob, json!({"name": "Rob"})).await;
    let ended = world.deploy(&acme).await.expect(Failed);
    assert!(ended.words().contains("lock timeout"), "{ended:#?}");
    assert_eq!(before.missing_in(&world.fusionpbx.snapshot().await), [""; 0]);
    for (number, name) in [("1001", "Ann"), ("1002", "Bob")] {
        assert_eq!(world.name_of(&acme, number).await.as_deref(), Some(name));
    }
    session.commit().await.unwrap();
    world.deploy(&acme).await.expect(Live);
    for (number, name) in [("1001", "Anne"), ("1002", "Rob")] {
        assert_eq!(world.name_of(&acme, number).await.as_deref(), Some(name));
    }
    assert!(world.is_verified().await);
}
