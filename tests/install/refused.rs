//! What `pbx install` refuses or names; nothing is touched then.

use std::fs;

use super::own::Own;

#[track_caller]
fn refused(own: &Own, code: i32, words: &[&str]) {
    let before = own.content();
    let ended = own.run(&own.install(&[]));
    assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{ended:?}");
    for word in words {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
    assert!(own.content() == before, "something was touched");
}

#[test]
fn a_manager_interface_that_is_off_is_named() {
    let own = Own::stock();
    own.edit("manager.conf", |text| {
        text.replacen("enabled = yes", "enabled = no", 1)
    });
    refused(&own, 5, &["nothing was touched", "`enabled = yes`"]);
}

#[test]
fn an_account_of_the_operators_is_left_alone() {
    let own = Own::stock();
    own.edit("manager.conf", |text| {
        format!("{text}\n[switchyard]\nsecret = mine\n")
    });
    refused(&own, 5, &["[switchyard]", "--ami-username"]);
    let other = own.run(&own.install(&["--ami-username", "switchyard2"]));
    assert_eq!(other.code, 0, "{other:?}");
    assert!(!other.out.contains("mine"), "{other:?}");
}

#[test]
fn a_comment_that_nobody_closed_would_swallow_our_line() {
    let own = Own::stock();
    own.edit("extensions.conf", |text| format!("{text};-- for later\n"));
    refused(&own, 5, &["extensions.conf", "--;"]);
}

#[test]
fn a_failure_at_the_end_puts_every_file_back() {
    let mut own = Own::stock();
    // The database can be read, and nothing can be sealed.
    own.host.unset("SWITCHYARD_SEALING_KEY_FILE");
    refused(
        &own,
        1,
        &[
            "could not be registered",
            "every file is as it was",
            "sealing.key_file",
        ],
    );
}

#[test]
fn a_directory_of_another_instance_is_refused_and_every_file_put_back() {
    let own = Own::stock();
    let installed = own.run(&own.install(&[]));
    assert_eq!(installed.code, 0, "{installed:?}");
    let before = own.content();
    let mut words = own.install(&["--ami-username", "other"]);
    words[2] = "pbx2".to_owned();
    let ended = own.run(&words);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.err.contains("pbx1"), "{ended:?}");
    assert!(own.content() == before, "something was left");
}

#[test]
fn what_only_the_operator_can_mend_is_said_and_left() {
    let own = Own::stock();
    own.edit("sorcery.conf", |text| {
        format!("{text}\n[res_pjsip]\nendpoint=realtime,ps_endpoints\n")
    });
    own.edit("manager.conf", |text| {
        text.replacen("bindaddr = 127.0.0.1", "bindaddr = 0.0.0.0", 1)
    });
    let sorcery = fs::read(own.etc("sorcery.conf")).unwrap();
    let ended = own.run(&own.install(&[]));
    assert_eq!(ended.code, 0, "{ended:?}");
    for word in [
        "sorcery.conf maps `endpoint` elsewhere",
        "criteria=type=endpoint",
        "from other hosts",
    ] {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
    assert_eq!(fs::read(own.etc("sorcery.conf")).unwrap(), sorcery);
}

#[test]
fn links_are_followed_and_stay() {
    let own = Own::stock();
    fs::create_dir(own.path("elsewhere")).unwrap();
    fs::rename(own.etc("pjsip.conf"), own.path("elsewhere/pjsip.conf")).unwrap();
    std::os::unix::fs::symlink("../elsewhere/pjsip.conf", own.etc("pjsip.conf")).unwrap();
    let ended = own.run(&own.install(&[]));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(fs::symlink_metadata(own.etc("pjsip.conf")).unwrap().is_symlink());
    let text = fs::read_to_string(own.path("elsewhere/pjsip.conf")).unwrap();
    assert!(text.contains("#tryinclude"), "{text}");
    assert!(own.path("elsewhere/pjsip.conf.before-switchyard").exists());
    fs::remove_file(own.etc("voicemail.conf")).unwrap();
    std::os::unix::fs::symlink("nowhere", own.etc("voicemail.conf")).unwrap();
    refused(&own, 1, &["voicemail.conf", "leads nowhere"]);
}
