//! A tenant that moves from one kind of PBX to another: served somewhere all the time, and nowhere twice in the end.

use std::collections::BTreeSet;

use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{deployments, tenant_change};
use switchyard::domain::deployment::DeploymentStatus::{Live, Unchanged};
use switchyard::domain::ids::InstanceId;

use super::rig::{Kind, Pbx, Rig};
use super::support::database::Backend::Sqlite;
use super::support::world::{Phone, Tenant, operator};
use super::switches::{OnFiles, OnRows};

/// Where a tenant is to be served.
struct Place<'a> {
    id: InstanceId,
    pbx: &'a dyn Pbx,
}

impl Place<'_> {
    /// Whether it serves each of these phones; never a part of them.
    async fn serves(&self, tenant: &Tenant, phones: &[Phone]) -> bool {
        let mut all = BTreeSet::new();
        for phone in phones {
            let name = self.pbx.name_of(phone.number(), &tenant.domain).await;
            all.insert(name.is_some());
        }
        assert_eq!(all.len(), 1, "some are served and some are not");
        all.contains(&true)
    }

    async fn lets_in(&self, tenant: &Tenant, phone: &Phone) -> bool {
        let secret = phone.secret();
        self.pbx.lets_in(phone.number(), &tenant.domain, secret).await
    }
}

async fn resync_required(rig: &Rig, tenant: &Tenant) -> bool {
    let detail = tenant_change::show(&rig.world.app, &operator(), tenant.id).await;
    detail.unwrap().whereabouts.resync_required()
}

/// Moves a tenant and looks at both PBXs after each step.
async fn moves(rig: &Rig, tenant: &Tenant, phones: &[Phone], from: &Place<'_>, to: &Place<'_>) {
    let served = async |from: &Place<'_>, to: &Place<'_>| {
        (from.serves(tenant, phones).await, to.serves(tenant, phones).await)
    };
    from.pbx.call(&tenant.domain).await;
    let patch = serde_json::from_value(json!({"pbx_instance_id": to.id})).unwrap();
    let app = &rig.world.app;
    let changed = tenant_change::change(app, &operator(), tenant.id, patch, &IfMatch::Any).await;
    assert!(changed.unwrap().0.whereabouts.resync_required());

    let waits = rig.world.deploy_to(from.id).await.expect(Unchanged);
    assert!(waits.codes().contains(&"awaits_other_instance"), "{waits:#?}");
    assert_eq!(served(from, to).await, (true, false));

    rig.world.deploy_to(to.id).await.expect(Live);
    assert_eq!(served(from, to).await, (true, true));
    assert!(resync_required(rig, tenant).await, "two serve it");

    let left = rig.world.deploy_to(from.id).await.expect(Live);
    assert!(left.codes().contains(&"moved_away"), "{left:#?}");
    assert_eq!(served(from, to).await, (false, true));
    for phone in phones {
        assert!(!from.lets_in(tenant, phone).await && to.lets_in(tenant, phone).await);
    }
    assert!(from.pbx.has_call(&tenant.domain).await, "its call goes on");
    assert!(!resync_required(rig, tenant).await);
    for place in [from, to] {
        let seen = deployments::verify_instance(app, &operator(), place.id).await;
        let seen = seen.unwrap();
        assert!(seen.ok, "{seen:#?}");
        rig.world.deploy_to(place.id).await.expect(Unchanged);
    }
}

#[tokio::test]
async fn c18_a_tenant_moves_from_an_asterisk_to_a_fusionpbx_and_on_to_a_freeswitch() {
    let (rig, acme, phones, globex, gina) = Rig::live(Kind::Asterisk, Sqlite).await;
    let (rows, files) = (OnRows::start().await, OnFiles::start().await);
    let first = Place {
        id: rig.world.instance_id,
        pbx: rig.pbx.as_ref(),
    };
    let second = Place {
        id: rig.add("second", &rows).await,
        pbx: &rows,
    };
    let third = Place {
        id: rig.add("third", &files).await,
        pbx: &files,
    };
    moves(&rig, &acme, &phones, &first, &second).await;
    moves(&rig, &acme, &phones, &second, &third).await;
    assert!(first.lets_in(&globex, &gina).await);
}
