//! The connection test: each part that lacks is named, with what mends it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live};
use switchyard::driver::Check;

use super::freeswitch::{Effect, Fault, PASSWORD};
use super::rig::Rig;
use super::support::database::Backend::Sqlite;

async fn checks(rig: &Rig) -> BTreeMap<&'static str, Check> {
    let checks = rig.driver().await.test().await;
    checks.into_iter().map(|check| (check.name, check)).collect()
}

#[tokio::test]
async fn where_nothing_lacks_every_part_is_good_before_and_after_the_first_deploy() {
    let rig = Rig::new(Sqlite).await;
    rig.acme_and_globex().await;
    for deployed in [false, true] {
        if deployed {
            rig.deploy_platform().await.expect(Live);
        }
        let checks = checks(&rig).await;
        let names: Vec<&str> = checks.keys().copied().collect();
        assert_eq!(
            names,
            [
                "config_dir",
                "config_dir_group",
                "config_dir_writable",
                "event_socket",
                "foreign_files",
                "include_dialplan",
                "include_directory",
                "sip_profile_domains",
                "sip_profiles"
            ]
        );
        assert!(checks.values().all(|check| check.ok), "{checks:#?}");
    }
}

/// What lacks.
#[derive(Clone, Copy)]
enum Lack {
    Password,
    Closed,
    Address,
    Directory,
    Writable,
    Group,
    DirectoryLine,
    DialplanLine,
    Read,
    Forced,
}

#[rstest]
#[case(Lack::Password, "event_socket", "event_socket.conf.xml")]
#[case(Lack::Closed, "event_socket", "FreeSWITCH runs")]
#[case(Lack::Address, "event_socket", "apply-inbound-acl")]
#[case(Lack::Directory, "config_dir", "install -d")]
#[case(Lack::Writable, "config_dir_writable", "chown")]
#[case(Lack::Group, "config_dir_group", "chgrp freeswitch")]
#[case(Lack::DirectoryLine, "include_directory", "directory/switchyard.xml")]
#[case(Lack::DialplanLine, "include_dialplan", "dialplan/switchyard.xml")]
#[case(Lack::Read, "include_directory", "reloadxml")]
#[case(Lack::Forced, "sip_profile_domains", "sofia profile internal restart")]
#[tokio::test]
async fn what_lacks_is_the_only_thing_that_is_named(
    #[case] lack: Lack,
    #[case] name: &str,
    #[case] mend: &str,
) {
    let (mut rig, ..) = Rig::live(Sqlite).await;
    match lack {
        Lack::Password => rig.plain.freeswitch.change_password("another"),
        Lack::Closed => rig.plain.freeswitch.close().await,
        Lack::Address => rig.plain.freeswitch.faults().deny_address(true),
        Lack::Directory => {
            let elsewhere = rig.plain.home().join("nowhere");
            rig.reach_with(|settings| settings.config_dir = elsewhere.to_str().unwrap().parse().unwrap())
                .await;
        }
        Lack::Writable => {
            // A file where the generations are is in the way of whoever writes, root among them.
            let generations = rig.plain.config_dir().join("generations");
            std::fs::rename(&generations, rig.plain.home().join("moved")).unwrap();
            std::fs::write(&generations, "").unwrap();
        }
        Lack::Group => {
            let for_nobody_else = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(rig.plain.config_dir(), for_nobody_else).unwrap();
        }
        Lack::DirectoryLine => rig.plain.exclude("directory"),
        Lack::DialplanLine => rig.plain.exclude("dialplan"),
        Lack::Read => {
            rig.plain.exclude("directory");
            rig.somebody_reloads().await;
            rig.plain.include("directory");
        }
        Lack::Forced => {
            rig.plain.force_domain();
            rig.somebody_reloads().await;
        }
    }
    let checks = checks(&rig).await;
    let failed: Vec<&Check> = checks.values().filter(|check| !check.ok).collect();
    assert!(failed.iter().any(|check| check.name == name), "{checks:#?}");
    let named = failed.iter().find(|check| check.name == name).unwrap();
    assert!(named.mend.as_ref().unwrap().contains(mend), "{failed:#?}");
    // Where there is no directory, nothing leads there.
    let others = failed.iter().filter(|check| check.name != name);
    let expected = if matches!(lack, Lack::Directory) { 2 } else { 0 };
    assert_eq!(others.count(), expected, "{failed:#?}");
    assert!(!format!("{checks:?}").contains(PASSWORD));
}

/// It is the operator's, who may have phones of their own there.
#[tokio::test]
async fn a_deploy_tells_of_a_profile_that_lets_no_tenants_phone_in() {
    let mut rig = Rig::new(Sqlite).await;
    rig.plain.force_domain();
    rig.somebody_reloads().await;
    rig.acme_and_globex().await;
    let ended = rig.deploy_platform().await.expect(Live);
    assert!(ended.codes().contains(&"sip_domain_forced"), "{ended:#?}");
    for words in ["force-register-domain", "profile internal"] {
        assert!(ended.words().contains(words), "{words}: {ended:#?}");
    }
    let seen = rig.look().await;
    assert!(
        seen.ok && format!("{seen:?}").contains("sip_domain_forced"),
        "{seen:#?}"
    );
}

/// A warning's question: whatever is answered to it, what else is known decides.
#[tokio::test]
async fn a_question_about_profiles_that_is_not_answered_keeps_no_deploy_from_going_live() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let asked = "sofia.conf";
    rig.plain
        .freeswitch
        .faults()
        .add(Fault::at(asked, Effect::Print("-ERR no such thing\n".to_owned())).always());
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = rig.deploy_platform().await.expect(Live);
    assert!(ended.codes().contains(&"sip_domain_not_checked"), "{ended:#?}");
    rig.plain.exclude("directory");
    rig.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = rig.deploy_platform().await.expect(Failed);
    assert!(ended.codes().contains(&"include_missing"), "{ended:#?}");
}

/// Paths and profiles are the operator's.
#[tokio::test]
async fn a_tenants_record_says_nothing_of_the_operators_profiles() {
    let (mut rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    rig.plain.force_domain();
    rig.somebody_reloads().await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = rig.deploy(&acme).await.expect(Live);
    assert_eq!(ended.codes(), Vec::<&str>::new(), "{ended:#?}");
    rig.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = rig.deploy_platform().await.expect(Live);
    assert!(ended.codes().contains(&"sip_domain_forced"), "{ended:#?}");
}
