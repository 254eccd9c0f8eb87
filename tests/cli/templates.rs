//! An operator's own templates, tried before a deploy does.

use serde_json::Value;

use super::host::Host;

#[test]
fn the_built_in_templates_render_without_a_database() {
    let checked = Host::bare().json(&["templates", "check"]);
    let templates = checked["templates"].as_array().unwrap();
    assert!(templates.len() >= 6 && templates.iter().all(|template| template["own"] == false));
    assert!(checked["samples"].as_u64().unwrap() >= 3);
}

#[test]
fn an_own_template_is_told_wherever_its_directory_is_named() {
    let mut host = Host::bare();
    host.file("templates/asterisk/voicemail.conf", "; none\n");
    let directory = host.path("templates").display().to_string();
    let own = |checked: &Value| {
        let own = checked["templates"].as_array().unwrap().iter();
        own.filter(|template| template["own"] == true).count()
    };
    assert_eq!(own(&host.json(&["templates", "check", "--dir", &directory])), 1);
    assert_eq!(own(&host.json(&["templates", "check"])), 0);
    host.set("SWITCHYARD_TEMPLATES_DIR", &directory);
    assert_eq!(own(&host.json(&["templates", "check"])), 1);
    assert!(
        host.ok(&["templates", "check"])
            .contains("asterisk/voicemail.conf            your own")
    );
}

#[test]
fn a_broken_template_is_named_with_its_line() {
    let host = Host::bare();
    let directory = host.path("templates").display().to_string();
    for broken in [
        "fine\n{% if %}\n",
        "fine\n{{ tenant.nmae }}\n",
        "fine\n{{ tenant.name | safe }}",
    ] {
        host.file("templates/asterisk/pjsip.conf", broken);
        let said = host.refused(4, &["templates", "check", "--dir", &directory]);
        assert!(said.contains("asterisk/pjsip.conf"), "{said}");
        assert!(
            said.contains("asterisk/pjsip.conf:2:") || said.contains("safe"),
            "{said}"
        );
    }
}

#[test]
fn a_template_that_overrides_nothing_is_refused_with_the_names() {
    let host = Host::bare();
    host.file("templates/asterisk/pjsp.conf", "");
    let directory = host.path("templates").display().to_string();
    let said = host.refused(4, &["templates", "check", "--dir", &directory]);
    assert!(
        said.contains("asterisk/pjsp.conf") && said.contains("asterisk/pjsip.conf"),
        "{said}"
    );
}

#[test]
fn every_broken_template_is_named_at_once() {
    let host = Host::bare();
    host.file("templates/asterisk/pjsip.conf", "fine\n{% if %}\n");
    host.file("templates/asterisk/voicemail.conf", "fine\n{{ tenant.nmae }}\n");
    host.file("templates/asterisk/extensions.conf", "{{ tenant.name | safe }}");
    host.file("templates/asterisk/pjsp.conf", "");
    host.file("templates/asterisk/pjsip-instance.conf", [0xff, 0xfe]);
    let directory = host.path("templates").display().to_string();
    let check = ["templates", "check", "--dir", &directory];
    let said = host.refused(4, &check);
    for part in [
        "asterisk/pjsip.conf:2:",
        "asterisk/voicemail.conf:2:",
        "template `asterisk/extensions.conf` is not usable: the filter `safe`",
        "`asterisk/pjsp.conf` overrides no template",
        "asterisk/pjsip-instance.conf: stream did not contain valid UTF-8",
    ] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    let mut in_json = check.to_vec();
    in_json.push("--json");
    let error: Value = serde_json::from_str(&host.refused(4, &in_json)).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("voicemail.conf") && message.contains("safe"),
        "{message}"
    );

    for name in ["pjsip", "voicemail", "extensions", "pjsp", "pjsip-instance"] {
        std::fs::remove_file(host.path(&format!("templates/asterisk/{name}.conf"))).unwrap();
    }
    host.ok(&check);
}
