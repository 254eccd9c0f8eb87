//! Files of other people's Asterisks, and what is found in them.

use std::fmt::Write as _;
use std::fs;

use rstest::rstest;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::*;
use crate::domain::found::{FoundExtension, FoundSecret};

fn directory_of(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn found_in(files: &[(&str, &str)], context: Option<&str>) -> Found {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    read(directory_of(&files).path(), context).unwrap()
}

fn only(files: &[(&str, &str)]) -> FoundExtension {
    let mut found = found_in(files, None);
    assert_eq!((found.extensions.len(), found.aside.len()), (1, 0));
    found.extensions.remove(0)
}

fn secret(extension: &FoundExtension) -> String {
    match &extension.secret {
        FoundSecret::None(reason) => reason.clone(),
        FoundSecret::Lost(reason) => format!("lost: {reason}"),
        FoundSecret::Password(password) => format!("password {}", password.expose_secret()),
        FoundSecret::Digest { realm, ha1 } => format!("digest {realm} {}", ha1.expose_secret()),
    }
}

/// In the way in which FreePBX lays its files out: objects of a kind in a file each, additions of the operator behind them.
const FREEPBX: [(&str, &str); 6] = [
    (
        "pjsip.conf",
        "#include pjsip.transports.conf\n#include pjsip.endpoint.conf\n#include pjsip.auth.conf\n#include pjsip.aor.conf\n",
    ),
    (
        "pjsip.transports.conf",
        "[0.0.0.0-tls]\ntype=transport\nprotocol=tls\nbind=0.0.0.0:5061\n",
    ),
    (
        "pjsip.endpoint.conf",
        "[1001]\ntype=endpoint\naors=1001\nauth=1001-auth\ntransport=0.0.0.0-tls\nallow=ulaw,alaw,g726\ncontext=from-internal\n\
         callerid=Doe, Ann <1001>\nmailboxes=1001@default\nmedia_encryption=sdes\n\
         [trunk]\ntype=endpoint\ncontext=from-pstn\naors=trunk\noutbound_auth=trunk\n\
         [1001](+)\nsend_pai=yes\n",
    ),
    (
        "pjsip.auth.conf",
        "[1001-auth]\ntype=auth\nauth_type=userpass\npassword=5a2c7a9b!x\nusername=1001\n",
    ),
    (
        "pjsip.aor.conf",
        "[1001]\ntype=aor\nmax_contacts=25\nremove_existing=yes\n",
    ),
    (
        "voicemail.conf",
        "[general]\nformat=wav\n[default]\n1001 => -4711,Ann Doe,ann@acme.example|boss@acme.example,,attach=yes|delete=no\n",
    ),
];

#[test]
fn c18_an_extension_of_freepbx_is_found_with_its_mailbox_and_its_trunk_left_aside() {
    let found = found_in(&FREEPBX, None);
    let [extension] = found.extensions.as_slice() else {
        panic!("{} extensions", found.extensions.len())
    };
    assert_eq!(
        serde_json::to_value(&extension.input).unwrap(),
        serde_json::json!({
            "number": "1001", "name": "Doe Ann", "status": null, "caller_id": {"name": null, "number": null},
            "voicemail": {"enabled": true, "email": "ann@acme.example"}, "forward": null, "ring_time": null,
            "recording": null, "max_contacts": 10, "codecs": ["ulaw", "alaw"], "transport": "tls", "outbound_class": "internal"
        })
    );
    assert_eq!(extension.place, "pjsip.endpoint.conf:1");
    assert_eq!(secret(extension), "password 5a2c7a9b!x");
    assert_eq!(extension.pin.as_ref().unwrap().expose_secret(), "4711");
    assert_eq!(
        extension.notes,
        [
            "max_contacts=25 becomes one of 1 to 10",
            "how far its context lets it call is not looked at: it calls internal numbers alone until its outbound_class is raised",
            "notices of its mailbox go to the first e-mail address alone",
            "its name becomes \"Doe Ann\"",
            "codecs that are not served here are left out: g726",
        ]
    );
    let [trunk] = found.aside.as_slice() else {
        panic!("{:?}", found.aside)
    };
    assert_eq!(
        (trunk.name.as_str(), trunk.place.as_str()),
        ("trunk", "pjsip.endpoint.conf:11")
    );
    assert!(trunk.reason.contains("a trunk"), "{}", trunk.reason);
}

#[test]
fn c18_of_several_contexts_one_is_taken() {
    let pjsip = "[a](!)\ntype=endpoint\nauth=x\n[1001](a)\ncontext=acme\n[1002](a)\ncontext=globex\n[1003](a)\n\
                 [x]\ntype=auth\nusername=1001\npassword=y\n";
    let numbers = |context| {
        let found = found_in(&[("pjsip.conf", pjsip)], context);
        let numbers = found
            .extensions
            .into_iter()
            .filter_map(|found| found.input.number);
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(numbers(Some("globex")), ["1002"]);
    assert_eq!(numbers(Some("default")), ["1003"]);
    assert_eq!(numbers(None), ["1001", "1002", "1003"]);
}

#[test]
fn c18_a_digest_is_found_with_the_realm_that_it_was_made_for() {
    let with = |global: &str, auth: &str| {
        let pjsip = format!("{global}\n[1001]\ntype=endpoint\nauth=1001\n[1001]\ntype=auth\n{auth}\n");
        secret(&only(&[("pjsip.conf", &pjsip)]))
    };
    let md5 = "auth_type=md5\nmd5_cred=6581963f7e7c44b15a0e3dc3b2ce6bc7\nusername=";
    let digest = |realm: &str| format!("digest {realm} 6581963f7e7c44b15a0e3dc3b2ce6bc7");
    assert_eq!(with("", &format!("{md5}1001")), digest("asterisk"));
    assert_eq!(
        with(
            "[global]\ntype=global\ndefault_realm=pbx.example",
            &format!("{md5}1001")
        ),
        digest("pbx.example")
    );
    assert_eq!(
        with(
            "",
            "auth_type=digest\nrealm=acme\npassword_digest=MD5:6581963f7e7c44b15a0e3dc3b2ce6bc7\nusername=1001"
        ),
        digest("acme")
    );
    assert!(with("", &format!("{md5}ann")).contains("another name"));
    assert_eq!(with("", "username=ann\npassword=secret"), "password secret");
}

/// `printf %s 1001:asterisk:CircleOfLife | md5sum`
const OF_CIRCLE: &str = "84cf5fc54909e4e77b97bd126d29a7bf";
/// As many hex digits as an SHA-256 has.
const SHA: &str = "SHA-256:00000000000000000000000000000000000000000000000000000000000000aa";

#[rstest]
#[case::md5_before_another("password_digest=MD5:{md5}\npassword_digest={sha}", "digest asterisk {md5}")]
#[case::md5_behind_another("password_digest={sha}\npassword_digest=md5:{md5}", "digest asterisk {md5}")]
#[case::both_in_one_line("password_digest={sha} , MD5:{md5}", "digest asterisk {md5}")]
#[case::a_password_beside_another(
    "password=ThrowAwaySecret1\npassword_digest={sha}",
    "password ThrowAwaySecret1"
)]
#[case::the_password_that_it_is_of(
    "password=CircleOfLife\npassword_digest=MD5:{circle}",
    "password CircleOfLife"
)]
#[case::another_password(
    "password=ThrowAwaySecret1\npassword_digest=MD5:{md5}",
    "digest asterisk {md5}"
)]
#[case::none_of_md5("password_digest={sha}", "none of MD5")]
#[case::nothing("auth_type=md5", "neither a password nor")]
fn c18_of_several_digests_that_of_md5_counts_and_a_password_that_is_known_more(
    #[case] auth: &str,
    #[case] expected: &str,
) {
    let filled = |text: &str| {
        let text = text.replace("{sha}", SHA).replace("{circle}", OF_CIRCLE);
        text.replace("{md5}", "6581963f7e7c44b15a0e3dc3b2ce6bc7")
    };
    let auth = filled(auth);
    let pjsip = format!("[1001]\ntype=endpoint\nauth=1001\n[1001]\ntype=auth\nusername=1001\n{auth}\n");
    let found = secret(&only(&[("pjsip.conf", &pjsip)]));
    assert!(found.contains(&filled(expected)), "{found}");
}

