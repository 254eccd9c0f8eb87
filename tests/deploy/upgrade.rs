//! Files that another version of the program wrote: what it would write today in their place is nobody's edit.

use std::fs;

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::deploy::Verification;
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack, Unchanged};
use switchyard::domain::digest::Digest;
use switchyard::domain::instance::PbxKind;

use super::served::reloads;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, operator, with_mailbox};

/// What the head of each file began with then.
const OLD: &str = "; Written by an older version.";

/// Has the live files and their record be as that version left them.
async fn written_before(world: &World) {
    for file in Artifact::of(PbxKind::Asterisk) {
        let path = world.live_file(*file);
        let text = fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once('\n').unwrap();
        assert!(head.starts_with("; Written by switchyard"), "{head}");
        let old = format!("{OLD}\n{rest}");
        fs::write(&path, &old).unwrap();
        let digest = Digest::of(old);
        let noted = format!(
            "update generation_files set digest = '{digest}' where file = '{file}' and generation_id = \
             (select live_generation_id from instances) returning file"
        );
        assert_eq!(world.database.ask(noted).await, [file.as_str()]);
    }
}

async fn seen(world: &World) -> Verification {
    let operator = operator();
    deployments::verify_instance(&world.app, &operator, world.instance_id)
        .await
        .unwrap()
}

fn is_old(world: &World, file: Artifact) -> bool {
    world.files()[&file].2.starts_with(OLD)
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_an_upgrade_that_writes_another_head_tells_nobody_of_an_edit(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    written_before(&world).await;
    let before = world.files();
    let look = seen(&world).await;
    assert!(
        look.ok && look.findings.is_empty() && look.files.is_empty(),
        "{look:?}"
    );
    assert!(world.is_verified(&globex).await);
    let unchanged = world.deploy(&acme).await.expect(Unchanged);
    assert!(
        unchanged.codes().is_empty() && world.files() == before,
        "{unchanged:#?}"
    );

    // Only what changes is written as of today, and read; the rest stays the very same file.
    world
        .patch(&acme, &ann, json!({"voicemail": {"pin": "975310"}}))
        .await;
    let (reloaded, ended) = reloads(&world, world.deploy(&acme)).await;
    let ended = ended.expect(Live);
    assert!(!ended.codes().contains(&"drift"), "{ended:#?}");
    assert_eq!(reloaded.len(), 1, "{reloaded:?}");
    let after = world.files();
    assert_eq!(
        (&after[&Pjsip], &after[&Extensions]),
        (&before[&Pjsip], &before[&Extensions])
    );
    assert!(!is_old(&world, Voicemail));
    let look = seen(&world).await;
    assert!(look.ok && look.findings.is_empty(), "{look:?}");

    // An edit is one all the same.
    fs::write(world.live_file(Pjsip), "; by hand\n").unwrap();
    let look = seen(&world).await;
    let drift: Vec<_> = look.findings.iter().filter(|f| f.code == "drift").collect();
    assert_eq!((drift.len(), look.ok), (1, false), "{look:?}");
    assert_eq!(drift[0].object.as_deref(), Some("pjsip.conf"));
    let mended = world.deploy(&globex).await.expect(Live);
    assert!(mended.codes().contains(&"drift"), "{mended:#?}");
    assert!(!is_old(&world, Pjsip) && is_old(&world, Extensions));
    assert!(seen(&world).await.ok);
}

/// The former generation is written anew by the program of today, and that is what is noted of it.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_a_deploy_that_goes_back_after_an_upgrade_leaves_no_edit_behind(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.extension(&acme, with_mailbox("1002", "Bob")).await;
    world.deploy_platform().await.expect(Live);
    written_before(&world).await;
    world.override_template("asterisk/pjsip.conf", |text| {
        text.replacen("context={{ tenant.domain }}", "context=other", 1)
    });
    world.deploy_platform().await.expect(RolledBack);
    let look = seen(&world).await;
    assert!(look.ok && look.findings.is_empty(), "{look:?}");
    assert!(world.registers(&acme, &ann));
    let unchanged = world.deploy(&acme).await.expect(Unchanged);
    assert!(unchanged.codes().is_empty(), "{unchanged:#?}");
}
