//! The dashboard's figures of live calls where there is more than one PBX: added up, and known no better than what they hang on.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use switchyard::domain::call::Call;
use switchyard::domain::ids::InstanceId;

use super::audited_platform::instance;
use super::live_calls::call;
use super::server::Server;
use super::support::database::Backend::Sqlite;

/// What the dashboard shows of calls.
struct Shown {
    /// Without when those of each tenant were known.
    all: Value,
    /// Of each PBX.
    totals: Vec<Value>,
    times: Vec<Option<Timestamp>>,
    /// Of each tenant, as in `all`.
    times_of_tenants: Vec<Option<Timestamp>>,
}

async fn shown(server: &Server) -> Shown {
    let answer = server.platform(Method::GET, "/platform/dashboard").send().await;
    let shown = answer.data(200).clone();
    let time = |at: &Value| at.as_str().map(|at| at.parse().unwrap());
    let mut all = shown["active_calls"].clone();
    let by_tenant = all["by_tenant"].as_array_mut().unwrap();
    by_tenant.sort_by_key(|of| of["total"].as_u64());
    let times_of_tenants = by_tenant.iter_mut().map(|of| time(&of["as_of"].take()));
    let times_of_tenants = times_of_tenants.collect();
    let own = shown["instances"].as_array().unwrap().iter();
    let own = own.map(|instance| &instance["active_calls"]);
    Shown {
        all,
        totals: own.clone().map(|calls| calls["total"].clone()).collect(),
        times: own.map(|calls| time(&calls["as_of"])).collect(),
        times_of_tenants,
    }
}

fn of(tenant: &str, total: usize, stale: bool) -> Value {
    json!({"tenant_id": tenant, "total": total, "as_of": null, "stale": stale})
}

/// One that both tenants are to be served by, and another.
async fn two(server: &Server) -> [InstanceId; 2] {
    let first = server.listened_to().await;
    let made = server.platform(Method::POST, "/platform/pbx-instances");
    let made = made.json(&instance("second")).send().await;
    let second: InstanceId = made.data(201)["id"].as_str().unwrap().parse().unwrap();
    server.board.add(second);
    [first, second]
}

#[tokio::test]
async fn o10_the_dashboard_adds_up_more_than_one_pbx_and_says_no_total_while_one_is_not_known() {
    let server = Server::start(Sqlite).await;
    let [first, second] = two(&server).await;
    server.report(first, &[call(first, "1", &server.acme, &[])]);
    let known = shown(&server).await;
    assert_eq!(known.totals, [json!(1), Value::Null], "only one is known");
    assert_eq!(
        known.all,
        json!({"total": null, "as_of": null, "stale": true, "by_tenant": [of(&server.acme, 1, false)]})
    );

    // A tenant's calls go on where it was before.
    let there = ["2", "3"].map(|link| call(second, link, &server.acme, &[]));
    let other = call(second, "4", &server.globex, &[]);
    let nobodys = Call {
        tenant_id: None,
        ..call(second, "5", &server.acme, &[])
    };
    server.report(second, &[there[0].clone(), there[1].clone(), other, nobodys]);
    let known = shown(&server).await;
    assert_eq!(known.totals, [1, 4]);
    assert_eq!(
        (&known.all["total"], &known.all["stale"]),
        (&json!(5), &json!(false))
    );
    assert_eq!(
        known.all["by_tenant"],
        json!([of(&server.globex, 1, false), of(&server.acme, 3, false)])
    );
    assert!(known.times[0] < known.times[1], "{:?}", known.times);
    assert_eq!(known.times_of_tenants, [known.times[0]; 2], "as old as the older");

    // What is known of the other is not known of both.
    server.lose_link(first);
    let known = shown(&server).await;
    assert_eq!(known.totals, [1, 4], "as it was when it was known");
    assert_eq!(
        (&known.all["total"], &known.all["stale"]),
        (&json!(5), &json!(true))
    );
    assert!(known.all["as_of"].is_string());
    // Where it is to be served it may have calls by now, also who had none there.
    assert_eq!(
        known.all["by_tenant"],
        json!([of(&server.globex, 1, true), of(&server.acme, 3, true)])
    );
}

#[tokio::test]
async fn o10_what_is_known_of_a_tenants_calls_hangs_on_each_pbx_that_has_some_and_on_no_other() {
    let server = Server::start(Sqlite).await;
    let [first, second] = two(&server).await;
    let acmes = ["1", "2"].map(|link| call(second, link, &server.acme, &[]));
    server.report(second, &acmes);
    let own = call(first, "3", &server.acme, &[]);
    server.report(first, &[own, call(first, "4", &server.globex, &[])]);
    server.lose_link(second);
    let known = shown(&server).await;
    assert_eq!(
        known.all["by_tenant"],
        json!([of(&server.globex, 1, false), of(&server.acme, 3, true)])
    );
    let [of_first, of_second] = known.times[..] else {
        panic!("{:?}", known.times)
    };
    assert!(of_second < of_first);
    assert_eq!(known.times_of_tenants, [of_first, of_second]);
}

#[tokio::test]
async fn o10_a_tenant_whose_own_pbx_is_not_listened_to_is_known_on_the_dashboard_as_it_is_to_itself() {
    let server = Server::start(Sqlite).await;
    let [first, second] = two(&server).await;
    server.report(second, &[call(second, "1", &server.acme, &[])]);
    server.board.remove(first);
    let known = shown(&server).await;
    assert_eq!(known.all["by_tenant"], json!([of(&server.acme, 1, true)]));
    assert_eq!(known.times_of_tenants, [None]);
    let own = server.get("/calls/active").send().await.body;
    assert_eq!(own["meta"], json!({"total": 1, "as_of": null, "stale": true}));
}
