//! Files as spreadsheets write them, and files with mistakes.

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;

fn good(text: &str) -> Vec<(u64, ExtensionInput)> {
    let rows = read(text.as_bytes()).unwrap();
    rows.into_iter()
        .map(|row| (row.line, row.input.unwrap()))
        .collect()
}

fn bad(text: &str) -> Vec<(u64, String)> {
    let rows = read(text.as_bytes()).unwrap();
    let errors = |row: Row| row.input.err().map(|errors| (row.line, errors.to_string()));
    rows.into_iter().filter_map(errors).collect()
}

fn refused(text: &str) -> String {
    read(text.as_bytes()).err().unwrap().to_string()
}

/// An extension that uses every field but its secrets, which are not written out.
fn full() -> Value {
    json!({"number": "1001", "name": "Ann", "status": "disabled", "caller_id": {"name": "Acme", "number": "4930"},
        "voicemail": {"enabled": true, "email": "a@b.example"}, "ring_time": 20, "recording": "always",
        "forward": {"always": "1002", "busy": "1003", "no_answer": "1004"}, "max_contacts": 3,
        "codecs": ["opus", "alaw"], "transport": "tls", "outbound_class": "internal"})
}

#[test]
fn every_field_has_its_column() {
    let text = "number,name,status,caller_id.name,caller_id.number,voicemail.enabled,voicemail.email,ring_time,recording,\
        forward.always,forward.busy,forward.no_answer,max_contacts,codecs,transport,outbound_class,secret,voicemail.pin\n\
        1001,Ann,disabled,Acme,4930,TRUE,a@b.example,20,always,1002,1003,1004,3,opus  alaw,tls,internal,abcdefghijkl,4711\n";
    let (line, input) = good(text).pop().unwrap();
    assert_eq!(line, 2);
    assert_eq!(input.secret.as_ref().unwrap().expose_secret(), "abcdefghijkl");
    let pin = input.voicemail.as_ref().unwrap().pin.as_ref().unwrap();
    assert_eq!(pin.expose_secret(), "4711");
    // A field that a request knows and this page does not would be missing here.
    assert_eq!(serde_json::to_value(&input).unwrap(), full());
    assert_eq!(text.lines().next().unwrap().split(',').count(), COLUMNS.len());
}

#[test]
fn a_spreadsheets_file_is_read() {
    let text = "\u{feff}number,name,voicemail.email\r\n1001,\"Zoë \"\"Doc\"\" O'Hara\",\r\n\r\n , ,\r\n 1002 ,Bob ,b@c.example\r\n";
    let rows = good(text);
    let names: Vec<_> = rows
        .iter()
        .map(|(line, row)| {
            (
                *line,
                row.number.as_deref().unwrap(),
                row.name.as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(names, [(2, "1001", "Zoë \"Doc\" O'Hara"), (5, "1002", "Bob")]);
    assert!(rows[0].1.voicemail.is_none());
}

#[test]
fn a_row_with_mistakes_is_named_by_its_line_and_the_others_are_read() {
    let text = "number,name,ring_time,voicemail.enabled\n1001,Ann,soon,perhaps\n1002,Bob,20,no\n1003,Cid\n";
    assert_eq!(
        bad(text),
        [
            (
                2,
                "ring_time must be a whole number; voicemail.enabled must be `true` or `false`".to_owned()
            ),
            (4, "row must have 4 cells, as the first row, not 2".to_owned()),
        ]
    );
}

#[test]
fn a_line_break_in_a_cell_does_not_shift_the_lines() {
    let rows = good("number,name\r\n1001,\"A\r\nB\"\r\n1002,\"Bob\"\r\n");
    let lines: Vec<u64> = rows.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 4]);
    assert_eq!(rows[1].1.name.as_deref(), Some("Bob"));
}

#[test]
fn what_is_no_text_is_refused_with_its_line_and_what_is_expected() {
    let refused = |bytes: &[u8]| read(bytes).err().unwrap().to_string();
    let latin = refused(b"number,name\n1001,Ann\n1002,Zo\xeb\n");
    assert!(
        latin.starts_with("line 3 is not UTF-8 text") && latin.contains("CSV UTF-8"),
        "{latin}"
    );
    assert!(refused(b"\x7fELF\x02\0\0\xff").starts_with("line 1 is not UTF-8 text"));
    assert!(refused(b"number,name\n1001,A\0\n").starts_with("line 2 is not"));
}

#[test]
fn an_endless_file_is_refused() {
    let error = read(io::repeat(b'1')).err().unwrap();
    assert!(matches!(error, CsvError::TooLarge), "{error}");
}

#[test]
fn strange_names_of_columns_are_shown_shortened_and_escaped() {
    let error = refused(&format!("{}\u{1b}[31m,{}\n", "x".repeat(30), "y,".repeat(100)));
    assert!(!error.contains('\u{1b}') && error.contains("\\u{1b}"), "{error}");
    assert!(error.contains("more;") && error.len() < 800, "{error}");
}

#[test]
fn unknown_columns_are_refused_with_their_names() {
    let error = refused("number,name,pasword,forward.bsy\n");
    assert!(error.starts_with("unknown column(s) `pasword`, `forward.bsy`; the columns are number, name,"));
    assert!(refused("number;name\n1001;Ann\n").contains("parted by commas"));
}

#[test]
fn columns_that_cannot_do_are_refused() {
    assert!(refused("number,name,number\n").contains("`number` stands there twice"));
    assert!(refused("name\nAnn\n").contains("`number` is not among them"));
    assert!(refused("").contains("`number` is not among them"));
}

#[test]
fn more_rows_than_an_import_takes_are_refused() {
    let mut text = "number,name\n".to_owned();
    text.push_str(&"1001,Ann\n".repeat(MOST_ROWS));
    assert_eq!(good(&text).len(), MOST_ROWS);
    text.push_str("1001,Ann\n");
    assert!(refused(&text).contains("split it"));
}
