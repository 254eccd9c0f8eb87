//! Drift is found, named and shown, and mended by a deploy only.

use rstest::rstest;
use serde_json::json;
use switchyard::app::{auto_deploy, deployments};
use switchyard::deploy::{Preview, Verification};
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Unchanged};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Ended, TestTenant, World, ended, operator};

async fn look(world: &World) -> Verification {
    deployments::verify_instance(&world.app, &operator(), world.instance_id)
        .await
        .unwrap()
}

async fn plan(world: &World) -> Preview {
    deployments::plan_instance(&world.app, &operator(), world.instance_id)
        .await
        .unwrap()
}

/// A deploy that nobody asked for.
async fn automatic(world: &World, tenant: &TestTenant) -> Ended {
    let asked = auto_deploy::request(&world.app, tenant.id).await.unwrap();
    ended(&world.app, &asked.unwrap()).await
}

/// Adds a line to a live file; gives what it is then.
fn edit(world: &World, file: Artifact) -> String {
    let path = world.live_file(file);
    let text = std::fs::read_to_string(&path).unwrap() + "; by hand\n";
    std::fs::write(path, &text).unwrap();
    text
}

/// What a record says under a code.
#[track_caller]
fn said<'a>(ended: &'a Ended, code: &str) -> &'a str {
    let mut findings = ended.deployment.findings.iter();
    let found = findings.find(|finding| finding.code == code);
    &found.unwrap_or_else(|| panic!("no {code}: {ended:#?}")).message
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

    let mended = world.deploy(&acme).await.expect(Live);
    assert!(look(&world).await.ok);
    world.deploy(&acme).await.expect(Unchanged);
    // The record names what was written anew, and where the edited ones are.
    let told = said(&mended, "drift_mended");
    assert!(
        told.contains("pjsip.conf, voicemail.conf") && told.contains("generations/1"),
        "{told}"
    );
    let kept = std::fs::read_to_string(world.config_dir().join("generations/1/pjsip.conf")).unwrap();
    assert!(kept.contains("max_contacts=7"));
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
    std::fs::write(directory.join("live/extra.conf"), "[mine]\npassword=pears\n").unwrap();
    let seen = look(&world).await;
    assert_eq!(codes(&seen), ["foreign_file", "foreign_file"]);
    assert!(seen.ok, "nobody reads them");
    for name in ["notes.txt", "extra.conf"] {
        assert!(
            seen.findings.iter().any(|finding| finding.message.contains(name)),
            "{seen:#?}"
        );
    }
    let shown = |name: &str, seen: &Verification| {
        let file = seen.files.iter().find(|file| file.file.ends_with(name));
        file.unwrap_or_else(|| panic!("{seen:#?}")).diff.clone()
    };
    assert!(shown("notes.txt", &seen).contains("+mine"));
    let extra = shown("extra.conf", &seen);
    assert!(extra.contains("+[mine]\n+password=(hidden)"), "{extra}");
    let plan = plan(&world).await;
    assert!(plan.unchanged && plan.drift == seen.files, "{plan:#?}");
    std::fs::remove_file(directory.join("notes.txt")).unwrap();
    std::fs::remove_file(directory.join("live/extra.conf")).unwrap();

    let text = std::fs::read_to_string(world.live_file(Extensions)).unwrap();
    std::fs::remove_file(world.live_file(Extensions)).unwrap();
    let seen = look(&world).await;
    assert_eq!(codes(&seen), ["drift"]);
    let message = &seen.findings[0].message;
    assert!(message.contains("extensions.conf is missing"), "{message}");
    let missing = shown("extensions.conf", &seen);
    assert!(
        text.lines().all(|line| missing.contains(&format!("-{line}"))),
        "{missing}"
    );

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

/// Nobody waits for a plan, so that it reads what was written to only; it reads no file that nobody touched.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_plan_shows_what_a_deploy_would_mend(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let before = plan(&world).await;
    assert!(
        before.drift.is_empty() && before.findings.is_empty(),
        "{before:#?}"
    );
    edit(&world, Pjsip);
    std::fs::remove_file(world.live_file(Voicemail)).unwrap();
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let seen = plan(&world).await;
    let of_drift = |plan: &Preview| {
        let codes = plan.findings.iter().filter(|finding| finding.code == "drift");
        codes
            .filter_map(|finding| finding.object.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of_drift(&seen), ["pjsip.conf", "voicemail.conf"], "{seen:#?}");
    assert!(seen.drift[0].diff.contains("+; by hand"), "{seen:#?}");
    assert!(seen.drift[1].diff.contains("-1001 =>(hidden)"), "{seen:#?}");
    // A tenant hears that it is so.
    let theirs = deployments::plan(&world.app, &acme.caller).await.unwrap();
    assert_eq!(of_drift(&theirs).len(), 2, "{theirs:#?}");
    assert!(theirs.drift.is_empty(), "{theirs:#?}");
    let mended = world.deploy(&acme).await.expect(Live);
    let told = said(&mended, "drift_mended");
    assert!(told.contains("pjsip.conf, voicemail.conf"), "{told}");
    assert!(plan(&world).await.findings.is_empty());
}

/// Neither a file that was edited nor a link that was moved.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_deploy_that_nobody_asked_for_overwrites_nothing_and_says_so(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    automatic(&world, &acme).await.expect(Live);
    let by_hand = edit(&world, Pjsip);
    let live = world.live().await;
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    let held = automatic(&world, &acme).await.expect(Failed);
    assert_eq!(held.codes(), ["drift", "drift_held_back"], "{held:#?}");
    assert!(said(&held, "drift").contains("leaves it as it is"), "{held:#?}");
    let told = said(&held, "drift_held_back");
    assert!(
        told.contains("Nothing was touched") && told.contains("deploy verify --instance main"),
        "{told}"
    );
    assert_eq!(std::fs::read_to_string(world.live_file(Pjsip)).unwrap(), by_hand);
    assert_eq!((world.live().await, world.standing()), (live, live));

    // Somebody who asks gets it.
    let asked = world.deploy(&acme).await.expect(Live);
    assert!(said(&asked, "drift_mended").contains("pjsip.conf"), "{asked:#?}");

    let link = world.config_dir().join("live");
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(format!("generations/{}", live.unwrap()), &link).unwrap();
    world.patch(&acme, &ann, json!({"name": "Annabel"})).await;
    let held = automatic(&world, &acme).await.expect(Failed);
    assert_eq!(held.codes(), ["not_in_place", "drift_held_back"], "{held:#?}");
    assert_eq!(world.standing(), live);
    let asked = world.deploy(&acme).await.expect(Live);
    assert!(
        said(&asked, "not_in_place").contains("puts it right"),
        "{asked:#?}"
    );
    assert!(look(&world).await.ok);
}
