//! `ETag` and `If-Match` of users, roles, tickets, tenants and PBX instances: nobody overwrites what they have not seen.

use std::iter::once;

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::http::routes::{Route, Shared, table};

use super::audited_platform::instance;
use super::audited_users::ticket;
use super::client::{Answer, Ask};
use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const PATCH: Method = Method::PATCH;
const PUT: Method = Method::PUT;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// What can be changed, and how.
struct Thing {
    path: String,
    /// Each of them changes it, in this order: method, what stands behind its path, body.
    changes: Vec<(Method, &'static str, Value)>,
    /// Who changes it; the platform's manager otherwise.
    token: Option<String>,
}

impl Thing {
    fn ask<'a>(&self, server: &'a Server, method: &Method, behind: &str) -> Ask<'a> {
        let path = format!("{}{behind}", self.path);
        match &self.token {
            Some(token) => server.of(token, method.clone(), &path),
            None if path.starts_with("/platform") => server.platform(method.clone(), &path),
            None => server.ask(method.clone(), &path),
        }
    }

    fn change<'a>(&self, server: &'a Server, change: &(Method, &'static str, Value)) -> Ask<'a> {
        let (method, behind, body) = change;
        let ask = self.ask(server, method, behind);
        if body.is_null() { ask } else { ask.json(body) }
    }

    async fn read(&self, server: &Server) -> Answer {
        let answer = self.ask(server, &Method::GET, "").send().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    }

    async fn tag(&self, server: &Server) -> String {
        let tag = self.read(server).await.header("etag").to_owned();
        assert!(
            tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'),
            "{tag}"
        );
        tag
    }
}

/// One of each kind, by its name.
async fn thing(server: &Server, kind: &str) -> Thing {
    let id = |made: &Answer| made.data(201)["id"].as_str().unwrap().to_owned();
    let (path, changes, token) = match kind {
        "user" => {
            let ann = server.person("ann", &server.acme, "agent").await;
            let phone = server.extension("1009").await;
            let changes = vec![
                (PUT, "/role", json!({"role": "manager"})),
                (PUT, "/extension", json!({"extension_id": phone})),
                (POST, "/suspend", Value::Null),
                (POST, "/reactivate", Value::Null),
                (DELETE, "", Value::Null),
            ];
            (format!("/org-users/{}", ann.id), changes, None)
        }
        "own profile" => {
            let ann = server.person("ann", &server.acme, "agent").await;
            let changes = vec![
                (PATCH, "", json!({"name": "Anna"})),
                (PATCH, "", json!({"name": "ann"})),
            ];
            ("/org-users/me/profile".to_owned(), changes, Some(ann.token))
        }
        "user of any tenant" => {
            let ann = server.person("ann", &server.acme, "agent").await;
            let changes = vec![
                (PATCH, "", json!({"name": "Anna"})),
                (PUT, "/password", json!({"password": "another good one"})),
                (PUT, "/platform-manager", json!({"platform_manager": true})),
                (PUT, "/tenant", json!({"tenant_id": server.globex})),
                (DELETE, "", Value::Null),
            ];
            (format!("/platform/users/{}", ann.id), changes, None)
        }
        "role" => {
            let role = json!({"name": "keeper", "permissions": ["users.list"]});
            let made = server.post("/roles", &role).send().await;
            let changes = vec![
                (PATCH, "", json!({"permissions": ["config.read"]})),
                (PATCH, "", json!({"name": "porter"})),
                (DELETE, "", Value::Null),
            ];
            (format!("/roles/{}", id(&made)), changes, None)
        }
        "ticket" => {
            let made = server.post("/tickets", &ticket()).send().await;
            let ann = server.person("ann", &server.acme, "agent").await;
            let changes = vec![
                (PATCH, "", json!({"subject": "Another"})),
                (PATCH, "", json!({"assignee_id": ann.id})),
                (
                    POST,
                    "/comments",
                    json!({"text": "Have you tried the other phone?"}),
                ),
                (PATCH, "", json!({"state": "resolved"})),
                (DELETE, "", Value::Null),
            ];
            (format!("/tickets/{}", id(&made)), changes, None)
        }
        "tenant" => {
            let changes = vec![
                (PATCH, "", json!({"max_users": 7})),
                (PATCH, "", json!({"max_users": null})),
                (POST, "/suspend", json!({"category": "pause"})),
                (POST, "/reactivate", Value::Null),
                (POST, "/suspend", json!({"category": "pause"})),
                (DELETE, "", json!({"confirm": "Globex"})),
            ];
            (format!("/platform/tenants/{}", server.globex), changes, None)
        }
        "consent" => ("/compliance/consent".to_owned(), other_notices(), None),
        "retention" => ("/compliance/retention".to_owned(), other_policies(), None),
        "instance" => {
            let made = server.platform(POST, "/platform/pbx-instances");
            let made = made.json(&instance("second")).send().await;
            let changes = vec![
                (PATCH, "", json!({"log_file": "/var/log/asterisk/ours"})),
                (PATCH, "", json!({"name": "third"})),
                (PATCH, "", json!({"ami_secret": "another secret"})),
                (DELETE, "", Value::Null),
            ];
            (format!("/platform/pbx-instances/{}", id(&made)), changes, None)
        }
        "webhook" => {
            let hook = json!({"url": "https://hooks.example.com/", "events": ["tenant.reactivated"]});
            let made = server.post("/webhooks", &hook).send().await;
            let changes = vec![
                (PATCH, "", json!({"url": "https://hooks.example.com/other"})),
                (PATCH, "", json!({"events": ["call.ended", "tenant.reactivated"]})),
                (PATCH, "", json!({"active": false})),
                (DELETE, "", Value::Null),
            ];
            (format!("/webhooks/{}", id(&made)), changes, None)
        }
        other => panic!("{other}"),
    };
    Thing { path, changes, token }
}

