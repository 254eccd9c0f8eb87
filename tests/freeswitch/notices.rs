//! Sounds that recorded calls begin with, which FreeSWITCH is asked for before anything is touched.

use serde_json::json;
use switchyard::app::own_tenant::{self, OwnTenantInput};
use switchyard::app::precondition::IfMatch;
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected, RolledBack};
use switchyard::domain::finding::Severity;

use super::plain_freeswitch::write;
use super::rig::Rig;
use super::support::database::Backend::Sqlite;
use super::support::world::Tenant;

async fn announce(rig: &Rig, tenant: &Tenant, sound: &str) {
    let input = OwnTenantInput {
        recording_notice: Some("all".to_owned()),
        recording_notice_sound: Some(sound.to_owned()),
        ..OwnTenantInput::default()
    };
    let changed = own_tenant::change(&rig.app, &tenant.caller, input, &IfMatch::Any).await;
    changed.unwrap();
}

/// The files that FreeSWITCH was asked for.
fn asked_for(rig: &Rig) -> usize {
    rig.plain.freeswitch.journal().with("file_exists").len()
}

#[tokio::test]
async fn a12_freeswitch_is_asked_for_the_sound_and_nothing_is_touched_where_it_has_none() {
    let (mut rig, acme, [_, bob], globex, gina) = Rig::live(Sqlite).await;
    let sounds = rig.plain.keep_sounds();
    rig.somebody_reloads().await;
    rig.patch(&acme, &bob, json!({"recording": "inbound"})).await;
    announce(&rig, &acme, "ivr/told").await;
    let before = rig.standing().await;
    let refused = rig.deploy(&acme).await.expect(Rejected);
    let told = refused.deployment.findings.iter();
    let told: Vec<_> = told.filter(|told| told.code == "notice_sound_missing").collect();
    assert_eq!(told.len(), 1, "{refused:#?}");
    assert_eq!(
        (told[0].severity, told[0].tenant_id),
        (Severity::Error, Some(acme.id))
    );
    for word in [acme.domain.as_str(), "ivr/told.wav", sounds.to_str().unwrap()] {
        assert!(told[0].message.contains(word), "{}", told[0].message);
    }
    assert_eq!(rig.standing().await, before);
    // Whoever has nothing to do with it is served.
    rig.patch(&globex, &gina, json!({"name": "Georgina"})).await;
    let others = rig.deploy_platform().await.expect(Partial);
    assert!(others.codes().contains(&"notice_sound_missing"), "{others:#?}");
    assert_eq!(rig.name_of(&globex, "1001").await.as_deref(), Some("Georgina"));
    assert!(
        !std::fs::read_to_string(rig.plain.live_file("dialplan"))
            .unwrap()
            .contains("ivr/told")
    );
    // FreeSWITCH takes a file of any sampling rate.
    std::fs::create_dir_all(sounds.join("ivr/16000")).unwrap();
    std::fs::write(sounds.join("ivr/16000/told.wav"), "").unwrap();
    let ended = rig.deploy(&acme).await.expect(Live);
    assert!(!ended.words().contains("notice_sound"), "{ended:#?}");
    assert!(
        std::fs::read_to_string(rig.plain.live_file("dialplan"))
            .unwrap()
            .contains("ivr/told")
    );
}

