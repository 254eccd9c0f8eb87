//! The life of a tenant on a FusionPBX: suspended, back, gone.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::setbacks::Setbacks;
use switchyard::app::tenant_status::{self, SuspensionInput};
use switchyard::app::{
    deployments, instance_changes, instance_loss, tenant_change, tenant_deletion, tenant_upkeep,
};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::ids::DeploymentId;
use switchyard::domain::tenant::SuspensionPolicy;
use switchyard::store::tenant_lifecycle;

use super::freeswitch::{Admitted, NewCall, Phone, Refused};
use super::fusionpbx::Booleans::Native;
use super::fusionpbx::ExtensionRow;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Ended, TestTenant, World, ended, operator};

pub async fn suspend(world: &World, tenant: &TestTenant) -> Vec<DeploymentId> {
    let mut tx = world.store.begin("set_policy").await.unwrap();
    let set = tenant_lifecycle::set_policy(&mut tx, tenant.id, SuspensionPolicy::BlockAll).await;
    assert!(set.unwrap());
    tx.commit().await.unwrap();
    let input = SuspensionInput {
        category: Some("non_payment".to_owned()),
        reason: None,
    };
    let followed = tenant_status::suspend(&world.app, &operator(), tenant.id, input, &IfMatch::Any).await;
    followed.unwrap().deployments
}

pub async fn reactivate(world: &World, tenant: &TestTenant) -> Vec<DeploymentId> {
    let followed = tenant_status::reactivate(&world.app, &operator(), tenant.id, &IfMatch::Any).await;
    followed.unwrap().deployments
}

pub async fn followed(world: &World, deployments: &[DeploymentId]) -> Ended {
    assert_eq!(deployments.len(), 1);
    let asked =
        deployments::find_of_instance(&world.app, &operator(), world.instance_id, deployments[0]).await;
    ended(&world.app, &asked.unwrap().0).await
}

