//! Whose button moves what: nobody's unfinished edit goes live by somebody else's deploy.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};
use switchyard::domain::deployment::Scope;

use super::served::{caller_id, endpoints};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Ended, TestTenant, World, ended, with_mailbox};

const ACME: &str = "1001@acme.example.com";
const GLOBEX: &str = "1001@globex.example.com";

fn name(world: &World, endpoint: &str) -> String {
    caller_id(world, endpoint).unwrap_or_default()
}

/// The objects that a record names.
fn objects(ended: &Ended) -> Vec<String> {
    ended
        .deployment
        .changes
        .iter()
        .map(|change| change.object.clone())
        .collect()
}

/// The revision that a request is for.
fn revision(deployment: &switchyard::domain::deployment::Deployment) -> String {
    match deployment.scope {
        Scope::Tenant { revision_id, .. }
        | Scope::TenantRollback { revision_id, .. }
        | Scope::TenantStatus { revision_id, .. } => revision_id.to_string(),
        Scope::Platform | Scope::PlatformRollback { .. } => panic!("a platform deploy is for no revision"),
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_an_unfinished_edit_stays_out_of_another_tenants_deploy(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    // Before the first platform deploy too: acme's own button serves acme alone.
    world.deploy(&acme).await.expect(Live);
    assert_eq!(endpoints(&world).into_iter().collect::<Vec<_>>(), [ACME]);
    world.deploy(&globex).await.expect(Live);

    world.patch(&acme, &ann, json!({"name": "Unfinished"})).await;
    world.extension(&acme, with_mailbox("1002", "Half")).await;
    world.patch(&globex, &gina, json!({"name": "Done"})).await;
    let theirs = world.deploy(&globex).await.expect(Live);
    assert_eq!(objects(&theirs), ["extension 1001"]);
    assert!(
        theirs
            .deployment
            .changes
            .iter()
            .all(|change| change.tenant_id == Some(globex.id))
    );
    assert_eq!(
        (name(&world, ACME), name(&world, GLOBEX)),
        ("\"acme\" <1001>".into(), "\"Done\" <1001>".into())
    );
    assert!(!endpoints(&world).contains("1002@acme.example.com"));

    // What is pending shows in the plan, and is still there for acme's own button.
    let plan = deployments::plan(&world.app, &acme.caller).await.unwrap();
    let pending: Vec<&str> = plan.changes.iter().map(|change| change.object.as_str()).collect();
    assert_eq!(pending, ["extension 1001", "extension 1002"]);
    world.deploy(&acme).await.expect(Live);
    assert_eq!(name(&world, ACME), "\"Unfinished\" <1001>");
    assert!(endpoints(&world).contains("1002@acme.example.com"));
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_templates_and_settings_move_with_the_platforms_deploy_only(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    let text = |world: &World| world.files().into_values().map(|file| file.2).collect::<String>();
    let template = "asterisk/pjsip.conf";

    // An instance's first deploy takes the templates of now, whoever's it is.
    world.override_template(template, |text| {
        text.replace("direct_media=no", "direct_media=no\n; first set")
    });
    world.deploy(&acme).await.expect(Live);
    assert!(text(&world).contains("; first set"));

    world.override_template(template, |text| {
        text.replace("direct_media=no", "direct_media=no\n; second set")
    });
    world
        .change_settings(|settings| settings.emergency_numbers = vec!["115".parse().unwrap()])
        .await;
    world.deploy(&acme).await.expect(Unchanged);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let own = world.deploy(&acme).await.expect(Live);
    world.deploy(&globex).await.expect(Live);
    assert_eq!(objects(&own), ["extension 1001"]);
    assert!(text(&world).contains("; first set") && !text(&world).contains("; second set"));

    let platform = world.deploy_platform().await.expect(Live);
    assert_eq!(objects(&platform), ["templates", "settings"]);
    assert!(!text(&world).contains("; first set"));
    assert_eq!(text(&world).matches("; second set").count(), 2);
    world.deploy_platform().await.expect(Unchanged);
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_request_takes_its_revision_when_it_is_accepted(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);

    world.patch(&acme, &ann, json!({"name": "Asked for"})).await;
    let asked = world.request(&acme).await;
    let again = world.request(&acme).await;
    assert_eq!(
        revision(&asked),
        revision(&again),
        "an equal head is the same revision"
    );
    world.patch(&acme, &ann, json!({"name": "Too late"})).await;
    ended(&world.app, &again).await.expect(Live);
    assert_eq!(name(&world, ACME), "\"Asked for\" <1001>");

    let late = world.request(&acme).await;
    assert_ne!(revision(&late), revision(&asked));
    ended(&world.app, &late).await.expect(Live);
    assert_eq!(name(&world, ACME), "\"Too late\" <1001>");
    // Back to what it was, byte for byte: the former revision, not a third one.
    world.patch(&acme, &ann, json!({"name": "Asked for"})).await;
    let back = world.request(&acme).await;
    assert_eq!(revision(&back), revision(&asked));
    ended(&world.app, &back).await.expect(Live);
    assert_is_named(&world, &acme, "Asked for").await;
}

/// What Asterisk says about another tenant is not in a tenant's record.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c02_a_tenants_record_names_no_other_tenant(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    // The operator's own file, which Asterisk complains about in every reload.
    let own = world.pbx.home().join("etc/pjsip.conf");
    let text = std::fs::read_to_string(&own).unwrap();
    std::fs::write(
        &own,
        format!("{text}\n[9@globex.example.com]\ntype=endpoint\nfrobnicate=yes\n"),
    )
    .unwrap();

    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    let ended = world.deploy(&acme).await.expect(Live);
    assert!(ended.codes().contains(&"asterisk_complained"), "{ended:#?}");
    let record = format!("{ended:?}");
    assert!(
        !record.contains("globex") && record.contains("another part of the PBX"),
        "{record}"
    );

    // The operator sees all of it.
    world.override_template("asterisk/pjsip.conf", |text| format!("{text}\n; another\n"));
    assert!(
        world
            .deploy_platform()
            .await
            .expect(Live)
            .quotes("9@globex.example.com")
    );
}

async fn assert_is_named(world: &World, tenant: &TestTenant, expected: &str) {
    assert_eq!(name(world, ACME), format!("\"{expected}\" <1001>"));
    assert!(world.is_verified(tenant).await);
}
