//! `GET /calls/active`, the dashboard's figures and `/metrics`: who sees which calls, and how well they are known.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::call::{Call, CallDirection, CallState};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{CallId, InstanceId};
use switchyard::domain::leg::{LegId, WireText};
use switchyard::monitor::board::{Report, Told};
use tokio_util::sync::CancellationToken;

use super::people::Person;
use super::server::Server;
use super::sse::Stream;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// A call as a listener reports it, between extensions of a tenant.
pub fn call(instance: InstanceId, link: &str, tenant: &str, extensions: &[&str]) -> Call {
    let link = LegId::new(link).unwrap();
    Call {
        id: CallId::of(instance, &link),
        instance_id: instance,
        link: link.clone(),
        tenant_id: Some(tenant.parse().unwrap()),
        from: WireText::of("1001"),
        to: WireText::of("\u{1}<script>"),
        direction: CallDirection::Internal,
        state: CallState::Ringing,
        started_at: None,
        answered_at: None,
        extension_ids: extensions.iter().map(|id| id.parse().unwrap()).collect(),
        legs: vec![link],
    }
}

impl Server {
    /// What a listener reports of the only PBX: these began, and all is known.
    pub fn report(&self, instance: InstanceId, began: &[Call]) {
        self.report_also(instance, began, &[]);
    }

    /// The same, with some that ended.
    pub fn report_also(&self, instance: InstanceId, began: &[Call], ended: &[&Call]) {
        self.report_with(instance, began, ended, ("1001", None, 1));
    }

    /// Of an extension of Acme's so many phones can be reached.
    pub fn report_phones(
        &self,
        instance: InstanceId,
        number: &str,
        extension: Option<&str>,
        contacts: usize,
    ) {
        self.report_with(instance, &[], &[], (number, extension, contacts));
    }

    fn report_with(
        &self,
        instance: InstanceId,
        began: &[Call],
        ended: &[&Call],
        (number, extension, contacts): (&str, Option<&str>, usize),
    ) {
        let began = began.iter().map(|call| (call.link.clone(), Some(call.clone())));
        let ended = ended.iter().map(|call| (call.link.clone(), None));
        let phones = (
            self.acme.parse().unwrap(),
            number.parse().unwrap(),
            extension.map(|id| id.parse().unwrap()),
            contacts,
        );
        let report = Report {
            calls: Told {
                items: began.chain(ended).collect(),
                are_all: false,
                are_stale: false,
            },
            phones: Told {
                items: vec![phones],
                are_all: false,
                are_stale: false,
            },
            are_calls_polled: false,
            corrected: 0,
            tenants: Some([&self.acme, &self.globex].map(|id| id.parse().unwrap()).into()),
            at: SystemClock.now(),
            stop: CancellationToken::new(),
        };
        self.board.report(instance, report);
    }

    /// A listener has no link any more.
    pub fn lose_link(&self, instance: InstanceId) {
        let report = Report {
            calls: Told {
                items: Vec::new(),
                are_all: false,
                are_stale: true,
            },
            phones: Told {
                items: Vec::new(),
                are_all: false,
                are_stale: true,
            },
            are_calls_polled: false,
            corrected: 0,
            tenants: None,
            at: SystemClock.now(),
            stop: CancellationToken::new(),
        };
        self.board.report(instance, report);
    }

    /// The only PBX, to which a listener is being made.
    pub async fn listened_to(&self) -> InstanceId {
        let id: InstanceId = self.instance().await.parse().unwrap();
        self.board.add(id);
        id
    }

    /// Somebody with an extension as their phone.
    pub async fn with_phone(&self, name: &str, role: &str, extension: &str) -> Person {
        let person = self.person(name, &self.acme, role).await;
        let body = json!({"extension_id": extension});
        let path = format!("/org-users/{}/extension", person.id);
        let linked = self.ask(Method::PUT, &path).json(&body).send().await;
        assert_eq!(linked.status, 200, "{linked:?}");
        person
    }
}

