//! Which files of an Asterisk are looked at, and what is said of those that cannot be.

use std::fs;

use rstest::rstest;

use super::super::{FoundError, read};
use super::{directory_of, found_in};

/// Why nothing is read of files.
fn refused(files: &[(&str, &str)]) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    read(directory_of(&files).path(), None).err().unwrap().to_string()
}

/// Each of these was a phone without its secret, or without anybody who told of it.
#[rstest]
#[case::a_file(
    "#include pjsip.auth.conf",
    "pjsip.conf:2 includes pjsip.auth.conf, and there is no such file"
)]
#[case::a_pattern(
    "#include d/*.conf",
    "pjsip.conf:2 includes d/*.conf, and there is no such file"
)]
#[case::a_folder("#include d", "includes d, and there is no such file")]
#[case::elsewhere("#include /var/lib/pbx/x.conf", "/var/lib/pbx/x.conf, which is not below")]
#[case::above("#include ../x.conf", "../x.conf, which is not below")]
#[case::itself(
    "#include pjsip.conf",
    "pjsip.conf:2 is included by a file that is included by another"
)]
fn c18_a_file_that_cannot_be_looked_at_is_an_error_with_its_line(#[case] line: &str, #[case] said: &str) {
    let error = refused(&[("pjsip.conf", &format!("[x]\n{line}\n")), ("d/x.txt", "")]);
    assert!(error.contains(said), "{error}");
}

#[test]
fn c18_patterns_in_any_part_and_lines_of_the_host_that_a_copy_is_of_lead_to_files_of_the_copy() {
    let one = |number: &str| {
        format!("[{number}]\ntype=endpoint\nauth={number}\n[{number}]\ntype=auth\nusername={number}\n")
    };
    let pjsip =
        "#include /etc/asterisk/pjsip.d/*/[a-m]?.conf\n#tryinclude nothing.conf\n#tryinclude no/*.conf\n";
    let found = found_in(
        &[
            ("pjsip.conf", pjsip),
            ("pjsip.d/one/a1.conf", &one("1001")),
            ("pjsip.d/two/b1.conf", &one("1002")),
            ("pjsip.d/two/z1.conf", &one("1003")),
            ("pjsip.d/two/a.conf", &one("1004")),
        ],
        None,
    );
    let places: Vec<&str> = found
        .extensions
        .iter()
        .map(|found| found.place.as_str())
        .collect();
    assert_eq!(places, ["pjsip.d/one/a1.conf:1", "pjsip.d/two/b1.conf:1"]);
}

#[test]
fn c18_ten_files_deep_is_followed_and_one_more_is_an_error() {
    let chain = |deep: usize| {
        let files: Vec<_> = (0..deep)
            .map(|at| (format!("{at}.conf"), format!("#include {}.conf\n", at + 1)))
            .collect();
        let mut files: Vec<_> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_bytes()))
            .collect();
        files.push(("pjsip.conf", b"#include 0.conf\n"));
        let last = format!("{deep}.conf");
        files.push((&last, b"[end]\ntype=endpoint\n"));
        read(directory_of(&files).path(), None)
    };
    assert_eq!(chain(8).unwrap().aside.len(), 1);
    assert!(matches!(chain(9).err(), Some(FoundError::TooDeep { .. })));
}

#[test]
fn c18_more_than_one_import_reads_is_refused_before_it_is_read() {
    let many = |text: &str| refused(&[("pjsip.conf", text), ("x.conf", "")]);
    assert!(many(&"#include x.conf\n".repeat(10_000)).contains("more than 10000 files"));
    let doubled = (1..22).map(|at| format!("[{at}](!,{0},{0})\n", at - 1));
    let doubled = doubled.collect::<Vec<_>>().concat();
    assert!(many(&format!("[0](!)\nk=v\n{doubled}")).contains("more than 2000000 keys"));

    let directory = directory_of(&[("pjsip.conf", b"#include large.conf\n")]);
    let large = fs::File::create(directory.path().join("large.conf")).unwrap();
    large.set_len(65 * 1024 * 1024).unwrap();
    let error = read(directory.path(), None).err().unwrap().to_string();
    assert!(error.contains("more than 64 MiB"), "{error}");
}
