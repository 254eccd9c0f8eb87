//! Another directory for an Asterisk's files: nothing that signs in stays where they were.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::json;
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, Unchanged};
use switchyard::domain::instance::PbxKind;

use super::served::{caller_id, reloads};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

/// Another directory is named in the settings.
async fn name_another(world: &World) -> PathBuf {
    let elsewhere = world.pbx.directory.path().join("elsewhere-config");
    fs::create_dir(&elsewhere).unwrap();
    open(world, &elsewhere);
    name(world, &elsewhere).await;
    elsewhere
}

/// Asterisk's group may read what is made there, as where it was.
fn open(world: &World, directory: &Path) {
    let former = fs::metadata(world.config_dir()).unwrap();
    std::os::unix::fs::chown(directory, None, Some(former.gid())).unwrap();
    fs::set_permissions(directory, former.permissions()).unwrap();
}

async fn name(world: &World, directory: &Path) {
    let directory = directory.to_str().unwrap().parse().unwrap();
    world
        .change_settings(|settings| settings.config_dir = directory)
        .await;
}

/// Asterisk's own file leads there by its last line; `kept`: and before that to where it was, by this word.
fn lead(world: &World, file: Artifact, to: &Path, kept: Option<&str>) {
    let path = world.pbx.home().join("etc").join(file.as_str());
    let text = fs::read_to_string(&path).unwrap();
    let (own, former) = text.split_once("#tryinclude").unwrap();
    let former = former.lines().next().unwrap();
    let kept = kept.map(|word| format!("{word}{former}\n")).unwrap_or_default();
    let line = format!("#tryinclude {}/live/{file}\n", to.display());
    fs::write(&path, format!("{own}{kept}{line}")).unwrap();
}

/// Everything in a directory, by its path there.
fn below(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            all.push(path.strip_prefix(directory).unwrap().display().to_string());
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            }
        }
    }
    all.sort();
    all
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_once_files_are_proven_to_be_read_elsewhere_nothing_of_them_is_left_where_they_were(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let former = world.config_dir();
    fs::write(former.join("notes.txt"), "the operator's own").unwrap();
    let new = name_another(&world).await;
    for file in Artifact::of(PbxKind::Asterisk) {
        lead(&world, *file, &new, None);
    }
    let ended = world.deploy_platform().await.expect(Live);
    assert!(!ended.codes().contains(&"former_place_left"), "{ended:#?}");
    assert_eq!(below(&former), ["notes.txt"]);
    for (tenant, phone) in [(&acme, &ann), (&globex, &gina)] {
        assert!(world.is_verified(tenant).await && world.registers(tenant, phone));
    }

    // From now on everything goes there.
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Anna\" <1001>"
    );
    world.deploy_platform().await.expect(Unchanged);
    assert_eq!(below(&former), ["notes.txt"]);
}

/// A line with `#include` to what is not there any more would take all of Asterisk's own file with it.
#[tokio::test]
async fn a10_what_a_line_of_asterisks_own_files_still_leads_to_stays_and_is_told() {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let (former, before) = (world.config_dir(), below(&world.config_dir()));
    let new = name_another(&world).await;
    for file in Artifact::of(PbxKind::Asterisk) {
        lead(&world, *file, &new, None);
    }
    let own = world.pbx.home().join("etc").join(Voicemail.as_str());
    let line = format!("#include {}/live/{Voicemail}\n", former.display());
    fs::write(&own, fs::read_to_string(&own).unwrap() + &line).unwrap();
    let ended = world.deploy_platform().await.expect(Live);
    let told = ended.deployment.findings.iter();
    let told: Vec<_> = told
        .filter(|finding| finding.code == "former_place_left")
        .collect();
    let [told] = told[..] else {
        panic!("{ended:#?}");
    };
    for words in [
        former.to_str().unwrap(),
        "Asterisk's own voicemail.conf may lead there still",
        "remove `live` and `generations`",
    ] {
        assert!(told.message.contains(words), "{words}: {}", told.message);
    }
    assert_eq!(below(&former), before);
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
}

/// A copy that somebody made of ours has the digests too.
#[tokio::test]
async fn a10_a_copy_among_the_former_generations_stays_and_is_named() {
    let world = World::new(Sqlite).await;
    let _ = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let former = world.config_dir();
    let copy = former.join("live").canonicalize().unwrap().join("pjsip.conf.bak");
    fs::copy(former.join("live/pjsip.conf"), &copy).unwrap();
    let new = name_another(&world).await;
    for file in Artifact::of(PbxKind::Asterisk) {
        lead(&world, *file, &new, None);
    }
    let ended = world.deploy_platform().await.expect(Live);
    let mut told = ended.deployment.findings.iter();
    let told = told.find(|finding| finding.code == "former_place_left").unwrap();
    assert!(told.message.contains("pjsip.conf.bak"), "{}", told.message);
    assert!(copy.exists() && !former.join("live").is_symlink());
}

