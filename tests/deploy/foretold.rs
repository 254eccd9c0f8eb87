//! A plan reads less than its deploy does, and tells the same.

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, extensions, instances};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::change::{Change, impersonal};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance::PbxKind;
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::tenant::SuspensionPolicy;
use switchyard::store::tenant_lifecycle;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::suspension::pause;
use super::world::{World, operator, with_mailbox};

/// More than are looked up one by one.
const MANY: usize = 70;

/// The changes that the plan of the platform tells, once its deploy was seen to do the same and to leave none.
async fn foretold(world: &World) -> Vec<Change> {
    let operator = operator();
    let look = async || {
        deployments::plan_instance(&world.app, &operator, world.instance_id)
            .await
            .unwrap()
    };
    let seen = look().await;
    assert!(!seen.unchanged && !seen.rejected, "{seen:#?}");
    let ended = world.deploy_platform().await.expect(Live);
    // The record says of what may be somebody's that it was changed, and not what it was.
    assert_eq!(impersonal(&seen.changes), ended.deployment.changes);
    let reload: Vec<&str> = ended.stages[0]
        .detail
        .split_once("files that differ: ")
        .unwrap()
        .1
        .split(", ")
        .filter(|name| *name != "none")
        .map(|name| {
            Artifact::of(PbxKind::Asterisk)
                .iter()
                .find(|file| file.as_str() == name)
                .unwrap()
        })
        .map(|file| file.module())
        .collect();
    assert_eq!(seen.reload, reload);
    let after = look().await;
    assert!(after.unchanged && after.changes.is_empty(), "{after:#?}");
    seen.changes
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn a10_a_plan_tells_what_its_deploy_then_does(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    let initech = world.tenant("initech").await;
    world.extension(&initech, with_mailbox("1001", "Ian")).await;
    // Nothing is live, and nothing can be left aside.
    assert_eq!(foretold(&world).await.len(), 6);

    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    assert_eq!(foretold(&world).await.len(), 1);

    extensions::rotate_secret(&world.app, &globex.caller, gina.extension.id, &IfMatch::Any)
        .await
        .unwrap();
    let mut tx = world.store.begin("suspend").await.unwrap();
    let now = SystemClock.now();
    assert!(
        tenant_lifecycle::suspend(&mut tx, acme.id, &pause(now))
            .await
            .unwrap()
    );
    // Whose policy it is that its phones are refused.
    tenant_lifecycle::set_policy(&mut tx, acme.id, SuspensionPolicy::BlockAll)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let changes = foretold(&world).await;
    let concerned: Vec<_> = changes.iter().map(|change| change.tenant_id).collect();
    assert_eq!(concerned, [Some(acme.id), Some(globex.id)]);

    // One that is served and belongs elsewhere now, where it is served too, and one that is not served yet.
    let mut settings = world.pbx.private.settings().clone();
    settings.config_dir = "/nonexistent/other".parse().unwrap();
    let other = instances::NewInstance {
        name: "other".parse().unwrap(),
        node: "elsewhere".parse().unwrap(),
        settings: InstanceSettings::Asterisk(settings),
        secrets: InstanceSecrets::of_control(world.pbx.private.secret().clone()),
    };
    instances::create(&world.app, &operator(), other).await.unwrap();
    let leave = "update tenants set instance_id = (select id from instances where name = 'other') \
        where domain = 'initech.example.com'";
    world.database.sql(leave).await;
    // Its new instance serves it, so that it may go from here.
    let arrive = "insert into served (instance_id, tenant_id, revision_id, secrets_version, service, fragments) \
        select t.instance_id, s.tenant_id, s.revision_id, s.secrets_version, s.service, s.fragments \
        from served s join tenants t on t.id = s.tenant_id where t.domain = 'initech.example.com'";
    world.database.sql(arrive).await;
    let umbrella = world.tenant("umbrella").await;
    world.extension(&umbrella, with_mailbox("1001", "Ute")).await;
    assert_eq!(foretold(&world).await.len(), 4);

    world.override_template("asterisk/pjsip.conf", |text| format!("{text}\n; another set\n"));
    foretold(&world).await;
    world
        .change_settings(|settings| settings.emergency_numbers = vec!["112".parse().unwrap()])
        .await;
    foretold(&world).await;

    for one in 0..MANY {
        world.tenant(&format!("many{one}")).await;
    }
    assert_eq!(foretold(&world).await.len(), MANY);
}
