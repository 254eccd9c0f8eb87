//! Sounds that recorded calls are to begin with and that the PBX does not have: found before anything is touched, and no reason
//! to keep back what was live before.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, tenant_status};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected};
use switchyard::domain::finding::{Finding, Severity};
use switchyard::domain::tenant::SuspensionPolicy::BlockAll;

use super::down::until_up;
use super::recording::{SOUND, announce, line_of_1002};
use super::rollback::roll_back;
use super::support::ami::field;
use super::support::database::Backend::Sqlite;
use super::support::pbx::{Restarted, kill, pid};
use super::suspended::{followed, set_policy, suspend};
use super::world::{Ended, TestTenant, World, ended, operator};

fn missing_sound(ended: &Ended) -> Vec<&Finding> {
    let told = ended.deployment.findings.iter();
    told.filter(|finding| finding.code == "notice_sound_missing")
        .collect()
}

#[track_caller]
fn warns_once(ended: &Ended) {
    let severities: Vec<_> = missing_sound(ended).iter().map(|told| told.severity).collect();
    assert_eq!(severities, [Severity::Warning], "{ended:#?}");
}

/// Starts Asterisk again, with a directory of sounds of its own in which there are none.
async fn keep_sounds(world: &World) -> Restarted {
    let home = world.pbx.home();
    let answer = world.pbx.ami().ask("Getvar", &[("Variable", "ASTDATADIR")]);
    let built_in = PathBuf::from(field(&answer, "Value").unwrap());
    let data = home.join("data");
    std::fs::create_dir_all(data.join("sounds/en")).unwrap();
    for entry in std::fs::read_dir(built_in).unwrap().flatten() {
        if entry.file_name() != "sounds" {
            symlink(entry.path(), data.join(entry.file_name())).unwrap();
        }
    }
    let file = home.join("etc/asterisk.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    let named = format!("[directories]\nastdatadir => {}\n", data.display());
    std::fs::write(file, text.replacen("[directories]\n", &named, 1)).unwrap();
    kill(pid(&home));
    let again = Restarted::start(&world.pbx);
    until_up(world).await;
    again
}

fn add_sound(world: &World, sound: &str) {
    let path = world.pbx.home().join(format!("data/sounds/en/{sound}.gsm"));
    std::fs::write(path, "").unwrap();
}

fn remove_sound(world: &World, sound: &str) {
    let path = world.pbx.home().join(format!("data/sounds/en/{sound}.gsm"));
    std::fs::remove_file(path).unwrap();
}

/// A tenant whose Bob is recorded, on an Asterisk that has no sound.
async fn with_bob(world: &World, named: &str) -> TestTenant {
    let tenant = world.tenant(named).await;
    let bob = json!({"number": "1002", "name": "Bob", "recording": "inbound"});
    world.extension(&tenant, bob).await;
    tenant
}

#[tokio::test]
async fn a12_a_sound_that_the_pbx_does_not_have_is_found_before_anything_is_touched() {
    let world = World::new(Sqlite).await;
    let _again = keep_sounds(&world).await;
    let acme = with_bob(&world, "acme").await;
    world.deploy(&acme).await.expect(Live);
    let (before, standing) = (line_of_1002(&world), world.standing());
    announce(&world, &acme, "theirs").await;
    let refused = world.deploy(&acme).await.expect(Rejected);
    let &[told] = &missing_sound(&refused)[..] else {
        panic!("{refused:#?}");
    };
    assert_eq!((told.severity, told.tenant_id), (Severity::Error, Some(acme.id)));
    let place = world.pbx.home().join("data/sounds");
    for word in [
        acme.domain.as_str(),
        "theirs.wav",
        place.to_str().unwrap(),
        "deploy again",
    ] {
        assert!(told.message.contains(word), "{}", told.message);
    }
    assert_eq!((line_of_1002(&world), world.standing()), (before, standing));
    add_sound(&world, "ours");
    announce(&world, &acme, "ours").await;
    let told = world.deploy(&acme).await.expect(Live);
    assert!(
        !told.codes().iter().any(|code| code.starts_with("notice_sound")),
        "{told:#?}"
    );
    // What is live like that keeps nothing else back.
    remove_sound(&world, "ours");
    world
        .extension(&acme, json!({"number": "1003", "name": "Cy"}))
        .await;
    warns_once(&world.deploy(&acme).await.expect(Live));
}

#[tokio::test]
async fn a12_a_roll_back_to_a_sound_that_is_gone_is_done_and_told() {
    let world = World::new(Sqlite).await;
    let _again = keep_sounds(&world).await;
    let acme = with_bob(&world, "acme").await;
    for sound in ["first", "second"] {
        add_sound(&world, sound);
    }
    announce(&world, &acme, "first").await;
    let first = world.deploy(&acme).await.expect(Live);
    let generation = world.live().await.unwrap();
    announce(&world, &acme, "second").await;
    world.deploy(&acme).await.expect(Live);
    remove_sound(&world, "first");
    warns_once(&roll_back(&world, &acme, &first).await.expect(Live));
    assert!(line_of_1002(&world).contains("first"), "{}", line_of_1002(&world));

    announce(&world, &acme, "second").await;
    world.deploy(&acme).await.expect(Live);
    let back = deployments::roll_back_instance(&world.app, &operator(), world.instance_id, generation).await;
    warns_once(&ended(&world.app, &back.unwrap()).await.expect(Live));
    assert!(line_of_1002(&world).contains("first"), "{}", line_of_1002(&world));
}

#[tokio::test]
async fn a12_a_suspended_tenant_comes_back_also_where_its_sound_has_gone_meanwhile() {
    let world = World::new(Sqlite).await;
    let _again = keep_sounds(&world).await;
    let acme = with_bob(&world, "acme").await;
    add_sound(&world, "ours");
    announce(&world, &acme, "ours").await;
    world.deploy(&acme).await.expect(Live);
    set_policy(&world, &acme, BlockAll).await;
    let suspended = suspend(&world, &acme).await;
    followed(&world, &suspended.deployments).await.expect(Live);
    remove_sound(&world, "ours");
    let back = tenant_status::reactivate(&world.app, &operator(), acme.id, &IfMatch::Any).await;
    warns_once(&followed(&world, &back.unwrap().deployments).await.expect(Live));
    assert!(line_of_1002(&world).contains("ours"), "{}", line_of_1002(&world));
}

/// The parts that all tenants share are new too: what stays must have been made for them.
#[tokio::test]
async fn a12_whose_sound_is_missing_stays_at_its_live_revision_rendered_as_all_others() {
    let world = World::new(Sqlite).await;
    let _again = keep_sounds(&world).await;
    let acme = with_bob(&world, "acme").await;
    let globex = with_bob(&world, "globex").await;
    world.deploy_platform().await.expect(Live);
    announce(&world, &acme, "theirs").await;
    world
        .extension(&globex, json!({"number": "1003", "name": "Cy"}))
        .await;
    world.override_template("asterisk/extensions.conf", |text| {
        format!("; made anew for {{{{ tenant.domain }}}}\n{text}")
    });
    let told = world.deploy_platform().await.expect(Partial);
    let &[missing] = &missing_sound(&told)[..] else {
        panic!("{told:#?}");
    };
    assert_eq!(
        (missing.severity, missing.tenant_id),
        (Severity::Error, Some(acme.id))
    );
    let text = std::fs::read_to_string(world.live_file(Artifact::Extensions)).unwrap();
    for tenant in [&acme, &globex] {
        let made = format!("; made anew for {}", tenant.domain);
        assert!(text.contains(&made), "{text}");
    }
    assert!(
        text.contains("exten => 1003,1,") && !text.contains("theirs"),
        "{text}"
    );
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
}

/// What would have changed with the one that stays is not what the deploy has done.
#[tokio::test]
async fn a12_a_deploy_that_leaves_out_the_only_one_with_changes_tells_of_no_change() {
    let world = World::new(Sqlite).await;
    let _again = keep_sounds(&world).await;
    let acme = with_bob(&world, "acme").await;
    with_bob(&world, "globex").await;
    world.deploy_platform().await.expect(Live);
    announce(&world, &acme, "theirs").await;
    let told = world.deploy_platform().await.expect(Partial);
    assert_eq!(missing_sound(&told).len(), 1, "{told:#?}");
    assert!(told.deployment.changes.is_empty(), "{told:#?}");
    assert_eq!(told.deployment.generation, None, "{told:#?}");
}

#[tokio::test]
async fn a12_a_sound_that_cannot_be_looked_for_says_nothing_of_anothers() {
    let world = World::new(Sqlite).await;
    let _again = keep_sounds(&world).await;
    // A name that leads back to itself.
    symlink("round", world.pbx.home().join("data/sounds/round")).unwrap();
    let acme = with_bob(&world, "acme").await;
    let globex = with_bob(&world, "globex").await;
    world.deploy_platform().await.expect(Live);
    announce(&world, &acme, "theirs").await;
    announce(&world, &globex, "round/x").await;
    let told = world.deploy_platform().await.expect(Partial);
    let of = |code: &str| {
        let mut findings = told.deployment.findings.iter();
        let found = findings.find(|finding| finding.code == code).unwrap();
        (found.severity, found.tenant_id)
    };
    assert_eq!(of("notice_sound_missing"), (Severity::Error, Some(acme.id)));
    assert_eq!(
        of("notice_sound_not_checked"),
        (Severity::Warning, Some(globex.id))
    );
    let text = std::fs::read_to_string(world.live_file(Artifact::Extensions)).unwrap();
    assert!(text.contains("round/x") && !text.contains("theirs"), "{text}");
}

#[tokio::test]
async fn a12_a_sound_that_cannot_be_looked_for_is_told_and_goes_live() {
    let world = World::new(Sqlite).await;
    let _again = keep_sounds(&world).await;
    let acme = with_bob(&world, "acme").await;
    let data = world.pbx.home().join("data");
    std::fs::rename(&data, data.with_file_name("elsewhere")).unwrap();
    announce(&world, &acme, "theirs").await;
    let told = world.deploy(&acme).await.expect(Live);
    assert!(told.codes().contains(&"notice_sound_not_checked"), "{told:#?}");
}

/// As on most hosts: `asterisk.conf` does not say where the sounds are.
#[tokio::test]
async fn a12_a_sound_that_an_asterisk_as_it_is_built_does_not_have_is_missing() {
    let world = World::new(Sqlite).await;
    let own = std::fs::read_to_string(world.pbx.home().join("etc/asterisk.conf")).unwrap();
    assert!(!own.contains("astdatadir"), "{own}");
    let acme = with_bob(&world, "acme").await;
    announce(&world, &acme, "custom/not-there").await;
    let refused = world.deploy(&acme).await.expect(Rejected);
    assert_eq!(missing_sound(&refused).len(), 1, "{refused:#?}");
    // What would have changed is not what it has done.
    assert!(refused.deployment.changes.is_empty(), "{refused:#?}");
    announce(&world, &acme, SOUND).await;
    let live = world.deploy(&acme).await.expect(Live);
    assert!(
        !live.codes().iter().any(|code| code.starts_with("notice_sound")),
        "{live:#?}"
    );
}

/// As templates were before there were announcements, and as those of an operator are that were made then.
const WITHOUT: [[&str; 3]; 2] = [
    [
        "asterisk/extensions.conf",
        "{% if notice %},{{ notice.hearers }},{{ notice.sound }}{% endif %}",
        "",
    ],
    ["asterisk/extensions-instance.conf", "${ARG10}", "beep"],
];

fn pass_over(world: &World, [template, from, to]: [&str; 3]) {
    world.override_template(template, |text| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    });
}

