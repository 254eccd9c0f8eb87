//! Every change of the route table is made once: it leaves the very entry in the audit log that its row names.

use std::collections::BTreeMap;

use serde_json::json;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus;
use switchyard::domain::digest::Digest;
use switchyard::domain::generation::Generation;
use switchyard::domain::ids::{DeploymentId, GenerationId, RevisionId, SystemIds, TenantId};
use switchyard::http::routes::{Audits, Route, Shared, table};
use switchyard::store::{deployments, generations, instances, revisions, template_sets};

use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::Sqlite;

/// A request that changes something by this route. A new route belongs here.
async fn request<'a>(server: &'a Server, route: &Route<Shared>) -> Ask<'a> {
    let path = route.path().strip_prefix("/api/v1").unwrap();
    let with = |id: &str| server.ask(route.method().clone(), &path.replace("{id}", id));
    match (route.method().as_str(), path) {
        ("POST", "/extensions") => with("").json(&json!({"number": "2001", "name": "Ann"})),
        ("POST", "/extensions/import") => with("").json(&json!([{"number": "2002", "name": "Bob"}])),
        ("PATCH", "/extensions/{id}") => with(&server.extension("2003").await).json(&json!({"name": "Eve"})),
        ("DELETE", "/extensions/{id}") => with(&server.extension("2004").await),
        ("POST", "/extensions/{id}/reveal-secret") => with(&server.extension("2005").await),
        ("POST", "/extensions/{id}/rotate-secret") => with(&server.extension("2006").await),
        ("POST", "/config/deploy") => with(""),
        ("POST", "/config/deployments/{id}/rollback") => with(&went_live(server).await),
        (method, path) => panic!("{method} {path}: what is a request that changes something?"),
    }
}

/// A deployment of Acme that seems to have gone live, by the hand of another process.
async fn went_live(server: &Server) -> String {
    server.hold_deploys().await;
    let id = server.deployment_in(&server.acme).await;
    let (deployment, tenant): (DeploymentId, TenantId) = (id.parse().unwrap(), server.acme.parse().unwrap());
    let now = SystemClock.now();
    let mut tx = server.store.begin("test").await.unwrap();
    let instance = instances::list(&mut tx).await.unwrap()[0].id;
    let fresh = RevisionId::fresh(&SystemIds);
    let revision = revisions::take_head(&mut tx, tenant, fresh, now)
        .await
        .unwrap()
        .unwrap();
    let digest = Digest::of("none");
    template_sets::keep(&mut tx, digest, &BTreeMap::new(), now)
        .await
        .unwrap();
    let generation = Generation {
        id: GenerationId::fresh(&SystemIds),
        instance_id: instance,
        number: generations::next_number(&mut tx, instance).await.unwrap(),
        template_digest: digest,
        settings_revision: 1,
        tenants: BTreeMap::from([(tenant, revision)]),
        created_at: now,
    };
    generations::insert(&mut tx, &generation).await.unwrap();
    assert!(
        deployments::set_plan(&mut tx, deployment, Some(&generation), &[])
            .await
            .unwrap()
    );
    let ended = deployments::end(&mut tx, deployment, DeploymentStatus::Live, &[], now);
    assert!(ended.await.unwrap());
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn o61_each_change_of_the_table_leaves_the_entry_that_its_row_names() {
    let server = Server::start(Sqlite).await;
    let mut changes = 0;
    for route in table().iter().filter(|route| !route.method().is_safe()) {
        let ask = request(&server, route).await;
        let before = server.audit_actions().await;
        let answer = ask.send().await;
        assert!(
            (200..300).contains(&answer.status),
            "{}: {}",
            route.id(),
            answer.text
        );
        let after = server.audit_actions().await;
        let named: Vec<&str> = match route.audits() {
            Some(Audits::Entry(action)) => vec![action],
            Some(Audits::Nothing(_)) | None => vec![],
        };
        assert_eq!(
            after[before.len()..],
            named,
            "{} {}",
            route.method(),
            route.path()
        );
        changes += 1;
    }
    assert!(changes > 0);
}
