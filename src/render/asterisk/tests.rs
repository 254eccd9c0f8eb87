//! Golden texts and properties of the rendered files.

use super::*;
use crate::domain::instance::PbxKind;

fn set() -> TemplateSet {
    TemplateSet::built_in().unwrap()
}

#[test]
fn every_template_renders_every_sample() {
    assert_eq!(samples().len(), 3);
    assert!(check(&set()).is_empty());
}

#[test]
fn the_full_sample_renders_as_reviewed() {
    let sample = samples().pop().unwrap();
    let fragments = tenant(&set(), &sample.config, Secrets::Real(&sample.secrets)).unwrap();
    insta::assert_snapshot!("pjsip", fragments[&Artifact::Pjsip]);
    insta::assert_snapshot!("extensions", fragments[&Artifact::Extensions]);
    insta::assert_snapshot!("voicemail", fragments[&Artifact::Voicemail]);
}

#[test]
fn the_common_parts_render_as_reviewed() {
    for file in Artifact::of(PbxKind::Asterisk) {
        let text = crate::render::pbx::instance(&set(), *file, "sy-0123456789abcdef").unwrap();
        insta::assert_snapshot!(format!("instance-{file}"), text);
    }
}

#[test]
fn the_same_snapshot_gives_the_same_bytes() {
    let sample = samples().pop().unwrap();
    let render = || tenant(&set(), &sample.config, Secrets::Real(&sample.secrets)).unwrap();
    assert_eq!(render(), render());
}

#[test]
fn no_clear_secret_is_rendered_for_a_phone() {
    let sample = samples().pop().unwrap();
    let fragments = tenant(&set(), &sample.config, Secrets::Real(&sample.secrets)).unwrap();
    for text in fragments.values() {
        assert!(!text.contains("SampleSecretSample"));
    }
}

#[test]
fn a_masked_text_holds_no_secret_at_all() {
    let sample = samples().pop().unwrap();
    let extension = &sample.config.extensions[1];
    let ha1 = sample.secrets[&extension.id]
        .sip
        .ha1(&extension.number, &sample.config.domain);
    let fragments = tenant(&set(), &sample.config, Secrets::Masked).unwrap();
    for text in fragments.values() {
        assert!(!text.contains(ha1.expose()) && !text.contains("864209"));
    }
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

/// A template that passes over it would have calls recorded of which nobody is told.
#[test]
fn a12_a_template_that_does_not_announce_is_named() {
    let sample = samples().pop().unwrap();
    let unannounced = |template: &str, from: &str, to: &str| {
        let mut files = set().files().clone();
        let text = files.get_mut(template).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        let set = TemplateSet::from_files(files).unwrap();
        let fragments = tenant(&set, &sample.config, Secrets::Masked).unwrap();
        crate::render::pbx::unannounced(PbxKind::Asterisk, &set, &sample.config, &fragments).unwrap()
    };
    let (own, all) = ("asterisk/extensions.conf", "asterisk/extensions-instance.conf");
    assert_eq!(unannounced(own, "exten", "exten"), None);
    assert_eq!(unannounced(own, ",{{ notice.hearers }}", ""), Some(own));
    assert_eq!(unannounced(own, "{{ notice.sound }}", "beep"), Some(own));
    assert_eq!(unannounced(all, "${ARG10}", "beep"), Some(all));
    assert_eq!(unannounced(all, "\n same => ", "\n;${ARG10} same => "), Some(all));
    // Lines of the operator's own, which call no subroutine of ours.
    let ours = "Gosub(switchyard-extension,";
    assert_eq!(unannounced(own, ours, "Gosub(theirs,"), None);
    assert_eq!(unannounced(own, ours, "NoOp(theirs)\n;"), Some(own));
}
