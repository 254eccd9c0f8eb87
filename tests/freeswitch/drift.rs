//! Files that somebody edited or removed: named, shown without a secret, and mended by a deploy only.

use std::path::Path;

use rstest::rstest;
use serde_json::json;
use switchyard::deploy::Verification;
use switchyard::domain::deployment::DeploymentStatus::{Failed, Live, RolledBack, Unchanged};

use super::plain_freeswitch::write;
use super::rig::Rig;
use super::support::database::Backend::Sqlite;

fn codes(seen: &Verification) -> Vec<&str> {
    let findings = seen.findings.iter();
    findings.map(|finding| finding.code.as_str()).collect()
}

fn without_marker(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines.filter(|line| !line.contains("\"marker\"")).collect()
}

/// Gives everybody's mailbox another PIN, which no deploy asks for.
fn edit_pins(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("246813"));
    write(file, &text.replace("246813", "999999"));
}

async fn pin(rig: &Rig, domain: &str) -> Option<String> {
    let user = rig.plain.freeswitch.user("1001", domain).await?;
    user.param("vm-password").map(str::to_owned)
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
    let written = std::fs::read_to_string(rig.plain.live_file("directory")).unwrap();
    assert_eq!(without_marker(&written), without_marker(&text));
    assert_ne!(written, text, "the former document has the former marker");
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

/// FreeSWITCH goes on with the edited document, whose markers are those of what was live.
#[tokio::test]
async fn nothing_is_called_mended_or_put_back_where_freeswitch_refuses_to_read() {
    let (mut rig, acme, ..) = Rig::live(Sqlite).await;
    edit_pins(&rig.plain.live_file("directory"));
    rig.somebody_reloads().await;
    let own = rig.plain.conf().join("directory/a-broken.xml");
    write(&own, "<include>\n<domain name=\"x\">\n</include>\n");
    let ended = rig.deploy_platform().await.expect(Failed);
    assert_eq!(pin(&rig, &acme.domain).await.as_deref(), Some("999999"));
    for code in ["drift", "xml_refused", "state_unknown"] {
        assert!(ended.codes().contains(&code), "{code}: {ended:#?}");
    }
    assert!(!ended.codes().contains(&"drift_mended"), "{ended:#?}");
    std::fs::remove_file(own).unwrap();
    rig.deploy_platform().await.expect(Live);
    assert_eq!(pin(&rig, &acme.domain).await.as_deref(), Some("246813"));
    assert!(rig.look().await.ok);
}

/// The operator's line leads past the live link, and nobody may look.
#[tokio::test]
async fn what_is_written_in_place_of_an_edited_file_is_proven_by_a_marker_of_its_own() {
    let (mut rig, acme, ..) = Rig::live(Sqlite).await;
    let generation = rig.standing().await.unwrap();
    let fixed = rig
        .plain
        .config_dir()
        .join(format!("generations/{generation}/directory.xml"));
    let line = format!(
        "<include>\n<X-PRE-PROCESS cmd=\"include\" data=\"{}\"/>\n</include>\n",
        fixed.display()
    );
    write(&rig.plain.conf().join("directory/switchyard.xml"), &line);
    std::fs::create_dir(rig.plain.conf().join("dialplan/a.xml")).unwrap();
    edit_pins(&fixed);
    rig.somebody_reloads().await;
    let ended = rig.deploy_platform().await.expect(RolledBack);
    for code in ["drift", "marker_missing", "include_not_checked"] {
        assert!(ended.codes().contains(&code), "{code}: {ended:#?}");
    }
    // The former generation was written anew, and FreeSWITCH has read that.
    assert_eq!(pin(&rig, &acme.domain).await.as_deref(), Some("246813"));
}

/// It is not the one that goes live.
#[tokio::test]
async fn a_former_generation_that_cannot_be_read_keeps_no_deploy_from_going_on() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let odd = rig.plain.config_dir().join("generations/999/directory.xml");
    std::fs::create_dir_all(&odd).unwrap();
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = rig.deploy(&acme).await.expect(Live);
    assert!(ended.codes().contains(&"former_unread"), "{ended:#?}");
    assert!(ended.words().contains(odd.to_str().unwrap()), "{ended:#?}");
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
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
