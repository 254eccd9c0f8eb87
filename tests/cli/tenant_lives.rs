//! A tenant's life from the command line: suspended, back again, and gone, with and without a daemon.

use rstest::rstest;
use serde_json::{Value, json};

use super::asterisk::{bench_on, serves};
use super::host::{ACME, Host};
use super::serve::Daemon;

const ANN: &str = "1001@acme.example.com";

/// Who did something, as often as the audit log has it.
fn who(host: &Host, action: &str) -> Vec<String> {
    let exported = host.run(&["audit", "export", "--action", action]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let name = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["actor"]["name"].as_str().unwrap().to_owned()
    };
    exported.out.lines().map(name).collect()
}

/// The policy is set over the API otherwise.
async fn block_all(host: &mut Host) {
    let password = super::serve::add_manager(host);
    let daemon = Daemon::start(host);
    let token = daemon.sign_in(&password).await;
    let id = host.json(&["tenant", "show", ACME])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let patch = daemon.request(reqwest::Method::PATCH, &format!("/api/v1/platform/tenants/{id}"));
    let patch = patch
        .bearer_auth(token)
        .json(&json!({"suspension_policy": "block_all"}));
    assert_eq!(patch.send().await.unwrap().status(), 200);
    assert_eq!(daemon.stop(), Some(0));
}

#[rstest]
#[case::sqlite(Host::ready(), false)]
#[case::sqlite_beside_a_daemon(Host::ready(), true)]
#[case::postgres(Host::on_postgres(), false)]
#[case::postgres_beside_a_daemon(Host::on_postgres(), true)]
#[tokio::test]
async fn o29_o34_a_tenant_is_suspended_reactivated_and_deleted(#[case] host: Host, #[case] beside: bool) {
    let (pbx, mut host) = bench_on(host).await;
    host.ok(&["deploy", "apply", "--tenant", ACME]);
    block_all(&mut host).await;
    let daemon = beside.then(|| Daemon::start(&mut host));
    assert!(serves(&pbx, ANN));

    let said = host.refused(5, &["tenant", "delete", ACME, "--yes"]);
    assert!(said.contains("suspend it first"), "{said}");
    let suspended = host.json(&[
        "tenant",
        "suspend",
        ACME,
        "--category",
        "pause",
        "--reason",
        "Summer",
    ]);
    assert_eq!(suspended["status"], "suspended");
    assert_eq!(suspended["deployments"].as_array().unwrap().len(), 1);
    assert!(!serves(&pbx, ANN));
    let said = host.refused(5, &["tenant", "suspend", ACME, "--category", "pause"]);
    assert!(
        said.contains("it is suspended; from there it can become active"),
        "{said}"
    );
    let text = host.ok(&["tenant", "reactivate", ACME]);
    assert!(text.ends_with("Acme Inc. works again\n"), "{text}");
    assert!(serves(&pbx, ANN));

    host.ok(&["tenant", "suspend", ACME, "--category", "other"]);
    let wrong = host.typed(&["tenant", "delete", ACME], "acme inc.\n");
    assert_eq!((wrong.code, wrong.out.as_str()), (5, ""), "{wrong:?}");
    assert!(
        wrong
            .err
            .contains("this removes Acme Inc. for good, with 0 users, 1 extensions"),
        "{wrong:?}"
    );
    assert!(wrong.err.contains("not confirmed: type Acme Inc."), "{wrong:?}");
    // Nobody is there to type anything.
    assert_eq!(host.run(&["tenant", "delete", ACME]).code, 5);
    assert_eq!(host.json(&["tenant", "show", ACME])["status"], "suspended");
    assert_eq!(who(&host, "tenant.suspend"), ["system:cli"; 2]);
    assert_eq!(who(&host, "tenant.reactivate"), ["system:cli"]);
    let gone = host.typed(&["--json", "tenant", "delete", ACME], "Acme Inc.\n");
    assert_eq!(gone.code, 0, "{gone:?}");
    let gone: Value = serde_json::from_str(&gone.out).unwrap();
    assert_eq!((&gone["gone"], &gone["domain"]), (&json!(true), &json!(ACME)));
    assert!(
        gone["not_removed"][0].as_str().unwrap().contains("voicemail"),
        "{gone}"
    );
    host.refused(3, &["tenant", "show", ACME]);
    if let Some(daemon) = daemon {
        assert_eq!(daemon.stop(), Some(0));
    }
    assert_eq!(who(&host, "tenant.delete"), ["system:cli"]);
    let gone = who(&host, "tenant.gone");
    // A daemon may be faster to remove what is left.
    assert!(
        gone == ["system:cli"] || (beside && gone == ["system:auto"]),
        "{gone:?}"
    );
}

