//! Calls that are over, over the API: whose they are, what a file of them holds, and what callers who mean harm come to.

use std::slice::from_ref;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::call_part::CallPart;
use switchyard::domain::ids::{CallRecordId, SystemIds, TenantId};
use switchyard::store::call_records::{self, OfCall};
use switchyard::store::tenants;

use super::people::each;
use super::server::Server;
use super::support::board::{a_call, told};
use super::support::database::Backend::{self, Postgres, Sqlite};

/// What a caller from outside may call himself.
pub const HOSTILE: &str = "=cmd|'/C calc'!A0\"><script>alert(1)</script>";

impl Server {
    /// A call of a tenant, begun at this minute, between these numbers; who has no extension comes from outside.
    pub async fn call(&self, tenant: &str, domain: &str, minute: i64, from: &str, to: &str) -> String {
        let channel = format!("{domain}.{minute}");
        let phone = (from.len() == 4).then(|| json!({"number": from, "domain": domain}));
        let told: CallPart = serde_json::from_value(json!({
            "key": format!("{channel}:1"), "channel": channel, "caller": phone,
            "called": {"number": to, "domain": domain}, "left": false, "is_of_called": false, "from_number": from,
            "from_name": HOSTILE, "to": to, "started": format!("2026-11-20T10:{minute:02}:00Z"),
            "answered": format!("2026-11-20T10:{minute:02}:02Z"), "ended": format!("2026-11-20T10:{minute:02}:05Z"),
            "disposition": "answered", "cause": "NORMAL_CLEARING",
        }))
        .unwrap();
        let tenant: TenantId = tenant.parse().unwrap();
        let mut tx = self.store.begin("call").await.unwrap();
        let instance = tenants::find(&mut tx, tenant).await.unwrap().unwrap().instance_id;
        let id = CallRecordId::fresh(&SystemIds);
        let of = OfCall {
            id,
            tenant,
            instance,
            call: &told.channel,
            is_rough: false,
        };
        let id = call_records::keep(&mut tx, of, &told, |own| own == domain)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id.to_string()
    }

    /// A call of Acme that is up, of nobody's extension.
    pub async fn call_that_is_up(&self) -> String {
        let (instance, tenant) = (self.instance().await.parse().unwrap(), self.acme.parse().unwrap());
        let call = a_call(instance, tenant);
        let id = call.id.to_string();
        self.board.add(instance);
        self.board.report(instance, told(call));
        id
    }

    /// An agent of Acme with an extension.
    pub async fn agent_at(&self, name: &str, extension: &str) -> String {
        let person = self.person(name, &self.acme, "agent").await;
        let path = format!("/org-users/{}/extension", person.id);
        let link = self
            .ask(Method::PUT, &path)
            .json(&json!({"extension_id": extension}));
        link.send().await.data(200);
        person.token
    }
}

const ACME: &str = "acme.example.com";

