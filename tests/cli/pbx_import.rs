//! What stands on a PBX is brought in: a dry run first, all or none, and every row told.

use serde_json::{Value, json};
use url::Url;

use super::fusionpbx::{Booleans, FusionPbx, OPERATOR};
use super::host::{ACME, Host};

/// One that is good, one that is not since it has the same number, a trunk, and one whose password none of ours could be.
const PJSIP: &str = "\
[1001]\ntype=endpoint\nauth=1001\ncallerid=Ann <1001>\nmailboxes=1001@default\n[1001]\ntype=auth\nusername=1001\npassword=AnnsOwnSecret2468\n\
[front]\ntype=endpoint\nauth=front\n[front]\ntype=auth\nusername=1001\npassword=AnnsOwnSecret2468\n\
[trunk]\ntype=endpoint\n\
[1003]\ntype=endpoint\nauth=1003\n[1003]\ntype=auth\nusername=1003\npassword=weak!\n\
[phones]\ntype=aor\nmax_contacts=2\n[1001](+type=endpoint)\naors=phones\n[1003](+type=endpoint)\naors=phones\n";

/// A directory that is an Asterisk's, and the words that name it.
fn asterisk(host: &Host, pjsip: &str) -> String {
    let directory = host.path("asterisk");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("pjsip.conf"), pjsip).unwrap();
    std::fs::write(
        directory.join("voicemail.conf"),
        "[default]\n1001 => 4711,Ann,ann@acme.example\n",
    )
    .unwrap();
    directory.display().to_string()
}

fn import<'a>(directory: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["import", "asterisk", "--tenant", ACME, "--directory", directory];
    words.extend(more);
    words
}

fn total(host: &Host) -> Value {
    host.json(&["extension", "list", "--tenant", ACME])["meta"]["total"].clone()
}

#[test]
fn c18_one_wrong_row_keeps_all_out_until_it_is_left_out_on_request() {
    let host = Host::with_tenant();
    let directory = asterisk(&host, PJSIP);
    for more in [&["--dry-run"][..], &[]] {
        let ended = host.run(&import(&directory, more));
        assert_eq!(ended.code, 4, "{ended:?}");
        for part in [
            "pjsip.conf:10 ",
            "wrong: number is taken",
            "trunk",
            "left where it is: nobody signs in as it",
            "only the digest of its password is kept",
        ] {
            assert!(ended.out.contains(part), "{part}: {}", ended.out);
        }
        assert!(ended.err.contains("--skip-wrong"), "{}", ended.err);
        assert!(!ended.out.contains("weak!") && !ended.out.contains("AnnsOwnSecret2468"));
        assert_eq!(total(&host), 0);
    }
    let report = host.json(&import(&directory, &["--skip-wrong", "--dry-run"]));
    assert_eq!(
        (&report["imported"], &report["good"], &report["bad"]),
        (&json!(false), &json!(2), &json!(1))
    );
    assert_eq!(total(&host), 0);
    let text = host.ok(&import(&directory, &["--skip-wrong"]));
    assert!(text.contains("2 extensions were added, 1 are wrong"), "{text}");
    let list = host.json(&["extension", "list", "--tenant", ACME]);
    assert_eq!(list["meta"]["total"], 2);
    assert_eq!(list["data"][0]["voicemail"]["email"], "ann@acme.example");
    assert_eq!(
        (&list["data"][0]["secret_known"], &list["data"][1]["secret_known"]),
        (&json!(true), &json!(false))
    );
    for more in [&[][..], &["--skip-wrong"]] {
        let again = host.run(&import(&directory, more));
        assert!(
            again.code == 4 && again.err.contains("nothing of what was found"),
            "{again:?}"
        );
        assert_eq!(total(&host), 2);
    }
}

#[test]
fn c18_of_an_extension_that_is_known_by_its_digest_no_secret_is_shown_until_it_is_rotated() {
    let host = Host::with_tenant();
    let directory = asterisk(&host, PJSIP);
    host.ok(&import(&directory, &["--skip-wrong"]));
    let one = ["extension", "reveal", "--tenant", ACME, "1003"];
    let ended = host.run(&one);
    assert!(
        ended.code == 5 && ended.out.contains("voicemail pin") && ended.err.contains("extension rotate"),
        "{ended:?}"
    );
    let mut known = ended
        .out
        .split_whitespace()
        .filter(|word| word.bytes().all(|b| b.is_ascii_digit()));
    let pin = known.next().unwrap().to_owned();
    let ended = host.run(&["extension", "reveal", "--tenant", ACME, "--all"]);
    assert_eq!(ended.code, 5);
    assert!(
        ended.out.contains("AnnsOwnSecret2468")
            && ended.out.contains("4711")
            && ended.err.contains("of 1003 only a digest"),
        "{ended:?}"
    );
    let rotated = host.json(&["extension", "rotate", "--tenant", ACME, "1003"]);
    let shown = host.json(&one);
    assert_eq!(shown["secret"], rotated["secret"]);
    assert_eq!(
        (&shown["secret_known"], &shown["voicemail_pin"]),
        (&json!(true), &json!(pin))
    );
}

