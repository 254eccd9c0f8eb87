//! Extensions: adding and listing.

use serde_json::json;

use super::host::{ACME, Host};

fn add<'a>(number: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "extension",
        "add",
        "--tenant",
        ACME,
        "--number",
        number,
        "--name",
        "Ann Lee",
    ];
    words.extend(more);
    words
}

#[test]
fn every_setting_can_be_given() {
    let host = Host::with_tenant();
    let added = host.json(&add(
        "1001",
        &[
            "--status",
            "disabled",
            "--caller-id-name",
            "Acme",
            "--caller-id-number",
            "+4930123",
            "--voicemail",
            "--voicemail-email",
            "ann@acme.example.com",
            "--forward-always",
            "1002",
            "--forward-busy",
            "1003",
            "--forward-no-answer",
            "1004",
            "--ring-time",
            "20",
            "--recording",
            "inbound",
            "--max-contacts",
            "3",
            "--codec",
            "opus",
            "--codec",
            "alaw",
            "--transport",
            "tls",
            "--outbound-class",
            "internal",
        ],
    ));
    let expected = json!({
        "number": "1001", "name": "Ann Lee", "status": "disabled",
        "caller_id": {"name": "Acme", "number": "+4930123"},
        "voicemail": {"enabled": true, "email": "ann@acme.example.com"},
        "forward": {"always": "1002", "busy": "1003", "no_answer": "1004"},
        "ring_time": 20, "recording": "inbound", "max_contacts": 3, "codecs": ["opus", "alaw"],
        "transport": "tls", "outbound_class": "internal",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&added[field], value, "{field}");
    }
}

#[test]
fn the_secrets_are_shown_once() {
    let host = Host::with_tenant();
    let added = host.json(&add("1001", &[]));
    let (secret, pin) = (
        added["secret"].as_str().unwrap(),
        added["voicemail_pin"].as_str().unwrap(),
    );
    assert!(secret.len() >= 20 && pin.len() == 6);
    let list = host.json(&["extension", "list", "--tenant", ACME]);
    assert!(list["data"][0].get("secret").is_none());
    assert!(!list.to_string().contains(secret));
    let text = host.ok(&add("1002", &[]));
    assert!(
        text.contains("secret  ") && text.contains("voicemail pin  "),
        "{text}"
    );
}

#[test]
fn every_wrong_argument_is_named_for_people_and_programs() {
    let host = Host::with_tenant();
    let words = add("911", &["--ring-time", "1", "--forward-busy", "x", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&host.refused(4, &words)).unwrap();
    let arguments: Vec<&str> = said["error"]["arguments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|wrong| wrong["argument"].as_str().unwrap())
        .collect();
    assert_eq!(arguments, ["--forward-busy", "--number", "--ring-time"]);
    let said = host.refused(4, &add("1001", &["--transport", "pigeon"]));
    assert!(
        said.contains("--transport") && said.contains("udp, tcp, tls, websocket"),
        "{said}"
    );
}

#[test]
fn the_emergency_numbers_of_the_instance_are_kept_free() {
    let host = Host::ready();
    host.add_instance_with("pbx1", &["--emergency-number", "117"]);
    host.ok(&["tenant", "add", "--name", "Acme Inc.", "--domain", ACME]);
    assert!(
        host.refused(4, &add("117", &[]))
            .contains("--number must not be an emergency number")
    );
}

#[test]
fn a_number_that_is_taken_is_a_conflict() {
    let host = Host::with_tenant();
    host.ok(&add("1001", &[]));
    assert!(host.refused(5, &add("1001", &[])).contains("number is taken"));
}

#[test]
fn a_list_is_searched_sorted_and_paged() {
    let host = Host::with_tenant();
    for (number, name) in [("1001", "Cid"), ("1002", "Bob"), ("1003", "Ann")] {
        host.ok(&[
            "extension",
            "add",
            "--tenant",
            ACME,
            "--number",
            number,
            "--name",
            name,
        ]);
    }
    let numbers = |more: &[&str]| {
        let mut words = vec!["extension", "list", "--tenant", ACME];
        words.extend(more);
        let list = host.json(&words);
        let numbers: Vec<&str> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|extension| extension["number"].as_str().unwrap())
            .collect();
        numbers.join(" ")
    };
    assert_eq!(numbers(&[]), "1001 1002 1003");
    assert_eq!(numbers(&["--sort", "name"]), "1003 1002 1001");
    assert_eq!(numbers(&["--search", "bo"]), "1002");
    assert_eq!(numbers(&["--per-page", "1", "--page", "3"]), "1003");
    assert_eq!(numbers(&["--page", "9"]), "");
    assert!(
        host.refused(4, &["extension", "list", "--tenant", ACME, "--per-page", "101"])
            .contains("--per-page")
    );
    assert!(
        host.refused(4, &["extension", "list", "--tenant", ACME, "--sort", "age"])
            .contains("--sort")
    );
}
