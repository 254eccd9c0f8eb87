//! Every route that changes something writes exactly one audit entry, whichever routes there are.

use std::collections::BTreeSet;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::{DeploymentStatus, Scope};
use switchyard::domain::digest::Digest;
use switchyard::domain::generation::Generation;
use switchyard::domain::ids::{GenerationId, SystemIds};
use switchyard::http::routes::{Route, Shared, table};
use switchyard::store::{deployments, generations, template_sets};

use super::audited_users;
use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// Shows the rights of now, and lengthens nothing.
const CHANGES_NOTHING: &str = "/api/v1/auth/refresh";

/// How a route is asked so that it changes something, and what the entry of that says. A new route belongs here.
async fn change<'a>(server: &'a Server, method: &Method, path: &str) -> (Ask<'a>, &'static str) {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    if let Some(change) = audited_users::change(server, method, path).await {
        return change;
    }
    let known = [
        (Method::POST, "/extensions", "extension.create"),
        (Method::POST, "/extensions/import", "extension.import"),
        (Method::PATCH, "/extensions/{id}", "extension.change"),
        (Method::DELETE, "/extensions/{id}", "extension.delete"),
        (
            Method::POST,
            "/extensions/{id}/reveal-secret",
            "extension.reveal_secret",
        ),
        (
            Method::POST,
            "/extensions/{id}/rotate-secret",
            "extension.rotate_secret",
        ),
        (Method::POST, "/config/deploy", "config.deploy"),
        (
            Method::POST,
            "/config/deployments/{id}/rollback",
            "config.rollback",
        ),
    ];
    let found = known.iter().find(|(of, at, _)| (of, *at) == (method, path));
    let Some((_, _, action)) = found else {
        panic!("{method} {path}: how is it asked so that it changes something?");
    };
    let id = match path {
        path if path.starts_with("/extensions/{id}") => server.extension("1001").await,
        path if path.starts_with("/config/deployments/{id}") => live_deployment(server).await,
        _ => String::new(),
    };
    let ask = server.ask(method.clone(), &path.replace("{id}", &id));
    let body = match *action {
        "extension.create" => Some(json!({"number": "1002", "name": "Bob"})),
        "extension.import" => {
            Some(json!([{"number": "1003", "name": "Eve"}, {"number": "1004", "name": "Zoë"}]))
        }
        "extension.change" => Some(json!({"name": "Ann", "voicemail": {"pin": "5544332211"}})),
        _ => None,
    };
    (body.iter().fold(ask, Ask::json), action)
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

/// Every entry there is, whoever wrote it, with the newest one's action.
async fn entries(server: &Server) -> (usize, String) {
    let all = server
        .database
        .ask("select action from audit_entries order by number desc".into())
        .await;
    (all.len(), all[0].clone())
}

#[rstest]
#[tokio::test]
async fn o61_every_route_that_changes_something_writes_exactly_one_entry(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut asked = BTreeSet::new();
    let changes = |route: &&Route<Shared>| !route.method().is_safe() && route.path() != CHANGES_NOTHING;
    for route in table().iter().filter(changes) {
        let server = Server::start(backend).await;
        server.hold_deploys().await;
        let (ask, action) = change(&server, route.method(), route.path()).await;
        let (before, _) = entries(&server).await;
        let answer = ask.send().await;
        let what = format!("{} {}: {}", route.method(), route.path(), answer.text);
        assert!((200..300).contains(&answer.status), "{what}");
        assert_eq!(entries(&server).await, (before + 1, action.to_owned()), "{what}");
        asked.insert(format!("{} {}", route.method(), route.path()));
    }
    assert!(asked.len() >= 24, "{asked:?}");
}
