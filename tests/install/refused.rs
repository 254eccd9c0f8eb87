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

/// Its owner could replace whatever else is in it.
#[test]
fn a_directory_with_anything_else_in_it_is_not_taken_over() {
    let own = Own::stock();
    fs::create_dir(own.path("shared")).unwrap();
    fs::write(own.path("shared/theirs"), "mine").unwrap();
    // What is the user's already is not taken over; only root can give it to somebody else.
    let mut places = vec![("etc", "Asterisk's own configuration")];
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(own.path("shared"), Some(65533), None).unwrap();
        places.push(("shared", "theirs"));
    }
    let before = own.content();
    for (directory, word) in places {
        let directory = own.path(directory).display().to_string();
        let ended = own.run(&own.install(&["--config-dir", &directory]));
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(
            ended.err.contains(word) && ended.err.contains("--config-dir"),
            "{ended:?}"
        );
        assert!(own.content() == before, "something was touched");
    }
}

#[test]
fn a_second_directory_on_one_asterisk_is_refused() {
    let own = Own::stock();
    let installed = own.run(&own.install(&[]));
    assert_eq!(installed.code, 0, "{installed:?}");
    let before = own.content();
    let directory = own.path("elsewhere").display().to_string();
    let ended = own.run(&own.install(&["--config-dir", &directory]));
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.err.contains("pbx remove"), "{ended:?}");
    assert!(own.content() == before, "something was touched");
}

#[test]
fn no_secret_of_the_operators_is_shown_when_a_copy_goes() {
    let own = Own::stock();
    own.edit("pjsip.conf", |text| {
        format!("{text}\n[trunk]\ntype=auth\npassword=TRUNKSECRET\n")
    });
    let mut shown = String::new();
    let asterisk = own.etc("").display().to_string();
    let remove = ["pbx", "remove", "pbx1", "--asterisk-dir", &asterisk].map(str::to_owned);
    for words in [own.install(&[]), remove.to_vec()] {
        for form in ["", "--json"] {
            let mut words = words.clone();
            words.extend((!form.is_empty()).then(|| form.to_owned()));
            let ended = own.run(&words);
            shown.push_str(&ended.out);
            shown.push_str(&ended.err);
        }
    }
    assert!(shown.contains("pjsip.conf.before-switchyard"), "{shown}");
    assert!(!shown.contains("TRUNKSECRET"), "{shown}");
}