#[test]
fn c18_an_auth_that_is_not_there_is_lost_and_no_reason_for_a_new_secret() {
    let found = only(&[("pjsip.conf", "[1001]\ntype=endpoint\nauth=1001-auth\n")]);
    assert_eq!(
        secret(&found),
        "lost: the `auth` \"1001-auth\" that it names is not there"
    );
}

#[test]
fn c18_what_is_added_to_a_line_is_found_with_it() {
    let found = only(&[
        (
            "pjsip.conf",
            "[phone](!)\ntype=endpoint\nallow=ulaw\nmailboxes=1001@default\n[1001](phone)\nallow += ,opus\nauth += 1001\n\
             [1001]\ntype=auth\nusername=1001\npassword=ThrowAway\npassword += Secret1\n",
        ),
        ("voicemail.conf", "[default]\n1001 => 4711\n"),
    ]);
    assert_eq!(found.input.codecs.as_deref().unwrap(), ["ulaw", "opus"]);
    assert_eq!(secret(&found), "password ThrowAway Secret1");
    assert!(found.input.voicemail.is_some());
}

#[test]
fn c18_a_password_that_is_no_utf_8_is_not_hashed_as_another_and_a_name_is_told() {
    let pjsip: &[u8] = b"[1001]\ntype=endpoint\nauth=1001\ncallerid=M\xfcller <1001>\n\
        [1001]\ntype=auth\nusername=1001\npassword=M\xfcllersSecret\n";
    let mut found = read(directory_of(&[("pjsip.conf", pjsip)]).path(), None).unwrap();
    let found = found.extensions.remove(0);
    assert_eq!(secret(&found), "its password is not UTF-8");
    assert_eq!(found.input.name.as_deref(), Some("M ller"));
    assert_eq!(found.notes.last().unwrap(), "its name becomes \"M ller\"");
}

