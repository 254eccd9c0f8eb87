//! `GET /events`: calls, phones and deployments as they happen.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::live_calls::call;
use super::people::PASSWORD;
use super::server::Server;
use super::sse::{Event, Stream};
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
async fn o10_who_comes_again_hears_that_calls_are_known_otherwise_by_now_and_nothing_where_they_are_not() {
    let server = Server::start(Sqlite).await;
    let pbx = server.listened_to().await;
    server.report(pbx, &[]);
    let again = |seen: &str| {
        let ask = server.get("/events").without("x-reason");
        Stream::open(ask.with("last-event-id", seen))
    };
    let freshness = |event: &Event| (event.name.clone(), event.data["stale"].clone());
    let stale = ("freshness".to_owned(), json!(true));
    let known = ("freshness".to_owned(), json!(false));

    let mut stream = Stream::open(server.get("/events").without("x-reason")).await;
    let calls = stream.next().await.unwrap();
    assert_eq!(
        (calls.name.as_str(), &calls.data["meta"]["stale"]),
        ("calls", &json!(false))
    );
    drop(stream);
    server.lose_link(pbx);
    let mut stream = again(&calls.id).await;
    let lost = stream.next().await.unwrap();
    assert_eq!(freshness(&lost), stale);
    drop(stream);

    // They are known again, and a call has begun.
    server.report(pbx, &[call(pbx, "1", &server.acme, &[])]);
    let mut stream = again(&lost.id).await;
    let began = stream.next().await.unwrap();
    assert_eq!(began.name, "call.began", "no sooner are they known");
    let found = stream.next().await.unwrap();
    assert_eq!(freshness(&found), known);
    drop(stream);

    // Lost and found while nobody looked.
    server.lose_link(pbx);
    server.report(pbx, &[call(pbx, "2", &server.acme, &[])]);
    let mut stream = again(&found.id).await;
    let began = stream.next().await.unwrap();
    assert_eq!(began.name, "call.began");
    drop(stream);

    // Begun, and then lost: that comes first, for the call may be over.
    server.report(pbx, &[call(pbx, "3", &server.acme, &[])]);
    server.lose_link(pbx);
    let mut stream = again(&began.id).await;
    assert_eq!(freshness(&stream.next().await.unwrap()), stale);
    assert_eq!(stream.next().await.unwrap().name, "call.began");
    server.report(pbx, &[]);
    assert_eq!(
        freshness(&stream.next().await.unwrap()),
        known,
        "each is told once"
    );
}

