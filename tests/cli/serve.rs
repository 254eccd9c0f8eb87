//! `serve` from start to SIGTERM, with requests over HTTP in between.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::host::{ACME, Host};

/// A running daemon; killed when dropped before it was stopped.
pub struct Daemon {
    process: Child,
    log: BufReader<ChildStderr>,
    /// What it logged until it served.
    pub logged: Vec<Value>,
    pub address: String,
}

/// The address of the platform manager.
const MANAGER: &str = "manager@example.com";

/// Adds a platform manager; gives what they sign in with.
pub fn add_manager(host: &Host) -> String {
    let made = host.json(&["admin", "create-manager", "--email", MANAGER, "--name", "Manager"]);
    made["password"].as_str().unwrap().to_owned()
}

impl Daemon {
    /// Starts one on a free port and waits until it serves.
    pub fn start(host: &mut Host) -> Self {
        host.set("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:0");
        host.set("SWITCHYARD_LOG_FORMAT", "json");
        let mut process = host.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut daemon = Self {
            process,
            log,
            logged: Vec::new(),
            address: String::new(),
        };
        while daemon.address.is_empty() {
            let mut line = String::new();
            daemon.log.read_line(&mut line).unwrap();
            assert!(!line.is_empty(), "it ended: {:?}", daemon.logged);
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["message"] == "serving" {
                event["address"].as_str().unwrap().clone_into(&mut daemon.address);
            }
            daemon.logged.push(event);
        }
        daemon
    }

    /// A token of the platform manager.
    pub async fn sign_in(&self, password: &str) -> String {
        let login = self.request(Method::POST, "/api/v1/auth/user-login");
        let login = login.json(&json!({"email": MANAGER, "password": password}));
        let login: Value = login.send().await.unwrap().json().await.unwrap();
        login["token"].as_str().unwrap().to_owned()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, and gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.process.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        Client::new()
            .request(method, format!("http://{}{path}", self.address))
            .timeout(Duration::from_secs(20))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already where the test came to its end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::io::copy(&mut self.log, &mut std::io::sink());
    }
}

/// A deploy that nobody works off is followed: the stream goes on until the daemon ends it.
#[rstest]
#[case::sqlite(Host::ready())]
#[case::postgres(Host::on_postgres())]
#[tokio::test]
async fn neither_open_streams_nor_whoever_waits_hold_up_the_stop(#[case] mut host: Host) {
    host.add_tenant();
    let password = add_manager(&host);
    let tenant = host.json(&["tenant", "show", ACME])["id"].clone();
    // The instance is another node's.
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    let daemon = Daemon::start(&mut host);
    let token = daemon.sign_in(&password).await;
    let ask = |method, path: &str| {
        daemon
            .request(method, &format!("/api/v1/config/{path}"))
            .bearer_auth(&token)
            .header("X-Operate-As-Tenant", tenant.as_str().unwrap())
            .header("X-Reason", "first deploy")
    };
    let asked: Value = ask(Method::POST, "deploy")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let events = format!("deployments/{}/events", asked["data"]["id"].as_str().unwrap());
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = ask(Method::GET, &events).send().await.unwrap();
        let first = stream.chunk().await.unwrap().unwrap();
        assert!(first.starts_with(b"id: queued-"), "{first:?}");
        streams.push(stream);
    }
    let mut waiting = JoinSet::new();
    waiting.spawn(ask(Method::POST, "deploy?wait").send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(waiting.try_join_next().is_none(), "it did not wait");
    let began = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for mut stream in streams {
        assert_eq!(stream.chunk().await.unwrap(), None, "it is ended, not cut off");
    }
    let waited = waiting.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(waited.status(), 202);
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

#[rstest]
#[case::sqlite(Host::ready())]
#[case::postgres(Host::on_postgres())]
#[tokio::test]
async fn it_serves_until_sigterm_and_ends_well(#[case] mut host: Host) {
    host.add_tenant();
    let password = add_manager(&host);
    let tenant = host.json(&["tenant", "show", ACME])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let daemon = Daemon::start(&mut host);
    // Its Asterisk is listened to and its mail boxes are looked at meanwhile, and it is not there: whether that shows before it
    // serves is chance. Nothing else may be told, and that no more than once.
    let mut told: Vec<[&str; 2]> = daemon
        .logged
        .iter()
        .map(|line| ["level", "message"].map(|key| line[key].as_str().unwrap()))
        .collect();
    assert_eq!(told.pop(), Some(["INFO", "serving"]), "{:?}", daemon.logged);
    told.sort_unstable();
    let of_asterisk = [
        ["WARN", "mail boxes could not be looked at"],
        ["WARN", "no link to the Asterisk manager"],
    ];
    let is_once = told.windows(2).all(|two| two[0] != two[1]);
    assert!(
        is_once && told.iter().all(|line| of_asterisk.contains(line)),
        "{:?}",
        daemon.logged
    );
    assert_eq!(status(daemon.request(Method::GET, "/healthz")).await, 200);
    assert_eq!(status(daemon.request(Method::GET, "/readyz")).await, 200);

    let token = daemon.sign_in(&password).await;
    let extensions = "/api/v1/extensions";
    let authorised = |method| {
        daemon
            .request(method, extensions)
            .bearer_auth(&token)
            .header("X-Operate-As-Tenant", &tenant)
    };
    let created = authorised(Method::POST)
        .header("X-Reason", "first phone")
        .json(&json!({"number": "1001", "name": "Ann"}))
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 201);
    let created: Value = created.json().await.unwrap();
    assert!(created["data"]["secret"].is_string());
    let list: Value = authorised(Method::GET)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(list["data"][0]["id"], created["data"]["id"]);
    // The command line sees the same, beside the running daemon.
    let listed = host.json(&["extension", "list", "--tenant", ACME]);
    assert_eq!(listed["data"], list["data"]);

    let wrong = daemon
        .request(Method::GET, extensions)
        .bearer_auth("f".repeat(32))
        .header("X-Operate-As-Tenant", &tenant);
    assert_eq!(status(wrong).await, 401);
    assert_eq!(status(daemon.request(Method::GET, extensions)).await, 401);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test]
async fn it_works_deploys_of_the_command_line_off() {
    let mut host = Host::with_tenant();
    host.add_extension("1001", "Ann");
    let daemon = Daemon::start(&mut host);
    // A command line that may not drive this instance itself, as on another host with the same database.
    host.set("SWITCHYARD_NODE_NAME", "elsewhere");
    let ended = host.run(&["deploy", "apply", "--tenant", ACME, "--json"]);
    assert_eq!(ended.code, 9, "{ended:?}");
    let deployment: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(deployment["status"], "failed");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_is_not_configured_is_logged_with_what_to_do() {
    let mut host = Host::bare();
    host.ok(&["db", "migrate"]);
    let daemon = Daemon::start(&mut host);
    let warnings: Vec<&str> = daemon
        .logged
        .iter()
        .filter(|event| event["level"] == "WARN")
        .map(|event| event["message"].as_str().unwrap())
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("no `sealing.key` is configured: nobody can sign in"));
    assert_eq!(daemon.stop(), Some(0));
}

/// Else what it needs at most depends on how the system hands out memory.
#[test]
fn its_memory_is_counted_in_small_pages() {
    let mut host = Host::ready();
    let daemon = Daemon::start(&mut host);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let huge = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    assert_eq!(huge.map(str::trim), Some("0"), "{status}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let mut host = Host::ready();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    host.set("SWITCHYARD_HTTP_LISTEN", &address);
    let said = host.refused(1, &["serve"]);
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}
