//! Verifying, going back and following a deploy on a real Asterisk: as typed, and over HTTP.

use std::fs::{self, File};
use std::path::PathBuf;

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};

use super::asterisk::{bench, bench_on, serves};
use super::host::{ACME, Host};
use super::serve::{Daemon, add_manager};
use super::support::pbx::Pbx;

fn live_file(pbx: &Pbx, name: &str) -> PathBuf {
    pbx.home().join("config/live").join(name)
}

fn edit(pbx: &Pbx) {
    let path = live_file(pbx, "pjsip.conf");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}; by hand\n")).unwrap();
}

#[tokio::test]
async fn a10_verify_says_what_differs_shows_it_and_ends_with_a_code_of_its_own() {
    let (pbx, host) = bench().await;
    for target in [["--tenant", ACME], ["--instance", "pbx1"]] {
        let verify = ["deploy", "verify", target[0], target[1]];
        let before = host.run(&verify);
        assert!(before.code == 0 || target[0] == "--tenant", "{before:?}");
    }
    host.ok(&["deploy", "apply", "--tenant", ACME]);
    for target in [["--tenant", ACME], ["--instance", "pbx1"]] {
        let said = host.ok(&["deploy", "verify", target[0], target[1]]);
        assert_eq!(
            said,
            "the running PBX and its files are as generation 1 has them\n"
        );
        let seen = host.json(&["deploy", "verify", target[0], target[1]]);
        assert_eq!(
            seen,
            json!({"generation": 1, "state": "as_deployed", "ok": true, "findings": []})
        );
    }

    edit(&pbx);
    fs::remove_file(live_file(&pbx, "voicemail.conf")).unwrap();
    fs::write(
        pbx.home().join("config/generations/notes"),
        "exten => 1,1,Answer()\n",
    )
    .unwrap();
    let seen = host.run(&["deploy", "verify", "--instance", "pbx1"]);
    assert_eq!(seen.code, 13, "{seen:?}");
    for part in [
        "error drift pjsip.conf",
        "+; by hand\n",
        "error drift voicemail.conf",
        "-1001 =>(hidden)",
        "warning foreign_file",
        "generations/notes",
        "+exten => 1,1,Answer()\n",
    ] {
        assert!(seen.out.contains(part), "{part}: {}", seen.out);
    }
    assert!(
        seen.err.contains("`switchyard deploy apply` puts it right"),
        "{seen:?}"
    );
    // Of a tenant's, nothing of what stands in a file.
    let theirs = host.run(&["deploy", "verify", "--tenant", ACME]);
    assert_eq!(theirs.code, 13, "{theirs:?}");
    assert!(
        theirs.out.contains("error drift pjsip.conf") && !theirs.out.contains("by hand"),
        "{theirs:?}"
    );
    // The same for whoever runs doctor or a test.
    let tested = host.run(&["instance", "test", "pbx1", "--json"]);
    let tested: Value = serde_json::from_str(&tested.out).unwrap();
    let checks = tested["checks"].as_array().unwrap();
    let foreign = checks
        .iter()
        .find(|check| check["name"] == "foreign_files")
        .unwrap();
    assert_eq!(foreign["ok"], true, "{foreign}");
    assert!(
        foreign["detail"].as_str().unwrap().contains("generations/notes"),
        "{foreign}"
    );
    let examined = host.run(&["doctor", "--json"]);
    let examined: Value = serde_json::from_str(&examined.out).unwrap();
    let findings = examined["findings"].as_array().unwrap();
    let foreign = findings
        .iter()
        .find(|found| found["name"] == "foreign_files")
        .unwrap();
    assert_eq!(foreign["outcome"], "warning", "{foreign}");

    host.ok(&["deploy", "apply", "--instance", "pbx1"]);
    let mended = host.json(&["deploy", "verify", "--instance", "pbx1"]);
    assert_eq!((&mended["ok"], &mended["generation"]), (&json!(true), &json!(2)));
    assert!(pbx.home().join("config/generations/notes").exists());
}

#[tokio::test]
async fn a10_an_instance_goes_back_as_typed_and_forward_again() {
    let (pbx, host) = bench().await;
    host.ok(&["deploy", "apply", "--instance", "pbx1"]);
    host.add_extension("1002", "Bob");
    host.ok(&["deploy", "apply", "--instance", "pbx1"]);
    assert!(serves(&pbx, "1002@acme.example.com"));
    let back = ["deploy", "rollback", "--instance", "pbx1", "--to", "1"];
    let said = host.ok(&back);
    assert!(
        said.contains("live: the running PBX is proven to serve generation 3"),
        "{said}"
    );
    assert!(serves(&pbx, "1001@acme.example.com") && !serves(&pbx, "1002@acme.example.com"));
    assert_eq!(host.json(&back)["status"], "unchanged");
    let history = host.json(&["deploy", "history", "--instance", "pbx1"]);
    assert_eq!(history["data"][1]["scope"], "platform_rollback", "{history}");
    for (code, to) in [(5, "17"), (4, "one")] {
        host.refused(code, &["deploy", "rollback", "--instance", "pbx1", "--to", to]);
    }
    host.ok(&["deploy", "apply", "--instance", "pbx1"]);
    assert!(serves(&pbx, "1002@acme.example.com"));
}