#[rstest]
#[tokio::test]
async fn o10_each_sees_the_tenants_calls_or_their_own_and_nobody_anothers(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let unknown = server.get("/calls/active").send().await;
    assert_eq!(unknown.status, 200);
    assert_eq!(
        unknown.body,
        json!({"data": [], "meta": {"total": 0, "as_of": null, "stale": true}})
    );

    let pbx = server.listened_to().await;
    let [ann, bob] = [server.extension("1001").await, server.extension("1002").await];
    let theirs = server.extension_in(&server.globex, "1001").await;
    let anns = call(pbx, "1", &server.acme, &[&ann]);
    server.report(
        pbx,
        &[
            anns.clone(),
            call(pbx, "2", &server.acme, &[&bob]),
            call(pbx, "3", &server.globex, &[&theirs]),
            Call {
                tenant_id: None,
                ..call(pbx, "4", &server.acme, &[])
            },
        ],
    );
    let manager = server.person("mary", &server.acme, "manager").await;
    let agent = server.with_phone("ann", "agent", &ann).await;
    let stranger = server.person("zoe", &server.acme, "agent").await;
    let other = server.person("gina", &server.globex, "owner").await;
    let seen = async |person: &Person| {
        let answer = server
            .of(&person.token, Method::GET, "/calls/active")
            .send()
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["meta"]["stale"], false);
        assert_eq!(
            answer.body["meta"]["total"],
            answer.body["data"].as_array().unwrap().len()
        );
        let ids = answer.body["data"].as_array().unwrap().iter();
        ids.map(|call| call["extension_ids"].clone())
            .collect::<Vec<Value>>()
    };
    let mut all = seen(&manager).await;
    all.sort_by_key(ToString::to_string);
    let mut expected = vec![json!([ann]), json!([bob])];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(all, expected);
    assert_eq!(seen(&agent).await, [json!([ann])]);
    assert!(seen(&stranger).await.is_empty());
    assert_eq!(seen(&other).await, [json!([theirs])]);

    let shown = server.of(&agent.token, Method::GET, "/calls/active").send().await;
    assert_eq!(
        shown.body["data"][0],
        json!({"id": anns.id, "from": "1001", "to": "\u{fffd}<script>", "direction": "internal", "state": "ringing",
            "started_at": null, "answered_at": null, "extension_ids": [ann]})
    );
    let refused = server.get("/calls/active?page=1").send().await;
    assert_eq!(refused.status, 422);

    server.board.doubt(pbx);
    let doubted = server.of(&agent.token, Method::GET, "/calls/active").send().await;
    assert_eq!(doubted.body["meta"]["stale"], true);
    assert!(
        doubted.body["meta"]["as_of"].is_string(),
        "when it was known is told"
    );
}

#[tokio::test]
async fn o10_a_key_that_may_see_all_calls_and_nothing_else_sees_them() {
    let server = Server::start(Sqlite).await;
    let pbx = server.listened_to().await;
    let bob = server.extension("1002").await;
    server.report(pbx, &[call(pbx, "1", &server.acme, &[&bob])]);
    let owner = server.person("olga", &server.acme, "owner").await;
    let key = async |right: &str| {
        let body = json!({"name": "wallboard", "permissions": [right]});
        let made = server.of(&owner.token, Method::POST, "/api-keys").json(&body);
        made.send().await.data(201)["secret"].as_str().unwrap().to_owned()
    };
    let total = async |key: &str| {
        let answer = server.of(key, Method::GET, "/calls/active").send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["meta"]["total"].clone()
    };
    let all = key("calls.view_all").await;
    assert_eq!(total(&all).await, 1);
    let records = server.of(&all, Method::GET, "/calls").send().await;
    assert_eq!(records.status, 200);
    let mut stream = Stream::open(server.of(&all, Method::GET, "/events")).await;
    assert_eq!(stream.next().await.unwrap().data["meta"]["total"], 1);
    assert_eq!(total(&key("calls.view_own").await).await, 0, "a key has no phone");
    let other = key("config.read").await;
    let refused = server.of(&other, Method::GET, "/calls/active").send().await;
    assert_eq!(refused.code(), (403, "permission_denied"));
}