#[rstest]
#[tokio::test]
async fn a11_own_calls_and_all_of_the_tenants_are_told_apart_and_nobody_elses_are_there(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let [ann, _] = [server.extension("1001").await, server.extension("1002").await];
    let theirs = server
        .call(&server.globex, "globex.example.com", 0, "1001", "1002")
        .await;
    let mine = server.call(&server.acme, ACME, 1, "1001", "1002").await;
    let others = server.call(&server.acme, ACME, 2, "1002", "1003").await;
    let agent = server.agent_at("ann", &ann).await;
    let manager = server.person("max", &server.acme, "manager").await.token;
    let lists = [
        (server.get("/calls"), vec![&others, &mine]),
        (server.of(&manager, Method::GET, "/calls"), vec![&others, &mine]),
        (server.of(&agent, Method::GET, "/calls"), vec![&mine]),
    ];
    for (ask, expected) in lists {
        assert_eq!(each(&ask.send().await, "id"), expected);
    }
    let shown = server
        .of(&agent, Method::GET, &format!("/calls/{mine}"))
        .send()
        .await;
    let call = shown.data(200);
    assert_eq!(
        [
            &call["from"],
            &call["to"],
            &call["from_name"],
            &call["direction"],
            &call["disposition"]
        ],
        [
            &json!("1001"),
            &json!("1002"),
            &json!(HOSTILE),
            &json!("internal"),
            &json!("answered")
        ]
    );
    assert_eq!((&call["duration"], &call["billable"]), (&json!(5), &json!(3)));
    assert!(call["extension_ids"].as_array().unwrap().contains(&json!(ann)));
    let absent = server
        .get(&format!("/calls/{}", CallRecordId::fresh(&SystemIds)))
        .send()
        .await;
    for (ask, what) in [
        (
            server.of(&agent, Method::GET, &format!("/calls/{others}")),
            "another extension's",
        ),
        (server.get(&format!("/calls/{theirs}")), "another tenant's"),
        (server.get("/calls/..%2Fextensions"), "no id"),
    ] {
        let answer = ask.send().await;
        assert_eq!((answer.status, &answer.text), (404, &absent.text), "{what}");
    }
    // Who loses the extension sees nothing of it from the next request on.
    let link = server.ask(
        Method::PUT,
        &format!("/org-users/{}/extension", own_id(&server, &agent).await),
    );
    link.json(&json!({"extension_id": null})).send().await.data(200);
    assert!(each(&server.of(&agent, Method::GET, "/calls").send().await, "id").is_empty());
}

async fn own_id(server: &Server, token: &str) -> String {
    let own = server
        .of(token, Method::GET, "/org-users/me/profile")
        .send()
        .await;
    own.data(200)["id"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test]
async fn a11_calls_are_filtered_and_come_page_by_page(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let extension = server.extension("1002").await;
    let mut ids = Vec::new();
    for (minute, from, to) in [(1, "1001", "1002"), (2, "+4930", "1002"), (3, "1001", "1003")] {
        ids.push(server.call(&server.acme, ACME, minute, from, to).await);
    }
    let [first, second, third] = ids.try_into().unwrap();
    let found = async |query: &str| {
        let answer = server.get(&format!("/calls?{query}")).send().await;
        let ids = each(&answer, "id")
            .into_iter()
            .map(|id| id.as_str().unwrap().to_owned());
        (
            ids.collect::<Vec<_>>(),
            answer.body["meta"]["next_cursor"].clone(),
        )
    };
    assert_eq!(found("direction=inbound").await.0, from_ref(&second));
    assert_eq!(
        found(&format!("extension={extension}")).await.0,
        [second.clone(), first.clone()]
    );
    assert_eq!(found("number=%2B4930").await.0, from_ref(&second));
    assert!(found("disposition=busy").await.0.is_empty());
    assert_eq!(found("from=2026-11-20T10:03:00Z").await.0, from_ref(&third));
    let (page, next) = found("per_page=2").await;
    assert_eq!(page, [third, second]);
    let (page, next) = found(&format!("per_page=2&cursor={}", next.as_str().unwrap())).await;
    assert_eq!((page, next), (vec![first], Value::Null));
    let refused = server
        .get("/calls?direction=sideways&extension=1001&from=x&colour=red")
        .send()
        .await;
    assert_eq!(refused.fields(), ["colour", "direction", "extension", "from"]);
    let backwards = "/calls?from=2026-11-20T10:00:00Z&to=2026-11-20T09:00:00Z";
    assert_eq!(server.get(backwards).send().await.fields(), ["to"]);
}

#[rstest]
#[tokio::test]
async fn a11_no_cell_of_the_file_is_a_formula_whatever_a_caller_calls_himself(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let extension = server.extension("1002").await;
    server.call(&server.acme, ACME, 1, "+49301", "1002").await;
    server.call(&server.acme, ACME, 2, "1001", "1003").await;
    let answer = server.get("/calls/export").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"calls.csv\""
    );
    let mut rows = csv::Reader::from_reader(answer.text.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
    }
    assert_eq!(&rows[1][5], "'+49301");
    assert_eq!(&rows[1][6], format!("'{HOSTILE}"));
    let agent = server.agent_at("ann", &extension).await;
    let own = server.of(&agent, Method::GET, "/calls/export").send().await;
    assert_eq!(own.text.lines().count(), 2, "{}", own.text);
    let none = server.get("/calls/export?direction=outbound").send().await;
    assert_eq!(none.text.lines().count(), 1);
}

