//! Drift is found, named and shown, and mended by a deploy only.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::deploy::Verification;
use switchyard::domain::artifact::ConfFile::{Extensions, Pjsip, Voicemail};
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator};

async fn look(world: &World) -> Verification {
    deployments::verify_instance(&world.app, &operator(), world.instance_id)
        .await
        .unwrap()
}

fn codes(seen: &Verification) -> Vec<&str> {
    seen.findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_hand_edited_file_is_named_and_shown_without_a_secret(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    assert!(look(&world).await.ok, "before anything is deployed");
    world.deploy_platform().await.expect(Live);
    let seen = look(&world).await;
    assert!(
        seen.ok && seen.findings.is_empty() && seen.files.is_empty(),
        "{seen:#?}"
    );

    for (file, from, to) in [
        (Pjsip, "password_digest=MD5:", "password_digest=MD5:00"),
        (Pjsip, "max_contacts=", "max_contacts=7"),
        (Voicemail, "1001 => -246813", "1001 => -99999999"),
    ] {
        let text = std::fs::read_to_string(world.live_file(file)).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(world.live_file(file), text.replacen(from, to, 1)).unwrap();
    }
    let before = world.files();
    let seen = look(&world).await;
    assert_eq!(codes(&seen), ["drift", "drift"], "{seen:#?}");
    assert!(!seen.ok);
    let shown = format!("{seen:?}");
    assert!(shown.contains("+max_contacts=7"), "{shown}");
    let digest = ann.secrets.sip.ha1(&ann.extension.number, &acme.domain);
    for secret in [digest.expose(), "246813", "99999999", "MD5:00"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    // A tenant hears that a file was edited, and nothing of what is in it.
    let theirs = deployments::verify(&world.app, &acme.caller).await.unwrap();
    assert!(!theirs.ok && theirs.files.is_empty(), "{theirs:#?}");
    assert_eq!(world.files(), before, "to look mends nothing");

    world.deploy(&acme).await.expect(Live);
    assert!(look(&world).await.ok);
    world.deploy(&acme).await.expect(Unchanged);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_what_is_missing_foreign_or_out_of_place_is_named(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let first = world
        .deploy_platform()
        .await
        .expect(Live)
        .deployment
        .generation
        .unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    world.deploy(&acme).await.expect(Live);
    let directory = world.config_dir();
    std::fs::write(directory.join("notes.txt"), "mine").unwrap();
    std::fs::write(directory.join("live/extra.conf"), "[mine]").unwrap();
    let seen = look(&world).await;
    assert_eq!(codes(&seen), ["foreign_file", "foreign_file"]);
    assert!(seen.ok, "nobody reads them");
    for name in ["notes.txt", "extra.conf"] {
        assert!(
            seen.findings.iter().any(|finding| finding.message.contains(name)),
            "{seen:#?}"
        );
    }
    std::fs::remove_file(directory.join("notes.txt")).unwrap();
    std::fs::remove_file(directory.join("live/extra.conf")).unwrap();

    std::fs::remove_file(world.live_file(Extensions)).unwrap();
    let seen = look(&world).await;
    assert_eq!(codes(&seen), ["drift"]);
    assert!(seen.findings[0].message.contains("extensions.conf"), "{seen:#?}");

    std::fs::remove_file(directory.join("live")).unwrap();
    std::os::unix::fs::symlink(format!("generations/{first}"), directory.join("live")).unwrap();
    let seen = look(&world).await;
    assert_eq!(codes(&seen)[0], "not_in_place", "{seen:#?}");
    assert!(!seen.ok);
    world.deploy(&acme).await.expect(Live);
    assert!(look(&world).await.ok);
}

/// In a file that the deploy writes anyway.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_an_edit_in_a_file_that_changes_is_told_too(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let text = std::fs::read_to_string(world.live_file(Pjsip)).unwrap();
    std::fs::write(world.live_file(Pjsip), format!("{text}; by hand\n")).unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert!(ended.codes().contains(&"drift"), "{ended:#?}");
    assert!(look(&world).await.ok);
}
