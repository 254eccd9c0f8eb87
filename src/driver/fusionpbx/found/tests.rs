//! Rows of other people's FusionPBX, and what is found in them.

use super::*;
use secrecy::ExposeSecret as _;
use serde_json::json;

fn columns(value: Value) -> Columns {
    let Value::Object(columns) = value else {
        panic!("no object: {value}")
    };
    columns
}

fn found(row: Value, settings: &[Value], mailboxes: &[Value]) -> FoundExtension {
    let settings: Vec<Columns> = settings.iter().cloned().map(columns).collect();
    let mailboxes: Vec<(Uuid, Columns)> = mailboxes
        .iter()
        .cloned()
        .map(|row| (Uuid::nil(), columns(row)))
        .collect();
    extension(
        Uuid::nil(),
        "acme.example.com",
        &columns(row),
        &settings,
        &mailboxes,
    )
}

fn secret_of(extension: &FoundExtension) -> String {
    match &extension.secret {
        FoundSecret::None(reason) => reason.clone(),
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
    assert!(found.input.ring_time.is_none() && found.input.voicemail.is_none());
    assert!(
        found.notes.iter().any(|note| note.contains("\"local\"")),
        "{:?}",
        found.notes
    );
    assert!(secret_of(&found).contains("neither"));
}
