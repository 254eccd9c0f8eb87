//! A deleted tenant: taken off the running PBX first, and then nothing of it is left in the database or on disk.

use std::path::Path;

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::{tenant_deletion, tenant_upkeep, tenants};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::tenant::TenantStatus;

use super::served::{dialplan, endpoints, mailboxes};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::suspended::{call_the_echo, domains_in_call, followed, suspend};
use super::world::{TestTenant, World, operator};

/// Every row of every table that names one of these texts, as `table: row`. The audit log keeps who was deleted, and
/// generations keep the bare id to say who does not come back.
async fn rows_that_name(world: &World, backend: Backend, texts: &[String]) -> Vec<String> {
    let tables = match backend {
        Sqlite => "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'",
        Postgres => "select tablename::text from pg_tables where schemaname = 'public'",
    };
    let mut found = Vec::new();
    let tables = world.database.ask(tables.to_owned()).await;
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables {
        if table == "audit_entries" || table == "generation_tombstones" {
            continue;
        }
        let rows = match backend {
            Postgres => format!("select t::text from {table} t"),
            Sqlite => {
                let columns = format!("select 'quote(' || name || ')' from pragma_table_info('{table}')");
                let columns = world.database.ask(columns).await.join(" || ' ' || ");
                format!("select {columns} from {table}")
            }
        };
        for row in world.database.ask(rows).await {
            let text = row.to_lowercase();
            let bare = text.replace('-', "");
            if texts
                .iter()
                .any(|wanted| text.contains(wanted) || bare.contains(wanted))
            {
                found.push(format!("{table}: {row}"));
            }
        }
    }
    found
}

/// Every file and directory below whose name or content names one of these texts.
fn files_that_name(below: &Path, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let content = if path.is_file() {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        } else {
            String::new()
        };
        if texts
            .iter()
            .any(|text| name.contains(text) || content.contains(text))
        {
            found.push(name);
        }
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_that_name(&path, texts));
        }
    }
    found
}

/// What tells of a tenant: its id as written and as stored, its domain, its name.
fn texts(tenant: &TestTenant, word: &str) -> Vec<String> {
    let id = tenant.id.to_string();
    vec![
        id.replace('-', ""),
        id,
        tenant.domain.to_string(),
        format!("tenant {word}"),
    ]
}

async fn delete(
    world: &World,
    tenant: &TestTenant,
    confirm: &str,
) -> Result<tenant_deletion::Leaving, AppError> {
    tenant_deletion::delete(&world.app, &operator(), tenant.id, confirm).await
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
    assert!(!rows_that_name(&world, backend, &own).await.is_empty());
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
    assert_eq!(tenant_upkeep::turn(&world.app).await.unwrap(), 0);
    followed(&world, &leaving.deployments).await.expect(Live);
    assert_eq!(tenant_upkeep::turn(&world.app).await.unwrap(), 1);

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
    assert_eq!(rows_that_name(&world, backend, &own).await, [""; 0]);
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

#[tokio::test]
async fn o40_a_tenant_that_was_never_deployed_goes_at_once_when_its_turn_comes() {
    let world = World::new(Sqlite).await;
    let acme = world.tenant("acme").await;
    suspend(&world, &acme).await;
    let leaving = delete(&world, &acme, "Tenant acme").await.unwrap();
    assert_eq!(leaving.deployments, [], "no PBX has to hear of it");
    assert_eq!(tenant_upkeep::turn(&world.app).await.unwrap(), 1);
    assert_eq!(
        rows_that_name(&world, Sqlite, &texts(&acme, "acme")).await,
        [""; 0]
    );
    // Twice does no harm.
    assert_eq!(tenant_upkeep::turn(&world.app).await.unwrap(), 0);
}
