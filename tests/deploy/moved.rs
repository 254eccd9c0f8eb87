//! A tenant that was given another PBX: served where it was until the other one serves it, and its calls are not cut.

use rstest::rstest;
use serde_json::json;
use switchyard::app::{deployments, instances, tenant_change};
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::tenant::SuspensionPolicy::BlockAll;

use super::domains::change;
use super::served::endpoints;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::suspended::{call_the_echo, domains_in_call, followed, set_policy, suspend};
use super::world::{Ended, TestTenant, World, ended, operator};

const GLOBEX: &str = "1001@globex.example.com";

/// Another instance of this host, which serves nothing.
pub async fn second(world: &World) -> InstanceId {
    let mut settings = world.pbx.private.settings().clone();
    settings.config_dir = "/nowhere/second".parse().unwrap();
    settings.ami_port = 1;
    let new = instances::NewInstance {
        name: "second".parse().unwrap(),
        node: "here".parse().unwrap(),
        settings: InstanceSettings::Asterisk(settings),
        secrets: InstanceSecrets::of_control(world.pbx.private.secret().clone()),
    };
    instances::create(&world.app, &operator(), new).await.unwrap().id
}

/// As its own host would note it: the second instance serves what the first one serves of a tenant.
pub async fn serves_too(world: &World, tenant: &TestTenant) {
    let domain = &tenant.domain;
    let noting = format!(
        "insert into served (instance_id, tenant_id, revision_id, secrets_version, service, fragments) \
         select i.id, s.tenant_id, s.revision_id, s.secrets_version, s.service, s.fragments \
         from served s join tenants t on t.id = s.tenant_id join instances i on i.name = 'second' \
         where t.domain = '{domain}'"
    );
    world.database.ask(noting).await;
}

/// Asks for the first instance to go back to what a deploy made live.
async fn back_to(world: &World, to: &Ended) -> Ended {
    let (platform, number) = (operator(), to.deployment.generation.unwrap());
    let back = deployments::roll_back_instance(&world.app, &platform, world.instance_id, number);
    ended(&world.app, &back.await.unwrap()).await
}

async fn resync_required(world: &World, tenant: &TestTenant) -> bool {
    let detail = tenant_change::show(&world.app, &operator(), tenant.id).await;
    detail.unwrap().whereabouts.resync_required()
}

fn served(world: &World) -> Vec<String> {
    endpoints(world).into_iter().collect()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c18_a_moved_tenant_is_served_where_it_was_until_the_other_instance_serves_it(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    let open = world.deploy_platform().await.expect(Live);
    call_the_echo(&world, "acme.example.com").await;
    let second = second(&world).await;
    assert!(!resync_required(&world, &acme).await);
    let (detail, warnings) = change(&world, &acme, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    assert!(detail.whereabouts.resync_required());
    assert!(warnings[0].contains("until second is proven to"), "{warnings:?}");

    let plan = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
    let codes = |findings: &[switchyard::domain::finding::Finding]| -> Vec<String> {
        findings.iter().map(|finding| finding.code.clone()).collect()
    };
    let plan = plan.unwrap();
    assert_eq!(codes(&plan.findings), ["awaits_other_instance"]);
    assert!(plan.unchanged);
    let waits = world.deploy_platform().await.expect(Unchanged);
    assert_eq!(waits.codes(), ["awaits_other_instance"]);
    assert!(world.registers(&acme, &ann));
    // Going back does not take it away either.
    back_to(&world, &open).await.expect(Unchanged);
    assert!(resync_required(&world, &acme).await);

    serves_too(&world, &acme).await;
    assert!(resync_required(&world, &acme).await, "two serve it");
    let plan = deployments::plan_instance(&world.app, &operator(), world.instance_id).await;
    assert_eq!(codes(&plan.unwrap().findings), ["moved_away"]);
    let moved = world.deploy_platform().await.expect(Live);
    assert!(moved.codes().contains(&"moved_away"), "{moved:?}");
    assert_eq!(served(&world), [GLOBEX]);
    assert!(!world.registers(&acme, &ann));
    assert!(
        domains_in_call(&world).contains("acme.example.com"),
        "its call goes on"
    );
    assert!(!resync_required(&world, &acme).await);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c18_a_tenant_between_two_instances_is_to_be_synchronised(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), (globex, _)] = world.acme_and_globex().await;
    world.deploy(&acme).await.expect(Live);
    let second = second(&world).await;
    for tenant in [&acme, &globex] {
        change(&world, tenant, json!({"pbx_instance_id": second}))
            .await
            .unwrap();
    }
    // Its PBX was taken away and the other one not deployed yet.
    world.database.sql("delete from served").await;
    assert!(resync_required(&world, &acme).await);
    assert!(!resync_required(&world, &globex).await, "it was never served");
}

/// A tenant that is served nowhere else neither comes back by a rollback nor by a deploy that was asked for before.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c18_a_moved_tenant_is_not_brought_back(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), (globex, gina)] = world.acme_and_globex().await;
    let open = world.deploy_platform().await.expect(Live);
    let second = second(&world).await;
    change(&world, &acme, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    serves_too(&world, &acme).await;
    world.deploy_platform().await.expect(Live);
    assert_eq!(served(&world), [GLOBEX]);

    let back = back_to(&world, &open).await;
    assert!(back.codes().contains(&"tenant_gone"), "{back:?}");
    assert_eq!(served(&world), [GLOBEX]);

    // Asked for while it was here, and carried out when it is not.
    world.patch(&globex, &gina, json!({"name": "Gina"})).await;
    let asked = world.request(&globex).await;
    change(&world, &globex, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    world.database.sql("delete from served").await;
    let late = ended(&world.app, &asked).await;
    assert!(late.codes().contains(&"tenant_elsewhere"), "{late:?}");
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o29_a_change_of_status_asks_the_instances_that_serve_the_tenant_only(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy(&acme).await.expect(Live);
    let second = second(&world).await;
    change(&world, &acme, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    for tenant in [&acme, &globex] {
        set_policy(&world, tenant, BlockAll).await;
    }
    let suspended = suspend(&world, &acme).await;
    // Found on the instance that serves it, and carried out there although it is assigned elsewhere.
    followed(&world, &suspended.deployments).await.expect(Live);
    assert_eq!(served(&world), [""; 0]);
    assert!(!world.registers(&acme, &ann));
    assert_eq!(suspend(&world, &globex).await.deployments, []);
    let asked = "select cast(count(*) as text) from deployments where scope = 'tenant_status'";
    assert_eq!(world.database.ask(asked.to_owned()).await, ["1"]);
}

/// It is blocked while the deploy that takes it off waits: its calls are not those of a tenant that only moved.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o29_calls_of_a_blocked_tenant_end_also_where_it_leaves_by_a_move(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    for domain in ["acme.example.com", "globex.example.com"] {
        call_the_echo(&world, domain).await;
    }
    let second = second(&world).await;
    change(&world, &acme, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    serves_too(&world, &acme).await;
    let asked = deployments::deploy_instance(&world.app, &operator(), world.instance_id).await;
    set_policy(&world, &acme, BlockAll).await;
    suspend(&world, &acme).await;
    let moved = ended(&world.app, &asked.unwrap()).await.expect(Live);
    assert!(moved.codes().contains(&"moved_away"), "{moved:?}");
    let last = moved.stages.last().unwrap();
    assert!(last.detail.contains("channels hung up"), "{last:?}");
    assert!(!world.registers(&acme, &ann));
    let in_call: Vec<_> = domains_in_call(&world).into_iter().collect();
    assert_eq!(in_call, ["globex.example.com"]);
}
