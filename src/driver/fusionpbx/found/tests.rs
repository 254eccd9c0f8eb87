//! Rows of other people's FusionPBX, and what is found in them.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;
use crate::domain::found::{FoundExtension, FoundSecret, FoundTenant};

fn columns(value: Value) -> Columns {
    let Value::Object(columns) = value else {
        panic!("no object: {value}")
    };
    columns
}

/// What becomes of an extension in a domain that has nothing else.
fn found(row: Value, settings: &[Value], mailboxes: &[Value]) -> FoundExtension {
    let mut tenant = only(json!({}), row, settings, mailboxes);
    assert_eq!(tenant.found.extensions.len(), 1);
    tenant.found.extensions.remove(0)
}

fn only(domain: Value, row: Value, settings: &[Value], mailboxes: &[Value]) -> FoundTenant {
    let of = |mut row: Value, column: &str| {
        row[column] = json!(Uuid::nil());
        (Uuid::nil(), columns(row))
    };
    let mut domain = domain;
    domain["domain_name"] = json!("acme.example.com");
    let rows = Rows {
        ours: Vec::new(),
        domains: vec![(Uuid::nil(), columns(domain))],
        extensions: vec![of(row, "domain_uuid")],
        settings: settings
            .iter()
            .cloned()
            .map(|row| of(row, "extension_uuid"))
            .collect(),
        mailboxes: mailboxes
            .iter()
            .cloned()
            .map(|row| of(row, "domain_uuid"))
            .collect(),
    };
    tenants::tenants(rows).tenants.remove(0)
}

fn secret_of(extension: &FoundExtension) -> String {
    match &extension.secret {
        FoundSecret::None(reason) | FoundSecret::Lost(reason) => reason.clone(),
        FoundSecret::Password(password) => format!("password {}", password.expose_secret()),
        FoundSecret::Digest { realm, ha1 } => format!("digest {realm} {}", ha1.expose_secret()),
    }
}

#[test]
fn c18_an_extension_of_fusionpbx_is_found_in_either_way_of_keeping_flags() {
    for flag in [json!(true), json!("true")] {
        let row = json!({
            "extension": "1001", "password": "5a2c7a9b!x", "enabled": flag, "effective_caller_id_name": "Doe, Ann",
            "outbound_caller_id_number": "+4930123", "outbound_caller_id_name": "Acme", "call_timeout": 25,
            "max_registrations": "2", "toll_allow": "local,domestic", "user_record": "all", "number_alias": "71",
            "absolute_codec_string": "OPUS@48000h,PCMA,H264", "forward_busy_destination": "1002", "forward_busy_enabled": flag,
            "forward_all_destination": "1003", "forward_all_enabled": false, "hold_music": null,
        });
        let mailbox = json!({"voicemail_id": "1001", "voicemail_enabled": flag, "voicemail_password": "4711",
            "voicemail_mail_to": "ann@acme.example,boss@acme.example"});
        let found = found(row, &[], &[mailbox]);
        assert_eq!(
            serde_json::to_value(&found.input).unwrap(),
            json!({
                "number": "1001", "name": "Doe Ann", "status": null, "caller_id": {"name": "Acme", "number": "+4930123"},
                "voicemail": {"enabled": true, "email": "ann@acme.example"},
                "forward": {"always": null, "busy": "1002", "no_answer": null}, "ring_time": 25, "recording": "always",
                "max_contacts": 2, "codecs": ["opus", "alaw"], "transport": null, "outbound_class": "national"
            })
        );
        assert_eq!(secret_of(&found), "password 5a2c7a9b!x");
        assert_eq!(found.pin.as_ref().unwrap().expose_secret(), "4711");
        assert_eq!(
            found.notes,
            [
                "its name becomes \"Doe Ann\"",
                "it is no longer reached by its alias (number_alias: \"71\")",
                "a forward that is switched off is not kept (forward_all: \"1003\")",
                "notices of its mailbox go to the first e-mail address alone",
                "codecs that are not served here are left out: H264",
            ]
        );
    }
}

#[test]
fn c18_a_digest_wins_over_a_password_and_is_made_for_the_domain() {
    let digest = json!({"extension_setting_type": "param", "extension_setting_name": "a1-hash",
        "extension_setting_value": "6581963f7e7c44b15a0e3dc3b2ce6bc7", "extension_setting_enabled": "true"});
    let row = json!({"extension": "1001", "password": "old", "enabled": "true"});
    assert_eq!(
        secret_of(&found(row.clone(), std::slice::from_ref(&digest), &[])),
        "digest acme.example.com 6581963f7e7c44b15a0e3dc3b2ce6bc7"
    );
    let mut off = digest;
    off["extension_setting_enabled"] = json!(false);
    assert_eq!(secret_of(&found(row, &[off], &[])), "password old");
}