#[tokio::test]
async fn a12_a_roll_back_to_a_sound_that_freeswitch_has_no_more_is_done_and_told() {
    let (mut rig, acme, [ann, bob], ..) = Rig::live(Sqlite).await;
    let sounds = rig.plain.keep_sounds();
    rig.somebody_reloads().await;
    std::fs::write(sounds.join("told.wav"), "").unwrap();
    rig.patch(&acme, &bob, json!({"recording": "inbound"})).await;
    announce(&rig, &acme, "told").await;
    let announced = rig.deploy(&acme).await.expect(Live);
    std::fs::write(sounds.join("other.wav"), "").unwrap();
    announce(&rig, &acme, "other").await;
    rig.deploy(&acme).await.expect(Live);
    std::fs::remove_file(sounds.join("told.wav")).unwrap();
    let back = rig.roll_back(&acme, &announced).await.expect(Live);
    let told = back.deployment.findings.iter();
    let told: Vec<_> = told.filter(|told| told.code == "notice_sound_missing").collect();
    assert_eq!(told.len(), 1, "{back:#?}");
    assert_eq!(told[0].severity, Severity::Warning);
    assert!(
        std::fs::read_to_string(rig.plain.live_file("dialplan"))
            .unwrap()
            .contains("told.wav")
    );
    // And nothing else of the tenant waits for it.
    announce(&rig, &acme, "told").await;
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

#[tokio::test]
async fn a12_a_freeswitch_that_does_not_say_where_its_sounds_are_is_a_warning_and_one_that_is_not_recorded_is_not_asked()
 {
    let (rig, acme, [_, bob], ..) = Rig::live(Sqlite).await;
    announce(&rig, &acme, "told").await;
    let silent = rig.deploy(&acme).await.expect(Live);
    assert!(!silent.words().contains("notice_sound"), "{silent:#?}");
    rig.patch(&acme, &bob, json!({"recording": "inbound"})).await;
    let told = rig.deploy(&acme).await.expect(Live);
    assert!(told.codes().contains(&"notice_sound_not_checked"), "{told:#?}");
    assert_eq!(asked_for(&rig), 0);
}

/// A dialplan as it was before there were announcements, and as those of operators are that were made then.
fn pass_over(rig: &Rig) {
    rig.override_template("freeswitch/dialplan.xml", |text| {
        assert!(text.contains("{% if notice %}"));
        text.replace("{% if notice %}", "{% if false %}")
    });
}

#[tokio::test]
async fn a12_a_dialplan_from_before_announcements_keeps_a_tenant_with_one_from_going_live() {
    let (rig, acme, [_, bob], globex, gina) = Rig::live(Sqlite).await;
    pass_over(&rig);
    rig.patch(&globex, &gina, json!({"name": "Georgina"})).await;
    rig.deploy_platform().await.expect(Live);
    rig.patch(&acme, &bob, json!({"recording": "inbound"})).await;
    announce(&rig, &acme, "told").await;
    let before = rig.standing().await;
    let refused = |words: String| {
        for word in [
            "notice_not_in_templates",
            "freeswitch/dialplan.xml",
            acme.domain.as_str(),
            "deploy apply",
        ] {
            assert!(words.contains(word), "{words}");
        }
    };
    refused(rig.deploy(&acme).await.expect(Rejected).words());
    rig.remove_override("freeswitch/dialplan.xml");
    refused(rig.deploy(&acme).await.expect(Rejected).words());
    assert_eq!(rig.standing().await, before);
    let text = || std::fs::read_to_string(rig.plain.live_file("dialplan")).unwrap();
    assert!(!text().contains("told.wav"));
    rig.deploy_platform().await.expect(Live);
    assert!(text().contains("told.wav"));
    // And what is announced is not made silent.
    let announced = rig.standing().await;
    pass_over(&rig);
    refused(rig.deploy_platform().await.expect(Rejected).words());
    assert_eq!(rig.standing().await, announced);
}

/// The operator copies a tenant's context in front of ours: only the first of a name counts.
fn shadow_with(rig: &Rig, tenant: &Tenant, live: &str) {
    let begin = format!("<context name=\"{}\">", tenant.domain);
    let (_, rest) = live.split_once(&begin).unwrap();
    let (inner, _) = rest.split_once("</context>").unwrap();
    let own = format!("<include>\n{begin}{inner}</context>\n</include>\n");
    write(&rig.plain.conf().join("dialplan/a-copy.xml"), &own);
}

#[tokio::test]
async fn a12_a_context_that_records_and_does_not_announce_is_not_taken_for_ours() {
    let (rig, acme, [_, bob], ..) = Rig::live(Sqlite).await;
    let live = std::fs::read_to_string(rig.plain.live_file("dialplan")).unwrap();
    shadow_with(&rig, &acme, &live);
    rig.patch(&acme, &bob, json!({"recording": "inbound"})).await;
    rig.deploy(&acme).await.expect(Live);
    announce(&rig, &acme, "told").await;
    let back = rig.deploy(&acme).await.expect(RolledBack);
    assert!(back.words().contains("switchyard-notice-played"), "{back:#?}");
}

/// As a copy of what an earlier generation played.
#[tokio::test]
async fn a12_a_context_that_announces_with_another_sound_is_not_taken_for_ours() {
    let (rig, acme, [_, bob], ..) = Rig::live(Sqlite).await;
    rig.patch(&acme, &bob, json!({"recording": "inbound"})).await;
    announce(&rig, &acme, "told").await;
    rig.deploy(&acme).await.expect(Live);
    let live = std::fs::read_to_string(rig.plain.live_file("dialplan")).unwrap();
    shadow_with(&rig, &acme, &live);
    announce(&rig, &acme, "other").await;
    let back = rig.deploy(&acme).await.expect(RolledBack);
    assert!(back.words().contains("its sound"), "{back:#?}");
}
