//! Plan, apply, verify, change, roll back.

use rstest::rstest;
use serde_json::json;
use switchyard::app::deployments;
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};

use super::rig::{Kind, Rig};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::world::{ended, operator};

#[rstest]
#[tokio::test]
async fn a_plan_names_what_a_deploy_would_change_and_touches_nothing(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let rig = Rig::new(kind, Sqlite).await;
    let (acme, [ann, _], ..) = rig.world.acme_and_globex().await;
    let planned = rig.world.plan().await;
    assert!(!planned.unchanged && planned.changes.len() >= 3, "{planned:#?}");
    assert!(!format!("{planned:?}").contains(ann.secret()));
    assert_eq!(rig.name_of(&acme, "1001").await, None);
    assert_eq!(rig.world.standing().await, None);
    rig.world.deploy_platform().await.expect(Live);
    let planned = rig.world.plan().await;
    assert!(planned.unchanged, "{planned:#?}");
    rig.world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    assert!(format!("{:?}", rig.world.plan().await).contains("Anne"));
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
}

#[rstest]
#[tokio::test]
async fn what_is_live_lets_each_phone_in_by_its_own_secret_only_and_is_proven(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let rig = Rig::new(kind, backend).await;
    let (acme, [ann, bob], globex, gina) = rig.world.acme_and_globex().await;
    assert!(!rig.lets_in(&acme, &ann).await);
    let first = rig.world.deploy_platform().await.expect(Live);
    for (tenant, phone) in [(&acme, &ann), (&acme, &bob), (&globex, &gina)] {
        assert!(rig.lets_in(tenant, phone).await);
    }
    assert!(
        !rig.lets_in(&globex, &ann).await,
        "1001 of another tenant is another one"
    );
    for phone in [&ann, &bob, &gina] {
        assert!(!first.words().contains(phone.secret()));
    }
    rig.assert_well().await;
    let standing = rig.world.standing().await;
    rig.world.deploy_platform().await.expect(Unchanged);
    assert_eq!(rig.world.standing().await, standing);
}

#[rstest]
#[tokio::test]
async fn a_change_is_served_and_moves_nobody_else(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, _], globex, gina) = Rig::live(kind, Sqlite).await;
    rig.world.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.world
        .patch(&globex, &gina, json!({"name": "Unfinished"}))
        .await;
    rig.world.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
    assert_eq!(rig.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
    assert_eq!(rig.world.standing().await, rig.world.live().await);
}

#[rstest]
#[tokio::test]
async fn a_rollback_serves_what_a_former_deploy_had_put_live(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let rig = Rig::new(kind, Sqlite).await;
    let (acme, [ann, bob], ..) = rig.world.acme_and_globex().await;
    let first = rig.world.deploy(&acme).await.expect(Live);
    rig.world.patch(&acme, &ann, json!({"name": "Later"})).await;
    rig.world.delete(&acme, &bob).await;
    rig.world.extension(&acme, "1007", "New").await;
    rig.world.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1002").await, None);
    rig.world.roll_back(&acme, &first).await.expect(Live);
    for (number, name) in [("1001", Some("Ann")), ("1002", Some("Bob")), ("1007", None)] {
        assert_eq!(rig.name_of(&acme, number).await.as_deref(), name, "{number}");
    }
    assert!(rig.lets_in(&acme, &bob).await);
    rig.assert_well().await;
}

/// All tenants go back, whoever changed them since.
#[rstest]
#[tokio::test]
async fn a_platform_rollback_serves_what_every_tenant_had(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let rig = Rig::new(kind, Sqlite).await;
    let (acme, [ann, bob], globex, gina) = rig.world.acme_and_globex().await;
    let first = rig.world.deploy_platform().await.expect(Live);
    rig.world.patch(&acme, &ann, json!({"name": "Later"})).await;
    rig.world.delete(&acme, &bob).await;
    rig.world.patch(&globex, &gina, json!({"name": "Later"})).await;
    rig.world.extension(&globex, "1007", "New").await;
    rig.world.deploy_platform().await.expect(Live);
    assert_eq!(rig.name_of(&globex, "1007").await.as_deref(), Some("New"));
    let number = first.deployment.generation.unwrap();
    let asked =
        deployments::roll_back_instance(&rig.world.app, &operator(), rig.world.instance_id, number).await;
    ended(&rig.world.app, &asked.unwrap()).await.expect(Live);
    for (tenant, number, name) in [
        (&acme, "1001", Some("Ann")),
        (&acme, "1002", Some("Bob")),
        (&globex, "1001", Some("Gina")),
        (&globex, "1007", None),
    ] {
        assert_eq!(rig.name_of(tenant, number).await.as_deref(), name, "{number}");
    }
    assert!(rig.lets_in(&acme, &bob).await && rig.lets_in(&globex, &gina).await);
    rig.assert_well().await;
}
