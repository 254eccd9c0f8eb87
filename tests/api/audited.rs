//! Every route that changes something writes the one audit entry that its row of the table names, whichever routes there
//! are.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::{DeploymentStatus, Scope};
use switchyard::domain::digest::Digest;
use switchyard::domain::generation::Generation;
use switchyard::domain::ids::{GenerationId, SystemIds};
use switchyard::http::routes::{Audits, Route, Shared, table};
use switchyard::store::{deployments, generations, template_sets};

use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::{audited_people, audited_platform, audited_users};

/// Requests by which a route changes something, one for each action that its row names. A new route belongs here.
pub async fn changes<'a>(server: &'a Server, route: &Route<Shared>) -> Vec<Ask<'a>> {
    let (method, path) = (route.method(), route.path().strip_prefix("/api/v1").unwrap());
    if let Some(changes) = audited_users::changes(server, method, path).await {
        return changes;
    }
    if let Some(change) = audited_people::change(server, method, path).await {
        return vec![change];
    }
    if let Some(changes) = audited_platform::changes(server, method, path).await {
        return changes;
    }
    let id = match path {
        path if path.starts_with("/extensions/{id}") => server.extension("1001").await,
        path if path.starts_with("/recordings/{id}") => {
            server.recording(&server.acme, "acme.example.com/1.0.wav").await
        }
        path if path.starts_with("/calls/active/{id}") => server.call_that_is_up().await,
        path if path.starts_with("/config/deployments/{id}") => live_deployment(server).await,
        _ => String::new(),
    };
    let ask = server.ask(method.clone(), &path.replace("{id}", &id));
    let change = match (method.as_str(), path) {
        ("POST", "/extensions") => ask.json(&json!({"number": "1002", "name": "Bob"})),
        ("POST", "/extensions/import") => {
            ask.json(&json!([{"number": "1003", "name": "Eve"}, {"number": "1004", "name": "Zoë"}]))
        }
        ("PATCH", "/extensions/{id}") => {
            ask.json(&json!({"name": "Ann", "voicemail": {"pin": "5544332211"}}))
        }
        ("POST", "/calls") => {
            let extension = server.extension("1001").await;
            let agent = server.agent_at("clara", &extension).await;
            server
                .of(&agent, method.clone(), path)
                .json(&json!({"to": "1002"}))
        }
        ("DELETE", "/recordings/{id}" | "/calls/active/{id}" | "/extensions/{id}")
        | (
            "POST",
            "/extensions/{id}/reveal-secret"
            | "/extensions/{id}/rotate-secret"
            | "/config/deploy"
            | "/config/deployments/{id}/rollback",
        ) => ask,
        _ => panic!("{method} {path}: how is it asked so that it changes something?"),
    };
    vec![change]
}

/// A deployment of Acme that went live, as far as the database tells.
async fn live_deployment(server: &Server) -> String {
    let id = server.deployment_in(&server.acme).await;
    let now = SystemClock.now();
    let mut tx = server.store.begin("live").await.unwrap();
    let found = deployments::find_anywhere(&mut tx, id.parse().unwrap()).await;
    let deployment = found.unwrap().unwrap();
    let Scope::Tenant {
        tenant_id,
        revision_id,
    } = deployment.scope
    else {
        panic!("{:?}", deployment.scope);
    };
    let digest = Digest::of("templates");
    template_sets::keep(&mut tx, digest, &[("x".into(), "x".into())].into(), now)
        .await
        .unwrap();
    let generation = Generation {
        id: GenerationId::fresh(&SystemIds),
        instance_id: deployment.instance_id,
        number: generations::next_number(&mut tx, deployment.instance_id)
            .await
            .unwrap(),
        template_digest: digest,
        settings_revision: 1,
        tenants: [(tenant_id, revision_id)].into(),
        created_at: now,
        marker_salt: 0,
    };
    generations::insert(&mut tx, &generation).await.unwrap();
    deployments::set_plan(&mut tx, deployment.id, Some(&generation), &[])
        .await
        .unwrap();
    deployments::end(&mut tx, deployment.id, DeploymentStatus::Live, &[], now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

/// How many tests the routes are shared among.
const PARTS: usize = 6;

/// The action of every entry there is, whoever wrote it, oldest first. What came of an export or an erasure is noted after its
/// answer.
async fn entries(server: &Server) -> Vec<String> {
    let all = "select action from audit_entries where action not in ('data.export_end', 'data.erasure_end') order by number";
    server.database.ask(all.to_owned()).await
}

#[rstest]
#[tokio::test]
async fn o61_every_route_that_changes_something_writes_exactly_the_entry_that_its_row_names(
    #[values(Sqlite, Postgres)] backend: Backend,
    // Each route has a server of its own: all of them in one test would take longer than one may.
    #[values(0, 1, 2, 3, 4, 5)] part: usize,
) {
    let mut asked = BTreeSet::new();
    let routes = table();
    let changing = routes.iter().filter(|route| !route.method().is_safe());
    for route in changing.skip(part).step_by(PARTS) {
        // Without a mail server nobody can be sent a link.
        let server = match route.path().rsplit('/').next().unwrap() {
            "password-reset" => Server::with_mail(backend).await,
            "user-login" => Server::believing(backend).await,
            _ => Server::start(backend).await,
        };
        server.hold_deploys().await;
        let asks = changes(&server, route).await;
        let named = match route.audits() {
            Some(Audits::Entry(actions)) => actions,
            Some(Audits::Nothing(_)) => &[],
            None => panic!("{}: what does it leave in the audit log?", route.id()),
        };
        assert_eq!(asks.len(), named.len().max(1), "{}", route.id());
        let before = entries(&server).await.len();
        for ask in asks {
            let answer = ask.send().await;
            // There is no PBX that could be asked; that it was to be asked is told before.
            let asks_a_pbx = answer.body["code"] == "pbx_unreachable";
            assert!(
                (200..300).contains(&answer.status) || asks_a_pbx,
                "{}: {}",
                route.id(),
                answer.text
            );
        }
        // Whoever has forgotten a password is answered first.
        let deadline = Instant::now() + Duration::from_secs(30);
        while entries(&server).await.len() < before + named.len() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(entries(&server).await[before..], *named, "{}", route.id());
        server.end().await;
        asked.insert(route.id());
    }
    assert!(asked.len() >= 6, "{asked:?}");
}
