//! Going back to a whole generation, byte for byte, under its own templates.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::deployment::DeploymentStatus::{Live, Rejected, Unchanged};
use switchyard::store::{StoreError, tenant_lifecycle};

use super::served::{caller_id, endpoints};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Ended, World, ended, operator, with_mailbox};

fn texts(world: &World) -> BTreeMap<Artifact, String> {
    let files = world.files().into_iter();
    files.map(|(file, (.., text))| (file, text)).collect()
}

async fn back(world: &World, number: i64) -> Ended {
    let operator = operator();
    let request = deployments::roll_back_instance(&world.app, &operator, world.instance_id, number);
    let request = request.await.unwrap();
    ended(&world.app, &request).await
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_an_instance_goes_back_to_any_kept_generation_byte_for_byte(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    let mut kept = Vec::new();
    let keep = async |ended: Ended, kept: &mut Vec<(i64, BTreeMap<Artifact, String>)>| {
        kept.push((ended.expect(Live).deployment.generation.unwrap(), texts(&world)));
    };
    keep(world.deploy_platform().await, &mut kept).await;
    world.extension(&acme, with_mailbox("1002", "Bob")).await;
    keep(world.deploy(&acme).await, &mut kept).await;
    world.override_template("asterisk/pjsip.conf", |text| {
        format!("{text}\n; of another set\n")
    });
    world.patch(&globex, &gina, json!({"name": "Gina"})).await;
    keep(world.deploy_platform().await, &mut kept).await;
    extensions::delete(&world.app, &acme.caller, ann.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    keep(world.deploy(&acme).await, &mut kept).await;
    assert!(!endpoints(&world).contains("1001@acme.example.com"));

    for (number, then) in kept.iter().rev().chain(&kept) {
        let status = back(&world, *number).await.status();
        assert!(matches!(status, Live | Unchanged), "{status}");
        assert_eq!(&texts(&world), then, "generation {number}");
        assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    }
    back(&world, kept[0].0).await.expect(Live);
    assert!(world.registers(&acme, &ann) && world.registers(&globex, &gina));
    // What is edited is as it was: the next platform deploy brings it, and the templates of today.
    world.deploy_platform().await.expect(Live);
    assert_eq!(texts(&world), kept.last().unwrap().1);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_a_generation_comes_back_with_todays_secrets_and_without_later_tenants(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy(&acme).await.expect(Live);
    let first = world.live().await.unwrap();
    let rotated = extensions::rotate_secret(&world.app, &acme.caller, ann.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    world.deploy_platform().await.expect(Live);
    let ended = back(&world, first).await.expect(Live);
    assert_eq!(ended.codes()[0], "not_in_generation");
    assert_eq!(ended.deployment.findings[0].tenant_id, Some(globex.id));
    assert_eq!(
        endpoints(&world).into_iter().collect::<Vec<_>>(),
        ["1001@acme.example.com"]
    );
    let mut fresh = ann.clone();
    fresh.secrets.sip = rotated;
    assert!(world.registers(&acme, &fresh) && !world.registers(&acme, &ann));
    world.deploy(&globex).await.expect(Live);
    assert!(caller_id(&world, "1001@globex.example.com").is_some());
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_an_instance_goes_back_only_to_what_was_live(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.acme_and_globex().await;
    let live = world
        .deploy_platform()
        .await
        .expect(Live)
        .deployment
        .generation
        .unwrap();
    world.override_template("asterisk/pjsip.conf", |_| "[broken\n".to_owned());
    let shadowed = world.shadowed(switchyard::deploy::ShadowPolicy::Always);
    let rejected = world.deploy_platform_with(&shadowed).await.expect(Rejected);
    let never_live = rejected.deployment.generation.unwrap();
    for number in [never_live, live + 1_000, 0, -1] {
        let operator = operator();
        let request = deployments::roll_back_instance(&world.app, &operator, world.instance_id, number);
        let error = request.await.unwrap_err();
        let AppError::Conflict { code, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(code, "never_live", "{number}");
    }
    back(&world, live).await.expect(Unchanged);
}

/// One that was deleted cannot come back; whoever goes back to when it was there is told who is missing.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_going_back_names_the_tenants_that_were_deleted_since(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy(&acme).await.expect(Live);
    let without = world.live().await.unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    world.deploy_platform().await.expect(Live);
    let with = world.live().await.unwrap();

    // As long as the PBX serves it, it is in use.
    let delete = async || {
        let mut tx = world.store.begin("delete_tenant").await.unwrap();
        let deleted = tenant_lifecycle::delete(&mut tx, globex.id).await?;
        tx.commit().await?;
        Ok::<bool, StoreError>(deleted)
    };
    let refused = delete().await;
    assert!(
        matches!(refused, Err(StoreError::Reference { .. })),
        "{refused:?}"
    );
    back(&world, without).await.expect(Live);
    assert!(delete().await.unwrap());
    assert!(!delete().await.unwrap());

    let ended = back(&world, with).await.expect(Live);
    let gone: Vec<_> = ended
        .deployment
        .findings
        .iter()
        .filter(|finding| finding.code == "tenant_gone")
        .collect();
    assert_eq!(gone.len(), 1, "{ended:#?}");
    assert_eq!(
        (gone[0].tenant_id, gone[0].object.as_deref()),
        (Some(globex.id), Some(format!("tenant {}", globex.id).as_str()))
    );
    assert_eq!(
        endpoints(&world).into_iter().collect::<Vec<_>>(),
        ["1001@acme.example.com"]
    );
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Ann\" <1001>"
    );
    // Nothing else is kept of it.
    for table in ["generation_tenants", "revisions", "deployments", "extensions"] {
        let of_globex = format!(
            "select cast(count(*) as text) from {table} where tenant_id not in (select id from tenants)"
        );
        assert_eq!(world.database.ask(of_globex).await, ["0"], "{table}");
    }
}
