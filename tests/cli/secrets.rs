//! Secrets of extensions: shown on purpose, each time with an entry in the audit log, and replaced.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sqlx::Connection as _;

use super::host::{ACME, Host};

fn reveal(more: &[&'static str]) -> Vec<&'static str> {
    let mut words = vec!["extension", "reveal", "--tenant", ACME];
    words.extend(more);
    words
}

/// The actions of the audit log with the things they were done to, in order.
fn audited(host: &Host) -> Vec<(String, String)> {
    let url = format!("sqlite:{}", host.path("switchyard.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let select = "select action, target_id from audit_entries order by number";
        sqlx::query_as(select).fetch_all(&mut connection).await.unwrap()
    })
}

fn revealed(host: &Host) -> Vec<String> {
    let entries = audited(host).into_iter();
    entries
        .filter(|(action, _)| action == "extension.reveal_secret")
        .map(|(_, target)| target)
        .collect()
}

#[test]
fn o61_what_was_made_is_shown_again_and_audited() {
    let host = Host::with_tenant();
    let made = host.add_extension("1001", "Ann");
    let shown = host.json(&reveal(&["1001"]));
    assert_eq!(shown, made);
    assert!(shown["secret"].as_str().unwrap().len() >= 16, "{shown}");
    let text = host.ok(&reveal(&["1001"]));
    let pin = made["voicemail_pin"].as_str().unwrap();
    assert!(
        text.contains(made["secret"].as_str().unwrap()) && text.contains(pin),
        "{text}"
    );
    let id = made["id"].as_str().unwrap();
    assert_eq!(revealed(&host), [id, id]);
}

#[test]
fn o61_all_of_a_tenant_are_shown_after_an_import_each_audited() {
    let host = Host::with_tenant();
    let mut file = "number,name\n".to_owned();
    // More than a page.
    for number in 2000..2130 {
        let _ = writeln!(file, "{number},Phone");
    }
    let file = host.file("phones.csv", file);
    host.ok(&["extension", "import", "--tenant", ACME, &file]);
    let all = host.json(&reveal(&["--all"]));
    let all = all["data"].as_array().unwrap();
    let numbers: Vec<&Value> = all.iter().map(|extension| &extension["number"]).collect();
    let expected: Vec<Value> = (2000..2130).map(|number| json!(number.to_string())).collect();
    assert_eq!(numbers, expected.iter().collect::<Vec<_>>());
    let secrets: BTreeSet<&str> = all.iter().map(|e| e["secret"].as_str().unwrap()).collect();
    assert_eq!(secrets.len(), 130);
    let ids: BTreeSet<String> = all.iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(revealed(&host).into_iter().collect::<BTreeSet<_>>(), ids);
    let table = host.ok(&reveal(&["--all"]));
    assert_eq!(table.lines().count(), 131);
    assert!(
        table
            .lines()
            .nth(1)
            .unwrap()
            .contains(all[0]["secret"].as_str().unwrap())
    );
}

#[test]
fn a_rotated_secret_is_the_one_that_is_shown() {
    let host = Host::with_tenant();
    let made = host.add_extension("1001", "Ann");
    let rotate = ["extension", "rotate", "--tenant", ACME, "1001"];
    let rotated = host.json(&rotate);
    assert_ne!(rotated["secret"], made["secret"]);
    let shown = host.json(&reveal(&["1001"]));
    assert_eq!(shown["secret"], rotated["secret"]);
    assert_eq!(shown["voicemail_pin"], made["voicemail_pin"]);
    let text = host.ok(&rotate);
    assert!(text.contains("deploy apply --tenant acme.example.com"), "{text}");
    let actions: Vec<String> = audited(&host).into_iter().map(|(action, _)| action).collect();
    let rotations = actions
        .iter()
        .filter(|action| *action == "extension.rotate_secret");
    assert_eq!(rotations.count(), 2);
}

#[test]
fn what_is_not_there_reveals_nothing() {
    let host = Host::with_tenant();
    let said = host.refused(3, &reveal(&["1009"]));
    assert!(
        said.contains("no extension 1009") && said.contains("extension list"),
        "{said}"
    );
    host.refused(2, &reveal(&[]));
    host.refused(2, &reveal(&["--all", "1001"]));
    host.refused(3, &["extension", "rotate", "--tenant", ACME, "1009"]);
    assert_eq!(host.json(&reveal(&["--all"])), json!({"data": []}));
    assert_eq!(revealed(&host), [""; 0]);
}
