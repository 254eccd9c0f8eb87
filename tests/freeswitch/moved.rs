//! Another domain or another PBX for tenants of a FreeSWITCH, and what is left of an instance that serves nobody any more.

use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::error::AppError;
use switchyard::app::instances::NewInstance;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{instance_changes, instances, tenant_change};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::instance::InstanceSettings;

use super::freeswitch::{Admitted, NewCall, Refused};
use super::plain_freeswitch::{secrets, write};
use super::rig::Rig;
use super::support::database::Backend::Sqlite;
use super::support::world::{NODE, Phone, Tenant, operator};

async fn change(rig: &Rig, tenant: &Tenant, patch: Value) -> Vec<String> {
    let patch = serde_json::from_value(patch).unwrap();
    let changed = tenant_change::change(&rig.app, &operator(), tenant.id, patch, &IfMatch::Any).await;
    changed.unwrap().1
}

#[tokio::test]
async fn another_domain_puts_the_former_one_out_and_that_is_told_before() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let told = change(&rig, &acme, json!({"domain": "new.example.com"})).await;
    assert_eq!(told.len(), 1, "{told:?}");
    for words in ["acme.example.com are refused", "set them up for new.example.com"] {
        assert!(told[0].contains(words), "{words}: {told:?}");
    }
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.register(&acme, &ann).await, Err(Refused::Unknown));
    let freeswitch = &rig.plain.freeswitch;
    let new = freeswitch
        .register("internal", "1001", "new.example.com", ann.secret())
        .await;
    assert_eq!(new, Ok(Admitted::Hash));
}

/// Moves every tenant away, as if another host had noted that its instance serves them.
async fn move_away(rig: &Rig, tenants: [&Tenant; 2]) {
    let mut settings = rig.plain.settings();
    settings.config_dir = "/nowhere/second".parse().unwrap();
    let new = NewInstance {
        name: "second".parse().unwrap(),
        node: NODE.parse().unwrap(),
        settings: InstanceSettings::FreeSwitch(settings),
        secrets: secrets(),
    };
    let second = instances::create(&rig.app, &operator(), new).await.unwrap().id;
    for tenant in tenants {
        change(rig, tenant, json!({"pbx_instance_id": second})).await;
    }
    let noting = "insert into served (instance_id, tenant_id, revision_id, secrets_version, service, fragments) \
        select i.id, s.tenant_id, s.revision_id, s.secrets_version, s.service, s.fragments \
        from served s join instances i on i.name = 'second'";
    rig.database.ask(noting.to_owned()).await;
    let left = rig.deploy_platform().await.expect(Live);
    let moved = left.codes().into_iter().filter(|code| *code == "moved_away");
    assert_eq!(moved.count(), tenants.len(), "{left:#?}");
}

/// Everything below a directory, by its path there.
fn below(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in entries(directory) {
        let name = entry.strip_prefix(directory).unwrap().display().to_string();
        all.push((name, std::fs::read(&entry).unwrap_or_default()));
    }
    all.sort();
    all
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            all.extend(entries(&path));
        }
        all.push(path);
    }
    all
}

/// Whether anything there holds what a phone signs in with.
fn holds_digest(directory: &Path, tenant: &Tenant, phone: &Phone) -> bool {
    let domain = tenant.domain.parse().unwrap();
    let digest = phone.secrets.sip.ha1(&phone.extension.number, &domain);
    below(directory)
        .iter()
        .any(|(_, text)| String::from_utf8_lossy(text).contains(digest.expose()))
}

#[tokio::test]
async fn of_an_instance_that_is_deleted_nothing_that_signs_in_is_left_on_its_host() {
    let (rig, acme, [ann, _], globex, _) = Rig::live(Sqlite).await;
    move_away(&rig, [&acme, &globex]).await;
    let directory = rig.plain.config_dir();
    assert!(
        holds_digest(&directory, &acme, &ann),
        "the former generation is kept for going back"
    );
    std::fs::write(directory.join("notes.txt"), "the operator's own").unwrap();

    // What cannot be removed keeps it from being deleted: nobody would know of it afterwards.
    let link = directory.join("live");
    std::fs::remove_file(&link).unwrap();
    std::fs::create_dir(&link).unwrap();
    let caller = operator();
    let refused = instance_changes::delete(&rig.app, &caller, rig.instance_id, &IfMatch::Any).await;
    let Err(AppError::InUse { message, .. }) = refused else {
        panic!("{:?}", refused.map_err(|error| error.to_string()));
    };
    for words in ["digests", link.to_str().unwrap(), "give-up main"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    std::fs::remove_dir(&link).unwrap();

    instance_changes::delete(&rig.app, &caller, rig.instance_id, &IfMatch::Any)
        .await
        .unwrap();
    let left: Vec<String> = below(&directory).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["notes.txt"]);
}

#[tokio::test]
async fn with_another_domain_the_call_of_a_removed_extension_ends_and_those_of_the_others_go_on() {
    let (rig, acme, [_, bob], ..) = Rig::live(Sqlite).await;
    let freeswitch = &rig.plain.freeswitch;
    freeswitch.add_call(&NewCall::within(&acme.domain, "1002", "5550199"));
    let stays = freeswitch.add_call(&NewCall::within(&acme.domain, "1001", "5550198"));
    change(&rig, &acme, json!({"domain": "new.example.com"})).await;
    rig.delete(&acme, &bob).await;
    let ended = rig.deploy(&acme).await.expect(Live);
    assert_eq!(freeswitch.calls(), [stays], "{ended:#?}");
}

