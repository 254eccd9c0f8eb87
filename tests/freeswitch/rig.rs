//! A FreeSWITCH with its files, and the use cases over it.

use std::ops::Deref;
use std::time::Duration;

use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::instance::{FreeSwitchSettings, InstanceSettings};

use tokio_util::sync::CancellationToken;

use super::freeswitch::{Admitted, Refused};
use super::plain_freeswitch::{Plain, secrets};
use super::support::database::Backend;
use super::support::world::{Phone, Tenant, World};

/// What has FreeSWITCH read its files.
pub const RELOAD: &str = "api reloadxml";

/// Both.
pub struct Rig {
    pub world: World,
    pub plain: Plain,
}

impl Deref for Rig {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Rig {
    pub async fn new(backend: Backend) -> Self {
        let plain = Plain::start().await;
        let settings = InstanceSettings::FreeSwitch(plain.settings());
        let world = World::new(backend, settings, secrets(), plain.home()).await;
        Self { world, plain }
    }

    /// Two tenants, both live: the first with 1001 and 1002, the second with 1001. What was asked until then is forgotten.
    pub async fn live(backend: Backend) -> (Self, Tenant, [Phone; 2], Tenant, Phone) {
        let rig = Self::new(backend).await;
        let (acme, phones, globex, gina) = rig.acme_and_globex().await;
        rig.deploy_platform().await.expect(Live);
        rig.plain.freeswitch.journal().clear();
        (rig, acme, phones, globex, gina)
    }

    /// A phone signs in.
    pub async fn register(&self, tenant: &Tenant, phone: &Phone) -> Result<Admitted, Refused> {
        self.plain
            .freeswitch
            .register("internal", phone.number(), &tenant.domain, phone.secret())
            .await
    }

    pub async fn name_of(&self, tenant: &Tenant, number: &str) -> Option<String> {
        self.plain.name_of(&tenant.domain, number).await
    }

    /// How often FreeSWITCH was told to read its files.
    pub fn reloads(&self) -> usize {
        self.plain.freeswitch.journal().with(RELOAD).len()
    }

    /// Somebody at FreeSWITCH's console has it read its files.
    pub async fn somebody_reloads(&mut self) {
        let client = self.plain.freeswitch.client().await;
        client.reload_xml(Duration::from_secs(20)).await.unwrap();
    }

    /// A process works off what was asked for, and dies once FreeSWITCH was told to read.
    pub async fn dies_at_the_reload(&self) {
        let stop = CancellationToken::new();
        let working = Box::pin(self.engine.work_off(self.instance_id, &stop));
        let dies = async {
            while self.reloads() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            worked = working => panic!("it did not get that far: {worked:?}"),
            () = dies => {}
        }
    }

    /// From now on FreeSWITCH is reached otherwise.
    pub async fn reach_with(&self, change: impl FnOnce(&mut FreeSwitchSettings)) {
        let mut settings = self.plain.settings();
        change(&mut settings);
        let settings = InstanceSettings::FreeSwitch(settings);
        self.reach(settings, &secrets()).await;
    }
}
