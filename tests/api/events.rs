//! `GET /config/deployments/{id}/events`: a deployment's progress, whichever process works on it.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::{DeploymentStatus, Stage, StageResult};
use switchyard::domain::ids::DeploymentId;
use switchyard::store::{deployments, stages};

use super::client::Ask;
use super::server::Server;
use super::sse::{Event, Stream};
use super::support::database::Backend::{self, Postgres, Sqlite};

/// As many as a tenant may have open.
const MOST: usize = 16;

fn path(id: &str) -> String {
    format!("/config/deployments/{id}/events")
}

/// A step that another process takes.
enum Step {
    Begin(Stage, DeploymentStatus),
    End(Stage),
    Done(DeploymentStatus),
}

async fn take(server: &Server, id: &str, step: Step) {
    let id: DeploymentId = id.parse().unwrap();
    let now = SystemClock.now();
    let mut tx = server.store.begin("test").await.unwrap();
    match step {
        Step::Begin(stage, status) => {
            assert!(deployments::set_status(&mut tx, id, status).await.unwrap());
            stages::begin(&mut tx, id, stage, now).await.unwrap();
        }
        Step::End(stage) => {
            let ended = stages::end(&mut tx, id, stage, StageResult::Ok, "done", now);
            assert!(ended.await.unwrap());
        }
        Step::Done(status) => {
            assert!(deployments::end(&mut tx, id, status, &[], now).await.unwrap());
        }
    }
    tx.commit().await.unwrap();
}

async fn shown(server: &Server, id: &str) -> serde_json::Value {
    server.get(&format!("/config/deployments/{id}")).send().await.body
}

fn follow<'a>(server: &'a Server, id: &str) -> Ask<'a> {
    server.get(&path(id)).without("x-reason")
}

#[rstest]
#[tokio::test]
async fn a42_each_step_is_told_once_and_the_stream_ends_with_the_deploy(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let id = server.deployment_in(&server.acme).await;
    let mut stream = Stream::open(follow(&server, &id)).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first.data, shown(&server, &id).await, "as it stands");
    let mut ids = vec![first.id];
    for step in [
        Step::Begin(Stage::Planning, DeploymentStatus::Planning),
        Step::End(Stage::Planning),
        Step::Begin(Stage::Applying, DeploymentStatus::Applying),
        Step::End(Stage::Applying),
        Step::Done(DeploymentStatus::Live),
    ] {
        take(&server, &id, step).await;
        let event = stream.next().await.unwrap();
        assert_eq!(event.data, shown(&server, &id).await);
        assert!(!ids.contains(&event.id), "{} twice", event.id);
        ids.push(event.id);
    }
    assert_eq!(stream.next().await, None);
    // Whoever comes later sees the end alone.
    let late = Stream::open(follow(&server, &id)).await.rest().await;
    let end = Event {
        id: ids.pop().unwrap(),
        name: String::new(),
        data: shown(&server, &id).await,
    };
    assert_eq!(late, [end]);
}

#[rstest]
#[tokio::test]
async fn a10_a_real_deploy_is_followed_to_its_end(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    let id = server.deployment_in(&server.acme).await;
    let events = Stream::open(follow(&server, &id)).await.rest().await;
    let last = events.last().unwrap();
    assert_eq!(last.data["data"]["status"], "failed");
    assert_eq!(last.data, shown(&server, &id).await);
    let seen: Vec<usize> = events
        .iter()
        .map(|event| event.data["data"]["stages"].as_array().unwrap().len())
        .collect();
    assert!(seen.is_sorted(), "{seen:?}");
}

#[rstest]
#[tokio::test]
async fn what_was_seen_is_not_told_again(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let id = server.deployment_in(&server.acme).await;
    let first = Stream::open(follow(&server, &id)).await.next().await.unwrap();
    let again = |seen: &str| follow(&server, &id).with("last-event-id", seen);
    let mut stream = Stream::open(again(&first.id)).await;
    let quiet = tokio::time::timeout(Duration::from_secs(1), stream.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    take(
        &server,
        &id,
        Step::Begin(Stage::Planning, DeploymentStatus::Planning),
    )
    .await;
    let second = stream.next().await.unwrap();
    assert_eq!(second.data, shown(&server, &id).await);
    // Something else happened since, or it never was an id of ours.
    for seen in [first.id.as_str(), "x", "", "queued-0-0, x", "é"] {
        let event = Stream::open(again(seen)).await.next().await.unwrap();
        assert_eq!(event, second, "{seen}");
    }
    take(&server, &id, Step::End(Stage::Planning)).await;
    take(&server, &id, Step::Done(DeploymentStatus::Rejected)).await;
    let end = Stream::open(again(&second.id)).await.rest().await;
    assert_eq!(end.len(), 1);
    // So a browser comes no more.
    let nothing = again(&end[0].id).send().await;
    assert_eq!(nothing.status, 204);
}

/// The deployment stays, so that it is the caller's standing alone that ends the stream.
#[rstest]
#[case(
    Sqlite,
    "pragma foreign_keys = off; delete from tenants where domain = 'acme.example.com'"
)]
#[case(
    Postgres,
    "set session_replication_role = replica; delete from tenants where domain = 'acme.example.com'"
)]
#[tokio::test]
async fn a_caller_who_would_be_refused_hears_nothing_more(
    #[case] backend: Backend,
    #[case] gone: &'static str,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let id = server.deployment_in(&server.acme).await;
    let mut stream = Stream::open(follow(&server, &id)).await;
    stream.next().await.unwrap();
    // Its operator may still look.
    server.suspend(&server.acme).await;
    take(
        &server,
        &id,
        Step::Begin(Stage::Planning, DeploymentStatus::Planning),
    )
    .await;
    stream.next().await.unwrap();
    server.database.sql(gone).await;
    assert_eq!(stream.next().await, None);
    let left = server
        .database
        .ask("select status from deployments".to_owned())
        .await;
    assert_eq!(left, ["planning"]);
}

