//! What the contract asks of a PBX from outside, whatever kind it is.

use async_trait::async_trait;
use switchyard::app::instances::{self, NewInstance};
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::ids::InstanceId;
use switchyard::domain::instance::InstanceSettings;
use switchyard::domain::instance_secrets::InstanceSecrets;

use super::asterisk::Asterisk;
use super::freeswitch::FreeSwitch;
use super::support::database::Backend;
use super::support::world::{NODE, Phone, Tenant, World, operator};
use super::switches::{OnFiles, OnRows};

/// Which kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Asterisk,
    FusionPbx,
    FreeSwitch,
}

/// A PBX of one kind, asked by somebody who shares no code with its driver.
#[async_trait]
pub trait Pbx: Send + Sync {
    fn settings(&self) -> InstanceSettings;

    fn secrets(&self) -> InstanceSecrets;

    /// A directory that outlives whoever drives it.
    fn home(&self) -> std::path::PathBuf;

    /// Whether a phone that says this secret is let in.
    async fn lets_in(&self, number: &str, domain: &str, secret: &str) -> bool;

    /// The name that a user is served with; `None` where nobody is served.
    async fn name_of(&self, number: &str, domain: &str) -> Option<String>;

    /// A call comes up in a domain.
    async fn call(&self, domain: &str);

    /// Whether one is up there.
    async fn has_call(&self, domain: &str) -> bool;

    /// The dialplan that is written for it.
    async fn dialplan(&self) -> String;

    /// Somebody gives a user another name where it is written, behind our back.
    async fn rename(&self, from: &str, to: &str);

    /// From now on it is not proven that 1002 of a domain is gone and 1001 has another name, although both is applied.
    async fn spoil(&self, world: &World, domain: &str);

    /// All of ours that it has: what it reads, whom it has read from that, and which phones are signed in where a deploy signs
    /// them out. Equal contents are equal texts.
    async fn everything(&self) -> Vec<String>;

    /// The FreeSWITCH that it is or stands behind it.
    fn freeswitch(&self) -> Option<&FreeSwitch> {
        None
    }
}

/// A PBX of this kind that serves nobody yet.
pub async fn start(kind: Kind) -> Box<dyn Pbx> {
    match kind {
        Kind::Asterisk => Box::new(Asterisk::start().await),
        Kind::FusionPbx => Box::new(OnRows::start().await),
        Kind::FreeSwitch => Box::new(OnFiles::start().await),
    }
}

/// A PBX and the use cases over it.
pub struct Rig {
    pub world: World,
    pub pbx: Box<dyn Pbx>,
}

impl Rig {
    pub async fn new(kind: Kind, backend: Backend) -> Self {
        let pbx = start(kind).await;
        let world = World::new(backend, pbx.settings(), pbx.secrets(), &pbx.home()).await;
        Self { world, pbx }
    }

    /// Two tenants, both live: the first with 1001 and 1002, the second with 1001.
    pub async fn live(kind: Kind, backend: Backend) -> (Self, Tenant, [Phone; 2], Tenant, Phone) {
        let rig = Self::new(kind, backend).await;
        let (acme, phones, globex, gina) = rig.world.acme_and_globex().await;
        rig.world.deploy_platform().await.expect(Live);
        (rig, acme, phones, globex, gina)
    }

    /// Another instance, of whichever kind.
    pub async fn add(&self, name: &str, pbx: &dyn Pbx) -> InstanceId {
        let new = NewInstance {
            name: name.parse().unwrap(),
            node: NODE.parse().unwrap(),
            settings: pbx.settings(),
            secrets: pbx.secrets(),
        };
        let made = instances::create(&self.world.app, &operator(), new).await;
        made.unwrap().id
    }

    pub async fn lets_in(&self, tenant: &Tenant, phone: &Phone) -> bool {
        self.pbx
            .lets_in(phone.number(), &tenant.domain, phone.secret())
            .await
    }

    pub async fn name_of(&self, tenant: &Tenant, number: &str) -> Option<String> {
        self.pbx.name_of(number, &tenant.domain).await
    }

    /// Asserts that what stands is what our database calls live, and that the running PBX serves all of it.
    pub async fn assert_well(&self) {
        assert_eq!(self.world.standing().await, self.world.live().await);
        let seen = self.world.look().await;
        assert!(seen.ok, "{seen:#?}");
    }
}