#[test]
fn c18_a_mailbox_that_is_nowhere_is_not_switched_on() {
    for voicemail in ["[default]\n1002 => 4711\n", "[general]\n1001 => 4711\n"] {
        let pjsip = "[1001]\ntype=endpoint\nauth=1001\nmailboxes=1001@default\n[1001]\ntype=auth\nusername=1001\npassword=x\n";
        let found = only(&[("pjsip.conf", pjsip), ("voicemail.conf", voicemail)]);
        assert!(found.input.voicemail.is_none() && found.pin.is_none());
        assert_eq!(
            found.notes.last().unwrap(),
            "voicemail.conf has no mailbox 1001@default: it has none here"
        );
    }
}

#[test]
fn c18_an_object_of_pjsip_wizard_conf_is_named_as_not_read() {
    let wizards = "[phone](!)\ntype=wizard\n[1002](phone)\ninbound_auth/username=1002\n[1003](phone)\n";
    let found = found_in(&[("pjsip.conf", ""), ("pjsip_wizard.conf", wizards)], None);
    let aside: Vec<_> = found
        .aside
        .iter()
        .map(|aside| (aside.name.as_str(), aside.place.as_str()))
        .collect();
    assert_eq!(
        aside,
        [("1002", "pjsip_wizard.conf:3"), ("1003", "pjsip_wizard.conf:5")]
    );
    assert!(
        found.aside[0].reason.contains("is not looked at"),
        "{:?}",
        found.aside
    );
}

