//! Deploys as they are asked for, shown and kept, where no PBX answers.

use std::process::Stdio;

use serde_json::{Value, json};

use super::host::{ACME, Ended, Host};

fn with_extension() -> Host {
    let host = Host::with_tenant();
    host.add_extension("1001", "Ann");
    host
}

#[test]
fn a_plan_shows_objects_and_lines_and_no_secret() {
    let host = with_extension();
    let secret = host.json(&[
        "extension",
        "add",
        "--tenant",
        ACME,
        "--number",
        "1002",
        "--name",
        "Bob",
    ]);
    let text = host.ok(&["deploy", "plan", "--tenant", ACME]);
    assert!(
        text.starts_with("pbx1: nothing was deployed yet; a deploy would reload res_pjsip.so, "),
        "{text}"
    );
    assert!(
        text.contains("\n+ extension 1001 of acme.example.com\n"),
        "{text}"
    );
    assert!(text.contains("\n+[1001@acme.example.com]\n"), "{text}");
    assert!(!text.contains(secret["secret"].as_str().unwrap()));
    assert!(!text.contains('\u{1b}'));
    let coloured = host.ok(&["--color", "always", "deploy", "plan", "--tenant", ACME]);
    assert!(
        coloured.contains("\u{1b}[32m+[1001@acme.example.com]"),
        "{coloured}"
    );
}

#[test]
fn a_deploy_to_a_pbx_that_does_not_answer_touches_nothing_and_says_so() {
    let host = with_extension();
    let ended = host.run(&[
        "deploy",
        "apply",
        "--tenant",
        ACME,
        "--reason",
        "Ticket 4711",
        "--json",
    ]);
    assert_eq!(ended.code, 9, "{ended:?}");
    let deployment: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(deployment["status"], "failed");
    let codes: Vec<&str> = deployment["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert!(codes.contains(&"pbx_unreachable"), "{codes:?}");
    let error: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(error["error"]["code"], "unreachable");
    assert!(!host.path("config/live").exists());

    let id = deployment["id"].as_str().unwrap();
    assert_eq!(host.json(&["deploy", "show", id]), deployment);
    for target in [["--tenant", ACME], ["--instance", "pbx1"]] {
        let history = host.json(&["deploy", "history", target[0], target[1]]);
        assert_eq!(
            (&history["data"][0]["id"], &history["meta"]["total"]),
            (&json!(id), &json!(1))
        );
    }
    let shown = host.ok(&["deploy", "show", id]);
    assert!(
        shown.contains("STAGES\nplanning      ok ") && shown.contains("requested by  system:cli"),
        "{shown}"
    );
    assert!(shown.contains("error pbx_unreachable"), "{shown}");
}

#[test]
fn the_lease_is_given_back_so_that_the_next_deploy_begins_at_once() {
    let host = with_extension();
    for _ in 0..2 {
        let begun = std::time::Instant::now();
        assert_eq!(host.run(&["deploy", "apply", "--instance", "pbx1"]).code, 9);
        // A lease that is left behind lapses after 30 seconds.
        assert!(begun.elapsed().as_secs() < 20);
    }
}

#[test]
fn a_template_that_does_not_render_rejects_the_deploy() {
    let mut host = with_extension();
    host.file("templates/asterisk/pjsip.conf", "fine\n{{ tenant.nmae }}\n");
    host.set(
        "SWITCHYARD_TEMPLATES_DIR",
        &host.path("templates").display().to_string(),
    );
    for target in [["--instance", "pbx1"], ["--tenant", ACME]] {
        let planned = host.run(&["deploy", "plan", target[0], target[1]]);
        assert_eq!(planned.code, 6, "{planned:?}");
        assert!(
            planned.out.contains("a deploy would be rejected\n") && !planned.out.contains("reload"),
            "{planned:?}"
        );
        let json = host.run(&["--json", "deploy", "plan", target[0], target[1]]);
        let plan: Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!((json.code, &plan["rejected"]), (6, &json!(true)));
    }
    let ended = host.run(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(
        ended.out.contains("error templates_unusable") && ended.out.contains("asterisk/pjsip.conf"),
        "{ended:?}"
    );
    assert!(
        ended
            .err
            .contains("rejected: it does not validate; nothing was touched"),
        "{ended:?}"
    );
}

#[test]
fn a_deploy_of_another_hosts_instance_waits_for_its_daemon_and_stays_queued() {
    let mut host = with_extension();
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    let ended = host.run(&["deploy", "apply", "--tenant", ACME, "--timeout", "1"]);
    assert_eq!(ended.code, 12, "{ended:?}");
    assert!(ended.err.contains("driven on the host here"), "{ended:?}");
    let history = host.ok(&["deploy", "history", "--tenant", ACME]);
    assert!(history.contains("queued"), "{history}");
}

#[test]
fn c05_a_look_from_another_host_names_the_one_that_drives_the_instance() {
    let mut host = with_extension();
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    for target in [["--tenant", ACME], ["--instance", "pbx1"]] {
        let said = host.refused(5, &["deploy", "verify", target[0], target[1]]);
        assert!(
            said.contains("driven on the host here") && said.contains("run the same command on here"),
            "{said}"
        );
    }
}

#[test]
fn a_deployment_that_is_not_there_is_answered_with_the_command_that_lists_them() {
    let host = Host::ready();
    let said = host.refused(3, &["deploy", "show", "01930000-0000-7000-8000-000000000001"]);
    assert!(said.contains("`switchyard deploy history`"), "{said}");
}

#[test]
fn a_reader_that_has_gone_does_not_make_a_failed_deploy_good() {
    let host = with_extension();
    let mut command = host.command(&["deploy", "apply", "--tenant", ACME]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(Ended::from(child.wait_with_output().unwrap()).code, 9);
}