#[test]
fn c18_a_copy_that_lacks_a_file_is_refused_with_the_line_that_names_it() {
    let host = Host::with_tenant();
    let directory = asterisk(
        &host,
        "[1001]\ntype=endpoint\nauth=1001\n#include pjsip.auth.conf\n",
    );
    let said = host.refused(4, &import(&directory, &["--skip-wrong"]));
    assert!(
        said.contains("pjsip.conf:4 includes pjsip.auth.conf, and there is no such file"),
        "{said}"
    );
    std::fs::write(host.path("asterisk/pjsip.auth.conf"), "").unwrap();
    let ended = host.run(&import(&directory, &[]));
    assert!(
        ended.code == 4 && ended.out.contains("wrong: secret is nowhere to be found"),
        "{ended:?}"
    );
    assert_eq!(total(&host), 0);
}

/// A role that may only read suffices.
#[tokio::test]
async fn c18_the_domains_of_a_fusionpbx_become_tenants_of_another_pbx() {
    let fusionpbx = FusionPbx::furnished(Booleans::Native).await;
    let url = fusionpbx
        .role(|role| format!("grant select on all tables in schema public to {role}"))
        .await;
    let url = Url::parse(&url).unwrap();
    let host = Host::ready();
    host.add_instance("pbx1");
    let port = url.port().unwrap().to_string();
    let password = host.file("password", url.password().unwrap());
    let socket = host.file("socket", "hunter2hunter2\n");
    let words = [
        ["--name", "pbx2"],
        ["--kind", "fusionpbx"],
        ["--database-host", url.host_str().unwrap()],
        ["--database-port", &port],
        ["--database-name", url.path().trim_start_matches('/')],
        ["--database-username", url.username()],
        ["--database-password-file", &password],
        ["--database-tls", "off"],
        ["--event-socket-port", "1"],
        ["--event-socket-password-file", &socket],
    ];
    host.ok(&[&["instance", "add"][..], words.as_flattened()].concat());
    let import = ["import", "fusionpbx", "--instance", "pbx2", "--onto", "pbx1"];

    let ended = host.run(&import);
    assert!(
        ended.code == 4 && ended.err.contains("2 of what was found"),
        "{ended:?}"
    );
    assert_eq!(host.json(&["tenant", "list"])["data"], json!([]));
    let dry = [&import[..], &["--skip-wrong", "--dry-run"]].concat();
    assert!(host.ok(&dry).contains("5 extensions would be added, 2 are wrong"));
    assert_eq!(host.json(&["tenant", "list"])["data"], json!([]));

    let text = host.ok(&[&import[..], &["--skip-wrong"]].concat());
    for part in [
        "pbx.operator.example (The first one)",
        "added; it is no longer reached by its alias",
        "its domain is disabled there: it comes suspended",
        "left where it is: it is in no domain that is there",
        "5 extensions were added, 2 are wrong",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("throwaway"), "{text}");
    let numbers = host.json(&["extension", "list", "--tenant", OPERATOR]);
    let numbers: Vec<&Value> = numbers["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["number"])
        .collect();
    assert_eq!(numbers, ["1001", "1002", "1003", "1999"]);

    let again = host.run(&[&import[..], &["--skip-wrong"]].concat());
    assert!(
        again.code == 4 && again.err.contains("nothing of what was found"),
        "{again:?}"
    );
    assert_eq!(host.json(&["tenant", "list"])["meta"]["total"], 2);
}

#[test]
fn what_is_no_asterisks_directory_and_what_is_no_fusionpbx_is_said() {
    let host = Host::with_tenant();
    let nothing = host.path("nothing").display().to_string();
    let said = host.refused(4, &import(&nothing, &[]));
    assert!(
        said.contains("directory") && said.contains("there is no pjsip.conf") && said.contains(&nothing),
        "{said}"
    );
    host.add_instance("second");
    let from = |instance, onto| {
        let words = ["import", "fusionpbx", "--instance", instance, "--onto", onto];
        host.refused(4, &words)
    };
    assert!(from("pbx1", "second").contains("instance must be a FusionPBX"));
    assert!(from("pbx1", "pbx1").contains("onto must be another instance"));
}
