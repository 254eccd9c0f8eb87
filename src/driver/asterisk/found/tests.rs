//! Files of other people's Asterisks, and what is found in them.

use std::fs;

use secrecy::ExposeSecret as _;

use super::*;
use crate::domain::found::{FoundExtension, FoundSecret};

fn found_in(files: &[(&str, &str)], context: Option<&str>) -> Found {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    read(directory.path(), context).unwrap()
}

fn only(files: &[(&str, &str)]) -> FoundExtension {
    let mut found = found_in(files, None);
    assert_eq!((found.extensions.len(), found.aside.len()), (1, 0));
    found.extensions.remove(0)
}

fn secret(extension: &FoundExtension) -> String {
    match &extension.secret {
        FoundSecret::None(reason) => reason.clone(),
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
            "recording": null, "max_contacts": 10, "codecs": ["ulaw", "alaw"], "transport": "tls", "outbound_class": null
        })
    );
    assert_eq!(extension.place, "pjsip.endpoint.conf:1");
    assert_eq!(secret(extension), "password 5a2c7a9b!x");
    assert_eq!(extension.pin.as_ref().unwrap().expose_secret(), "4711");
    assert_eq!(
        extension.notes,
        [
            "notices of its mailbox go to the first e-mail address alone",
            "its name becomes \"Doe Ann\"",
            "max_contacts=25 becomes one of 1 to 10",
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