#[rstest]
#[tokio::test]
async fn a_blocked_tenants_phones_are_refused_and_its_calls_end_and_come_back_with_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::on(backend).await;
    let (acme, [ann, _], globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.register(&acme, &ann).await.unwrap();
    world.register(&globex, &gina).await.unwrap();
    world
        .freeswitch
        .add_call(&NewCall::within(&acme.domain, "1001", "1002"));
    let stays = world
        .freeswitch
        .add_call(&NewCall::within(&globex.domain, "1001", "1002"));

    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    assert_eq!(world.register(&acme, &ann).await, Err(Refused::Unknown));
    assert_eq!(world.freeswitch.calls(), [stays]);
    let domains: Vec<String> = world
        .freeswitch
        .phones()
        .into_iter()
        .map(|phone| phone.domain)
        .collect();
    assert_eq!(domains, [globex.domain.as_str()]);
    assert!(world.is_verified().await);

    let asked = reactivate(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    assert_eq!(world.register(&acme, &ann).await, Ok(Admitted::Hash));
    world.assert_untouched(&world.fusionpbx.snapshot().await);
}

#[tokio::test]
async fn all_phones_of_a_blocked_tenant_are_signed_out_at_once_and_none_of_somebody_else() {
    let world = World::new(Native).await;
    let (acme, [ann, bob], globex, _) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.register(&acme, &ann).await.unwrap();
    world.freeswitch.journal().clear();
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    assert!(world.freeswitch.phones().is_empty());
    let flushed = world.freeswitch.journal().with("flush_inbound_reg");
    let whole = flushed
        .iter()
        .filter(|heard| heard.command.contains(" @acme.example.com"));
    assert!(
        !flushed.is_empty() && whole.count() == flushed.len(),
        "{flushed:?}"
    );

    // In a domain in which others have somebody, each of ours is signed out alone.
    let asked = reactivate(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    let row = ExtensionRow {
        domain_uuid: &acme.id.to_string(),
        domain: &acme.domain,
        number: "2001",
        number_alias: None,
        password: Some("throwaway"),
        name: "Theirs",
    };
    world.fusionpbx.add_extension(&row).await;
    let theirs = Phone::at("internal", "2001", &acme.domain, 5099, 0);
    world.freeswitch.sign_in(&theirs);
    world.register(&acme, &bob).await.unwrap();
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    assert_eq!(world.freeswitch.phones(), [theirs]);
    assert_eq!(world.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
}

/// The domain is there after the last extension of ours, and so are extensions that an operator has in it.
#[rstest]
#[case::deleted(false)]
#[case::disabled(true)]
#[tokio::test]
async fn with_a_tenants_last_extension_calls_of_others_in_its_domain_go_on(#[case] disabled: bool) {
    let world = World::new(Native).await;
    let (.., globex, gina) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    let theirs = ExtensionRow {
        domain_uuid: &globex.id.to_string(),
        domain: &globex.domain,
        number: "3001",
        number_alias: None,
        password: Some("ThrowAwaySecret1"),
        name: "Theirs",
    };
    world.fusionpbx.add_extension(&theirs).await;
    let ours = NewCall::within(&globex.domain, "1001", "1003");
    world.freeswitch.add_call(&ours);
    let stays = NewCall::within(&globex.domain, "3001", "3002");
    let stays = world.freeswitch.add_call(&stays);
    if disabled {
        world.patch(&globex, &gina, json!({"status": "disabled"})).await;
    } else {
        world.delete(&globex, &gina).await;
    }
    let ended = world.deploy(&globex).await.expect(Live);
    assert_eq!(world.freeswitch.calls(), [stays], "{ended:#?}");
    // Nothing of ours is there: whatever moves, nobody's call has to do with it.
    let stays = world.freeswitch.calls();
    let patch = serde_json::from_value(json!({"name": "Globex again"})).unwrap();
    tenant_change::change(&world.app, &operator(), globex.id, patch, &IfMatch::Any)
        .await
        .unwrap();
    world.deploy(&globex).await;
    assert_eq!(world.freeswitch.calls(), stays);
}

#[rstest]
#[tokio::test]
async fn of_a_deleted_tenant_no_row_is_left(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::on(backend).await;
    let (acme, ..) = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.name_of(&acme, "1001").await.unwrap();
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    let confirm = "Tenant acme";
    let leaving = tenant_deletion::delete(&world.app, &operator(), acme.id, confirm, &IfMatch::Any).await;
    let leaving = leaving.unwrap();
    // What others wrote of it is neither ours to read nor to remove, and can be found.
    let left = leaving.not_removed.join("; ");
    let domain_uuid = format!("domain_uuid {}", acme.id);
    for part in [
        "acme.example.com",
        "v_xml_cdr",
        "v_voicemail_messages",
        "v_users",
        &domain_uuid,
    ] {
        assert!(left.contains(part), "{part}: {left}");
    }
    followed(&world, &leaving.deployments).await.expect(Live);
    assert_eq!(
        tenant_upkeep::turn(&world.app, &mut Setbacks::default())
            .await
            .unwrap(),
        1
    );
    for table in [
        "v_domains",
        "v_extensions",
        "v_extension_settings",
        "v_voicemails",
        "v_dialplans",
    ] {
        let rows = world.ours(table).await;
        let id = acme.id.to_string();
        assert!(!rows.is_empty(), "{table}");
        assert!(
            rows.iter().all(|row| !row.contains(&id) && !row.contains("acme")),
            "{table}: {rows:?}"
        );
    }
    world.assert_untouched(&world.fusionpbx.snapshot().await);
    assert!(!files_that_name(world.staged(), "acme").await);
}

/// Its note goes with it, and so does what was staged, with what signs in.
#[tokio::test]
async fn of_a_deleted_instance_nothing_is_left_in_their_database_or_on_our_host() {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    world.extension(&acme, "1001", "Ann").await;
    world.deploy_platform().await.expect(Live);
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    let confirm = "Tenant acme";
    let leaving = tenant_deletion::delete(&world.app, &operator(), acme.id, confirm, &IfMatch::Any).await;
    followed(&world, &leaving.unwrap().deployments).await.expect(Live);
    tenant_upkeep::turn(&world.app, &mut Setbacks::default())
        .await
        .unwrap();
    let staged = world.staged().join(world.instance_id.to_string());
    assert!(staged.is_dir() && !world.ours("v_dialplans").await.is_empty());

    // Whoever does not reach the database would leave the note there.
    world
        .reach(|_, secrets| secrets.database = Some("wrong".into()))
        .await;
    let refused = instance_changes::delete(&world.app, &operator(), world.instance_id, &IfMatch::Any).await;
    match refused {
        Err(AppError::InUse { message, .. }) => assert!(message.contains("give-up main"), "{message}"),
        other => panic!("{:?}", other.map_err(|error| error.to_string())),
    }
    world.reach(|_, _| {}).await;
    instance_changes::delete(&world.app, &operator(), world.instance_id, &IfMatch::Any)
        .await
        .unwrap();
    assert_eq!(world.fusionpbx.snapshot().await, world.others);
    assert!(!staged.exists());
}

#[tokio::test]
async fn an_instance_that_is_given_up_leaves_nothing_on_our_host_and_says_what_is_theirs() {
    let world = World::new(Native).await;
    let acme = world.tenant("acme").await;
    world.extension(&acme, "1001", "Ann").await;
    world.deploy_platform().await.expect(Live);
    let asked = suspend(&world, &acme).await;
    followed(&world, &asked).await.expect(Live);
    let confirm = "Tenant acme";
    let leaving = tenant_deletion::delete(&world.app, &operator(), acme.id, confirm, &IfMatch::Any).await;
    leaving.unwrap();
    let staged = world.staged().join(world.instance_id.to_string());
    assert!(staged.is_dir());
    let lost = instance_loss::give_up(&world.app, &operator(), world.instance_id, "main").await;
    let told = lost.unwrap().not_proven.join("; ");
    let owner = format!("insert_user {}", world.instance_id);
    assert!(told.contains(&owner), "{told}");
    assert!(!staged.exists());
}

/// Whether a file that is staged on our host names this.
async fn files_that_name(below: std::path::PathBuf, word: &'static str) -> bool {
    let look = move || {
        let mut directories = vec![below];
        let mut read = 0;
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    directories.push(path);
                } else if path.is_file() {
                    read += 1;
                    if std::fs::read_to_string(&path).unwrap().contains(word) {
                        return true;
                    }
                }
            }
        }
        assert!(read > 0);
        false
    };
    let looked = tokio::task::spawn_blocking(look);
    tokio::time::timeout(Duration::from_secs(20), looked)
        .await
        .unwrap()
        .unwrap()
}