/// A daemon, and somebody who talks to it.
struct Talk {
    daemon: Daemon,
    token: String,
    tenant: String,
}

impl Talk {
    async fn to(host: &mut Host) -> Self {
        let password = add_manager(host);
        let tenant = host.json(&["tenant", "show", ACME])["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let daemon = Daemon::start(host);
        let token = daemon.sign_in(&password).await;
        Self {
            daemon,
            token,
            tenant,
        }
    }

    async fn ask(&self, method: Method, path: &str) -> Response {
        let request = self
            .daemon
            .request(method, &format!("/api/v1/config/{path}"))
            .bearer_auth(&self.token)
            .header("X-Operate-As-Tenant", &self.tenant)
            .header("X-Reason", "asked by phone");
        request.send().await.unwrap()
    }

    /// The `data` of an answer.
    async fn data(&self, method: Method, path: &str) -> Value {
        let answer: Value = self.ask(method, path).await.json().await.unwrap();
        answer["data"].clone()
    }

    async fn deploy(&self) -> Value {
        let ended = self.data(Method::POST, "deploy?wait=true").await;
        assert_eq!(ended["status"], "live", "{ended}");
        ended
    }
}

#[rstest]
#[case::sqlite(Host::ready())]
#[case::postgres(Host::on_postgres())]
#[tokio::test]
async fn a42_a_tenant_goes_back_over_http_and_drift_is_told(#[case] host: Host) {
    let (pbx, mut host) = bench_on(host).await;
    let talk = Talk::to(&mut host).await;
    let first = talk.deploy().await;
    host.add_extension("1002", "Bob");
    talk.deploy().await;
    assert!(serves(&pbx, "1002@acme.example.com"));
    let verified = talk.data(Method::GET, "verify").await;
    assert_eq!(
        (&verified["ok"], &verified["state"], &verified["findings"]),
        (&json!(true), &json!("as_deployed"), &json!([]))
    );

    let path = format!("deployments/{}/rollback?wait=true", first["id"].as_str().unwrap());
    let back = talk.data(Method::POST, &path).await;
    assert_eq!(
        (&back["status"], &back["scope"]),
        (&json!("live"), &json!("tenant_rollback")),
        "{back}"
    );
    assert!(serves(&pbx, "1001@acme.example.com") && !serves(&pbx, "1002@acme.example.com"));

    edit(&pbx);
    let verified = talk.data(Method::GET, "verify").await;
    assert_eq!(
        (&verified["ok"], &verified["state"]),
        (&json!(false), &json!("differs"))
    );
    assert_eq!(verified["findings"][0]["code"], "drift", "{verified}");
    assert_eq!(verified["findings"][0]["object"], "pjsip.conf");
    assert!(!verified.to_string().contains("by hand"), "{verified}");
    // What was edited is pending; the deploy of it mends the file and says so.
    let mended = talk.deploy().await;
    let codes: Vec<&Value> = mended["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| &finding["code"])
        .collect();
    assert!(codes.contains(&&json!("drift_mended")), "{mended}");
    let verified = talk.data(Method::GET, "verify").await;
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(talk.daemon.stop(), Some(0));
}

/// The test holds the lock that a process of this host has to take: until it lets go, the deploy is under way to nobody.
#[tokio::test]
async fn a42_the_first_event_comes_while_the_deploy_has_not_ended() {
    let (_pbx, mut host) = bench().await;
    let instance = host.json(&["instance", "list"])["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let directory = host.path("state/instances").join(instance);
    fs::create_dir_all(&directory).unwrap();
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let talk = Talk::to(&mut host).await;
    let asked = talk.data(Method::POST, "deploy").await;
    let path = format!("deployments/{}/events", asked["id"].as_str().unwrap());
    let mut stream = talk.ask(Method::GET, &path).await;
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"id: queued-"), "{first:?}");
    assert_eq!(
        talk.data(
            Method::GET,
            &format!("deployments/{}", asked["id"].as_str().unwrap())
        )
        .await["status"],
        "queued"
    );
    drop(lock);
    let mut rest = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        rest.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let ids: Vec<&str> = rest
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect();
    assert!(ids.last().unwrap().starts_with("live-"), "{ids:?}");
    let before = &ids[..ids.len() - 1];
    assert!(
        !before.is_empty() && before.iter().all(|id| !id.starts_with("live-")),
        "{ids:?}"
    );
    assert_eq!(talk.daemon.stop(), Some(0));
}