/// Another directory is named; the operator's lines lead there already, if so. Gives the former one.
async fn another_directory(rig: &Rig, led: bool) -> (PathBuf, PathBuf) {
    let former = rig.plain.config_dir();
    let new = rig.plain.home().join("elsewhere");
    std::fs::create_dir(&new).unwrap();
    rig.reach_with(|settings| settings.config_dir = new.to_str().unwrap().parse().unwrap())
        .await;
    if led {
        for section in ["directory", "dialplan"] {
            let line = format!(
                "<include>\n<X-PRE-PROCESS cmd=\"include\" data=\"{}/live/{section}.xml\"/>\n</include>\n",
                new.display()
            );
            write(&rig.plain.conf().join(section).join("switchyard.xml"), &line);
        }
    }
    (former, new)
}

#[tokio::test]
async fn once_files_are_proven_to_be_read_elsewhere_nothing_that_signs_in_is_left_where_they_were() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let (former, new) = another_directory(&rig, true).await;
    std::fs::write(former.join("notes.txt"), "the operator's own").unwrap();
    let ended = rig.deploy_platform().await.expect(Live);
    assert!(!ended.codes().contains(&"former_place_left"), "{ended:#?}");
    let left: Vec<String> = below(&former).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["notes.txt"]);
    assert!(holds_digest(&new, &acme, &ann));
    rig.register(&acme, &ann).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_removed_where_files_were_is_told_once() {
    let (rig, ..) = Rig::live(Sqlite).await;
    let (former, _) = another_directory(&rig, true).await;
    std::fs::remove_file(former.join("live")).unwrap();
    std::fs::create_dir(former.join("live")).unwrap();
    let ended = rig.deploy_platform().await.expect(Live);
    assert!(ended.codes().contains(&"former_place_left"), "{ended:#?}");
    assert!(ended.words().contains(former.to_str().unwrap()), "{ended:#?}");
}

/// The same directory under another name is where the files are read.
#[tokio::test]
async fn a_directory_that_gets_another_name_keeps_its_files() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let named = rig.plain.home().join("named");
    std::os::unix::fs::symlink(rig.plain.config_dir(), &named).unwrap();
    rig.reach_with(|settings| settings.config_dir = named.to_str().unwrap().parse().unwrap())
        .await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.deploy_platform().await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert!(holds_digest(&rig.plain.config_dir(), &acme, &ann));
}

/// What moves the directory need not be deployed for the instance to be deleted.
#[tokio::test]
async fn of_an_instance_whose_directory_was_to_move_nothing_is_left_where_the_files_are() {
    let (rig, acme, [ann, _], globex, _) = Rig::live(Sqlite).await;
    move_away(&rig, [&acme, &globex]).await;
    let (former, _) = another_directory(&rig, false).await;
    assert!(holds_digest(&former, &acme, &ann));
    instance_changes::delete(&rig.app, &operator(), rig.instance_id, &IfMatch::Any)
        .await
        .unwrap();
    assert_eq!(below(&former), []);
}

/// Below the new directory nobody is found who was served before.
#[rstest]
#[case::signed_in(true)]
#[case::with_a_call_only(false)]
#[tokio::test]
async fn whoever_goes_with_a_move_of_the_directory_is_signed_out_and_hung_up(#[case] signed_in: bool) {
    let (rig, acme, [ann, bob], ..) = Rig::live(Sqlite).await;
    rig.register(&acme, &ann).await.unwrap();
    if signed_in {
        rig.register(&acme, &bob).await.unwrap();
    }
    let freeswitch = &rig.plain.freeswitch;
    freeswitch.add_call(&NewCall::within(&acme.domain, "1002", "5550199"));
    let stays = freeswitch.add_call(&NewCall::within(&acme.domain, "1001", "5550198"));
    another_directory(&rig, true).await;
    rig.delete(&acme, &bob).await;
    let ended = rig.deploy_platform().await.expect(Live);
    assert_eq!(freeswitch.calls(), [stays], "{ended:#?}");
    let users: Vec<String> = freeswitch.phones().into_iter().map(|phone| phone.user).collect();
    assert_eq!(users, ["1001"]);
    rig.register(&acme, &ann).await.unwrap();
}

/// Whoever deploys holds the lease: what it has staged is not taken away under it.
#[tokio::test]
async fn while_a_deploy_is_under_way_an_instance_is_not_deleted_and_nothing_of_it_is_removed() {
    let (rig, acme, _, globex, _) = Rig::live(Sqlite).await;
    move_away(&rig, [&acme, &globex]).await;
    let before = below(&rig.plain.config_dir());
    let caller = operator();
    let held = rig.engine.hold(rig.instance_id).await.unwrap().unwrap();
    let refused = instance_changes::delete(&rig.app, &caller, rig.instance_id, &IfMatch::Any).await;
    assert!(
        matches!(refused, Err(AppError::InUse { .. })),
        "{}",
        refused.is_ok()
    );
    assert_eq!(below(&rig.plain.config_dir()), before);
    held.end().await;
    instance_changes::delete(&rig.app, &caller, rig.instance_id, &IfMatch::Any)
        .await
        .unwrap();
    let said = "select action from audit_entries where action in ('instance.leave', 'instance.delete') order by number";
    assert_eq!(
        rig.database.ask(said.to_owned()).await,
        ["instance.leave", "instance.delete"]
    );
}
