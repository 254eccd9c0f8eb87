//! Any name that the type takes comes out of the running Asterisk exactly as it went in.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use switchyard::domain::name::DisplayName;

use super::support::ami::{Ami, field};
use super::support::bench::Bench;
use super::support::tenants::TestTenant;

const DOMAIN: &str = "acme.example.com";
/// Extensions of one generation.
const BATCH: usize = 250;

/// What configuration files, the dialplan, caller ids, mailboxes and SIP headers take for more than itself.
const HOSTILE: [&str; 36] = [
    "\"",
    "\\",
    "\\\\",
    "\\\"",
    ";",
    "\\;",
    ";;",
    ";--",
    "--;",
    "[",
    "]",
    "[evil]",
    "#include",
    "#exec /bin/true",
    "#include \"/etc/passwd\"",
    "${",
    "}",
    "${EXTEN}",
    "${SHELL(id)}",
    "$[1+1]",
    "=>",
    "=",
    "<5>",
    "<",
    ">",
    "<sip:x@y>",
    "|",
    "%",
    "%s%n",
    "'",
    "`",
    "(!)",
    "(+)",
    "same",
    "@",
    "exten",
];

/// Names of the worst pieces, plain letters and every kind of UTF-8.
fn name() -> impl Strategy<Value = DisplayName> {
    let piece = prop_oneof![
        6 => prop::sample::select(&HOSTILE[..]).prop_map(str::to_owned),
        2 => "[a-zA-Z0-9 ]{1,6}",
        1 => "\\PC{1,3}",
        1 => "[äéßñ€漢字🎉\u{301}]{1,2}",
    ];
    prop::collection::vec(piece, 1..12).prop_filter_map("a name that is taken", |pieces| {
        let mut name = pieces.concat();
        while name.len() > 79 || name.chars().count() > 64 {
            name.pop();
        }
        name.trim().parse().ok()
    })
}

/// Names at the edges of the type, and names that once were cut or changed.
fn edges() -> Vec<DisplayName> {
    let edges = [
        "\"".repeat(64),
        "\\".repeat(64),
        ";".repeat(64),
        "é".repeat(39),
        format!("{}x", "é".repeat(39)),
        "漢".repeat(26),
        "\"".repeat(6),
        "\\;".repeat(32),
        "x".repeat(64),
        "\"quoted\"".to_owned(),
        "\\".to_owned(),
        ";".to_owned(),
        "\"".to_owned(),
        "#include".to_owned(),
        "<5>".to_owned(),
        "0".to_owned(),
    ];
    edges.iter().map(|name| name.parse().unwrap()).collect()
}

fn extension(index: usize, name: &DisplayName) -> Value {
    json!({"number": (100_000 + index).to_string(), "name": name, "voicemail": {"enabled": true}})
}

/// As Asterisk writes a caller id out: with the quotes and backslashes escaped, and ten bytes longer than name and number
/// at most, even where the escaped form is longer than that.
fn shown(name: &str, number: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    let whole = format!("\"{escaped}\" <{number}>");
    let shown = &whole.as_bytes()[..whole.len().min(name.len() + number.len() + 10)];
    String::from_utf8_lossy(shown).into_owned()
}

/// What differs between the names and what the running Asterisk says of them.
fn differences(ami: &mut Ami, names: &[DisplayName]) -> Vec<String> {
    let mut differences = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let number = (100_000 + index).to_string();
        let address = format!("{number}@{DOMAIN}");
        let endpoint = ami.list("PJSIPShowEndpoint", &[("Endpoint", &address)]);
        let caller_id = endpoint.first().and_then(|event| field(event, "Callerid"));
        if caller_id != Some(&shown(name.as_str(), &number)) {
            differences.push(format!("{:?} as caller id: {caller_id:?}", name.as_str()));
        }
        let mailbox = ami.list(
            "VoicemailUserStatus",
            &[("Context", DOMAIN), ("Mailbox", &number)],
        );
        let full_name = mailbox.first().and_then(|event| field(event, "Fullname"));
        if full_name != Some(name.as_str()) {
            differences.push(format!("{:?} as mailbox: {full_name:?}", name.as_str()));
        }
    }
    differences
}

#[tokio::test]
async fn any_name_comes_out_as_it_went_in() {
    let batches = if std::env::var_os("SWITCHYARD_TEST_ALL").is_some() {
        20
    } else {
        1
    };
    let mut bench = Bench::start().await;
    let mut runner = TestRunner::default();
    let mut distinct = BTreeSet::new();
    for _ in 0..batches {
        let mut names = edges();
        while names.len() < BATCH {
            names.push(name().new_tree(&mut runner).unwrap().current());
        }
        let extensions: Vec<Value> = names
            .iter()
            .enumerate()
            .map(|(index, name)| extension(index, name))
            .collect();
        let tenant = TestTenant::new(DOMAIN, &extensions);
        bench.serve(&[tenant]).await;
        let differences = differences(&mut bench.pbx.ami(), &names);
        assert!(differences.is_empty(), "{differences:#?}");
        distinct.extend(names);
    }
    assert!(
        distinct.len() >= batches * 200,
        "only {} distinct names",
        distinct.len()
    );
}

/// The independent reader does see a wrong name.
#[tokio::test]
async fn a_name_that_is_another_is_seen() {
    let mut bench = Bench::start().await;
    let [ann, eve]: [DisplayName; 2] = ["Ann", "Eve"].map(|name| name.parse().unwrap());
    bench
        .serve(&[TestTenant::new(DOMAIN, &[extension(0, &ann)])])
        .await;
    let mut ami = bench.pbx.ami();
    assert_eq!(differences(&mut ami, &[ann]), Vec::<String>::new());
    assert_eq!(differences(&mut ami, &[eve]).len(), 2);
}