#[rstest]
#[tokio::test]
async fn a48_nobody_without_a_phone_has_one_rung_and_no_text_reaches_the_pbx_as_it_is(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.extension("1001").await;
    let none = server.post("/calls", &json!({"to": "1002"})).send().await;
    assert_eq!(
        (none.status, &none.body["code"]),
        (409, &json!("no_extension")),
        "{}",
        none.text
    );
    let agent = server.agent_at("ann", &ann).await;
    for to in [
        "",
        "1",
        "1002\r\nApplication: System",
        "1002@globex.example.com",
        "${SHELL(id)}",
        "1002,1",
        "x&y",
        "*43",
        "1002 XML default",
        "&system(id)",
        "00000000000000000",
    ] {
        let ask = server.of(&agent, Method::POST, "/calls").json(&json!({"to": to}));
        assert_eq!(ask.send().await.fields(), ["to"], "{to:?}");
    }
    let ask = server.of(&agent, Method::POST, "/calls");
    assert_eq!(ask.clone().json(&json!({})).send().await.fields(), ["to"]);
    let more = json!({"to": "1002", "from": "1003"});
    assert_eq!(ask.clone().json(&more).send().await.fields(), ["from"]);
    // It is in the audit log before the PBX is asked, which is not there.
    let before = server.audit_actions().await.len();
    let tried = ask.json(&json!({"to": "1002"})).send().await;
    assert_eq!(
        (tried.status, &tried.body["code"]),
        (409, &json!("pbx_unreachable")),
        "{}",
        tried.text
    );
    assert_eq!(server.audit_actions().await[before..], ["call.click"]);
}

#[rstest]
#[tokio::test]
async fn a48_a_call_is_ended_by_whoever_is_in_it_or_may_change_the_configuration(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.extension("1001").await;
    let id = server.call_that_is_up().await;
    let path = format!("/calls/active/{id}");
    let agent = server.agent_at("ann", &ann).await;
    let manager = server.person("max", &server.acme, "manager").await.token;
    // It is not theirs: an agent does not see it, and a manager may look on.
    assert_eq!(server.of(&agent, Method::DELETE, &path).send().await.status, 404);
    // Who may change the configuration ends it, also without a right to see all calls.
    let role =
        json!({"name": "mender", "permissions": ["config.write", "calls.click_to_call", "users.view_self"]});
    server.post("/roles", &role).send().await.data(201);
    let mender = server.person("mia", &server.acme, "mender").await.token;
    let before_mended = server.audit_actions().await.len();
    let mended = server.of(&mender, Method::DELETE, &path).send().await;
    assert_eq!(mended.body["code"], json!("pbx_unreachable"), "{}", mended.text);
    assert_eq!(server.audit_actions().await[before_mended..], ["call.hang_up"]);
    let before = server.audit_actions().await.len();
    let looks_on = server.of(&manager, Method::DELETE, &path).send().await;
    assert_eq!(
        (looks_on.status, &looks_on.body["code"]),
        (409, &json!("not_own_call"))
    );
    let elsewhere = server.delete(&path).in_tenant(&server.globex).send().await;
    assert_eq!(elsewhere.status, 404);
    assert_eq!(server.audit_actions().await.len(), before);
    let asked = server.delete(&path).send().await;
    assert_eq!(
        (asked.status, &asked.body["code"]),
        (409, &json!("pbx_unreachable")),
        "{}",
        asked.text
    );
    assert_eq!(server.audit_actions().await[before..], ["call.hang_up"]);
}
