//! The operator's lines that lead to our files: a reload without them would end what runs.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, RolledBack};

use super::freeswitch::{Effect, Fault};
use super::plain_freeswitch::write;
use super::rig::{RELOAD, Rig};
use super::support::database::Backend::Sqlite;
use super::support::world::ended;

#[rstest]
#[case("directory")]
#[case("dialplan")]
#[tokio::test]
async fn a_line_that_the_operator_took_out_keeps_freeswitch_from_being_told_to_read(#[case] section: &str) {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    rig.plain.exclude(section);
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let before = rig.standing().await;
    let ended = rig.deploy(&acme).await.expect(Failed);
    assert!(ended.codes().contains(&"include_missing"), "{ended:#?}");
    for words in [
        "Nothing was touched",
        "X-PRE-PROCESS",
        &format!("live/{section}.xml"),
    ] {
        assert!(ended.words().contains(words), "{words}: {ended:#?}");
    }
    assert_eq!((rig.standing().await, rig.reloads()), (before, 0));
    rig.register(&acme, &ann).await.unwrap();
    let seen = rig.look().await;
    assert!(
        seen.findings
            .iter()
            .any(|finding| finding.code == "include_missing"),
        "{seen:#?}"
    );
    rig.plain.include(section);
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

#[tokio::test]
async fn without_the_lines_a_first_deploy_touches_nothing_and_says_which_they_are() {
    let rig = Rig::new(Sqlite).await;
    for section in ["directory", "dialplan"] {
        rig.plain.exclude(section);
    }
    rig.acme_and_globex().await;
    let ended = rig.deploy_platform().await.expect(Failed);
    let missing = ended
        .codes()
        .into_iter()
        .filter(|code| *code == "include_missing");
    assert_eq!(missing.count(), 2, "{ended:#?}");
    assert_eq!(rig.reloads(), 0);
    for section in ["directory", "dialplan"] {
        rig.plain.include(section);
    }
    rig.deploy_platform().await.expect(Live);
}

/// The way there may be through a variable, a pattern, another link.
#[rstest]
#[case::by_a_variable("<X-PRE-PROCESS cmd=\"include\" data=\"$${ours}/live/directory.xml\"/>")]
#[case::by_a_pattern("<X-PRE-PROCESS cmd=\"include\" data=\"$${ours}/live/direct*.xml\"/>")]
#[case::by_another_link("<X-PRE-PROCESS cmd=\"include\" data=\"linked/live/directory.xml\"/>")]
#[tokio::test]
async fn a_line_that_leads_there_in_another_way_is_one(#[case] line: &str) {
    let rig = Rig::new(Sqlite).await;
    let (acme, [ann, _], ..) = rig.acme_and_globex().await;
    let ours = rig.plain.config_dir();
    std::os::unix::fs::symlink(&ours, rig.plain.conf().join("directory/linked")).unwrap();
    let set = format!("<X-PRE-PROCESS cmd=\"set\" data=\"ours={}\"/>", ours.display());
    let text = format!("<include>\n{set}\n{line}\n</include>\n");
    write(&rig.plain.conf().join("directory/switchyard.xml"), &text);
    rig.deploy_platform().await.expect(Live);
    rig.register(&acme, &ann).await.unwrap();
}

/// What cannot be read as a file may lead anywhere. Then FreeSWITCH itself tells, by the marker.
#[tokio::test]
async fn where_the_operators_files_cannot_be_read_the_marker_tells() {
    let rig = Rig::new(Sqlite).await;
    rig.acme_and_globex().await;
    rig.plain.exclude("directory");
    std::fs::create_dir(rig.plain.conf().join("dialplan/a.xml")).unwrap();
    let ended = rig.deploy_platform().await.expect(RolledBack);
    for code in ["include_not_checked", "marker_missing"] {
        assert!(ended.codes().contains(&code), "{ended:#?}");
    }
    for words in ["X-PRE-PROCESS", "dialplan/a.xml"] {
        assert!(ended.words().contains(words), "{words}: {ended:#?}");
    }
}

/// What was done to our files beside the line.
#[derive(Clone, Copy)]
enum Beside {
    Edited,
    Removed,
    Lost,
}

/// Asterisk takes a file that it cannot parse for one that it cannot find. FreeSWITCH's own lines are read without ours.
#[rstest]
#[case::an_edited_file(Beside::Edited)]
#[case::a_removed_file(Beside::Removed)]
#[case::lost_fragments(Beside::Lost)]
#[tokio::test]
async fn a_lost_line_is_told_whatever_became_of_our_own_files(#[case] beside: Beside) {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let file = rig.plain.live_file("directory");
    match beside {
        Beside::Edited => {
            let text = std::fs::read_to_string(&file).unwrap();
            write(&file, &format!("{text}<!-- mine -->\n"));
        }
        Beside::Removed => std::fs::remove_file(&file).unwrap(),
        Beside::Lost => std::fs::remove_dir_all(rig.state_dir().join("instances")).unwrap(),
    }
    rig.plain.exclude("directory");
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = rig.deploy_platform().await.expect(Failed);
    assert!(ended.codes().contains(&"include_missing"), "{ended:#?}");
    assert_eq!(rig.reloads(), 0);
    rig.register(&acme, &ann).await.unwrap();
    let seen = rig.look().await;
    let told = seen
        .findings
        .iter()
        .filter(|finding| finding.code == "include_missing");
    assert_eq!(told.count(), 1, "{seen:#?}");
    rig.plain.include("directory");
    rig.deploy_platform().await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

/// The way back is a reload too.
#[tokio::test]
async fn what_a_process_left_is_neither_finished_nor_undone_without_the_lines() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.plain
        .freeswitch
        .faults()
        .add(Fault::at(RELOAD, Effect::HangUndone));
    let request = rig.request(&acme).await;
    rig.dies_at_the_reload().await;
    rig.plain.exclude("directory");
    rig.plain.freeswitch.journal().clear();
    let app = rig.after_a_death();
    let ended = ended(&app, &request).await.expect(Failed);
    for code in ["include_missing", "state_unknown"] {
        let told = ended.codes().into_iter().filter(|found| *found == code);
        assert_eq!(told.count(), 1, "{code}: {ended:#?}");
    }
    assert!(!ended.words().contains("Nothing was touched"), "{ended:#?}");
    assert_eq!(rig.reloads(), 0);
    rig.register(&acme, &ann).await.unwrap();
    rig.plain.include("directory");
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}
