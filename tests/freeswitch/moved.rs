//! Another domain or another PBX for tenants of a FreeSWITCH, and what is left of an instance that serves nobody any more.

use std::path::Path;

use serde_json::{Value, json};
use switchyard::app::error::AppError;
use switchyard::app::instances::NewInstance;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{instance_changes, instances, tenant_change};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::instance::InstanceSettings;

use super::freeswitch::{Admitted, Refused};
use super::plain_freeswitch::secrets;
use super::rig::Rig;
use super::support::database::Backend::Sqlite;
use super::support::world::{NODE, Tenant, operator};

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

fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
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

#[tokio::test]
async fn of_an_instance_that_is_deleted_nothing_that_signs_in_is_left_on_its_host() {
    let (rig, acme, [ann, _], globex, _) = Rig::live(Sqlite).await;
    move_away(&rig, [&acme, &globex]).await;
    let directory = rig.plain.config_dir();
    let domain = acme.domain.parse().unwrap();
    let digest = ann.secrets.sip.ha1(&ann.extension.number, &domain);
    let holds = |text: &[u8]| String::from_utf8_lossy(text).contains(digest.expose());
    assert!(
        below(&directory).iter().any(|(_, text)| holds(text)),
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
