//! Suspended, back, removed.

use rstest::rstest;
use switchyard::domain::deployment::DeploymentStatus::Live;

use super::rig::{Kind, Rig};
use super::support::database::Backend::Sqlite;

#[rstest]
#[tokio::test]
async fn an_extension_that_goes_is_served_no_more_and_the_others_are(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, bob], globex, gina) = Rig::live(kind, Sqlite).await;
    assert!(rig.lets_in(&acme, &bob).await);
    rig.world.delete(&acme, &bob).await;
    rig.world.deploy(&acme).await.expect(Live);
    assert!(!rig.lets_in(&acme, &bob).await);
    assert_eq!(rig.name_of(&acme, "1002").await, None);
    assert!(rig.lets_in(&acme, &ann).await && rig.lets_in(&globex, &gina).await);
    rig.assert_well().await;
}

#[rstest]
#[tokio::test]
async fn a_blocked_tenants_phones_are_refused_and_its_calls_end_and_come_back_with_it(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, _], globex, gina) = Rig::live(kind, Sqlite).await;
    for tenant in [&acme, &globex] {
        rig.pbx.call(&tenant.domain).await;
    }
    rig.world.suspend(&acme).await.expect(Live);
    assert!(!rig.lets_in(&acme, &ann).await);
    assert_eq!(rig.name_of(&acme, "1001").await, None);
    assert!(!rig.pbx.has_call(&acme.domain).await);
    assert!(rig.pbx.has_call(&globex.domain).await);
    assert!(rig.lets_in(&globex, &gina).await);
    rig.assert_well().await;
    rig.world.reactivate(&acme).await.expect(Live);
    assert!(rig.lets_in(&acme, &ann).await);
    rig.assert_well().await;
}

#[rstest]
#[tokio::test]
async fn a_removed_tenant_is_served_no_more_and_its_domain_is_free_again(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let (rig, acme, [ann, _], globex, gina) = Rig::live(kind, Sqlite).await;
    rig.world.suspend(&acme).await.expect(Live);
    rig.world.remove(&acme, "Tenant acme").await.expect(Live);
    assert!(!rig.lets_in(&acme, &ann).await);
    assert!(rig.lets_in(&globex, &gina).await);
    rig.assert_well().await;
    let again = rig.world.tenant("acme").await;
    let amy = rig.world.extension(&again, "1001", "Amy").await;
    rig.world.deploy(&again).await.expect(Live);
    assert!(rig.lets_in(&again, &amy).await && !rig.lets_in(&again, &ann).await);
    rig.assert_well().await;
}
