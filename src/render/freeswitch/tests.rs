//! Golden texts and properties of the rendered XML.

use super::*;
use crate::domain::instance::PbxKind;
use crate::domain::recording_notice::NoticeFor;
use crate::render::sample::Sample;

fn set() -> TemplateSet {
    TemplateSet::built_in().unwrap()
}

/// Every sample, with its secrets or without.
fn rendered(real: bool) -> Vec<Fragments> {
    let render = |sample: Sample| {
        let secrets = if real {
            Secrets::Real(&sample.secrets)
        } else {
            Secrets::Masked
        };
        tenant(&set(), &sample.config, secrets).unwrap()
    };
    samples().into_iter().map(render).collect()
}

#[test]
fn the_full_sample_renders_as_reviewed() {
    let fragments = rendered(true).pop().unwrap();
    for artifact in Artifact::of(PbxKind::FreeSwitch) {
        insta::assert_snapshot!(artifact.as_str(), fragments[artifact]);
    }
}

#[test]
fn the_common_parts_render_as_reviewed() {
    for artifact in Artifact::of(PbxKind::FreeSwitch) {
        let text = crate::render::pbx::instance(&set(), *artifact, "sy-0123456789abcdef").unwrap();
        insta::assert_snapshot!(format!("instance-{artifact}"), text);
    }
}

#[test]
fn a_tenant_without_an_extension_is_not_there_at_all() {
    let empty = rendered(true).swap_remove(0);
    assert_eq!(empty.len(), 2);
    assert!(empty.values().all(String::is_empty));
}

/// The dialplan of the full sample with this notice.
fn dialplan(hearers: NoticeFor) -> String {
    let mut sample = samples().pop().unwrap();
    sample.config.notice.hearers = hearers;
    let mut fragments = tenant(&set(), &sample.config, Secrets::Real(&sample.secrets)).unwrap();
    fragments.remove(&Artifact::DialplanXml).unwrap()
}

#[test]
fn a12_freeswitch_records_only_what_it_has_played_the_announcement_to() {
    let (nobody, inbound, all) = (
        dialplan(NoticeFor::Nobody),
        dialplan(NoticeFor::Inbound),
        dialplan(NoticeFor::All),
    );
    let recording = |text: &str| text.matches("application=\"record_session\"").count();
    let by_samples = "<condition field=\"${playback_samples}\" expression=\"^[1-9]\">\n      <action application=\"set\" \
        data=\"RECORD_BRIDGE_REQ=true\"/>\n      <action application=\"record_session\"";
    assert_eq!(
        (recording(&nobody), recording(&inbound), recording(&all)),
        (1, 2, 1)
    );
    assert!(!nobody.contains("playback") && inbound.contains(by_samples) && all.contains(by_samples));
    let played = "application=\"playback\" data=\"custom/recorded.wav\"";
    for (text, to_callers, to_called) in [(&inbound, 1, 0), (&all, 1, 1)] {
        assert_eq!(text.matches(played).count(), to_callers);
        assert_eq!(
            text.matches("bridge_pre_execute_bleg_data=custom/recorded.wav")
                .count(),
            to_called
        );
    }
    // A message is no part of a recording, a number that nobody has is not answered, and no key ends what is played.
    for (text, begun) in [(&inbound, 2), (&all, 1)] {
        assert_eq!(text.matches("data=\"RECORD_BRIDGE_REQ=true\"").count(), begun);
        let (_, announcing) = text.split_once("name=\"switchyard-record\"").unwrap();
        let (conditions, actions) = announcing.split_once("application=\"answer\"").unwrap();
        assert!(conditions.contains("${user_exists(id ${destination_number} acme.example.com)}"));
        let (before, after) = actions.split_once(played).unwrap();
        assert!(before.contains("data=\"playback_terminators=none\""));
        assert!(after.contains("application=\"unset\" data=\"playback_terminators\""));
    }
    let inside = "name=\"switchyard-record-inside\"";
    assert!(inbound.contains(inside) && !all.contains(inside));
    assert!(inbound.contains(
        "<condition field=\"${sip_auth_realm}\" expression=\"^acme[.]example[.]com$\">\n      <action application=\"set\" \
         data=\"switchyard_recorded=true\" inline=\"true\"/>"
    ));
    for text in [&nobody, &inbound, &all] {
        crate::render::xml::one_element(text, "context").unwrap();
    }
}

