//! Erasures over HTTP: what is refused, of whom, and to whom.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::erasures::forget_old;
use switchyard::domain::ids::{ExtensionId, SystemIds};

use super::erasures::{NUMBER, REQUESTS};
use super::races::MANY;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

impl Server {
    /// Has another host drive the PBX, which does not come: what is on it waits.
    async fn drive_elsewhere(&self) {
        let sql = "update instances set node = 'another' returning name";
        self.database.ask(sql.to_owned()).await;
    }
}

#[rstest]
#[tokio::test]
async fn a22_what_names_nobody_is_refused_by_its_field_and_another_tenants_is_not_there(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let own = server.extension("1001").await;
    let foreign = server.extension_in(&server.globex, "1001").await;
    let eve = server.person("eve", &server.globex, "agent").await;
    let bob = server.person("bob", &server.acme, "agent").await;
    let (early, late) = ("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z");
    for (body, fields) in [
        (json!({}), vec!["body"]),
        (json!({"extension": own, "number": NUMBER}), vec!["body"]),
        (json!({"extension": own, "user": bob.id}), vec!["body"]),
        (
            json!({"extension": own, "user": bob.id, "number": NUMBER}),
            vec!["body"],
        ),
        (json!({"call_records": "burn"}), vec!["body", "call_records"]),
        (json!({"number": "../x"}), vec!["number"]),
        (json!({"number": null}), vec!["number"]),
        (json!({"number": NUMBER, "from": late, "to": early}), vec!["to"]),
        (json!({"number": NUMBER, "from": early, "to": early}), vec!["to"]),
        (json!({"number": NUMBER, "from": "yesterday"}), vec!["from"]),
        (
            json!({"user": bob.id, "from": early, "to": late}),
            vec!["from", "to"],
        ),
        (
            json!({"user": bob.id, "call_records": "remove"}),
            vec!["call_records"],
        ),
        (
            json!({"number": NUMBER, "call_records": "burn"}),
            vec!["call_records"],
        ),
        (json!({"user": "bob"}), vec!["user"]),
        (json!({"tenant": true}), vec!["tenant"]),
    ] {
        assert_eq!(server.erase(&body).send().await.fields(), fields, "{body}");
    }
    let absent = ExtensionId::fresh(&SystemIds).to_string();
    for (field, there) in [("extension", foreign), ("user", eve.id)] {
        let mut refused = Vec::new();
        for id in [&absent, &there] {
            let answer = server.erase(&json!({field: id})).send().await;
            assert_eq!(answer.fields(), [field]);
            refused.push(answer.text);
        }
        assert_eq!(refused[0], refused[1], "nobody learns that it is there");
    }
    assert_eq!(server.get(REQUESTS).send().await.data(200), &json!([]));
    assert!(server.said("data.erasure").await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a22_only_what_was_shown_is_run_and_nobody_whom_others_need_goes(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    let eve = server.person("eve", &server.acme, "agent").await;
    let (path, tag) = server.looked_for(&json!({"user": eve.id})).await;
    let run = |path: &str, token: &str| server.of(token, Method::POST, &format!("{path}/run"));
    let weak = format!("W/{tag}");
    for stale in ["\"x\"", &weak] {
        let refused = run(&path, &ann.token).with("if-match", stale).send().await;
        assert_eq!(refused.code(), (412, "precondition_failed"), "{stale}");
    }
    let malformed = run(&path, &ann.token).with("if-match", "3").send().await;
    assert_eq!(malformed.code(), (400, "if_match_malformed"));
    // They are known by another address meanwhile.
    let other = "update users set email = 'eva@example.com' where email = 'eve@example.com' returning email";
    assert_eq!(server.database.ask(other.to_owned()).await.len(), 1);
    let refused = run(&path, &ann.token).with("if-match", &tag).send().await;
    assert_eq!(refused.code(), (409, "changed_since"));
    assert_eq!(server.get(&path).send().await.data(200)["status"], "open");
    assert_eq!(server.standing(&eve.token).await.0, 200);

    let (path, _) = server.looked_for(&json!({"user": ann.id})).await;
    let own = run(&path, &ann.token).send().await;
    assert_eq!(own.code(), (409, "self_protection"));
    assert_eq!(server.run_erasure(&path).await.code(), (409, "last_owner"));
    assert_eq!(server.get(&path).send().await.data(200)["status"], "open");
    assert_eq!(server.standing(&ann.token).await.0, 200);
    assert!(server.said("data.erasure_run").await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a22_one_of_a_tenant_runs_at_a_time_and_is_certified_once_it_has_ended(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.drive_elsewhere().await;
    let (first, _) = server.looked_for(&json!({"number": NUMBER})).await;
    let (second, _) = server.looked_for(&json!({"number": "+4930654321"})).await;
    let run = server.run_erasure(&first).await;
    let id = &run.data(202)["id"];
    assert_eq!(server.certificate(&first).await.code(), (409, "running"));
    assert_eq!(server.run_erasure(&first).await.code(), (409, "in_use"));
    let refused = server.run_erasure(&second).await;
    assert_eq!(refused.code(), (409, "in_use"));
    assert_eq!(refused.body["references"], json!([{"kind": "erasure", "id": id}]));
    let theirs = server.erase(&json!({"number": NUMBER})).in_tenant(&server.globex);
    let id = theirs.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let theirs = server.ask(Method::POST, &format!("{REQUESTS}/{id}/run"));
    assert_eq!(theirs.in_tenant(&server.globex).send().await.status, 202);
}

#[rstest]
#[tokio::test]
async fn a22_owners_admins_and_keys_that_were_given_it_may_and_nobody_else(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let owner = server.person("ann", &server.acme, "owner").await;
    let key = async |permission: &str| {
        let body = json!({"name": permission, "permissions": [permission]});
        let made = server.of(&owner.token, Method::POST, "/api-keys").json(&body);
        let made = made.send().await;
        made.data(201)["secret"].as_str().unwrap().to_owned()
    };
    let (with, without) = (key("data.erasure").await, key("data.export").await);
    let mut paths = Vec::new();
    let admin = server.person("an-admin", &server.acme, "admin").await.token;
    for token in [&owner.token, &admin, &with] {
        let asked = server
            .of(token, Method::POST, REQUESTS)
            .json(&json!({"number": NUMBER}));
        let id = asked.send().await.data(201)["id"].as_str().unwrap().to_owned();
        let path = format!("{REQUESTS}/{id}");
        assert_eq!(server.of(token, Method::GET, &path).send().await.status, 200);
        paths.push(path);
    }
    let routes = |path: &str| {
        [
            (Method::GET, REQUESTS.to_owned()),
            (Method::POST, REQUESTS.to_owned()),
            (Method::GET, path.to_owned()),
            (Method::POST, format!("{path}/run")),
            (Method::GET, format!("{path}/certificate")),
        ]
    };
    let manager = server.person("a-manager", &server.acme, "manager").await.token;
    let agent = server.person("an-agent", &server.acme, "agent").await.token;
    for token in [&manager, &agent, &without] {
        for (method, path) in routes(&paths[0]) {
            let denied = server.of(token, method, &path).send().await;
            assert_eq!(denied.code(), (403, "permission_denied"), "{path}");
        }
    }
    let stranger = server.person("boss", &server.globex, "owner").await.token;
    for (method, path) in routes(&paths[0]).into_iter().skip(2) {
        let unknown = server.of(&stranger, method, &path).send().await;
        assert_eq!(unknown.code(), (404, "not_found"), "{path}");
    }
    let listed = server.of(&stranger, Method::GET, REQUESTS).send().await;
    assert_eq!(listed.data(200), &json!([]));
    // Of the operator's people everybody says why.
    for (method, path) in routes(&paths[0]) {
        let body = json!({"number": NUMBER});
        let ask = match (&method, path.ends_with("/run")) {
            (&Method::POST, false) => server.post(&path, &body),
            _ => server.ask(method.clone(), &path),
        };
        let answer = ask.without("x-reason").send().await;
        if method == Method::POST {
            assert_eq!(answer.code(), (400, "reason_required"), "{path}");
        } else {
            assert!(matches!(answer.status, 200 | 409), "{path}: {}", answer.text);
        }
    }
    server.suspend(&server.acme).await;
    let refused = server.run_erasure(&paths[0]).await;
    assert_eq!(refused.code(), (403, "tenant_suspended"));
    assert_eq!(server.get(&paths[0]).send().await.data(200)["status"], "open");
}

#[rstest]
#[tokio::test]
async fn a22_one_that_kept_something_is_run_again_for_thirty_days_and_forgets_the_number_then(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let (path, _) = server.looked_for(&json!({"number": NUMBER})).await;
    assert_eq!(server.run_erasure(&path).await.status, 202);
    let ended = server.erased(&path).await;
    assert_eq!(ended["status"], "partial", "{ended}");
    let certificate = server.certificate(&path).await;
    let age = async |hours: i64| {
        let hours = hours * 3_600 * 1_000_000;
        let sql = format!("update erasures set ended_at = ended_at - {hours} returning status");
        assert_eq!(server.database.ask(sql).await, ["partial"]);
    };
    age(30 * 24 - 1).await;
    assert_eq!(forget_old(&server.app).await.unwrap(), 0);
    let shown = server.get(&path).send().await;
    assert_eq!(shown.data(200)["subject"]["number"], NUMBER);
    // By the clock as it was looked at last.
    age(2).await;
    assert_eq!(forget_old(&server.app).await.unwrap(), 1);
    assert_eq!(forget_old(&server.app).await.unwrap(), 0);
    let shown = server.get(&path).send().await;
    assert_eq!(shown.data(200)["subject"]["number"], Value::Null);
    assert!(!shown.text.contains(NUMBER), "{}", shown.text);
    let refused = server.run_erasure(&path).await;
    assert_eq!(refused.code(), (409, "forgotten"));
    // It is certified all the same; and that somebody has made it older is found out.
    let later = server.certificate(&path).await;
    for member in ["complete", "subject", "parts", "left"] {
        assert_eq!(later.data(200)[member], certificate.data(200)[member], "{member}");
    }
    assert_ne!(later.data(200)["digest"], certificate.data(200)["digest"]);
    let end = server.said("data.erasure_end").await;
    assert_eq!(end[0]["certificate"], certificate.data(200)["digest"]);
}

#[rstest]
#[tokio::test]
async fn a22_one_person_is_looked_for_at_a_time_on_a_server(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let whom = json!({"number": NUMBER});
    for _ in 0..20 {
        let asks = (0..MANY).map(|_| server.erase(&whom).send());
        let answers = join_all(asks).await;
        let mut refused = 0;
        for answer in &answers {
            if answer.status == 429 {
                assert_eq!(answer.code(), (429, "too_many_searches"));
                assert_eq!(answer.header("retry-after"), "5");
                refused += 1;
            } else {
                answer.data(201);
            }
        }
        assert!(refused < MANY, "the first one is looked for");
        if refused > 0 {
            // Nobody is kept out for good.
            server.looked_for(&whom).await;
            return;
        }
    }
    panic!("all were looked for at once");
}

#[rstest]
#[tokio::test]
async fn a22_what_nobody_knows_is_asked_for_is_said_before_what_is_wrong_with_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let absent = format!("{REQUESTS}/{}", ExtensionId::fresh(&SystemIds));
    let (path, _) = server.looked_for(&json!({"number": NUMBER})).await;
    let wrong = |path: &str| {
        let run = server.ask(Method::POST, &format!("{path}/run?x=1"));
        run.json(&json!({"all": true}))
    };
    let bare = wrong(&absent).without("x-reason");
    assert_eq!(bare.send().await.code(), (404, "not_found"));
    let bare = wrong(&path).without("x-reason");
    assert_eq!(bare.send().await.code(), (400, "reason_required"));
    let body = wrong(&path).send().await;
    assert_eq!(body.fields(), ["all"]);
    let query = server.ask(Method::POST, &format!("{path}/run?x=1"));
    assert_eq!(query.send().await.fields(), ["x"]);
    // It was not run, and so there is no certificate: a query is read before that is said.
    let query = server.get(&format!("{path}/certificate?x=1"));
    assert_eq!(query.send().await.fields(), ["x"]);
    assert_eq!(server.get(&path).send().await.data(200)["status"], "open");
}

/// As where it could not be read when it was given up.
#[rstest]
#[tokio::test]
async fn a22_one_of_which_the_log_does_not_say_what_it_did_is_not_certified(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let (path, _) = server.looked_for(&json!({"number": NUMBER})).await;
    assert_eq!(server.run_erasure(&path).await.status, 202);
    server.erased(&path).await;
    assert_eq!(server.certificate(&path).await.status, 200);
    let said = r#"{"status":"partial"}"#;
    let sql = format!(
        "update audit_entries set after = '{said}' where action = 'data.erasure_end' returning action"
    );
    assert_eq!(server.database.ask(sql).await.len(), 1);
    let refused = server.certificate(&path).await;
    assert_eq!(refused.code(), (409, "not_certified"), "{}", refused.text);
}
