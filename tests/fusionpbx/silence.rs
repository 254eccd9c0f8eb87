//! A database that goes without a word, or comes back after a while: no deploy waits for ever, and what is known is said.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, RolledBack};

use super::freeswitch::{Effect, Fault};
use super::fusionpbx::Booleans::Native;
use super::relay::{Loss, Relay};
use super::world::{Phone, TestTenant, World};

/// A world whose database is behind a relay, and that waits for no answer longer than this. It has to be long enough for
/// every answer that does come.
const LIMIT: Duration = Duration::from_secs(4);

async fn behind_a_relay() -> (World, Relay, TestTenant, Phone) {
    let world = World::new(Native).await;
    let relay = Relay::before(world.settings.database_port);
    world
        .reach(|settings, _| settings.database_port = relay.port)
        .await;
    world.limit_answers(LIMIT);
    let (acme, [ann, _], ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    (world, relay, acme, ann)
}

#[tokio::test]
async fn a_database_that_falls_silent_ends_the_deploy_that_waits_for_it_before_anything_is_touched() {
    let (world, relay, acme, _) = behind_a_relay().await;
    let before = world.fusionpbx.snapshot().await;
    relay.fall_silent();
    let ended = world.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&"pbx_unreachable"), "{ended:#?}");
    assert!(ended.words().contains("no answer came within 4 s"), "{ended:#?}");
    assert_eq!(world.fusionpbx.snapshot().await, before);
    let checks = world.driver().await.test().await;
    let database = checks.iter().find(|check| check.name == "database").unwrap();
    assert!(!database.ok, "{checks:#?}");
}

/// It falls silent in the midst of writing, or with the commit. The second may have happened: the next question says so.
#[rstest]
#[case::the_rows("update v_extensions", Loss::Answer)]
#[case::the_commit_does_not_arrive("commit", Loss::Question)]
#[case::the_answer_to_the_commit_does_not("commit", Loss::Answer)]
#[tokio::test]
async fn a_write_whose_answer_never_comes_ends_in_a_state_that_is_known(
    #[case] text: &'static str,
    #[case] loss: Loss,
) {
    let (world, relay, acme, _) = behind_a_relay().await;
    relay.lose(text, loss);
    let ended = world.deploy(&acme).await;
    assert!(relay.has_lost());
    if text == "commit" {
        let ended = ended.expect(RolledBack);
        let said = if loss == Loss::Answer {
            "cache_not_cleared"
        } else {
            "marker_missing"
        };
        assert!(ended.codes().contains(&said), "{ended:#?}");
    } else {
        // The trial wrote, was cut off, and said nothing against the rows; then they were written for good.
        let ended = ended.expect(Live);
        assert!(ended.codes().contains(&"rows_not_tried"), "{ended:#?}");
        assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
        assert_eq!(world.standing().await, world.live().await);
        assert!(world.is_verified().await);
        return;
    }
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert_eq!(world.standing().await, world.live().await);
    assert!(world.is_verified().await);
    world.deploy(&acme).await.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

/// The server restarts while what was written is asked for: it is asked again, and then all of it is proven.
#[tokio::test]
async fn a_database_that_restarts_while_a_deploy_is_proven_is_asked_again() {
    let (world, relay, acme, _) = behind_a_relay().await;
    world
        .freeswitch
        .faults()
        .add(Fault::at("user_data", Effect::CloseUndone));
    world.freeswitch.journal().clear();
    let (ended, ()) = tokio::join!(world.deploy(&acme), async {
        while world.freeswitch.journal().with("user_data").is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        relay.restart(2);
    });
    assert_eq!(relay.refusals_left(), 0);
    ended.expect(Live);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert!(world.is_verified().await);
}

/// On the way back the rows are written again, and that takes the database as well.
#[tokio::test]
async fn a_database_that_restarts_on_the_way_back_is_asked_again() {
    let (world, relay, acme, _) = behind_a_relay().await;
    world
        .freeswitch
        .faults()
        .add(Fault::at("user_data", Effect::Print("another".to_owned())).always());
    // What it goes back to is staged; then it is written.
    world.freeswitch.journal().clear();
    let (ended, ()) = tokio::join!(world.deploy(&acme), async {
        while world.freeswitch.journal().with("user_data").is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.freeswitch.faults().clear();
        relay.restart(2);
    });
    assert_eq!(relay.refusals_left(), 0);
    ended.expect(RolledBack);
    assert_eq!(world.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert!(world.is_verified().await);
}