#[test]
fn c18_rows_of_null_and_junk_are_found_as_what_they_are() {
    let found = found(
        json!({"extension": null, "enabled": null, "call_timeout": "soon", "max_registrations": "0", "user_record": "local"}),
        &[json!({})],
        &[json!({})],
    );
    assert_eq!(found.input.number.as_deref(), Some(""));
    assert_eq!(found.input.status.as_deref(), Some("disabled"));
    assert_eq!(found.input.outbound_class.as_deref(), Some("internal"));
    assert_eq!(found.input.max_contacts, Some(1));
    assert!(found.input.ring_time.is_none());
    assert_eq!(found.input.voicemail.as_ref().unwrap().enabled, Some(false));
    assert!(
        found.notes.iter().any(|note| note.contains("\"local\"")),
        "{:?}",
        found.notes
    );
    assert!(secret_of(&found).contains("neither"));
}

/// What of it is told, less what is told of each.
fn notes(row: Value, settings: &[Value], mailboxes: &[Value]) -> Vec<String> {
    let mut row = row;
    row["extension"] = json!("1001");
    found(row, settings, mailboxes).notes
}

fn set(name: &str, value: &str) -> Value {
    json!({"extension_setting_type": "param", "extension_setting_name": name, "extension_setting_value": value,
        "extension_setting_enabled": true})
}

#[test]
fn c18_whoever_may_not_sign_in_there_comes_disabled() {
    let row = json!({"extension": "1001", "enabled": true});
    let forbidden = found(row.clone(), &[set("sip-forbid-register", "true")], &[]);
    assert_eq!(forbidden.input.status.as_deref(), Some("disabled"));
    assert_eq!(
        forbidden.notes,
        ["it may not sign in there (sip-forbid-register): it comes disabled"]
    );
    let mut off = set("sip-forbid-register", "true");
    off["extension_setting_enabled"] = json!(false);
    for setting in [off, set("sip-forbid-register", "false")] {
        let found = found(row.clone(), &[setting], &[]);
        assert_eq!((found.input.status, found.notes), (None, Vec::new()));
    }
}

#[test]
fn c18_a_domain_that_is_switched_off_is_told_from_one_that_is_served() {
    for (flag, is_served) in [(json!(true), true), (json!("false"), false), (Value::Null, false)] {
        let tenant = only(json!({"domain_enabled": flag}), json!({}), &[], &[]);
        assert_eq!(tenant.is_served, is_served);
        let told = tenant
            .notes
            .iter()
            .any(|note| note.contains("it comes suspended"));
        assert_ne!(told, is_served, "{:?}", tenant.notes);
    }
}

#[test]
fn c18_what_has_no_counterpart_here_is_told_of_each() {
    let row = json!({"do_not_disturb": true, "follow_me_enabled": "true", "call_screen_enabled": true,
        "forward_user_not_registered_enabled": true, "emergency_caller_id_number": "+4930112", "missed_call_app": "email",
        "dial_string": "{sip_auth_password=s3cret}sofia/gateway/x", "hold_music": "local_stream://x",
        "forward_all_destination": "1003", "forward_all_enabled": false});
    let told = notes(
        row,
        &[set("sip-expires-max-deviation", "60"), set("a1-hash", "x")],
        &[],
    );
    for part in [
        "do_not_disturb",
        "follow_me_enabled",
        "call_screen_enabled",
        "forward_user_not_registered_enabled",
        "emergency_caller_id_number: \"+4930112\"",
        "missed_call_app",
        "(dial_string)",
        "hold_music",
        "a forward that is switched off is not kept (forward_all: \"1003\")",
        "settings of its own are not kept: param sip-expires-max-deviation",
    ] {
        assert!(told.iter().any(|note| note.contains(part)), "{part}: {told:?}");
    }
    assert_eq!(told.len(), 10, "{told:?}");
    assert!(!format!("{told:?}").contains("s3cret"), "{told:?}");
    let off = json!({"do_not_disturb": false, "follow_me_enabled": "false", "missed_call_app": "", "hold_music": " "});
    assert_eq!(notes(off, &[], &[]), Vec::<String>::new());

    let mailbox = json!({"voicemail_id": "1001", "voicemail_enabled": true, "voicemail_mail_to": "ann@acme.example",
        "voicemail_local_after_email": false, "voicemail_file": "link", "voicemail_sms_to": "+4930123"});
    let told = notes(json!({}), &[], &[mailbox]);
    for part in [
        "voicemail_local_after_email",
        "voicemail_file: \"link\"",
        "voicemail_sms_to",
    ] {
        assert!(told.iter().any(|note| note.contains(part)), "{part}: {told:?}");
    }
}

