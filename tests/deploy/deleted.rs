//! A deleted tenant: taken off the running PBX first, and then nothing of it is left in the database or on disk.

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{tenant_deletion, tenants};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::tenant::TenantStatus;

use super::domains::change;
use super::served::{dialplan, endpoints, mailboxes};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::scan::{files_that_name, rows_that_name};
use super::suspended::{call_the_echo, domains_in_call, followed, suspend};
use super::world::{TestTenant, World, operator, upkeep, with_mailbox};

/// What tells of a tenant: its id as written and as stored, its domain, its name.
pub fn texts(tenant: &TestTenant, word: &str) -> Vec<String> {
    let id = tenant.id.to_string();
    vec![
        id.replace('-', ""),
        id,
        tenant.domain.to_string(),
        format!("tenant {word}"),
    ]
}

pub async fn delete(
    world: &World,
    tenant: &TestTenant,
    confirm: &str,
) -> Result<tenant_deletion::Leaving, AppError> {
    tenant_deletion::delete(&world.app, &operator(), tenant.id, confirm, &IfMatch::Any).await
}

fn code(refused: Result<tenant_deletion::Leaving, AppError>) -> &'static str {
    match refused {
        Err(AppError::Conflict { code, .. }) => code,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was deleted"),
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_a_deleted_tenant_is_gone_from_pbx_database_and_disk(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, gina)] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.patch(&acme, &ann, json!({"name": "Zoe"})).await;
    world.deploy_platform().await.expect(Live);
    call_the_echo(&world, "acme.example.com").await;
    let own = texts(&acme, "acme");
    assert!(!rows_that_name(&world.database, &own).await.is_empty());
    for directory in [world.config_dir(), world.state_dir()] {
        assert!(!files_that_name(&directory, &own).is_empty(), "{directory:?}");
    }

    assert_eq!(
        code(delete(&world, &acme, "Tenant acme").await),
        "must_suspend_first"
    );
    suspend(&world, &acme).await;
    assert_eq!(
        code(delete(&world, &acme, "tenant acme").await),
        "confirmation_mismatch"
    );
    let preview = tenant_deletion::preview(&world.app, &operator(), acme.id)
        .await
        .unwrap();
    assert_eq!(
        (preview.confirm.as_str(), preview.belongings.extensions),
        ("Tenant acme", 1)
    );
    assert!(preview.refused.is_empty() && preview.not_removed.len() == 1);
    let leaving = delete(&world, &acme, &preview.confirm).await.unwrap();
    assert_eq!(leaving.tenant.status, TenantStatus::Deleting);
    // Nothing goes while it is served.
    assert_eq!(upkeep(&world.app).await, 0);
    followed(&world, &leaving.deployments).await.expect(Live);
    assert_eq!(upkeep(&world.app).await, 1);

    let found = tenants::find(&world.app, &operator(), acme.id).await;
    assert!(matches!(found, Err(AppError::NotFound)));
    assert_eq!(
        endpoints(&world).into_iter().collect::<Vec<_>>(),
        ["1001@globex.example.com"]
    );
    assert_eq!(
        mailboxes(&world).into_iter().collect::<Vec<_>>(),
        ["1001@globex.example.com"]
    );
    assert_eq!(dialplan(&world, &acme), [""; 0]);
    assert!(domains_in_call(&world).is_empty());
    assert!(!world.registers(&acme, &ann) && world.registers(&globex, &gina));
    assert_eq!(rows_that_name(&world.database, &own).await, [""; 0]);
    for directory in [world.config_dir(), world.state_dir()] {
        assert_eq!(files_that_name(&directory, &own), [""; 0]);
    }
    // The log tells who it was, and holds.
    let told =
        "select before from audit_entries where action in ('tenant.delete', 'tenant.gone') order by number";
    let told = world.database.ask(told.to_owned()).await;
    assert_eq!(told.len(), 2);
    assert!(
        told.iter().all(|told| told.contains("acme.example.com")),
        "{told:?}"
    );
    let blanked = "select cast(count(*) as text) from audit_entries where tenant_id is not null and salt is not null \
        and target_id not in (select action from audit_entries) and tenant_id not in (select id from tenants)";
    assert_eq!(world.database.ask(blanked.to_owned()).await, ["0"]);
    // Its domain is free again, for somebody else.
    world.tenant("acme").await;
}

/// Records of other tenants' deploys name it by whichever domain it had, and others by what only looks like its own.
#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn o40_a_former_domain_is_forgotten_and_a_neighbours_longer_one_is_not(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let [(acme, _), _] = world.acme_and_globex().await;
    let neighbour = world.tenant("my.acme").await;
    world.extension(&neighbour, with_mailbox("1001", "Nat")).await;
    world.deploy_platform().await.expect(Live);
    change(&world, &acme, json!({"domain": "acme-two.example.com"}))
        .await
        .unwrap();
    world.deploy_platform().await.expect(Live);
    for sql in [
        "update deployment_stages set detail = 'hung up: PJSIP/1001@acme.example.com-0000001f' where stage = 'applying'",
        "update deployment_stages set detail = 'hung up: PJSIP/1001@my.acme.example.com-0000001f' where stage = 'planning'",
    ] {
        world.database.sql(sql).await;
    }
    let told_of_neighbour = async || {
        let found = rows_that_name(&world.database, &["my.acme.example.com".to_owned()]).await;
        found.into_iter().filter(|row| row.starts_with("deploy")).count()
    };
    let before = told_of_neighbour().await;
    assert!(before > 2, "{before}");
    let mut own = texts(&acme, "acme");
    own.push("acme-two.example.com".to_owned());
    assert!(!rows_that_name(&world.database, &own).await.is_empty());

    suspend(&world, &acme).await;
    let leaving = delete(&world, &acme, "Tenant acme").await.unwrap();
    followed(&world, &leaving.deployments).await.expect(Live);
    assert_eq!(upkeep(&world.app).await, 1);
    assert_eq!(rows_that_name(&world.database, &own).await, [""; 0]);
    for directory in [world.config_dir(), world.state_dir()] {
        assert_eq!(files_that_name(&directory, &own), [""; 0]);
    }
    assert_eq!(told_of_neighbour().await, before);
}

#[tokio::test]
async fn o40_a_tenant_that_was_never_deployed_goes_at_once_when_its_turn_comes() {
    let world = World::new(Sqlite).await;
    let acme = world.tenant("acme").await;
    suspend(&world, &acme).await;
    let leaving = delete(&world, &acme, "Tenant acme").await.unwrap();
    assert_eq!(leaving.deployments, [], "no PBX has to hear of it");
    assert_eq!(upkeep(&world.app).await, 1);
    assert_eq!(
        rows_that_name(&world.database, &texts(&acme, "acme")).await,
        [""; 0]
    );
    // Twice does no harm.
    assert_eq!(upkeep(&world.app).await, 0);
}