#[rstest]
#[tokio::test]
async fn o10_who_comes_again_and_may_see_other_calls_by_now_begins_anew(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let pbx = server.listened_to().await;
    let [ann, bob] = [server.extension("1001").await, server.extension("1002").await];
    let [anns, bobs] = [("1", &ann), ("2", &bob)].map(|(link, id)| call(pbx, link, &server.acme, &[id]));
    server.report(pbx, &[anns.clone(), bobs.clone()]);
    let agent = server.with_phone("ann", "agent", &ann).await;
    let again = |token: &str, seen: &str| {
        Stream::open(
            server
                .of(token, Method::GET, "/events")
                .with("last-event-id", seen),
        )
    };
    let ids = |calls: &Event| {
        assert_eq!(calls.name, "calls");
        let calls = calls.data["data"].as_array().unwrap().iter();
        let mut ids: Vec<String> = calls
            .map(|call| call["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort_unstable();
        ids
    };
    let begins_anew = async |token: &str, seen: &str| {
        let mut stream = again(token, seen).await;
        let missed = stream.next().await.unwrap();
        assert_eq!(
            (missed.name.as_str(), missed.data),
            ("missed", json!({"missed": null}))
        );
        // Whose connection broke between the two has not seen the calls.
        let mut between = again(token, &missed.id).await;
        assert_eq!(between.next().await.unwrap().name, "missed");
        stream.next().await.unwrap()
    };
    let mut stream = Stream::open(server.of(&agent.token, Method::GET, "/events")).await;
    let first = stream.next().await.unwrap();
    assert_eq!(ids(&first), [anns.id.to_string()]);
    drop(stream);

    let path = format!("/org-users/{}", agent.id);
    let change = async |what: &str, body: Value| {
        let changed = server.ask(Method::PUT, &format!("{path}/{what}")).json(&body);
        assert_eq!(changed.send().await.status, 200);
    };
    change("extension", json!({"extension_id": bob})).await;
    let other = begins_anew(&agent.token, &first.id).await;
    assert_eq!(ids(&other), [bobs.id.to_string()]);

    // With another role somebody signs in again, and their browser comes again with what it saw.
    let token = async || {
        let answer = server.sign_in(&agent.email, PASSWORD).await;
        answer.body["token"].as_str().unwrap().to_owned()
    };
    change("role", json!({"role": "manager"})).await;
    let manager = token().await;
    let all = begins_anew(&manager, &other.id).await;
    let mut both = [&anns, &bobs].map(|call| call.id.to_string());
    both.sort_unstable();
    assert_eq!(ids(&all), both);
    change("role", json!({"role": "agent"})).await;
    let narrowed = token().await;
    let own = begins_anew(&narrowed, &all.id).await;
    assert_eq!(ids(&own), [bobs.id.to_string()]);

    // Who sees the same goes on.
    server.report_also(pbx, &[], &[&bobs]);
    let mut stream = again(&narrowed, &own.id).await;
    assert_eq!(stream.next().await.unwrap().name, "call.ended");
}

#[tokio::test]
async fn o10_phones_that_sign_in_and_out_are_told_to_who_sees_all_and_to_whose_extension_they_are_of() {
    let server = Server::start(Sqlite).await;
    let pbx = server.listened_to().await;
    let [ann, bob] = [server.extension("1001").await, server.extension("1002").await];
    server.report(pbx, &[]);
    let agents = [
        server.with_phone("ann", "agent", &ann).await,
        server.with_phone("bob", "agent", &bob).await,
        server.person("zoe", &server.acme, "agent").await,
    ];
    let mut streams = vec![Stream::open(server.get("/events").without("x-reason")).await];
    for agent in &agents {
        streams.push(Stream::open(server.of(&agent.token, Method::GET, "/events")).await);
    }
    let mut elsewhere = Stream::open(
        server
            .get("/events")
            .without("x-reason")
            .in_tenant(&server.globex),
    )
    .await;
    for stream in streams.iter_mut().chain([&mut elsewhere]) {
        assert_eq!(stream.next().await.unwrap().name, "calls");
    }
    server.report_phones(pbx, "1001", Some(&ann), 2);
    server.report_phones(pbx, "1002", Some(&bob), 1);
    // Of a number that is no extension any more.
    server.report_phones(pbx, "1003", None, 1);
    server.report_phones(pbx, "1001", Some(&ann), 0);
    let phones = |number: &str, extension: Option<&String>, contacts: usize| {
        let data = json!({"extension_id": extension, "number": number, "contacts": contacts});
        ("phones".to_owned(), data)
    };
    let [came, left] = [2, 0].map(|contacts| phones("1001", Some(&ann), contacts));
    let (bobs, nobodys) = (phones("1002", Some(&bob), 1), phones("1003", None, 1));
    let expected = [
        vec![came.clone(), bobs.clone(), nobodys, left.clone()],
        vec![came, left],
        vec![bobs],
        Vec::new(),
    ];
    // Which all of them hear of, after what they are to hear.
    server.lose_link(pbx);
    for (stream, expected) in streams.iter_mut().zip(expected) {
        let mut told = Vec::new();
        loop {
            let event = stream.next().await.unwrap();
            if event.name == "freshness" {
                break;
            }
            told.push((event.name, event.data));
        }
        assert_eq!(told, expected);
    }
    assert_eq!(
        elsewhere.next().await.unwrap().name,
        "freshness",
        "they are another tenant's"
    );
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