/// A step comes while the stream waits for one: it is not sent to somebody who has no rights any more.
#[rstest]
#[case::tenant_suspended("/platform/tenants/{tenant}/suspend")]
#[case::user_suspended("/org-users/{user}/suspend")]
#[case::signed_out("/auth/logout")]
#[tokio::test]
async fn o29_a_stream_of_the_tenants_own_user_sends_no_step_once_they_are_out(
    #[case] cause: &str,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let id = server.deployment_in(&server.acme).await;
    let ann = server.person("ann", &server.acme, "admin").await;
    let ask = server.of(&ann.token, Method::GET, &path(&id));
    let mut stream = Stream::open(ask.without("x-reason")).await;
    stream.next().await.unwrap();
    let cause = cause.replace("{tenant}", &server.acme).replace("{user}", &ann.id);
    let out = match cause.as_str() {
        "/auth/logout" => server.of(&ann.token, Method::POST, &cause),
        path if path.starts_with("/platform") => {
            let suspension = server.platform(Method::POST, path);
            suspension.json(&serde_json::json!({"category": "pause"}))
        }
        path => server.ask(Method::POST, path),
    };
    let out = out.send().await;
    assert!(out.status < 300, "{}", out.text);
    take(
        &server,
        &id,
        Step::Begin(Stage::Planning, DeploymentStatus::Planning),
    )
    .await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_tenant_has_so_many_streams_and_whoever_goes_away_makes_room() {
    let server = Server::start(Sqlite).await;
    server.hold_deploys().await;
    let id = server.deployment_in(&server.acme).await;
    let mut streams = Vec::new();
    for _ in 0..MOST {
        streams.push(Stream::open(follow(&server, &id)).await);
    }
    let refused = follow(&server, &id).send().await;
    assert_eq!(refused.code(), (429, "too_many_streams"));
    let theirs = server.deployment_in(&server.globex).await;
    let theirs = follow(&server, &theirs).in_tenant(&server.globex);
    assert!(Stream::open(theirs).await.next().await.is_some());
    drop(streams);
    for _ in 0..MOST {
        let mut attempts = 0;
        while follow(&server, &id).open().await.status() == 429 {
            attempts += 1;
            assert!(attempts < 200, "nobody has noticed that they went away");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn those_who_wait_take_places_as_well_and_one_too_many_does_not_wait() {
    let server = Server::start(Sqlite).await;
    server.hold_deploys().await;
    let id = server.deployment_in(&server.acme).await;
    let wait = || server.ask(Method::POST, "/config/deploy?wait=true");
    let mut streams = Vec::new();
    for _ in 0..MOST - 1 {
        streams.push(Stream::open(follow(&server, &id)).await);
    }
    let waiting = wait().send();
    tokio::pin!(waiting);
    let held = tokio::time::timeout(Duration::from_millis(500), waiting.as_mut()).await;
    assert!(held.is_err(), "there is a place for it");
    assert_eq!(follow(&server, &id).send().await.status, 429);
    let at_once = tokio::time::timeout(Duration::from_secs(20), wait().send()).await;
    assert_eq!(at_once.unwrap().data(202)["status"], "queued");
}

#[rstest]
#[case("?x", 422)]
#[case("?wait=true", 422)]
#[tokio::test]
async fn a_parameter_that_nobody_knows_is_refused(#[case] query: &str, #[case] status: u16) {
    let server = Server::start(Sqlite).await;
    let id = server.deployment_in(&server.acme).await;
    let refused = server.get(&format!("{}{query}", path(&id))).send().await;
    assert_eq!(refused.status, status);
    for method in [Method::POST, Method::DELETE] {
        let refused = server.ask(method, &path(&id)).send().await;
        assert_eq!(refused.code(), (405, "method_not_allowed"));
    }
}