/// The operator had the former directory lead to the new one, so that nothing is missing meanwhile.
#[tokio::test]
async fn a10_a_link_that_leads_to_where_the_files_are_now_stays_and_so_does_what_is_read_by_it() {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let former = world.config_dir();
    let new = name_another(&world).await;
    fs::remove_file(former.join("live")).unwrap();
    std::os::unix::fs::symlink(new.join("live"), former.join("live")).unwrap();
    let ended = world.deploy_platform().await.expect(Live);
    assert!(ended.codes().contains(&"former_place_left"), "{ended:#?}");
    assert!(former.join("live").is_symlink());
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    world.deploy(&acme).await.expect(Live);
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
}

/// With phones or a dialplan twice Asterisk complains: what it goes back to is where it was.
#[rstest]
#[case(Pjsip)]
#[case(Extensions)]
#[tokio::test]
async fn a10_with_both_lines_nothing_is_proven_and_the_former_files_are_left_to_go_back_to(
    #[case] twice: Artifact,
) {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let (former, before) = (world.config_dir(), world.files());
    let new = name_another(&world).await;
    for file in Artifact::of(PbxKind::Asterisk) {
        let kept = (*file == twice).then_some("#tryinclude");
        lead(&world, *file, &new, kept);
    }
    let ended = world.deploy_platform().await;
    assert_ne!(ended.deployment.status, Live, "{ended:#?}");
    assert_eq!(world.files(), before);
    let mut told = ended.deployment.findings.iter();
    let told = told.find(|finding| finding.code == "tried_place_left").unwrap();
    assert!(told.message.contains(new.to_str().unwrap()), "{}", told.message);
    // The operator has the lines lead to where it was.
    for file in Artifact::of(PbxKind::Asterisk) {
        lead(&world, *file, &former, None);
    }
    name(&world, &former).await;
    world.deploy_platform().await.expect(Live);
    assert_eq!(world.files().len(), before.len());
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
}

/// It has the digests of every tenant.
#[tokio::test]
async fn a10_what_a_move_has_tried_goes_once_a_tenant_is_forgotten_and_what_is_in_force_stays() {
    let world = World::new(Sqlite).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let former = world.config_dir();
    let new = name_another(&world).await;
    for file in Artifact::of(PbxKind::Asterisk) {
        let kept = (*file == Pjsip).then_some("#tryinclude");
        lead(&world, *file, &new, kept);
    }
    let ended = world.deploy_platform().await;
    assert_ne!(ended.deployment.status, Live, "{ended:#?}");
    assert!(below(&new).contains(&"live".to_owned()));
    for file in Artifact::of(PbxKind::Asterisk) {
        lead(&world, *file, &former, None);
    }
    world.engine.forget(world.instance_id, acme.id).await.unwrap();
    assert_eq!(below(&new), [""; 0]);
    assert!(former.join("live").join(Pjsip.as_str()).is_file());
}

/// A reload would end what runs: it is found out before.
#[tokio::test]
async fn a10_lines_that_lead_neither_here_nor_there_are_told_before_anything_is_touched() {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let (before, live) = (world.files(), world.live().await);
    let new = name_another(&world).await;
    let mistyped = world.pbx.directory.path().join("elsewhere-confg");
    for file in Artifact::of(PbxKind::Asterisk) {
        lead(&world, *file, &mistyped, None);
    }
    let ended = world.deploy_platform().await.expect(Failed);
    let told: Vec<&str> = ended
        .codes()
        .into_iter()
        .filter(|code| code.ends_with("missing"))
        .collect();
    assert_eq!(told, ["include_missing"; 3], "{ended:#?}");
    let said = format!("{:?}", ended.deployment.findings);
    for words in [new.to_str().unwrap(), "Nothing was touched"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!((world.files(), world.live().await), (before, live));
    assert!(world.registers(&acme, &ann), "phones do not notice");
    assert_eq!(below(&new).iter().find(|path| *path == "live"), None);

    // A tenant's deploy that comes before the instance's own goes to where the files are in force.
    for file in Artifact::of(PbxKind::Asterisk) {
        lead(&world, *file, &new, None);
    }
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    let before = (world.files(), world.live().await);
    let (reloaded, ended) = reloads(&world, world.deploy(&acme)).await;
    let ended = ended.expect(Failed);
    assert!(ended.codes().contains(&"include_missing"), "{ended:#?}");
    assert!(reloaded.is_empty(), "{reloaded:?}");
    assert_eq!((world.files(), world.live().await), before);
    assert!(world.registers(&acme, &ann), "phones do not notice");
    world.deploy_platform().await.expect(Live);
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
}

/// The same directory under another name is where the files are read.
#[tokio::test]
async fn a10_a_directory_that_gets_another_name_keeps_its_files() {
    let world = World::new(Sqlite).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let named = world.pbx.directory.path().join("named");
    std::os::unix::fs::symlink(world.config_dir(), &named).unwrap();
    name(&world, &named).await;
    world.patch(&acme, &ann, json!({"name": "Anna"})).await;
    world.deploy_platform().await.expect(Live);
    assert_eq!(
        caller_id(&world, "1001@acme.example.com").unwrap(),
        "\"Anna\" <1001>"
    );
    assert!(world.standing().is_some() && world.registers(&acme, &ann));
}
