//! PBX instances: adding, listing, testing; and what becomes of a manager account's secret.

use std::io::Write as _;
use std::process::Stdio;

use super::host::{Ended, Host};

fn add<'a>(directory: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "instance",
        "add",
        "--name",
        "pbx1",
        "--ami-username",
        "switchyard",
        "--config-dir",
        directory,
    ];
    words.extend(more);
    words
}

#[test]
fn an_added_instance_is_listed_without_its_secret() {
    let host = Host::ready();
    let directory = host.path("config").display().to_string();
    let secret = host.file("secret", "hunter2hunter2\n");
    let more = [
        "--ami-host",
        "pbx.example.com",
        "--ami-port",
        "5039",
        "--ami-secret-file",
        &secret,
        "--log-file",
        "/var/log/asterisk/switchyard",
        "--node",
        "there",
        "--emergency-number",
        "115",
        "--emergency-number",
        "117",
    ];
    let added = host.json(&add(&directory, &more));
    assert_eq!(added["emergency_numbers"], serde_json::json!(["115", "117"]));
    let list = host.json(&["instance", "list"]);
    assert_eq!(list["data"][0], added);
    assert_eq!(list["data"][0]["node"], "there");
    assert!(!list.to_string().contains("hunter2"));
    let table = host.ok(&["instance", "list"]);
    assert!(
        table.lines().nth(1).unwrap().contains("pbx.example.com:5039"),
        "{table}"
    );
}

