//! A PBX instance is shown, changed and deleted; what the API refuses, the command line refuses too.

use serde_json::{Value, json};

use super::host::{ACME, Host};

fn show(host: &Host, name: &str) -> Value {
    host.json(&["instance", "show", name])
}

/// The entries of one action, oldest first.
fn audited(host: &Host, action: &str) -> Vec<Value> {
    let ended = host.run(&["audit", "export", "--action", action]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn add_fusionpbx(host: &Host) {
    let socket = host.file("socket", "hunter2hunter2\n");
    let database = host.file("database", "hunter3hunter3\n");
    let words = ["instance", "add", "--name", "pbx2", "--kind", "fusionpbx"];
    let reached = [
        "--database-port",
        "1",
        "--event-socket-port",
        "1",
        "--database-username",
        "switchyard",
    ];
    let secrets = [
        "--event-socket-password-file",
        &socket,
        "--database-password-file",
        &database,
    ];
    host.ok(&[words.as_slice(), &reached, &secrets].concat());
}

#[test]
fn an_instance_is_shown_as_the_list_has_it_with_its_version_and_without_its_secrets() {
    let host = Host::ready();
    let more = [
        "--emergency-number",
        "115",
        "--log-file",
        "/var/log/asterisk/switchyard",
    ];
    host.add_instance_with("pbx1", &more);
    add_fusionpbx(&host);
    let all = host.json(&["instance", "list"])["data"].clone();
    let mut shown = [show(&host, "pbx1"), show(&host, "pbx2")];
    for (shown, listed) in shown.iter_mut().zip(all.as_array().unwrap()) {
        let version = shown.as_object_mut().unwrap().remove("version").unwrap();
        assert!(!version.as_str().unwrap().is_empty());
        assert_eq!(shown, listed);
    }
    let said = host.ok(&["instance", "show", "pbx1"]);
    for words in [
        "asterisk",
        "127.0.0.1:1",
        "115",
        "/var/log/asterisk/switchyard",
        "never deployed",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let fusionpbx = host.ok(&["instance", "show", "pbx2"]);
    for words in ["the database fusionpbx at 127.0.0.1:1", "where the server can"] {
        assert!(fusionpbx.contains(words), "{words}: {fusionpbx}");
    }
    for said in [said, fusionpbx, json!(shown).to_string()] {
        assert!(!said.contains("hunter"), "{said}");
    }
    let said = host.refused(3, &["instance", "show", "pbx9"]);
    assert!(said.contains("there are: pbx1, pbx2"), "{said}");
}

#[test]
fn what_is_named_is_changed_and_nothing_else() {
    let host = Host::ready();
    host.add_instance_with(
        "pbx1",
        &["--log-file", "/var/log/asterisk/one", "--emergency-number", "115"],
    );
    let before = show(&host, "pbx1");
    let change = |more: &[&str]| host.json(&[&["instance", "change", "pbx1"], more].concat());

    let changed = change(&["--ami-host", "pbx.example.com", "--recordings-dir", "/srv/calls"]);
    let mut wanted = before.clone();
    wanted["ami_host"] = "pbx.example.com".into();
    wanted["recordings_dir"] = "/srv/calls".into();
    wanted["settings_revision"] = 2.into();
    wanted["version"] = changed["version"].clone();
    assert_eq!(changed, wanted);
    assert_ne!(changed["version"], before["version"]);
    assert_eq!(show(&host, "pbx1"), changed);

    // What may be absent can go again, and a list is another one.
    let changed = change(&[
        "--no-log-file",
        "--no-recordings-dir",
        "--emergency-number",
        "116",
    ]);
    assert_eq!(changed["log_file"], Value::Null);
    assert!(changed.get("recordings_dir").is_none(), "{changed}");
    assert_eq!(changed["emergency_numbers"], json!(["116"]));
    assert_eq!(
        change(&["--no-emergency-numbers"])["emergency_numbers"],
        json!([])
    );

    add_fusionpbx(&host);
    let change_pbx2 = |more: &[&str]| host.json(&[&["instance", "change", "pbx2"], more].concat());
    let changed = change_pbx2(&["--voicemail-dir", "/srv/mail"]);
    assert_eq!(changed["voicemail_dir"], "/srv/mail");
    // Another change keeps it.
    let changed = change_pbx2(&["--recordings-dir", "/srv/calls"]);
    assert_eq!(changed["voicemail_dir"], "/srv/mail");
    assert!(host.ok(&["instance", "show", "pbx2"]).contains("/srv/mail"));
    let changed = change_pbx2(&["--no-voicemail-dir"]);
    assert!(changed.get("voicemail_dir").is_none(), "{changed}");

    let tls = change(&["--ami-tls", "off"]);
    assert_eq!(tls["ami_tls"], json!({"mode": "off"}));
    assert!(change(&["--ami-tls", "host"]).get("ami_tls").is_none());

    let said = host.ok(&["instance", "change", "pbx1", "--ami-port", "2"]);
    assert!(
        said.contains("`switchyard deploy apply --instance pbx1`"),
        "{said}"
    );
    let entries = audited(&host, "instance.change");
    assert_eq!(entries.len(), 9, "{entries:#?}");
    assert!(
        entries
            .iter()
            .all(|entry| entry.to_string().contains("system:cli"))
    );
}

#[test]
fn a_database_is_reached_without_tls_of_its_own_again() {
    let host = Host::ready();
    add_fusionpbx(&host);
    let change = |mode: &str| host.json(&["instance", "change", "pbx2", "--database-tls", mode]);
    assert_eq!(change("off")["database_tls"], json!({"mode": "off"}));
    assert!(change("prefer").get("database_tls").is_none());
    let said = host.refused(
        4,
        &[
            "instance",
            "change",
            "pbx2",
            "--database-tls",
            "prefer",
            "--database-ca-file",
            "/ca.pem",
        ],
    );
    assert!(said.contains("--database-ca-file"), "{said}");
}

#[test]
fn what_is_as_it_was_is_no_change() {
    let host = Host::ready();
    host.add_instance("pbx1");
    let before = show(&host, "pbx1");
    for more in [&[][..], &["--ami-port", "1"], &["--rename", "pbx1"]] {
        let said = host.ok(&[&["instance", "change", "pbx1"], more].concat());
        assert!(said.contains("pbx1 is as it was"), "{said}");
    }
    assert_eq!(show(&host, "pbx1"), before);
    assert!(audited(&host, "instance.change").is_empty());
}

#[test]
fn another_name_is_taken_at_once_and_the_pbx_need_not_hear_of_it() {
    let host = Host::ready();
    host.add_instance("pbx1");
    let said = host.ok(&["instance", "change", "pbx1", "--rename", "north"]);
    assert!(
        said.contains("north is changed") && !said.contains("deploy"),
        "{said}"
    );
    assert_eq!(show(&host, "north")["settings_revision"], 1);
    host.refused(3, &["instance", "show", "pbx1"]);
}

#[test]
fn a_secret_is_another_one_only_where_its_file_is_named() {
    let mut host = Host::ready();
    host.add_instance("pbx1");
    let before = show(&host, "pbx1");
    host.set("SWITCHYARD_AMI_SECRET", "hunter9hunter9");
    host.ok(&["instance", "change", "pbx1"]);
    assert_eq!(show(&host, "pbx1"), before);

    let file = host.file("other", "hunter8hunter8\n");
    let changed = host.json(&["instance", "change", "pbx1", "--ami-secret-file", &file]);
    assert_ne!(changed["version"], before["version"]);
    assert_eq!(changed["settings_revision"], before["settings_revision"]);
    let entries = audited(&host, "instance.change");
    assert_eq!(entries[0]["after"]["new_secret"], true, "{entries:#?}");
    assert!(!format!("{changed}{entries:?}").contains("hunter"));
}

#[test]
fn what_cannot_be_is_refused_with_the_argument_and_changes_nothing() {
    let host = Host::ready();
    host.add_instance("pbx1");
    host.add_instance("pbx3");
    add_fusionpbx(&host);
    let before = host.json(&["instance", "list"]);
    let taken = host.path("config-pbx3").display().to_string();
    let socket = host.file("socket", "hunter2hunter2\n");
    for (code, name, more, words) in [
        (4, "pbx1", &["--ami-port", "0"][..], "--ami-port"),
        (4, "pbx1", &["--config-dir", "etc"], "--config-dir"),
        (
            4,
            "pbx1",
            &["--database-port", "5432"],
            "--database-port must be absent",
        ),
        (
            4,
            "pbx2",
            &["--config-dir", "/etc/x"],
            "--config-dir must be absent",
        ),
        (
            4,
            "pbx1",
            &["--voicemail-dir", "/srv/mail"],
            "--voicemail-dir must be absent",
        ),
        (
            4,
            "pbx1",
            &["--event-socket-password-file", &socket],
            "--event-socket-password-file must be absent",
        ),
        (5, "pbx1", &["--rename", "pbx3"], "name is taken"),
        (5, "pbx1", &["--config-dir", &taken], "the instance pbx3 has"),
        (
            5,
            "pbx1",
            &["--ami-port", "2", "--if-match", "0000"],
            "changed in the meantime",
        ),
        (2, "pbx1", &["--kind", "freeswitch"], "--kind"),
        (2, "pbx1", &["--node", "there"], "--node"),
        (
            2,
            "pbx1",
            &["--no-log-file", "--log-file", "/x"],
            "cannot be used with",
        ),
        (3, "pbx9", &["--ami-port", "2"], "there are: pbx1, pbx2, pbx3"),
    ] {
        let said = host.refused(code, &[&["instance", "change", name], more].concat());
        assert!(said.contains(words), "{more:?}: {said}");
    }
    assert_eq!(host.json(&["instance", "list"]), before);

    let version = show(&host, "pbx1")["version"].as_str().unwrap().to_owned();
    host.ok(&[
        "instance",
        "change",
        "pbx1",
        "--ami-port",
        "2",
        "--if-match",
        &version,
    ]);
    let error = host.run(&[
        "--json",
        "instance",
        "change",
        "pbx1",
        "--ami-port",
        "3",
        "--if-match",
        &version,
    ]);
    let error: Value = serde_json::from_str(&error.err).unwrap();
    assert_eq!(error["error"]["code"], "conflict");
}

#[test]
fn an_instance_is_deleted_once_its_name_was_typed_and_what_stays_is_told() {
    let host = Host::ready();
    host.add_instance("pbx1");
    add_fusionpbx(&host);
    for typed in ["", "pbx2\n", "PBX1\n"] {
        let ended = host.typed(&["instance", "delete", "pbx1"], typed);
        assert_eq!((ended.code, ended.out.as_str()), (5, ""), "{ended:?}");
        assert!(ended.err.contains("type pbx1 to go on"), "{ended:?}");
        assert!(ended.err.contains("nothing was changed"), "{ended:?}");
    }
    let version = show(&host, "pbx1")["version"].as_str().unwrap().to_owned();
    let ended = host.typed(&["instance", "delete", "pbx1", "--if-match", &version], "pbx1\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    let directory = host.path("config-pbx1").display().to_string();
    for words in ["pbx1 is gone", &directory, "`switchyard pbx remove pbx1`"] {
        assert!(ended.out.contains(words), "{words}: {ended:?}");
    }
    host.refused(3, &["instance", "show", "pbx1"]);
    // It was never deployed to, and nobody has to answer for it.
    assert_eq!(
        host.json(&["instance", "delete", "pbx2", "--yes"])["name"],
        "pbx2"
    );
    assert_eq!(host.json(&["instance", "list"])["data"], json!([]));
    assert_eq!(audited(&host, "instance.delete").len(), 2);
}

#[test]
fn an_instance_that_is_in_use_or_has_changed_is_not_deleted_and_nobody_is_asked_for_its_name() {
    let host = Host::with_tenant();
    let said = host.refused(5, &["instance", "delete", "pbx1"]);
    assert!(said.contains("1 tenants are assigned to it"), "{said}");
    assert!(!said.contains("type"), "{said}");
    host.add_instance("pbx2");
    let said = host.refused(5, &["instance", "delete", "pbx2", "--yes", "--if-match", "0000"]);
    assert!(said.contains("changed in the meantime"), "{said}");
    assert_eq!(
        host.json(&["instance", "list"])["data"].as_array().unwrap().len(),
        2
    );
    assert!(host.ok(&["tenant", "list"]).contains(ACME));
}
