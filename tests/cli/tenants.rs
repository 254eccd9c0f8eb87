//! Tenants: adding, listing, showing.

use serde_json::json;

use super::host::{ACME, Host};

#[test]
fn an_added_tenant_is_listed_and_shown() {
    let host = Host::ready();
    host.add_instance("pbx1");
    let added = host.json(&[
        "tenant",
        "add",
        "--name",
        "Acme Inc.",
        "--domain",
        "ACME.example.com",
        "--timezone",
        "europe/berlin",
    ]);
    assert_eq!(
        (&added["domain"], &added["timezone"]),
        (&ACME.into(), &"Europe/Berlin".into())
    );
    assert_eq!(host.json(&["tenant", "show", ACME]), added);
    let listed = &host.json(&["tenant", "list"])["data"][0];
    for (field, value) in added.as_object().unwrap() {
        assert_eq!(listed[field], *value, "{field}");
    }
    assert_eq!(
        (&listed["pbx_instance"], &listed["users"], &listed["extensions"]),
        (&json!("pbx1"), &json!(0), &json!(0))
    );
    let shown = host.ok(&["tenant", "show", ACME]);
    assert!(shown.contains("instance  pbx1"), "{shown}");
}

#[test]
fn o20_a_list_is_searched_sorted_and_paged() {
    let host = Host::ready();
    host.add_instance("pbx1");
    host.add_instance("pbx2");
    for (name, instance) in [("Alpha", "pbx1"), ("Beta", "pbx2"), ("Gamma", "pbx1")] {
        let domain = format!("{}.example.com", name.to_lowercase());
        host.ok(&[
            "tenant",
            "add",
            "--name",
            name,
            "--domain",
            &domain,
            "--instance",
            instance,
        ]);
    }
    let names = |more: &[&str]| {
        let mut words = vec!["tenant", "list"];
        words.extend(more);
        let list = host.json(&words);
        let names: Vec<String> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tenant| tenant["name"].as_str().unwrap().to_owned())
            .collect();
        names.join(" ")
    };
    assert_eq!(names(&[]), "Alpha Beta Gamma");
    assert_eq!(names(&["--sort", "domain", "--descending"]), "Gamma Beta Alpha");
    assert_eq!(names(&["--search", "MM"]), "Gamma");
    assert_eq!(names(&["--instance", "pbx2"]), "Beta");
    assert_eq!(names(&["--status", "suspended"]), "");
    assert_eq!(names(&["--per-page", "2", "--page", "2"]), "Gamma");
    let table = host.ok(&["tenant", "list", "--per-page", "2"]);
    assert!(
        table.ends_with("page 1 of 2, 3 in all; `--page` shows another\n"),
        "{table}"
    );
}

#[test]
fn o23_every_wrong_argument_is_named() {
    let host = Host::ready();
    host.add_instance("pbx1");
    let said = host.refused(
        4,
        &[
            "tenant",
            "add",
            "--name",
            "A",
            "--domain",
            "acme",
            "--timezone",
            "Mars",
        ],
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].starts_with("error: --domain must be a host name"));
    assert!(lines[1].starts_with("error: --name must have 3 to 50"));
    assert!(lines[2].starts_with("error: --timezone must be an IANA"));
}

#[test]
fn the_instance_may_be_absent_only_while_there_is_one() {
    let host = Host::ready();
    let add = ["tenant", "add", "--name", "Acme", "--domain", ACME];
    assert!(
        host.refused(4, &add)
            .contains("--instance must name an instance, and there is none yet")
    );
    host.add_instance("pbx1");
    host.add_instance("pbx2");
    assert!(
        host.refused(4, &add)
            .contains("--instance must name an instance; it may be absent only")
    );
}

#[test]
fn a_domain_that_is_taken_is_a_conflict() {
    let host = Host::with_tenant();
    let said = host.refused(5, &["tenant", "add", "--name", "Other", "--domain", ACME]);
    assert!(said.contains("domain is taken"), "{said}");
}

#[test]
fn a_tenant_that_is_not_there_is_answered_with_the_command_that_lists_them() {
    let host = Host::with_tenant();
    for command in [
        &["tenant", "show", "nobody.example.com"][..],
        &["extension", "list", "--tenant", "nobody.example.com"],
        &["deploy", "plan", "--tenant", "nobody.example.com"],
        &["deploy", "history", "--tenant", "nobody.example.com"],
    ] {
        let said = host.refused(3, command);
        assert!(
            said.contains("nobody.example.com") && said.contains("`switchyard tenant list`"),
            "{said}"
        );
    }
}
