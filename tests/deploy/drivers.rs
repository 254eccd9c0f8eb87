//! The real driver, with what a test does in the middle of an order, and a record of who drives when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use switchyard::deploy::DriverFactory;
use switchyard::domain::artifact::Artifact;
use switchyard::domain::dial::DialNumber;
use switchyard::domain::finding::Finding;
use switchyard::domain::instance::PbxInstance;
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::leg::{Endpoint, LegId};
use switchyard::domain::recording_notice::SoundName;
use switchyard::domain::sip_domain::SipDomain;
use switchyard::driver::asterisk::{AsteriskDriver, Program, Shadow};
use switchyard::driver::mail::{Mail, MailError};
use switchyard::driver::{
    Check, Closeness, Drifted, DriverError, EndedCalls, Expected, Foreign, Inclusion, PbxDriver, Rehearsal,
    Sounds, Staged, StagedFile, Warrant,
};

use super::support::pbx::Pbx;

/// The orders of one deploy, as a test hears of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Order {
    Drifted,
    Stage,
    Rehearse,
    Ready,
    Place,
    Apply,
    Verify,
    Log,
    KeepOnly,
}

/// Before or after.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Moment {
    Before,
    /// At the same time.
    During,
    After,
}

/// What a test does at a moment of an order. It may wait for ever, as a process does that was killed.
#[async_trait]
pub trait Witness: Send + Sync {
    async fn at(&self, order: Order, moment: Moment);
}

/// Makes real drivers.
pub struct Drivers {
    shadow: Option<Program>,
    witness: Option<Arc<dyn Witness>>,
}

impl Drivers {
    pub fn plain(pbx: &Pbx) -> Self {
        Self {
            shadow: Some(pbx.private.program().clone()),
            witness: None,
        }
    }

    pub fn without_a_shadow() -> Self {
        Self {
            shadow: None,
            witness: None,
        }
    }

    pub fn witnessed(pbx: &Pbx, witness: Arc<dyn Witness>) -> Self {
        Self {
            witness: Some(witness),
            ..Self::plain(pbx)
        }
    }
}

impl DriverFactory for Drivers {
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Box<dyn PbxDriver> {
        let settings = instance.settings.asterisk().unwrap();
        let shadow = self.shadow.clone().map(Shadow::new);
        let real = AsteriskDriver::new(settings.clone(), secrets.control, shadow);
        match &self.witness {
            None => Box::new(real),
            Some(witness) => Box::new(Witnessed {
                real,
                witness: Arc::clone(witness),
            }),
        }
    }
}

struct Witnessed {
    real: AsteriskDriver,
    witness: Arc<dyn Witness>,
}

impl Witnessed {
    async fn hear<T>(&self, order: Order, work: impl Future<Output = T>) -> T {
        self.witness.at(order, Moment::Before).await;
        let (done, ()) = tokio::join!(work, self.witness.at(order, Moment::During));
        self.witness.at(order, Moment::After).await;
        done
    }
}

#[async_trait]
impl PbxDriver for Witnessed {
    fn obey(&mut self, warrant: Warrant) {
        self.real.obey(warrant);
    }

    async fn stage(
        &self,
        generation: i64,
        files: BTreeMap<Artifact, StagedFile>,
    ) -> Result<Staged, DriverError> {
        self.hear(Order::Stage, self.real.stage(generation, files)).await
    }

    async fn drifted(
        &self,
        files: BTreeMap<Artifact, StagedFile>,
        closeness: Closeness,
    ) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
        self.hear(Order::Drifted, self.real.drifted(files, closeness))
            .await
    }

    fn mail(&self) -> Result<Box<dyn Mail + '_>, MailError> {
        self.real.mail()
    }

    async fn live_text(&self, file: Artifact, limit: u64) -> Result<Option<String>, DriverError> {
        self.real.live_text(file, limit).await
    }

    async fn look_for_sounds(&self, sounds: BTreeSet<SoundName>) -> Result<Sounds, DriverError> {
        self.real.look_for_sounds(sounds).await
    }

    async fn foreign(&self, limit: u64) -> Result<Vec<Foreign>, DriverError> {
        self.real.foreign(limit).await
    }

    async fn rehearse(&self, generation: i64) -> Result<Rehearsal, DriverError> {
        self.hear(Order::Rehearse, self.real.rehearse(generation)).await
    }

    async fn ready(&self) -> Result<(), DriverError> {
        self.hear(Order::Ready, self.real.ready()).await
    }

    async fn unread(
        &self,
        markers: &BTreeMap<Artifact, Option<String>>,
    ) -> Result<Vec<Artifact>, DriverError> {
        self.real.unread(markers).await
    }

    async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
        self.real.end_calls(domains).await
    }

    async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        self.real.call(from, to).await
    }

    async fn hang_up(&self, legs: &[LegId]) -> Result<(), DriverError> {
        self.real.hang_up(legs).await
    }

    async fn inclusion(&self) -> Result<Inclusion, DriverError> {
        self.real.inclusion().await
    }

    async fn place(&self, generation: i64) -> Result<(), DriverError> {
        self.hear(Order::Place, self.real.place(generation)).await
    }

    async fn apply(&self, generation: i64, reload: &[Artifact]) -> Result<(), DriverError> {
        self.hear(Order::Apply, self.real.apply(generation, reload)).await
    }

    async fn verify(&self, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
        self.hear(Order::Verify, self.real.verify(expected)).await
    }

    async fn log_since_apply(&self) -> Vec<Finding> {
        self.hear(Order::Log, self.real.log_since_apply()).await
    }

    async fn standing(&self) -> Result<Option<i64>, DriverError> {
        self.real.standing().await
    }

    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError> {
        self.hear(Order::KeepOnly, self.real.keep_only(generations)).await
    }

    async fn take_back_empty(&self) -> Result<(), DriverError> {
        self.real.take_back_empty().await
    }

    fn asks_before_leaving(&self) -> bool {
        self.real.asks_before_leaving()
    }

    async fn leave(&self) -> Result<(), DriverError> {
        self.real.leave().await
    }

    async fn test(&self) -> Vec<Check> {
        self.real.test().await
    }
}