#[test]
fn the_secret_comes_from_file_environment_or_standard_input() {
    let mut host = Host::ready();
    let directory = host.path("config").display().to_string();
    let said = host.refused(4, &add(&directory, &[]));
    assert!(
        said.contains("--ami-secret-file") && said.contains("SWITCHYARD_AMI_SECRET"),
        "{said}"
    );

    let mut child = host
        .command(&add(&directory, &["--ami-secret-file", "-"]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"hunter2hunter2\n")
        .unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");

    let empty = add(&directory, &["--ami-secret-file", "-"]);
    assert!(host.refused(4, &empty).contains("is empty"));
    let missing = host.path("nothing").display().to_string();
    assert!(
        host.refused(4, &add(&directory, &["--ami-secret-file", &missing]))
            .contains(&missing)
    );

    host.set("SWITCHYARD_AMI_SECRET", "hunter2hunter2");
    let again = host.refused(5, &add(&directory, &[]));
    assert!(again.contains("name is taken"), "{again}");
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    let host = Host::ready();
    let directory = host.path("config").display().to_string();
    let secret = host.file("secret", "hunter2hunter2");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let ended = host.run(&add(&directory, &["--ami-secret-file", &secret]));
    assert_eq!(ended.code, 0);
    assert!(
        ended.err.starts_with("warning: ") && ended.err.contains("chmod o="),
        "{ended:?}"
    );
}

#[test]
fn without_a_sealing_key_no_secret_is_taken() {
    let host = Host::bare();
    host.ok(&["db", "migrate"]);
    let directory = host.path("config").display().to_string();
    let secret = host.file("secret", "hunter2hunter2");
    let said = host.refused(1, &add(&directory, &["--ami-secret-file", &secret]));
    assert!(said.contains("sealing.key_file"), "{said}");
    assert_eq!(host.json(&["instance", "list"])["data"], serde_json::json!([]));
}

#[test]
fn a_second_host_with_a_key_of_its_own_adds_nothing_and_locks_nobody_out() {
    let mut host = Host::ready();
    host.add_instance("pbx1");
    let other = host.path("other.key").display().to_string();
    host.ok(&["key", "generate", "--out", &other]);
    host.set("SWITCHYARD_SEALING_KEY_FILE", &other);
    let directory = host.path("config").display().to_string();
    let secret = host.file("secret", "hunter2hunter2");
    let said = host.refused(1, &add(&directory, &["--ami-secret-file", &secret]));
    assert!(said.contains("`sealing.key_file`"), "{said}");
    assert_eq!(
        host.json(&["instance", "list"])["data"].as_array().map(Vec::len),
        Some(1)
    );
    let right = host.path("sealing.key").display().to_string();
    host.set("SWITCHYARD_SEALING_KEY_FILE", &right);
    host.add_instance("pbx2");
}

#[test]
fn a_test_names_each_check_and_tells_a_pbx_that_does_not_answer() {
    let host = Host::ready();
    host.add_instance("pbx1");
    let ended = host.run(&["--json", "instance", "test", "pbx1"]);
    assert_eq!(ended.code, 9, "{ended:?}");
    let result: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let checks = result["checks"].as_array().unwrap();
    assert_eq!(checks[0]["name"], "ami");
    assert!(checks[0]["mend"].as_str().unwrap().contains("manager.conf"));
    assert_eq!(
        (&checks[1]["name"], &checks[1]["ok"]),
        (&"config_dir".into(), &true.into())
    );
    let error: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(error["error"]["code"], "unreachable");
}

fn of(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn a_fusionpbx_is_added_with_both_of_its_secrets_and_tested() {
    let mut host = Host::ready();
    let socket = host.file("socket", "hunter2hunter2\n");
    let add = |more: &[&'static str]| {
        let words = [
            "instance",
            "add",
            "--name",
            "pbx2",
            "--kind",
            "fusionpbx",
            "--database-port",
            "1",
        ];
        let words = words.into_iter().chain(["--event-socket-port", "1"]);
        words
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut words = add(&[
        "--database-username",
        "switchyard",
        "--event-socket-password-file",
    ]);
    words.push(socket.clone());
    let said = host.refused(4, &of(&words));
    assert!(
        said.contains("--database-password-file") && said.contains("SWITCHYARD_FUSIONPBX_PASSWORD"),
        "{said}"
    );
    host.set("SWITCHYARD_FUSIONPBX_PASSWORD", "hunter3hunter3");
    let nobody = [add(&["--event-socket-password-file"]), vec![socket]].concat();
    let said = host.refused(4, &of(&nobody));
    assert!(said.contains("--database-username"), "{said}");
    let asterisks = [
        words.as_slice(),
        &["--ami-host".to_owned(), "pbx.example.com".to_owned()],
    ]
    .concat();
    let said = host.refused(4, &of(&asterisks));
    assert!(
        said.contains("--ami-host") && said.contains("fusionpbx"),
        "{said}"
    );

    words.push("--database-tls".to_owned());
    let unbelieved = [words.as_slice(), &["on".to_owned()]].concat();
    let said = host.refused(4, &of(&unbelieved));
    assert!(said.contains("--database-ca-file"), "{said}");
    words.push("off".to_owned());

    let added = host.json(&of(&words));
    assert_eq!(
        (&added["kind"], &added["database_name"]),
        (&"fusionpbx".into(), &"fusionpbx".into())
    );
    assert_eq!(added["database_tls"]["mode"], "off");
    let table = host.ok(&["instance", "list"]);
    assert!(table.contains("the database fusionpbx at 127.0.0.1:1"), "{table}");
    let ended = host.run(&["--json", "instance", "test", "pbx2"]);
    assert_eq!(ended.code, 9, "{ended:?}");
    for shown in [added.to_string(), table, ended.out] {
        assert!(
            !shown.contains("hunter2") && !shown.contains("hunter3"),
            "{shown}"
        );
    }
}

#[test]
fn a_freeswitch_is_added_with_its_directory_and_its_socket_and_tested() {
    let host = Host::ready();
    let socket = host.file("socket", "hunter2hunter2\n");
    let directory = host.path("freeswitch").display().to_string();
    std::fs::create_dir(&directory).unwrap();
    let add = |more: &[&str]| {
        let words = ["instance", "add", "--name", "pbx3", "--kind", "freeswitch"];
        let words = words.iter().chain(["--event-socket-port", "1"].iter());
        words
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let said = host.refused(4, &of(&add(&["--config-dir", &directory])));
    assert!(
        said.contains("--event-socket-password-file") && said.contains("SWITCHYARD_EVENT_SOCKET_PASSWORD"),
        "{said}"
    );
    let secret = ["--event-socket-password-file", &socket];
    let said = host.refused(4, &of(&add(&secret)));
    assert!(said.contains("--config-dir"), "{said}");
    let whole = [secret.as_slice(), &["--config-dir", &directory]].concat();
    let theirs = [whole.as_slice(), &["--database-port", "5432"]].concat();
    let said = host.refused(4, &of(&add(&theirs)));
    assert!(
        said.contains("--database-port") && said.contains("freeswitch"),
        "{said}"
    );
    let added = host.json(&of(&add(&whole)));
    assert_eq!(
        (&added["kind"], &added["config_dir"]),
        (&"freeswitch".into(), &directory.as_str().into())
    );
    let table = host.ok(&["instance", "list"]);
    assert!(
        table.contains("127.0.0.1:1") && table.contains(&directory),
        "{table}"
    );
    let ended = host.run(&["--json", "instance", "test", "pbx3"]);
    assert_eq!(ended.code, 9, "{ended:?}");
    for shown in [added.to_string(), table, ended.out] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn an_instance_of_another_host_is_not_tested_from_here() {
    let mut host = Host::ready();
    host.add_instance("pbx1");
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    assert!(
        host.refused(5, &["instance", "test", "pbx1"])
            .contains("on the host here")
    );
}

#[test]
fn a_name_that_is_not_there_is_answered_with_those_that_are() {
    let host = Host::ready();
    assert!(
        host.refused(3, &["instance", "test", "pbx9"])
            .contains("`switchyard instance add`")
    );
    host.add_instance("pbx1");
    host.add_instance("pbx2");
    assert!(
        host.refused(3, &["instance", "test", "pbx9"])
            .contains("there are: pbx1, pbx2")
    );
    assert!(
        host.refused(3, &["deploy", "plan", "--instance", "pbx9"])
            .contains("pbx1, pbx2")
    );
}

#[test]
fn a_directory_that_is_not_there_is_found_by_test_and_deploy() {
    let host = Host::ready();
    host.add_instance("pbx1");
    let directory = host.path("config-pbx1");
    std::fs::remove_dir(&directory).unwrap();
    let tested = host.run(&["instance", "test", "pbx1"]);
    let line = format!("failed  config_dir: {}: ", directory.display());
    assert!(
        tested.out.contains(&line) && tested.out.contains("install -d "),
        "{tested:?}"
    );
    let deployed = host.run(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(deployed.code, 8, "{deployed:?}");
    assert!(
        deployed.out.contains(&directory.display().to_string()),
        "{deployed:?}"
    );
}
