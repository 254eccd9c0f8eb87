//! Files that somebody edited or removed: named, shown without a secret, and mended by a deploy only.

use rstest::rstest;
use serde_json::json;
use switchyard::deploy::Verification;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::rig::Rig;
use super::support::database::Backend::Sqlite;

fn codes(seen: &Verification) -> Vec<&str> {
    let findings = seen.findings.iter();
    findings.map(|finding| finding.code.as_str()).collect()
}

#[tokio::test]
async fn an_edited_file_is_named_and_shown_without_a_secret_and_the_next_deploy_mends_it() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    assert!(rig.look().await.ok && rig.plan().await.unchanged);
    let ha1 = ann
        .secrets
        .sip
        .ha1(&ann.extension.number, &acme.domain.parse().unwrap());
    let file = rig.plain.live_file("directory");
    let text = std::fs::read_to_string(&file).unwrap();
    let edited = text
        .replacen("value=\"Ann\"", "value=\"Edited\"", 1)
        .replace(ha1.expose(), "0123456789abcdef0123456789abcdef")
        .replace("246813", "999999");
    assert_ne!(text, edited);
    std::fs::write(&file, edited).unwrap();
    let seen = rig.look().await;
    assert!(!seen.ok && codes(&seen).contains(&"drift"), "{seen:#?}");
    let shown = format!("{seen:?}");
    assert!(shown.contains("Edited"), "{shown}");
    for secret in [ha1.expose(), "0123456789abcdef", "246813", "999999"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    // What costs nothing sees it as well.
    assert!(format!("{:?}", rig.plan().await).contains("drift"));
    assert_eq!(rig.reloads(), 0, "to look mends nothing");
    assert!(std::fs::read_to_string(&file).unwrap().contains("Edited"));

    let mended = rig.deploy_platform().await.expect(Live);
    assert!(mended.codes().contains(&"drift_mended"), "{mended:#?}");
    assert_eq!(
        std::fs::read_to_string(rig.plain.live_file("directory")).unwrap(),
        text
    );
    let seen = rig.look().await;
    assert!(seen.ok, "{seen:#?}");
    rig.deploy_platform().await.expect(Unchanged);
    rig.register(&acme, &ann).await.unwrap();
}

/// FreeSWITCH has read it, and its users are other ones: the marker is right all the same.
#[tokio::test]
async fn an_edit_that_freeswitch_has_read_is_seen_in_what_it_serves() {
    let (mut rig, acme, ..) = Rig::live(Sqlite).await;
    let file = rig.plain.live_file("directory");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("value=\"Ann\"", "value=\"Edited\"", 1)).unwrap();
    rig.somebody_reloads().await;
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Edited"));
    let seen = rig.look().await;
    for code in ["drift", "user_differs"] {
        assert!(codes(&seen).contains(&code), "{seen:#?}");
    }
    rig.deploy_platform().await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
}

/// What somebody removed.
#[derive(Clone, Copy)]
enum Removed {
    Directory,
    Dialplan,
    Link,
    Everything,
}

#[rstest]
#[case(Removed::Directory)]
#[case(Removed::Dialplan)]
#[case(Removed::Link)]
#[case(Removed::Everything)]
#[tokio::test]
async fn what_somebody_removed_is_seen_and_the_next_deploy_brings_it_back(#[case] removed: Removed) {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let directory = rig.plain.config_dir();
    match removed {
        Removed::Directory => std::fs::remove_file(rig.plain.live_file("directory")).unwrap(),
        Removed::Dialplan => std::fs::remove_file(rig.plain.live_file("dialplan")).unwrap(),
        Removed::Link => std::fs::remove_file(directory.join("live")).unwrap(),
        Removed::Everything => {
            std::fs::remove_dir_all(&directory).unwrap();
            std::fs::create_dir(&directory).unwrap();
        }
    }
    let seen = rig.look().await;
    assert!(!seen.ok && !seen.findings.is_empty(), "{seen:#?}");
    assert!(!rig.plan().await.findings.is_empty());
    rig.deploy_platform().await.expect(Live);
    let seen = rig.look().await;
    assert!(seen.ok, "{seen:#?}");
    rig.register(&acme, &ann).await.unwrap();
    rig.deploy_platform().await.expect(Unchanged);
}

#[tokio::test]
async fn a_file_of_somebody_elses_in_our_place_is_named_and_left_alone() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let theirs = rig.plain.config_dir().join("notes.txt");
    std::fs::write(
        &theirs,
        "<param name=\"a1-hash\" value=\"0123456789abcdef0123456789abcdef\"/>\n",
    )
    .unwrap();
    let seen = rig.look().await;
    assert!(codes(&seen).contains(&"foreign_file"), "{seen:#?}");
    assert!(!format!("{seen:?}").contains("0123456789abcdef"));
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.deploy(&acme).await.expect(Live);
    assert!(theirs.exists());
}