/// FreeSWITCH drops the line that holds one of these, or puts something else in its place, before it parses any XML.
#[test]
fn no_line_holds_what_freeswitch_looks_for_before_it_parses() {
    for text in rendered(true).iter().flat_map(BTreeMap::values) {
        for mark in ["<include>", "</include>", "<?", "$$", "type="] {
            assert!(!text.contains(mark), "{mark}");
        }
        assert!(!text.to_ascii_lowercase().contains("x-pre-process"));
    }
}

#[test]
fn a_name_that_freeswitch_would_take_for_an_instruction_stays_a_name() {
    let mut sample = samples().pop().unwrap();
    sample.config.extensions[0].settings.name = "X-PRE-PROCESS cmd".parse().unwrap();
    let fragments = tenant(&set(), &sample.config, Secrets::Real(&sample.secrets)).unwrap();
    let directory = &fragments[&Artifact::DirectoryXml];
    assert!(
        directory.contains("value=\"X&#45;PRE&#45;PROCESS cmd\""),
        "{directory}"
    );
    assert!(!directory.contains("PRE-PROCESS"));
}

/// FreeSWITCH mails by a command line that the address stands in.
#[test]
fn a_plain_address_is_mailed_to_and_another_one_is_not() {
    let mailed = |email: &str| {
        let mut sample = samples().pop().unwrap();
        sample
            .config
            .extensions
            .retain(|extension| extension.settings.voicemail.enabled);
        sample.config.extensions.truncate(1);
        sample.config.extensions[0].settings.voicemail.email = Some(email.parse().unwrap());
        let fragments = tenant(&set(), &sample.config, Secrets::Real(&sample.secrets)).unwrap();
        fragments[&Artifact::DirectoryXml].contains("vm-mailto")
    };
    assert!(mailed("zoe.x+y@acme.example.com"));
    for email in [
        "`id`@acme.example.com",
        "$x{y}@acme.example.com",
        "a&b'c@acme.example.com",
    ] {
        assert!(!mailed(email), "{email}");
    }
}

#[test]
fn no_clear_secret_is_rendered_for_a_phone_and_a_masked_text_holds_none_at_all() {
    let sample = samples().pop().unwrap();
    let extension = &sample.config.extensions[1];
    let ha1 = sample.secrets[&extension.id]
        .sip
        .ha1(&extension.number, &sample.config.domain);
    let real: String = rendered(true).pop().unwrap().into_values().collect();
    assert!(real.contains(ha1.expose()) && real.contains("864209") && !real.contains("SampleSecretSample"));
    let masked: String = rendered(false).pop().unwrap().into_values().collect();
    assert!(!masked.contains(ha1.expose()) && !masked.contains("864209"));
    assert!(masked.contains("(hidden)"));
}

#[test]
fn an_extension_without_a_secret_fails_the_render_instead_of_being_open() {
    let sample = samples().pop().unwrap();
    let error = tenant(&set(), &sample.config, Secrets::Real(&BTreeMap::new())).unwrap_err();
    assert!(
        error.to_string().contains("extension 1001 has no secret"),
        "{error}"
    );
}

#[test]
fn the_same_snapshot_gives_the_same_bytes() {
    assert!(rendered(true) == rendered(true));
}

/// A template that passes over it would have calls recorded of which nobody is told.
#[test]
fn a12_a_dialplan_that_does_not_announce_is_named() {
    let sample = samples().pop().unwrap();
    let unannounced = |config: &TenantConfig, from: &str, to: &str| {
        let mut files = set().files().clone();
        let text = files.get_mut(DIALPLAN).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        let set = TemplateSet::from_files(files).unwrap();
        let fragments = tenant(&set, config, Secrets::Masked).unwrap();
        crate::render::pbx::unannounced(PbxKind::FreeSwitch, &set, config, &fragments).unwrap()
    };
    let (from, to) = ("{% if notice %}", "{% if false %}");
    assert_eq!(unannounced(&sample.config, from, from), None);
    assert_eq!(unannounced(&sample.config, from, to), Some(DIALPLAN));
    assert_eq!(
        unannounced(&sample.config, "{{ notice.sound }}.wav", "beep.wav"),
        Some(DIALPLAN)
    );
    // Whoever tells nobody, and of whom nothing is served, needs no announcement.
    let mut silent = sample.config.clone();
    silent.notice.hearers = NoticeFor::Nobody;
    assert_eq!(unannounced(&silent, from, to), None);
    let blocked = sample
        .config
        .clone()
        .under(crate::domain::tenant::Service::Blocked);
    assert_eq!(unannounced(&blocked, from, to), None);
}
