//! What people are told of recording, over HTTP: read and changed by a right of its own, by whichever route.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::people::Person;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const CONSENT: &str = "/compliance/consent";
const NOTICE: &str = "recording_notice";
const SOUND: &str = "recording_notice_sound";

impl Server {
    /// Somebody of Acme whose role holds these rights.
    async fn with_rights(&self, name: &str, rights: &[&str]) -> Person {
        let role = json!({"name": format!("{name}s"), "permissions": rights});
        self.post("/roles", &role).send().await.data(201);
        self.person(name, &self.acme, &format!("{name}s")).await
    }

    async fn says(&self, who: &Person, body: &Value) -> Answer {
        self.of(&who.token, Method::PUT, CONSENT).json(body).send().await
    }

    async fn patches(&self, who: &Person, body: &Value) -> Answer {
        self.of(&who.token, Method::PATCH, "/org").json(body).send().await
    }

    async fn consent(&self) -> Value {
        self.get(CONSENT).send().await.data(200).clone()
    }

    async fn told_of_settings(&self) -> Vec<String> {
        let actions = self.audit_actions().await;
        let of_settings = |action: &String| action == "tenant.change" || action.ends_with(".set_consent");
        actions.into_iter().filter(of_settings).collect()
    }
}

#[rstest]
#[tokio::test]
async fn a46_whoever_holds_the_right_for_compliance_alone_changes_what_people_are_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let keeper = server.with_rights("keeper", &["compliance.write"]).await;
    let manager = server.person("ann", &server.acme, "manager").await;
    let reads = async || server.of(&manager.token, Method::GET, CONSENT).send().await;
    let first = reads().await;
    assert_eq!(first.data(200), &json!({NOTICE: "none", SOUND: null}));

    let wanted = json!({NOTICE: "all", SOUND: "custom/recorded"});
    let said = server.says(&keeper, &wanted).await;
    assert_eq!(said.data(200), &wanted);
    assert_ne!(said.header("etag"), first.header("etag"));
    let read = reads().await;
    assert_eq!(
        (read.data(200), read.header("etag")),
        (&wanted, said.header("etag"))
    );
    let org = server.get("/org").send().await;
    assert_eq!(
        (&org.data(200)[NOTICE], &org.data(200)[SOUND]),
        (&wanted[NOTICE], &wanted[SOUND])
    );
    let globex = server.get(CONSENT).in_tenant(&server.globex).send().await;
    assert_eq!(globex.data(200)[NOTICE], "none", "another tenant's is its own");

    // What is said again changes nothing, and a change is in the log with what was before.
    assert_eq!(
        server.says(&keeper, &wanted).await.header("etag"),
        said.header("etag")
    );
    assert_eq!(server.told_of_settings().await, ["compliance.set_consent"]);
    let log = server
        .get("/audit-log?action=compliance.set_consent")
        .send()
        .await;
    let entry = &log.data(200)[0];
    assert_eq!(entry["before"], json!({NOTICE: "none", SOUND: null}));
    assert_eq!((&entry["after"], &entry["resource"]), (&wanted, &json!("tenant")));

    // It says all of it: a sound that is not named is none.
    let none = server.says(&keeper, &json!({NOTICE: "none"})).await;
    assert_eq!(none.data(200), &json!({NOTICE: "none", SOUND: null}));
    assert_eq!(none.header("etag"), first.header("etag"));

    // Who may read may not write, and the other way round.
    let denied = server.says(&manager, &wanted).await;
    assert_eq!(denied.code(), (403, "permission_denied"));
    let denied = server.of(&keeper.token, Method::GET, CONSENT).send().await;
    assert_eq!(denied.code(), (403, "permission_denied"));
    let denied = server.patches(&keeper, &wanted).await;
    assert_eq!(denied.code(), (403, "permission_denied"));
    let agent = server.person("bob", &server.acme, "agent").await;
    let denied = server.of(&agent.token, Method::GET, CONSENT).send().await;
    assert_eq!(denied.code(), (403, "permission_denied"));
}

