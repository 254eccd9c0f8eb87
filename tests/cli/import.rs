//! A file of extensions: all or none, with a report of every row.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::host::{ACME, Ended, Host};

const GOOD: &str = "\u{feff}number,name,voicemail.enabled,codecs,secret\r\n\
    1001,\"Bob \"\"B\"\" Bee\",TRUE,opus alaw,abcdefghijklmnop\r\n1002,Cid,,,\r\n";

fn import(file: &str) -> [&str; 5] {
    ["extension", "import", "--tenant", ACME, file]
}

fn total(host: &Host) -> Value {
    host.json(&["extension", "list", "--tenant", ACME])["meta"]["total"].clone()
}

#[test]
fn a_dry_run_reports_and_changes_nothing_then_the_file_is_imported() {
    let host = Host::with_tenant();
    let file = host.file("phones.csv", GOOD);
    let mut dry = import(&file).to_vec();
    dry.push("--dry-run");
    let report = host.json(&dry);
    assert_eq!(
        (&report["imported"], &report["good"], &report["bad"]),
        (&json!(false), &json!(2), &json!(0))
    );
    assert_eq!(total(&host), 0);
    let text = host.ok(&import(&file));
    assert!(text.contains("2 extensions were added"), "{text}");
    let list = host.json(&["extension", "list", "--tenant", ACME]);
    assert_eq!(list["data"][0]["name"], "Bob \"B\" Bee");
    assert_eq!(list["data"][0]["codecs"], json!(["opus", "alaw"]));
    assert_eq!(list["data"][1]["voicemail"]["enabled"], false);
    assert!(!text.contains("abcdefghijklmnop"));
}

#[test]
fn one_wrong_row_keeps_all_out_and_each_is_reported_by_its_line() {
    let host = Host::with_tenant();
    host.add_extension("1001", "Ann");
    let file = host.file(
        "phones.csv",
        "number,name,ring_time\n1001,Bob,\n1002,Cid,soon\n1003,Dee,20\n1003,Eve,\n911,Flo,\n",
    );
    let mut words = import(&file).to_vec();
    words.push("--json");
    let ended = host.run(&words);
    assert_eq!(ended.code, 4);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let rows: Vec<String> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["line"], row["errors"]))
        .collect();
    let starts = [
        "2 {\"number\":[\"is taken",
        "3 {\"ring_time\":[\"must be a whole number",
        "4 {}",
        "5 {\"number\":[\"is taken",
        "6 {\"number\":[",
    ];
    assert_eq!(rows.len(), starts.len());
    for (row, start) in rows.iter().zip(starts) {
        assert!(row.starts_with(start), "{row}");
    }
    assert!(
        ended.err.contains("4 of 5 rows are wrong; nothing was imported"),
        "{ended:?}"
    );
    assert_eq!(total(&host), 1);
    let text = host.run(&import(&file));
    assert!(
        text.out.contains("3     ") && text.out.contains("ring_time must be a whole number"),
        "{text:?}"
    );
}

#[test]
fn unknown_columns_are_refused_by_name() {
    let host = Host::with_tenant();
    let file = host.file("phones.csv", "number,name,pasword\n1001,Ann,x\n");
    let said = host.refused(4, &import(&file));
    assert!(
        said.contains("`pasword`") && said.contains("voicemail.enabled"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let host = Host::with_tenant();
    let file = host.path("nothing.csv").display().to_string();
    assert!(host.refused(4, &import(&file)).contains(&file));
}

#[test]
fn what_is_no_table_is_refused_by_its_name_and_never_shown() {
    let host = Host::with_tenant();
    for file in ["/bin/true", "/dev/zero"] {
        let said = host.refused(4, &import(file));
        assert!(
            said.starts_with(&format!("error: {file} is not imported: ")),
            "{said}"
        );
        assert!(
            said.len() < 400 && said.trim_end().chars().all(|c| !c.is_control()),
            "{said:?}"
        );
    }
    assert!(
        host.refused(4, &import("/bin/true"))
            .contains("CSV file, whose first row names the columns")
    );
    assert!(
        host.refused(4, &import("/dev/zero"))
            .contains("has more than 16 MiB")
    );
    let directory = host.path("").display().to_string();
    assert!(host.refused(4, &import(&directory)).contains("Is a directory"));
}

#[test]
fn a_file_comes_from_standard_input_too() {
    let host = Host::with_tenant();
    let mut child = host
        .command(&import("-"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(GOOD.as_bytes()).unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(total(&host), 2);
}

#[test]
fn a_thousand_rows_are_one_import() {
    let host = Host::with_tenant();
    let rows: Vec<String> = (1000..2000)
        .map(|number| format!("{number},Phone {number}"))
        .collect();
    let file = host.file(
        "phones.csv",
        format!(
            "number,name
{}
",
            rows.join(
                "
"
            )
        ),
    );
    let report = host.json(&import(&file));
    assert_eq!(
        (&report["imported"], &report["good"]),
        (&json!(true), &json!(1000))
    );
    assert_eq!(total(&host), 1000);
}
