//! A deploy writes and reloads what changed, and nothing else.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions};
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};
use switchyard::domain::instance::PbxKind;

use super::served::{caller_id, dialplan, endpoints, mailboxes, reloads};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

fn modules(files: &[Artifact]) -> BTreeSet<String> {
    files.iter().map(|file| file.module().to_owned()).collect()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_first_deploy_is_live_and_a_second_one_does_nothing(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, phone), (globex, other)] = world.acme_and_globex().await;

    let (reloaded, first) = reloads(&world, world.deploy_platform()).await;
    let first = first.expect(Live);
    assert_eq!(first.deployment.generation, Some(1));
    assert_eq!((world.live().await, world.standing()), (Some(1), Some(1)));
    assert_eq!(reloaded, modules(Artifact::of(PbxKind::Asterisk)));
    let both = ["1001@acme.example.com", "1001@globex.example.com"].map(str::to_owned);
    assert_eq!(endpoints(&world), BTreeSet::from(both.clone()));
    assert_eq!(mailboxes(&world), BTreeSet::from(both));
    assert!(world.registers(&acme, &phone) && world.registers(&globex, &other));
    assert!(!world.registers(&acme, &other), "with another tenant's secret");

    let before = world.files();
    assert_eq!(before.len(), 3);
    let work = async { (world.deploy_platform().await, world.deploy(&acme).await) };
    let (reloaded, (platform, tenant)) = reloads(&world, work).await;
    for second in [platform, tenant] {
        let second = second.expect(Unchanged);
        assert_eq!(
            (second.deployment.generation, second.deployment.changes.len()),
            (None, 0)
        );
    }
    assert_eq!(reloaded, BTreeSet::new());
    assert_eq!(world.files(), before);
    assert_eq!((world.live().await, world.standing()), (Some(1), Some(1)));
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_only_what_changed_is_written_and_reloaded(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, phone), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let plain = world
        .extension(&globex, json!({"number": "1002", "name": "No mailbox"}))
        .await;
    world.deploy(&globex).await.expect(Live);

    let cases = [
        (json!({"name": "Ann"}), vec![Pjsip, Voicemail]),
        (json!({"ring_time": 45}), vec![Extensions]),
        (json!({"voicemail": {"pin": "135791"}}), vec![Voicemail]),
    ];
    for (patch, changed) in cases {
        world.patch(&acme, &phone, patch.clone()).await;
        expect_only(&world, &acme, &changed, &patch.to_string()).await;
    }
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Ann\" <1001>"
    );
    let lines = dialplan(&world, &acme);
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("1001 ") && line.contains(",45,")),
        "{lines:?}"
    );

    world.patch(&globex, &plain, json!({"name": "Still none"})).await;
    expect_only(&world, &globex, &[Pjsip], "a name without a mailbox").await;

    // A rotated secret: only the SIP objects, and then only the new one signs in.
    let secret = extensions::rotate_secret(&world.app, &acme.caller, phone.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    assert!(
        world.registers(&acme, &phone),
        "what is live is live until the deploy"
    );
    expect_only(&world, &acme, &[Pjsip], "a rotated secret").await;
    assert!(!world.registers(&acme, &phone));
    let mut fresh = phone.clone();
    fresh.secrets.sip = secret;
    assert!(world.registers(&acme, &fresh));
    assert!(deployments::verify(&world.app, &acme.caller).await.unwrap().ok);
}

/// Deploys a tenant and asserts that these files, and no others, were written and their modules reloaded.
async fn expect_only(world: &World, tenant: &super::world::TestTenant, changed: &[Artifact], what: &str) {
    let before = world.files();
    let (reloaded, ended) = reloads(world, world.deploy(tenant)).await;
    ended.expect(Live);
    assert_eq!(reloaded, modules(changed), "{what}");
    let after = world.files();
    for file in Artifact::of(PbxKind::Asterisk) {
        let is_same = before.get(file) == after.get(file);
        assert_eq!(is_same, !changed.contains(file), "{what}: {file}");
    }
}