/// Looked up one by one in each other, so many are ten thousand million looks for each: no test lasts that long.
#[test]
fn c18_a_hundred_thousand_extensions_are_found_with_their_secrets_and_mailboxes() {
    let mut pjsip = "[phone](!)\ntype=endpoint\nallow=ulaw\n".to_owned();
    let mut voicemail = "[default]\n".to_owned();
    for number in 100_000..200_000 {
        let _ = write!(
            pjsip,
            "[{number}](phone)\nauth={number}\naors={number}\nmailboxes={number}@default\n\
             [{number}]\ntype=auth\nusername={number}\npassword=ThrowAway{number}\n[{number}](+type=endpoint)\nallow=alaw\n"
        );
        let _ = writeln!(voicemail, "{number} => {number}");
    }
    let found = found_in(&[("pjsip.conf", &pjsip), ("voicemail.conf", &voicemail)], None);
    assert_eq!((found.extensions.len(), found.aside.len()), (100_000, 0));
    let last = &found.extensions[99_999];
    assert_eq!(secret(last), "password ThrowAway199999");
    assert_eq!(last.pin.as_ref().unwrap().expose_secret(), "199999");
    assert_eq!(last.input.codecs.as_deref().unwrap(), ["ulaw", "alaw"]);
}

#[test]
fn c18_what_is_no_extension_is_left_aside_with_the_reason() {
    let pjsip = "[reception]\ntype=endpoint\nauth=a\n[1001@acme.example.com]\ntype=endpoint\nauth=a\n\
                 message_context=switchyard-messages\n[a]\ntype=auth\nusername=front\n#exec /usr/bin/make-more\n";
    let found = found_in(&[("pjsip.conf", pjsip)], None);
    assert!(found.extensions.is_empty());
    let reasons: Vec<&str> = found.aside.iter().map(|aside| aside.reason.as_str()).collect();
    for (reason, part) in reasons
        .iter()
        .zip(["is a number that", "already", "a program is not run"])
    {
        assert!(reason.contains(part), "{reasons:?}");
    }
    assert_eq!(reasons.len(), 3);
}

#[test]
fn a_directory_without_pjsip_conf_is_no_asterisks() {
    let directory = tempfile::tempdir().unwrap();
    let error = read(directory.path(), None).err().unwrap().to_string();
    assert!(error.contains("there is no pjsip.conf"), "{error}");
}

#[test]
fn a_caller_id_may_lack_name_or_number() {
    let named = |caller_id: &str| {
        let pjsip = format!(
            "[1001]\ntype=endpoint\nauth=1001\ncallerid={caller_id}\n[1001]\ntype=auth\nusername=1001\npassword=x\n"
        );
        let extension = only(&[("pjsip.conf", &pjsip)]);
        (
            extension.input.name.unwrap(),
            extension.input.caller_id.unwrap().number,
        )
    };
    let plain = |name: &str| (name.to_owned(), None);
    assert_eq!(named("\"A \\\"B\\\"\" <1001>"), plain("A \"B\""));
    assert_eq!(named("Ann"), plain("Ann"));
    assert_eq!(
        named("Ann <+4930123>"),
        ("Ann".to_owned(), Some("+4930123".to_owned()))
    );
    assert_eq!(named("<1001>"), plain("1001"));
    assert_eq!(named("1001"), plain("1001"));
}

#[test]
fn no_file_makes_the_reader_panic() {
    for text in [
        "[",
        "]",
        "[]",
        "[a](",
        "[a](+",
        "#include",
        "=",
        "[a]\n=\n",
        "\u{0}",
        "[a](!)\ntype=endpoint",
    ] {
        let found = found_in(&[("pjsip.conf", text), ("voicemail.conf", text)], None);
        assert!(found.extensions.is_empty());
    }
}

mod files;
mod lost;