#[test]
fn c18_a_secret_keeps_the_blanks_at_its_ends() {
    let row = json!({"extension": " 1001 ", "password": " pw ! ", "enabled": true});
    let mailbox = json!({"voicemail_id": "1001", "voicemail_enabled": true, "voicemail_password": " 4711"});
    let found = found(row, &[], &[mailbox]);
    assert_eq!(found.input.number.as_deref(), Some("1001"));
    assert_eq!(secret_of(&found), "password  pw ! ");
    assert_eq!(found.pin.as_ref().unwrap().expose_secret(), " 4711");
}

#[test]
fn c18_what_is_in_no_domain_of_theirs_is_left_aside_with_the_reason() {
    let [ours, theirs, nobody] = [1, 2, 3].map(Uuid::from_u128);
    let row = |domain: Option<Uuid>, number: &str| {
        let row = json!({"domain_uuid": domain, "extension": number, "voicemail_id": number});
        (Uuid::from_u128(9), columns(row))
    };
    let found = tenants::tenants(Rows {
        ours: vec![ours],
        domains: vec![(theirs, columns(json!({"domain_name": "acme.example.com"})))],
        extensions: vec![
            row(None, "3001"),
            row(Some(nobody), "3002"),
            row(Some(ours), "3003"),
            row(Some(theirs), "1001"),
        ],
        settings: Vec::new(),
        mailboxes: vec![
            row(Some(theirs), "1001"),
            row(Some(theirs), "1009"),
            row(None, "1010"),
        ],
    });
    let aside: Vec<_> = found
        .aside
        .iter()
        .map(|aside| (aside.name.as_str(), aside.reason.as_str()))
        .collect();
    assert_eq!(
        aside,
        [
            ("3001", "it is in no domain that is there"),
            (
                "3003",
                "it is in a domain that was made from here: add it here, and take it out there"
            ),
            ("3002", "it is in no domain that is there"),
            ("1010", "it is a mailbox in no domain that is there"),
        ]
    );
    let aside = &found.tenants[0].found.aside;
    assert_eq!((aside.len(), aside[0].name.as_str()), (1, "1009"));
    assert_eq!(aside[0].reason, "it is a mailbox of no extension");
}

#[test]
fn c18_a_mailbox_that_is_switched_off_keeps_its_pin_and_a_second_one_is_told() {
    let mailbox = |enabled: bool, pin: &str| json!({"voicemail_id": "1001", "voicemail_enabled": enabled, "voicemail_password": pin});
    let row = json!({"extension": "1001", "enabled": true});
    let off = found(row.clone(), &[], &[mailbox(false, "314159")]);
    assert_eq!(off.input.voicemail.unwrap().enabled, Some(false));
    assert_eq!(off.pin.unwrap().expose_secret(), "314159");
    let tenant = only(
        json!({}),
        row,
        &[],
        &[mailbox(false, "1111"), mailbox(true, "2222")],
    );
    assert_eq!(
        tenant.found.extensions[0].pin.as_ref().unwrap().expose_secret(),
        "2222"
    );
    let [aside] = tenant.found.aside.as_slice() else {
        panic!("{:?}", tenant.found.aside)
    };
    assert!(
        aside.reason.contains("another mailbox of its number"),
        "{aside:?}"
    );
}

/// Looked up one by one in each other, so many are ten thousand million looks for each: no test lasts that long.
#[test]
fn c18_a_hundred_thousand_rows_of_each_table_are_found_with_each_other() {
    let domain = Uuid::from_u128(1);
    let all = |row: fn(Uuid, u128) -> Value| {
        let rows = (100_000..200_000).map(|n| (Uuid::from_u128(n), columns(row(Uuid::from_u128(1), n))));
        rows.collect::<Vec<_>>()
    };
    let found = tenants::tenants(Rows {
        ours: Vec::new(),
        domains: vec![(domain, columns(json!({"domain_name": "acme.example.com"})))],
        extensions: all(|domain, n| json!({"domain_uuid": domain, "extension": n.to_string()})),
        settings: all(|_, n| {
            let mut digest = set("a1-hash", "x");
            digest["extension_uuid"] = json!(Uuid::from_u128(n));
            digest
        }),
        mailboxes: all(
            |domain, n| json!({"domain_uuid": domain, "voicemail_id": n.to_string(), "voicemail_password": n.to_string()}),
        ),
    });
    let found = &found.tenants[0].found;
    assert_eq!((found.extensions.len(), found.aside.len()), (100_000, 0));
    let last = &found.extensions[99_999];
    assert_eq!(secret_of(last), "digest acme.example.com x");
    assert_eq!(last.pin.as_ref().unwrap().expose_secret(), "199999");
}