fn other_policies() -> Vec<(Method, &'static str, Value)> {
    vec![
        (PUT, "", json!({"call_records": 90})),
        (PUT, "", json!({"call_records": 90, "recordings": 30})),
    ]
}

fn other_notices() -> Vec<(Method, &'static str, Value)> {
    let notice = |hearers, sound| json!({"recording_notice": hearers, "recording_notice_sound": sound});
    vec![
        (PUT, "", notice("all", "beep")),
        (PUT, "", notice("inbound", "beep")),
        (PUT, "", notice("inbound", "custom/recorded")),
    ]
}

/// What does not go on by itself.
fn without_time(answer: Answer) -> Value {
    let mut body = answer.body;
    if let Some(data) = body["data"].as_object_mut() {
        data.remove("clock");
    }
    body
}

#[rstest]
#[tokio::test]
async fn a_change_is_made_of_the_version_that_it_names_only_whatever_is_changed(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(
        "user",
        "own profile",
        "user of any tenant",
        "role",
        "ticket",
        "tenant",
        "instance",
        "webhook",
        "retention",
        "consent"
    )]
    kind: &str,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let thing = thing(&server, kind).await;
    let mut seen = vec!["\"x\"".to_owned()];
    for (done, change) in thing.changes.iter().enumerate() {
        let before = thing.read(&server).await;
        let tag = thing.tag(&server).await;
        assert!(!seen.contains(&tag), "{change:?}: {tag} again");
        let entries = server.audit_actions().await;
        let weak = format!("W/{tag}");
        // The other ways to change it hold to what was seen, too.
        for other in &thing.changes[done..] {
            for stale in seen.iter().chain(once(&weak)) {
                let refused = thing.change(&server, other).with("if-match", stale).send().await;
                assert_eq!(refused.code(), (412, "precondition_failed"), "{other:?} {stale}");
            }
            let malformed = thing.change(&server, other).with("if-match", "3").send().await;
            assert_eq!(malformed.code(), (400, "if_match_malformed"), "{other:?}");
        }
        assert_eq!(without_time(thing.read(&server).await), without_time(before));
        assert_eq!(server.audit_actions().await, entries);

        let changed = thing.change(&server, change).with("if-match", &tag).send().await;
        assert!(
            (200..300).contains(&changed.status),
            "{change:?}: {}",
            changed.text
        );
        let shown = changed.header("etag").to_owned();
        if !shown.is_empty() {
            assert_eq!(thing.tag(&server).await, shown, "{change:?}");
        }
        seen.push(tag);
    }
}

#[rstest]
#[tokio::test]
async fn of_many_who_saw_the_same_version_of_anything_one_changes_it(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(
        "user",
        "own profile",
        "user of any tenant",
        "role",
        "ticket",
        "tenant",
        "instance",
        "webhook",
        "retention",
        "consent"
    )]
    kind: &str,
) {
    let server = Server::start(backend).await;
    let thing = thing(&server, kind).await;
    let tag = thing.tag(&server).await;
    let asks = (0..MANY).map(|n| {
        let (method, behind, mut body) = thing.changes[0].clone();
        // Each something else, where there is more than one thing to make of it.
        if let Some(name) = body.get_mut("name") {
            *name = json!(format!("Author {n}"));
        }
        if let Some(subject) = body.get_mut("subject") {
            *subject = json!(format!("Subject {n}"));
        }
        if let Some(url) = body.get_mut("url") {
            *url = json!(format!("https://hooks.example.com/{n}"));
        }
        if let Some(most) = body.get_mut("max_users") {
            *most = json!(n + 1);
        }
        let change = (method, behind, body);
        thing.change(&server, &change).with("if-match", &tag).send()
    });
    let answers = join_all(asks).await;
    let (done, refused): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((done.len(), refused.len()), (1, MANY - 1), "{answers:?}");
    for answer in refused {
        assert_eq!(answer.code(), (412, "precondition_failed"));
    }
    assert_eq!(thing.read(&server).await.data(200)["id"], done[0].data(200)["id"]);
    assert_eq!(thing.tag(&server).await, done[0].header("etag"));
}

/// What the structure cannot tell: whose version it would be.
const WITHOUT: [&str; 1] = [
    // The user goes with it.
    "invitations_revoke",
];

#[test]
fn every_route_that_changes_one_thing_honours_if_match_where_that_thing_has_a_tag() {
    let table = table();
    let tagged = |route: &&Route<Shared>| {
        let replies = &route.shape().replies;
        let has_tag = replies
            .iter()
            .any(|reply| reply.headers.iter().any(|header| header.name == "ETag"));
        route.method() == Method::GET && has_tag
    };
    let shown: Vec<&str> = table.iter().filter(tagged).map(Route::path).collect();
    // Of a recording, its sound.
    assert_eq!(shown.len(), 12 + 1 + 2, "{shown:?}");
    for route in table.iter().filter(|route| {
        let method = route.method();
        *method == PATCH || *method == PUT || *method == DELETE
    }) {
        let of_tagged = shown.iter().any(|path| {
            let behind = route.path().strip_prefix(path);
            behind.is_some_and(|behind| behind.is_empty() || behind.starts_with('/'))
        });
        let honours = route.shape().reads_header("If-Match");
        if of_tagged && !WITHOUT.contains(&route.id().as_str()) {
            assert!(honours, "{}", route.id());
        }
    }
}
