//! The daemon on a host with an Asterisk, for requests by the thousand.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use switchyard::auth::caller::Place;

use super::support::database::Backend;
use super::support::host::Host;
use super::support::victim::Victim;

/// Far longer than it takes to start.
const LONGEST: Duration = Duration::from_mins(1);
const PASSWORD: &str = "apples pears plums";

/// A daemon that puts up with any number of failed sign-ins, and its host.
pub struct Service {
    pub host: Host,
    pub api: String,
    daemon: Victim,
}

impl Service {
    pub async fn start() -> Self {
        let host = Host::new(Backend::Sqlite, 2).await;
        let log = host.log("requests");
        let mut serve = host.command(&["serve"]);
        serve
            .env("SWITCHYARD_LOG_FORMAT", "json")
            .env("SWITCHYARD_AUTH_ACCOUNT_FAILURES", "1000000")
            .env("SWITCHYARD_AUTH_ADDRESS_FAILURES", "1000000");
        let daemon = Victim::logged(&mut serve, &log);
        let deadline = Instant::now() + LONGEST;
        let address = loop {
            let logged = fs::read_to_string(&log).unwrap();
            let events = logged.lines().filter_map(|line| serde_json::from_str(line).ok());
            let mut serving = events.filter(|event: &Value| event["message"] == "serving");
            if let Some(event) = serving.next() {
                break event["address"].as_str().unwrap().to_owned();
            }
            assert!(Instant::now() < deadline, "it does not serve: {logged}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Self {
            host,
            api: format!("http://{address}"),
            daemon,
        }
    }

    /// The id of a tenant that has extensions.
    pub fn tenant(&self) -> String {
        match self.host.tenants[0].caller.place() {
            Place::Entered { id, .. } => id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// A platform manager's token.
    pub async fn manager(&self) -> String {
        let mut command = self.host.command(&["--json", "admin", "create-manager"]);
        command.args(["--email", "boss@example.com", "--name", "Boss"]);
        let made: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        self.sign_in("boss@example.com", made["password"].as_str().unwrap())
            .await
    }

    /// The token of an owner of the tenant.
    pub async fn owner(&self) -> String {
        let body = json!({"tenant_id": self.tenant(), "name": "Olga", "email": "olga@example.com", "role": "owner",
            "password": PASSWORD});
        let made = self
            .post("/platform/users", &body)
            .bearer_auth(self.manager().await);
        assert_eq!(made.send().await.unwrap().status().as_u16(), 201);
        self.sign_in("olga@example.com", PASSWORD).await
    }

    async fn sign_in(&self, email: &str, password: &str) -> String {
        let login = self.post("/auth/user-login", &json!({"email": email, "password": password}));
        let answer: Value = login.send().await.unwrap().json().await.unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = reqwest::Client::new().post(format!("{}/api/v1{path}", self.api));
        request.json(body)
    }

    /// What somebody with a token did so far: the actions of the audit log.
    pub async fn done(&self) -> BTreeSet<String> {
        let all = "select distinct action from audit_entries where actor_kind <> 'system'";
        self.host.ask(all).await.into_iter().collect()
    }

    /// Asserts that it runs on.
    pub fn assert_runs(mut self) {
        assert!(self.daemon.stop(), "it ended");
        self.daemon.go_on();
    }
}