#[test]
fn o29_wrong_arguments_and_absent_tenants_are_told_apart() {
    let host = Host::with_tenant();
    let said = host.refused(4, &["tenant", "suspend", ACME, "--category", "mood"]);
    assert!(said.contains("non_payment"), "{said}");
    assert_eq!(
        host.run(&["tenant", "suspend", ACME]).code,
        2,
        "the category is missing"
    );
    for command in [
        ["reactivate", "nobody.example.com"],
        ["delete", "nobody.example.com"],
    ] {
        let mut words = vec!["tenant"];
        words.extend(command);
        let said = host.refused(3, &words);
        assert!(said.contains("there is no tenant nobody.example.com"), "{said}");
    }
    let said = host.refused(5, &["tenant", "reactivate", ACME]);
    assert!(said.contains("it is active"), "{said}");
}

#[test]
fn o29_a_tenant_that_was_never_deployed_needs_no_pbx() {
    let host = Host::with_tenant();
    let suspended = host.json(&["tenant", "suspend", ACME, "--category", "non_payment"]);
    assert_eq!(suspended["deployments"], json!([]));
    let text = host.ok(&["tenant", "delete", ACME, "--yes"]);
    assert!(
        text.starts_with("Acme Inc. is gone\nnot removed: on the host here"),
        "{text}"
    );
}

/// The change is made, and the command says that the PBX has not followed.
#[tokio::test]
async fn o29_a_pbx_that_is_away_is_told_and_the_status_stays() {
    let (pbx, mut host) = bench_on(Host::ready()).await;
    host.ok(&["deploy", "apply", "--tenant", ACME]);
    block_all(&mut host).await;
    super::support::pbx::kill(super::support::pbx::pid(&pbx.home()));
    let ended = host.run(&["tenant", "suspend", ACME, "--category", "policy"]);
    assert_eq!(ended.code, 9, "{ended:?}");
    assert!(
        ended
            .err
            .contains("its phones are served as before: pbx1: failed"),
        "{ended:?}"
    );
    assert_eq!(host.json(&["tenant", "show", ACME])["status"], "suspended");
    let ended = host.run(&["--json", "tenant", "delete", ACME, "--yes"]);
    assert_eq!(ended.code, 9, "{ended:?}");
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (&told["gone"], &told["status"]),
        (&json!(false), &json!("deleting"))
    );

    // Its host will never answer: said by name, it is given up, and the tenant with it.
    let wrong = host.typed(&["instance", "give-up", "pbx1"], "pbx2\n");
    assert_eq!(wrong.code, 5, "{wrong:?}");
    assert!(
        wrong.err.contains("without asking its PBX on the host here"),
        "{wrong:?}"
    );
    let lost = host.json(&["instance", "give-up", "pbx1", "--yes"]);
    assert_eq!(lost["deleted_tenants"][0]["domain"], ACME);
    assert!(lost["not_proven"][1].as_str().unwrap().contains(ACME), "{lost}");
    assert_eq!(host.json(&["instance", "list"])["data"], json!([]));
    host.refused(3, &["tenant", "show", ACME]);
}