#[rstest]
#[tokio::test]
async fn a46_the_settings_change_what_people_are_told_only_for_whoever_holds_that_right_too(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let settings = ["org.settings.read", "org.settings.write"];
    let clerk = server.with_rights("clerk", &settings).await;
    let both = [settings[0], settings[1], "compliance.write"];
    let head = server.with_rights("head", &both).await;
    let wanted = json!({NOTICE: "all", SOUND: "custom/recorded"});
    server.patches(&head, &wanted).await.data(200);
    let before = server.get("/org").send().await;
    for body in [
        json!({NOTICE: "none"}),
        json!({SOUND: "beep"}),
        json!({NOTICE: "inbound", SOUND: "custom/recorded", "name": "Acme Two"}),
    ] {
        let denied = server.patches(&clerk, &body).await;
        assert_eq!(denied.code(), (403, "permission_denied"), "{body}");
        let detail = denied.body["detail"].as_str().unwrap();
        assert!(detail.contains("`compliance.write`"), "{detail}");
        // Whichever version it is of.
        let ask = server.of(&clerk.token, Method::PATCH, "/org").json(&body);
        assert_eq!(ask.with("if-match", "\"x\"").send().await.status, 403);
    }
    let after = server.get("/org").send().await;
    assert_eq!(after.body, before.body);
    assert_eq!(server.told_of_settings().await, ["tenant.change"]);
    // What is not changed needs no right, though it is named.
    server.patches(&clerk, &wanted).await.data(200);
    let named = json!({NOTICE: "all", SOUND: "custom/recorded", "name": "Acme Two"});
    assert_eq!(server.patches(&clerk, &named).await.data(200)["name"], "Acme Two");
    assert_eq!(server.consent().await, wanted);

    // A program's key is held to the same.
    let owner = server.person("owner", &server.acme, "owner").await;
    let key = json!({"name": "crm", "permissions": settings});
    let made = server.of(&owner.token, Method::POST, "/api-keys").json(&key);
    let key = made.send().await.data(201)["secret"].as_str().unwrap().to_owned();
    let denied = server
        .of(&key, Method::PATCH, "/org")
        .json(&json!({NOTICE: "none"}));
    assert_eq!(denied.send().await.code(), (403, "permission_denied"));
    assert_eq!(server.consent().await, wanted);
}

#[rstest]
#[tokio::test]
async fn a46_what_people_are_told_is_refused_by_the_field_that_is_wrong_and_of_another_version(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let keeper = server.with_rights("keeper", &["compliance.write"]).await;
    for (body, fields) in [
        (json!({}), vec![NOTICE]),
        (json!({SOUND: "beep"}), vec![NOTICE]),
        (json!({NOTICE: null}), vec![NOTICE]),
        (json!({NOTICE: "some", SOUND: "../recorded"}), vec![NOTICE, SOUND]),
        (json!({NOTICE: "all"}), vec![SOUND]),
        (json!({NOTICE: "inbound", SOUND: null}), vec![SOUND]),
        (json!({NOTICE: "none", SOUND: "a.wav"}), vec![SOUND]),
        (json!({NOTICE: "none", SOUND: 1}), vec![SOUND]),
        (json!({NOTICE: "none", "recording": "never"}), vec!["recording"]),
    ] {
        assert_eq!(server.says(&keeper, &body).await.fields(), fields, "{body}");
    }
    let said = server
        .says(&keeper, &json!({NOTICE: "none", SOUND: "beep"}))
        .await;
    let seen = said.header("etag").to_owned();
    let all = json!({NOTICE: "all", SOUND: "beep"});
    let of = async |tag: &str| {
        let ask = server.of(&keeper.token, Method::PUT, CONSENT).json(&all);
        ask.with("if-match", tag).send().await
    };
    assert_eq!(of("\"x\"").await.code(), (412, "precondition_failed"));
    assert_eq!(of(&seen).await.data(200), &all);
    assert_eq!(of(&seen).await.code(), (412, "precondition_failed"));
    // Another of the settings is no other version of this.
    let tag = server.get(CONSENT).send().await.header("etag").to_owned();
    server
        .patch("/org", &json!({"name": "Acme Two"}))
        .send()
        .await
        .data(200);
    assert_eq!(server.get(CONSENT).send().await.header("etag"), tag);
    // The operator's people say why.
    let unsaid = server
        .platform(Method::PUT, CONSENT)
        .json(&json!({NOTICE: "none"}));
    let unsaid = unsaid.with("x-operate-as-tenant", &server.acme).send().await;
    assert_eq!(unsaid.code(), (400, "reason_required"));
    assert_eq!(server.consent().await, all);
}
