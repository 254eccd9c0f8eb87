//! Files that another version of the program wrote: what it would write today in their place is nobody's edit.

use std::fs;

use rstest::rstest;
use secrecy::ExposeSecret as _;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::deploy::Verification;
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack, Unchanged};
use switchyard::domain::digest::Digest;
use switchyard::domain::instance::PbxKind;
use switchyard::store::instances;

use super::served::reloads;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::database::key;
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

/// As the program of that time left it: one secret, in a column and under a seal that are named after its manager account.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a42_an_asterisk_from_before_an_instance_could_have_two_secrets_opens_its_own_and_is_deployed_to(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let id = world.instance_id;
    let secret = world.pbx.private.secret().expose_secret().to_owned();
    let sealed = key('a')
        .seal(&format!("instances.ami_secret/{id}"), &secret)
        .unwrap();
    let hex = sealed
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let bytes = match backend {
        Sqlite => format!("x'{hex}'"),
        Postgres => format!("'\\x{hex}'::bytea"),
    };
    world
        .database
        .sql("alter table instances drop column database_secret")
        .await;
    world
        .database
        .sql("alter table instances rename column control_secret to ami_secret")
        .await;
    let left = format!("update instances set ami_secret = {bytes} returning name");
    assert_eq!(world.database.ask(left).await, ["main"]);
    world.database.forget_migration("instance_secrets").await;

    let applied = world.store.database().migrate().await.unwrap();
    assert_eq!(applied.len(), 1);
    let mut tx = world.store.read("instance_secrets").await.unwrap();
    let secrets = instances::secrets(&mut tx, id).await.unwrap().unwrap();
    drop(tx);
    assert_eq!(secrets.control.expose_secret(), secret);
    assert!(secrets.database.is_none());
    world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    world.deploy(&acme).await.expect(Live);
    assert!(world.registers(&acme, &ann));
}

/// Of all kinds there is one set, and an upgrade may bring templates for a kind that nobody has here.
#[tokio::test]
async fn a42_a_template_of_another_kind_is_nothing_to_be_deployed() {
    let world = World::new(Sqlite).await;
    world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.override_template("fusionpbx/dialplan.xml", |text| text.replacen("1000", "2000", 1));
    let planned = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
    let planned = planned.unwrap();
    assert!(planned.unchanged, "{planned:#?}");
    world.deploy_platform().await.expect(Unchanged);
    world.override_template("asterisk/voicemail.conf", |text| format!("; ours\n{text}"));
    world.deploy_platform().await.expect(Live);
}