#[tokio::test]
async fn o10_extensions_show_who_is_there_to_an_agent_too() {
    let server = Server::start(Sqlite).await;
    let pbx = server.listened_to().await;
    let ids = [
        server.extension("1001").await,
        server.extension("1002").await,
        server.extension("1003").await,
    ];
    let agent = server.person("ann", &server.acme, "agent").await;
    let shown = async || {
        let list = server.of(&agent.token, Method::GET, "/extensions").send().await;
        let list = list.data(200).as_array().unwrap().clone();
        let all = server.get(&format!("/extensions/{}", ids[0])).send().await;
        assert_eq!(all.data(200)["presence"], list[0]["presence"]);
        let presences = list.iter().map(|extension| extension["presence"].clone());
        presences.collect::<Vec<_>>()
    };
    assert_eq!(shown().await, [const { Value::Null }; 3], "not known");
    server.report(pbx, &[call(pbx, "1", &server.acme, &[&ids[1]])]);
    assert_eq!(shown().await, ["available", "ringing", "offline"]);
}

#[tokio::test]
async fn o10_the_dashboard_counts_by_tenant_by_pbx_and_in_all() {
    let server = Server::start(Sqlite).await;
    let shown = async || {
        let answer = server.platform(Method::GET, "/platform/dashboard").send().await;
        answer.data(200).clone()
    };
    let pbx = server.listened_to().await;
    let unknown = shown().await;
    assert_eq!(
        unknown["active_calls"],
        json!({"total": null, "as_of": null, "stale": true, "by_tenant": []})
    );
    server.report(
        pbx,
        &[
            call(pbx, "1", &server.acme, &[]),
            call(pbx, "2", &server.acme, &[]),
        ],
    );
    server.report(pbx, &[call(pbx, "3", &server.globex, &[])]);
    let known = shown().await;
    assert_eq!(
        (&known["active_calls"]["total"], &known["active_calls"]["stale"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(known["instances"][0]["active_calls"]["total"], 3);
    let mut by_tenant = known["active_calls"]["by_tenant"].as_array().unwrap().clone();
    by_tenant.sort_by_key(|of| of["total"].as_u64());
    let as_of = &known["active_calls"]["as_of"];
    let of = |tenant, total| json!({"tenant_id": tenant, "total": total, "as_of": as_of, "stale": false});
    assert_eq!(by_tenant, [of(&server.globex, 1), of(&server.acme, 2)]);
}

#[tokio::test]
async fn o10_metrics_are_for_who_shows_the_token() {
    let token = "0123456789abcdef0123";
    let server = Server::with(Sqlite, &[("SWITCHYARD_METRICS_TOKEN", token)]).await;
    let pbx = server.listened_to().await;
    server.report(pbx, &[call(pbx, "1", &server.acme, &[])]);
    let ask = |token: &str| {
        server
            .get("/")
            .at("/metrics")
            .with("authorization", &format!("Bearer {token}"))
    };
    assert_eq!(ask("0123456789abcdef0124").send().await.status, 401);
    assert_eq!(
        ask(&server.token).send().await.status,
        401,
        "a user's token opens nothing here"
    );
    let answer = ask(token).send().await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .text
            .contains("switchyard_active_calls{instance=\"pbx1\"} 1\n"),
        "{}",
        answer.text
    );
    assert!(!answer.text.contains("Acme"), "{}", answer.text);

    let without = Server::start(Sqlite).await;
    let ask = without
        .get("/")
        .at("/metrics")
        .with("authorization", &format!("Bearer {token}"));
    assert_eq!(ask.send().await.status, 404);
}