#[track_caller]
fn names_the_template(ended: &Ended, acme: &TestTenant, template: &str) {
    let told = ended.deployment.findings.iter();
    let told: Vec<_> = told
        .filter(|told| told.code == "notice_not_in_templates")
        .collect();
    let &[told] = &told[..] else { panic!("{ended:#?}") };
    assert_eq!((told.severity, told.tenant_id), (Severity::Error, Some(acme.id)));
    for word in [
        acme.domain.as_str(),
        template,
        "`switchyard deploy apply --instance ",
    ] {
        assert!(told.message.contains(word), "{}", told.message);
    }
}

/// Its calls would be recorded, and nobody told.
#[rstest]
#[case::of_a_tenant(WITHOUT[0])]
#[case::of_all(WITHOUT[1])]
#[tokio::test]
async fn a12_a_set_of_templates_from_before_announcements_keeps_a_tenant_with_one_from_going_live(
    #[case] without: [&str; 3],
) {
    let world = World::new(Sqlite).await;
    let acme = with_bob(&world, "acme").await;
    let globex = with_bob(&world, "globex").await;
    pass_over(&world, without);
    world.deploy_platform().await.expect(Live);
    let (before, standing) = (line_of_1002(&world), world.standing());
    announce(&world, &acme, SOUND).await;
    // The operator's own pass over it, for ever.
    let own = world.deploy_platform().await.expect(Partial);
    names_the_template(&own, &acme, without[0]);
    // The program's are as they should be, and what is live is not made with them.
    world.remove_override(without[0]);
    let planned = deployments::plan(&world.app, &acme.caller).await.unwrap();
    assert!(planned.rejected, "{planned:#?}");
    let refused = world.deploy(&acme).await.expect(Rejected);
    names_the_template(&refused, &acme, without[0]);
    assert_eq!((line_of_1002(&world), world.standing()), (before, standing));
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
    // It does what it says.
    world.deploy_platform().await.expect(Live);
    assert!(
        line_of_1002(&world).ends_with(&format!(",all,{SOUND}))")),
        "{}",
        line_of_1002(&world)
    );
}

#[rstest]
#[case::of_a_tenant(WITHOUT[0])]
#[case::of_all(WITHOUT[1])]
#[tokio::test]
async fn a12_templates_that_no_longer_announce_what_is_live_are_rejected(#[case] without: [&str; 3]) {
    let world = World::new(Sqlite).await;
    let acme = with_bob(&world, "acme").await;
    announce(&world, &acme, SOUND).await;
    world.deploy(&acme).await.expect(Live);
    let standing = world.standing();
    pass_over(&world, without);
    let refused = world.deploy_platform().await.expect(Rejected);
    names_the_template(&refused, &acme, without[0]);
    assert_eq!(world.standing(), standing);
    assert!(world.is_verified(&acme).await);
}
