//! A tenant that moves from one PBX to another one, of whichever kind, and back.

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, instances, tenant_change};
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};
use switchyard::domain::ids::InstanceId;

use super::rig::{Kind, Pbx, Rig, start};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::world::{Ended, NODE, Phone, Tenant, ended, operator};

/// A second PBX beside that of the rig, which serves nobody.
async fn second(rig: &Rig, kind: Kind) -> (InstanceId, Box<dyn Pbx>) {
    let pbx = start(kind).await;
    let new = instances::NewInstance {
        name: "second".parse().unwrap(),
        node: NODE.parse().unwrap(),
        settings: pbx.settings(),
        secrets: pbx.secrets(),
    };
    let made = instances::create(&rig.world.app, &operator(), new).await;
    (made.unwrap().id, pbx)
}

async fn assign(rig: &Rig, tenant: &Tenant, to: InstanceId) {
    let patch = serde_json::from_value(json!({ "pbx_instance_id": to })).unwrap();
    tenant_change::change(&rig.world.app, &operator(), tenant.id, patch, &IfMatch::Any)
        .await
        .unwrap();
}

async fn deploy(rig: &Rig, id: InstanceId) -> Ended {
    let asked = deployments::deploy_instance(&rig.world.app, &operator(), id).await;
    ended(&rig.world.app, &asked.unwrap()).await
}

async fn resync_required(rig: &Rig, tenant: &Tenant) -> bool {
    let shown = tenant_change::show(&rig.world.app, &operator(), tenant.id).await;
    shown.unwrap().whereabouts.resync_required()
}

async fn lets_in(pbx: &dyn Pbx, tenant: &Tenant, phone: &Phone) -> bool {
    pbx.lets_in(phone.number(), &tenant.domain, phone.secret()).await
}

async fn serves(pbx: &dyn Pbx, tenant: &Tenant) -> bool {
    let name = pbx.name_of("1001", &tenant.domain).await;
    name.as_deref() == Some("Ann")
}

async fn verified(rig: &Rig, id: InstanceId) -> bool {
    let looked = deployments::verify_instance(&rig.world.app, &operator(), id).await;
    looked.unwrap().ok
}

/// There and back: its phones are let in at every moment, by the secrets that they have.
#[rstest]
#[case(Kind::Asterisk, Kind::FusionPbx, Sqlite)]
#[case(Kind::FusionPbx, Kind::FusionPbx, Sqlite)]
#[case(Kind::FusionPbx, Kind::FreeSwitch, Postgres)]
#[case(Kind::Asterisk, Kind::FreeSwitch, Postgres)]
#[tokio::test]
async fn c18_a_tenant_moves_to_another_pbx_and_back_and_is_served_where_it_was_until_the_other_one_serves_it(
    #[case] from: Kind,
    #[case] to: Kind,
    #[case] backend: Backend,
) {
    let (rig, acme, [ann, _], globex, gina) = Rig::live(from, backend).await;
    let first = rig.world.instance_id;
    let (second, other) = second(&rig, to).await;
    assert!(!resync_required(&rig, &acme).await);
    for (from, here, to, there) in [
        (first, rig.pbx.as_ref(), second, other.as_ref()),
        (second, other.as_ref(), first, rig.pbx.as_ref()),
    ] {
        here.call(&acme.domain).await;
        assign(&rig, &acme, to).await;
        assert!(resync_required(&rig, &acme).await);
        let waits = deploy(&rig, from).await.expect(Unchanged);
        assert_eq!(waits.codes(), ["awaits_other_instance"]);
        assert!(serves(here, &acme).await && !serves(there, &acme).await);

        deploy(&rig, to).await.expect(Live);
        assert!(lets_in(there, &acme, &ann).await && serves(here, &acme).await);
        assert!(resync_required(&rig, &acme).await, "two serve it");

        let left = deploy(&rig, from).await.expect(Live);
        assert!(left.codes().contains(&"moved_away"), "{left:#?}");
        assert!(!lets_in(here, &acme, &ann).await && !serves(here, &acme).await);
        assert!(serves(there, &acme).await);
        assert!(here.has_call(&acme.domain).await, "its call goes on");
        assert!(!resync_required(&rig, &acme).await);
        assert!(lets_in(rig.pbx.as_ref(), &globex, &gina).await);
        assert!(verified(&rig, from).await && verified(&rig, to).await);
    }
}

/// Twice there and back: each PBX has exactly what it had with the tenant or without it.
#[rstest]
#[case(Kind::Asterisk, Kind::FreeSwitch, Sqlite)]
#[case(Kind::Asterisk, Kind::FusionPbx, Postgres)]
#[case(Kind::FreeSwitch, Kind::FusionPbx, Sqlite)]
#[case(Kind::FreeSwitch, Kind::FreeSwitch, Sqlite)]
#[case(Kind::FusionPbx, Kind::FreeSwitch, Sqlite)]
#[tokio::test]
async fn c18_a_tenant_that_comes_back_leaves_nothing_where_it_was_and_is_served_as_before(
    #[case] from: Kind,
    #[case] to: Kind,
    #[case] backend: Backend,
) {
    let rig = Rig::new(from, backend).await;
    let (acme, [ann, bob], globex, gina) = rig.world.acme_and_globex().await;
    let (first, here) = (rig.world.instance_id, rig.pbx.as_ref());
    rig.world.deploy(&globex).await.expect(Live);
    assert!(lets_in(here, &globex, &gina).await);
    let without = here.everything().await;
    rig.world.deploy(&acme).await.expect(Live);
    assert!(lets_in(here, &acme, &ann).await && lets_in(here, &acme, &bob).await);
    let with = here.everything().await;
    assert_ne!(with, without);

    let (second, other) = second(&rig, to).await;
    let there = other.as_ref();
    deploy(&rig, second).await.expect(Live);
    let nobody = there.everything().await;
    let mut there_before = None;
    for _ in 0..2 {
        assign(&rig, &acme, second).await;
        deploy(&rig, second).await.expect(Live);
        assert!(lets_in(there, &acme, &ann).await);
        let served = there.everything().await;
        assert_eq!(there_before.get_or_insert_with(|| served.clone()), &served);
        deploy(&rig, first).await.expect(Live);
        assert_eq!(here.everything().await, without);
        assert!(!lets_in(here, &acme, &ann).await);

        assign(&rig, &acme, first).await;
        deploy(&rig, first).await.expect(Live);
        assert!(lets_in(here, &acme, &ann).await && lets_in(here, &acme, &bob).await);
        assert_eq!(here.everything().await, with);
        deploy(&rig, second).await.expect(Live);
        assert_eq!(there.everything().await, nobody);
        assert!(!lets_in(there, &acme, &ann).await);
        assert!(verified(&rig, first).await && verified(&rig, second).await);
    }
}
