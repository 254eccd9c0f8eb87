//! Going back to what an earlier deployment served.

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions};
use switchyard::domain::deployment::DeploymentStatus::{Live, Rejected, Unchanged};

use super::served::{caller_id, endpoints};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Ended, TestTenant, World, ended, with_mailbox};

pub async fn roll_back(world: &World, tenant: &TestTenant, to: &Ended) -> Ended {
    let request = deployments::roll_back(&world.app, &tenant.caller, to.deployment.id, None)
        .await
        .unwrap()
        .into_inner();
    ended(&world.app, &request).await
}

async fn refused(world: &World, tenant: &TestTenant, to: &Ended) -> AppError {
    deployments::roll_back(&world.app, &tenant.caller, to.deployment.id, None)
        .await
        .unwrap_err()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_a_rollback_brings_the_revision_back_with_todays_secrets(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    let bob = world.extension(&acme, with_mailbox("1002", "Bob")).await;
    let first = world.deploy(&acme).await.expect(Live);
    world.deploy(&globex).await.expect(Live);

    // Since then: a name, a deleted extension, a rotated secret, and another tenant's change.
    world.patch(&acme, &ann, json!({"name": "Later"})).await;
    extensions::delete(&world.app, &acme.caller, bob.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    let rotated = extensions::rotate_secret(&world.app, &acme.caller, ann.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    world.deploy(&acme).await.expect(Live);
    world.patch(&globex, &gina, json!({"name": "Theirs"})).await;
    world.deploy(&globex).await.expect(Live);
    assert!(!endpoints(&world).contains("1002@acme.example.com"));

    roll_back(&world, &acme, &first).await.expect(Live);
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"acme\" <1001>"
    );
    assert_eq!(
        caller_id(&world, "1001@globex.example.com").unwrap(),
        "\"Theirs\" <1001>"
    );
    assert!(
        !world.registers(&acme, &ann),
        "the former secret stays what it was: gone"
    );
    let mut fresh = ann.clone();
    fresh.secrets.sip = rotated;
    assert!(world.registers(&acme, &fresh));
    assert!(
        world.registers(&acme, &bob),
        "a deleted extension is back with its phone"
    );
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);

    // What admins edit is as they left it: still pending, and the next deploy's.
    let plan = deployments::plan(&world.app, &acme.caller).await.unwrap();
    let pending: Vec<&str> = plan.changes.iter().map(|change| change.object.as_str()).collect();
    assert_eq!(pending, ["extension 1001", "extension 1002"]);
    roll_back(&world, &acme, &first).await.expect(Unchanged);
    world.deploy(&acme).await.expect(Live);
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Later\" <1001>"
    );
    assert!(!world.registers(&acme, &bob));
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_only_what_was_live_can_be_gone_back_to(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    let live = world.deploy(&acme).await.expect(Live);
    world
        .patch(&acme, &ann, json!({"forward": {"always": "1001"}}))
        .await;
    let rejected = world.deploy(&acme).await.expect(Rejected);
    let queued = Ended {
        deployment: world.request(&acme).await,
        stages: Vec::new(),
    };
    for never_live in [&rejected, &queued] {
        let error = refused(&world, &acme, never_live).await;
        assert!(
            matches!(
                error,
                AppError::Conflict {
                    code: "never_live",
                    ..
                }
            ),
            "{error}"
        );
    }
    ended(&world.app, &queued.deployment).await.expect(Rejected);
    // Another tenant's is not there at all.
    assert!(matches!(
        refused(&world, &globex, &live).await,
        AppError::NotFound
    ));
}
