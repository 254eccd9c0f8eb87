//! Deploys to a real Asterisk: live, unchanged, refused and rolled back, with and without a daemon beside.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::host::{ACME, Host};
use super::serve::Daemon;
use super::support::pbx::{Pbx, kill, pid, program};

/// A host whose instance `pbx1` is a private Asterisk, with one tenant and one extension.
pub async fn bench() -> (Pbx, Host) {
    bench_on(Host::ready()).await
}

/// The same on a host that is there already.
pub async fn bench_on(mut host: Host) -> (Pbx, Host) {
    let pbx = Pbx::start().await;
    host.set("SWITCHYARD_AMI_SECRET", pbx.private.secret().expose_secret());
    host.set("SWITCHYARD_DEPLOY_ASTERISK", &program().display().to_string());
    let settings = pbx.private.settings();
    host.ok(&[
        "instance",
        "add",
        "--name",
        "pbx1",
        "--ami-host",
        settings.ami_host.as_str(),
        "--ami-port",
        &settings.ami_port.to_string(),
        "--ami-username",
        settings.ami_username.as_str(),
        "--config-dir",
        settings.config_dir.as_str(),
        "--log-file",
        settings.log_file.as_ref().unwrap().as_str(),
    ]);
    host.ok(&["tenant", "add", "--name", "Acme Inc.", "--domain", ACME]);
    host.ok(&[
        "extension",
        "add",
        "--tenant",
        ACME,
        "--number",
        "1001",
        "--name",
        "Ann",
        "--voicemail",
    ]);
    (pbx, host)
}

pub fn serves(pbx: &Pbx, endpoint: &str) -> bool {
    let lines = pbx.ami().console(&format!("pjsip show endpoint {endpoint}"));
    lines
        .iter()
        .any(|line| line.contains(&format!("Endpoint:  {endpoint}")))
}

#[tokio::test]
async fn an_instance_is_tested_deployed_and_unchanged() {
    let (pbx, host) = bench().await;
    let checked = host.json(&["instance", "test", "pbx1"]);
    assert_eq!(checked["ok"], true, "{checked}");
    let text = host.ok(&["deploy", "apply", "--tenant", ACME, "--reason", "first"]);
    let stages: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        stages[..4],
        ["planning", "validating", "applying", "verifying"],
        "{text}"
    );
    assert!(
        text.contains("live: the running PBX is proven to serve generation 1"),
        "{text}"
    );
    assert!(serves(&pbx, "1001@acme.example.com"));
    assert!(host.ok(&["instance", "list"]).contains("live"));

    let again = host.json(&["deploy", "apply", "--tenant", ACME]);
    assert_eq!(again["status"], "unchanged");
    let plan = host.json(&["deploy", "plan", "--tenant", ACME]);
    assert_eq!((&plan["unchanged"], &plan["changes"]), (&json!(true), &json!([])));

    host.add_extension("1002", "Bob");
    let platform = host.json(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(
        (&platform["status"], &platform["generation"]),
        (&json!("live"), &json!(2))
    );
    assert!(serves(&pbx, "1002@acme.example.com"));
}

#[tokio::test]
async fn what_a_shadow_refuses_is_rejected_with_its_words() {
    let (pbx, mut host) = bench().await;
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/asterisk/pjsip.conf");
    let text = std::fs::read_to_string(built_in).unwrap();
    let broken = text.replacen("type=endpoint", "type=endpoint\nno_such_option=yes", 1);
    assert_ne!(broken, text);
    host.file("templates/asterisk/pjsip.conf", broken);
    host.set(
        "SWITCHYARD_TEMPLATES_DIR",
        &host.path("templates").display().to_string(),
    );
    host.ok(&["templates", "check"]);
    let ended = host.run(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(ended.code, 6, "{ended:?}");
    let quotes: Vec<&str> = ended
        .out
        .lines()
        .filter(|line| line.starts_with("    > "))
        .collect();
    assert!(
        quotes.iter().any(|line| line.contains("no_such_option")),
        "{ended:?}"
    );
    assert!(!serves(&pbx, "1001@acme.example.com"));
}

#[tokio::test]
async fn what_the_running_pbx_does_not_take_is_rolled_back() {
    let (pbx, mut host) = bench().await;
    host.ok(&["deploy", "apply", "--tenant", ACME]);
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/asterisk/pjsip.conf");
    let text = std::fs::read_to_string(built_in).unwrap();
    host.file(
        "templates/asterisk/pjsip.conf",
        text.replacen("type=endpoint", "type=endpoint\nno_such_option=yes", 1),
    );
    host.set(
        "SWITCHYARD_TEMPLATES_DIR",
        &host.path("templates").display().to_string(),
    );
    host.set("SWITCHYARD_DEPLOY_SHADOW", "never");
    host.add_extension("1002", "Bob");
    let ended = host.run(&["deploy", "apply", "--instance", "pbx1"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.out.contains("rolling_back  ok "), "{ended:?}");
    assert!(ended.out.contains("no_such_option"), "{ended:?}");
    assert!(serves(&pbx, "1001@acme.example.com") && !serves(&pbx, "1002@acme.example.com"));
}

#[tokio::test]
async fn a_pbx_that_has_gone_is_told_apart() {
    let (pbx, host) = bench().await;
    host.ok(&["deploy", "apply", "--tenant", ACME]);
    kill(pid(&pbx.home()));
    host.add_extension("1002", "Bob");
    assert_eq!(host.run(&["deploy", "apply", "--tenant", ACME]).code, 9);
    assert_eq!(host.run(&["instance", "test", "pbx1"]).code, 9);
}

#[tokio::test]
async fn a_deploy_with_an_account_that_lacks_a_right_names_it_at_once_and_touches_nothing() {
    let (pbx, host) = bench().await;
    let path = pbx.home().join("etc/manager.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    let without = text.replacen("read = system,call,cdr\n", "read = call,cdr\n", 1);
    assert_ne!(without, text);
    std::fs::write(&path, without).unwrap();
    pbx.ami().console("manager reload");
    let begun = std::time::Instant::now();
    let ended = host.run(&["deploy", "apply", "--tenant", ACME]);
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    assert_eq!(ended.code, 8, "{ended:?}");
    assert!(
        ended.out.contains("error pbx_not_ready")
            && ended.out.contains("lacks `read = system`")
            && ended.out.contains("Nothing was touched"),
        "{ended:?}"
    );
    assert!(!serves(&pbx, "1001@acme.example.com"));
    assert!(!pbx.home().join("config/live").exists());
}

#[tokio::test]
async fn a_deploy_ends_whoever_drives_the_pbx() {
    let (pbx, mut host) = bench().await;
    let daemon = Daemon::start(&mut host);
    // Some of these are driven by the daemon, some by the command: whoever takes the lease first.
    for number in ["2001", "2002", "2003", "2004"] {
        host.add_extension(number, "Phone");
        let deployment: Value = host.json(&["deploy", "apply", "--tenant", ACME]);
        assert_eq!(deployment["status"], "live", "{deployment}");
        assert!(serves(&pbx, &format!("{number}@acme.example.com")));
    }
    assert_eq!(daemon.stop(), Some(0));
}
