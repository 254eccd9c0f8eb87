//! Domains that tenants had before: kept for them, for their time, and never served as two tenants'.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::tenant_change::{self, TenantDetail, TenantPatch};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::deployment::DeploymentStatus::{Live, Partial, Rejected, Unchanged};
use switchyard::store::domains;

use super::drivers::Drivers;
use super::served::endpoints;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{TestTenant, World, ended, operator, upkeep};

const NEW: &str = "acme-two.example.com";

pub async fn change(
    world: &World,
    tenant: &TestTenant,
    patch: serde_json::Value,
) -> Result<(TenantDetail, Vec<String>), AppError> {
    let patch: TenantPatch = serde_json::from_value(patch).unwrap();
    tenant_change::change(&world.app, &operator(), tenant.id, patch, &IfMatch::Any).await
}

fn served(world: &World) -> Vec<String> {
    endpoints(world).into_iter().collect()
}

async fn ends_of_aliases(world: &World) -> Vec<i64> {
    let ends = "select cast(coalesce(expires_at, 0) as text) from tenant_domain_aliases";
    let ends = world.database.ask(ends.to_owned()).await;
    ends.iter().map(|end| end.parse().unwrap()).collect()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c15_a_former_domains_time_begins_with_the_deploy_that_puts_the_new_one_live(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    change(&world, &acme, json!({"domain": NEW})).await.unwrap();
    assert_eq!(ends_of_aliases(&world).await, [0]);
    // Somebody else's deploy puts nothing of it live.
    world.patch(&globex, &gina, json!({"name": "Gina"})).await;
    world.deploy(&globex).await.expect(Live);
    assert_eq!(ends_of_aliases(&world).await, [0]);

    let thirty_days = 30 * 24 * 60 * 60 * 1_000_000;
    let before = SystemClock.now().as_microsecond();
    world.deploy(&acme).await.expect(Live);
    let after = SystemClock.now().as_microsecond();
    let ends = ends_of_aliases(&world).await;
    assert!(
        (before + thirty_days..=after + thirty_days).contains(&ends[0]),
        "{ends:?}"
    );
    assert!(world.registers(&acme, &ann), "at the former domain");
    // A later deploy prolongs nothing.
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    world.deploy(&acme).await.expect(Live);
    assert_eq!(ends_of_aliases(&world).await, ends);
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c15_a_former_domain_is_nobody_elses_while_it_is_served_or_can_be_gone_back_to(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    change(&world, &acme, json!({"domain": NEW})).await.unwrap();
    world.deploy(&acme).await.expect(Live);
    world
        .database
        .sql("update tenant_domain_aliases set expires_at = 1")
        .await;
    assert_eq!(upkeep(&world.app).await, 0);
    assert_eq!(ends_of_aliases(&world).await, [0; 0]);
    let refused = async || {
        let taken = change(&world, &globex, json!({"domain": "acme.example.com"})).await;
        matches!(taken, Err(AppError::Taken { .. }))
    };
    assert!(refused().await, "the PBX serves it until the next deploy");
    world.deploy(&acme).await.expect(Live);
    assert!(!world.registers(&acme, &ann));
    assert!(refused().await, "it can be gone back to");

    // As soon as no generation has it, it is free.
    let (app, _) = world.with_options(Drivers::plain(&world.pbx), |options| options.keep_generations = 1);
    world.patch(&acme, &ann, json!({"name": "Ann"})).await;
    world.deploy_with(&app, &acme).await.expect(Live);
    let (detail, _) = change(&world, &globex, json!({"domain": "acme.example.com"}))
        .await
        .unwrap();
    assert_eq!(detail.overview.tenant.domain.as_str(), "acme.example.com");
    world.deploy(&globex).await.expect(Live);
    assert_eq!(
        served(&world),
        ["1001@acme-two.example.com", "1001@acme.example.com"]
    );
}

/// An earlier version gave a domain away that somebody could still go back to.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c15_no_deploy_serves_two_tenants_under_one_domain(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), (globex, _)] = world.acme_and_globex().await;
    let both = world.deploy_platform().await.expect(Live);
    let first = world.deploy(&acme).await.expect(Unchanged);
    assert_eq!(first.deployment.generation, None);
    change(&world, &acme, json!({"domain": NEW})).await.unwrap();
    let renamed = world.deploy(&acme).await.expect(Live);
    world.database.sql("delete from tenant_domain_aliases").await;
    world
        .database
        .sql("update tenants set head_revision_id = null, domain = 'acme.example.com' where domain = 'globex.example.com'")
        .await;

    // Acme's phones may still sign in there: the other one waits.
    let held = world.deploy(&globex).await.expect(Rejected);
    assert_eq!(held.codes(), ["domain_taken"]);
    world
        .database
        .sql("update tenants set head_revision_id = null")
        .await;
    world.deploy(&acme).await.expect(Live);
    world.deploy(&globex).await.expect(Live);
    let ours = ["1001@acme-two.example.com", "1001@acme.example.com"];
    assert_eq!(served(&world), ours);

    // Going back: the tenant alone, and then all of them.
    let to = renamed.deployment.id;
    let back = deployments::roll_back(&world.app, &acme.caller, to, None)
        .await
        .unwrap();
    let back = ended(&world.app, &back.into_inner()).await.expect(Rejected);
    assert_eq!(back.codes(), ["domain_taken"]);
    let told = format!("{:?}", back.deployment.findings);
    assert!(
        !told.contains("globex") && !told.contains("acme.example.com"),
        "{told}"
    );
    assert_eq!(served(&world), ours);
    let number = both.deployment.generation.unwrap();
    let back = deployments::roll_back_instance(&world.app, &operator(), world.instance_id, number)
        .await
        .unwrap();
    let back = ended(&world.app, &back).await.expect(Partial);
    let held = &back.deployment.findings[0];
    assert_eq!(
        (held.code.as_str(), held.tenant_id),
        ("domain_taken", Some(acme.id))
    );
    assert_eq!(
        served(&world),
        ["1001@acme-two.example.com", "1001@globex.example.com"]
    );
}

/// What a PBX says may name a tenant by any domain that it is or was served under.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c06_a_pbx_is_known_to_name_former_domains_and_tenants_that_moved(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), (globex, _)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    change(&world, &acme, json!({"domain": NEW})).await.unwrap();
    let second = super::moved::second(&world).await;
    change(&world, &globex, json!({"pbx_instance_id": second}))
        .await
        .unwrap();
    let mut tx = world.store.read("known").await.unwrap();
    let mut known: Vec<_> = domains::known_on(&mut tx, world.instance_id)
        .await
        .unwrap()
        .into_iter()
        .map(|(id, domain)| (id == acme.id, domain.to_string()))
        .collect();
    known.sort();
    let named = |acme: bool, domain: &str| (acme, domain.to_owned());
    assert_eq!(
        known,
        [
            named(false, "globex.example.com"),
            named(true, NEW),
            named(true, "acme.example.com")
        ]
    );
}
