//! `GET /events`: calls, phones and deployments as they happen.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::live_calls::call;
use super::server::Server;
use super::sse::Stream;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn o10_calls_are_told_as_they_begin_change_and_end_to_who_may_see_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let pbx = server.listened_to().await;
    let [ann, bob] = [server.extension("1001").await, server.extension("1002").await];
    server.report(pbx, &[call(pbx, "1", &server.acme, &[&bob])]);
    let agent = server.with_phone("ann", "agent", &ann).await;
    let mut all = Stream::open(server.get("/events").without("x-reason")).await;
    let mut own = Stream::open(server.of(&agent.token, Method::GET, "/events")).await;
    let first = all.next().await.unwrap();
    assert_eq!(
        (first.name.as_str(), &first.data["meta"]["total"]),
        ("calls", &json!(1))
    );
    let first = own.next().await.unwrap();
    assert_eq!(
        (first.name.as_str(), &first.data["meta"]["total"]),
        ("calls", &json!(0))
    );

    let mut second = call(pbx, "2", &server.acme, &[&bob]);
    server.report(pbx, &[call(pbx, "9", &server.globex, &[]), second.clone()]);
    // Ann takes part from now on.
    second.extension_ids.push(ann.parse().unwrap());
    server.report(pbx, &[second.clone()]);
    server.report_also(pbx, &[], &[&second]);
    let names = async |stream: &mut Stream, count: usize| {
        let mut names = Vec::new();
        for _ in 0..count {
            let event = stream.next().await.unwrap();
            assert_eq!(event.data["data"]["id"], json!(second.id));
            names.push(event.name);
        }
        names
    };
    assert_eq!(
        names(&mut all, 3).await,
        ["call.began", "call.changed", "call.ended"]
    );
    assert_eq!(names(&mut own, 2).await, ["call.began", "call.ended"]);
}

#[tokio::test]
async fn o10_who_comes_again_goes_on_and_who_missed_something_is_told() {
    let server = Server::start(Sqlite).await;
    let pbx = server.listened_to().await;
    server.report(pbx, &[]);
    let again = |seen: &str| {
        server
            .get("/events")
            .without("x-reason")
            .with("last-event-id", seen)
    };
    let mut stream = Stream::open(server.get("/events").without("x-reason")).await;
    assert_eq!(stream.next().await.unwrap().name, "calls");
    server.report(pbx, &[call(pbx, "1", &server.acme, &[])]);
    let seen = stream.next().await.unwrap();
    drop(stream);
    server.report(pbx, &[call(pbx, "2", &server.acme, &[])]);
    let mut stream = Stream::open(again(&seen.id)).await;
    let next = stream.next().await.unwrap();
    assert_eq!(
        (next.name.as_str(), &next.data["data"]["from"]),
        ("call.began", &json!("1001"))
    );
    assert_ne!(next.id, seen.id);

    for unknown in ["x", "00000000-1-1"] {
        let mut stream = Stream::open(again(unknown)).await;
        let [missed, calls] = [stream.next().await.unwrap(), stream.next().await.unwrap()];
        assert_eq!(
            (missed.name.as_str(), &missed.data),
            ("missed", &json!({"missed": null})),
            "{unknown}"
        );
        assert_eq!(
            (calls.name.as_str(), &calls.data["meta"]["total"]),
            ("calls", &json!(2))
        );
    }
    // More than is kept for who is away.
    for number in 0..600 {
        server.report(pbx, &[call(pbx, &format!("more-{number}"), &server.acme, &[])]);
    }
    let mut late = Stream::open(again(&next.id)).await;
    let [missed, calls] = [late.next().await.unwrap(), late.next().await.unwrap()];
    assert_eq!((missed.name.as_str(), calls.name.as_str()), ("missed", "calls"));
    // 600, of which 512 are kept.
    assert_eq!(missed.data, json!({"missed": 88}));
    assert_eq!(calls.data["meta"]["total"], 602);
}

#[tokio::test]
async fn o10_it_is_told_when_calls_are_not_known_any_more_and_known_again() {
    let server = Server::start(Sqlite).await;
    let pbx = server.listened_to().await;
    server.report(pbx, &[]);
    let mut stream = Stream::open(server.get("/events").without("x-reason")).await;
    assert_eq!(stream.next().await.unwrap().data["meta"]["stale"], false);
    server.lose_link(pbx);
    let stale = stream.next().await.unwrap();
    assert_eq!(
        (stale.name.as_str(), &stale.data["stale"]),
        ("freshness", &json!(true))
    );
    server.report(pbx, &[]);
    let fresh = stream.next().await.unwrap();
    assert_eq!(
        (fresh.name.as_str(), &fresh.data["stale"]),
        ("freshness", &json!(false))
    );
}

#[rstest]
#[tokio::test]
async fn o10_who_may_not_listen_any_more_hears_nothing_more(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let pbx = server.listened_to().await;
    server.report(pbx, &[]);
    let manager = server.person("mary", &server.acme, "manager").await;
    let mut stream = Stream::open(server.of(&manager.token, Method::GET, "/events")).await;
    assert_eq!(stream.next().await.unwrap().name, "calls");
    let path = format!("/org-users/{}/suspend", manager.id);
    assert_eq!(server.ask(Method::POST, &path).send().await.status, 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    server.report(pbx, &[call(pbx, "1", &server.acme, &[])]);
    assert_eq!(stream.next().await, None);
    let refused = server.of(&manager.token, Method::GET, "/events").send().await;
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn o10_deployments_are_told_to_who_may_deploy() {
    let server = Server::start(Sqlite).await;
    server.hold_deploys().await;
    let manager = server.person("mary", &server.acme, "manager").await;
    let mut admin = Stream::open(server.get("/events").without("x-reason")).await;
    let mut without = Stream::open(server.of(&manager.token, Method::GET, "/events")).await;
    for stream in [&mut admin, &mut without] {
        assert_eq!(stream.next().await.unwrap().name, "calls");
    }
    // What was before the first look at who follows is not told, and nobody tells when that was.
    let mut ids = Vec::new();
    let told = loop {
        assert!(ids.len() < 40, "no deployment is told");
        ids.push(Value::from(server.deployment_in(&server.acme).await));
        if let Ok(told) = tokio::time::timeout(Duration::from_secs(2), admin.next()).await {
            break told.unwrap();
        }
    };
    assert_eq!(told.name, "deployment");
    assert!(ids.contains(&told.data["data"]["id"]), "{told:?} of {ids:?}");
    let quiet = tokio::time::timeout(Duration::from_secs(1), without.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn o10_one_tenants_streams_take_no_place_of_anothers() {
    // Of one address there may be fewer, unless it speaks for many.
    let proxy = [("SWITCHYARD_HTTP_TRUSTED_PROXIES", "127.0.0.1")];
    let server = Server::with(Sqlite, &proxy).await;
    let follow = || server.get("/events").without("x-reason");
    // How many there may be is told by how many files the process may have open.
    let mut streams = Vec::new();
    let refused = loop {
        let stream = follow().open().await;
        if stream.status() != 200 {
            break stream.status();
        }
        streams.push(stream);
        assert!(streams.len() <= 256);
    };
    assert_eq!(refused, 429);
    assert_eq!(follow().send().await.code(), (429, "too_many_streams"));
    let other = follow().in_tenant(&server.globex).open().await;
    assert_eq!(other.status(), 200);
}
