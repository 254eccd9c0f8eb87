//! A driver that writes files as the real one does and asks nobody: for a box that no Asterisk reads in bounded time.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use switchyard::domain::artifact::Artifact;
use switchyard::domain::dial::DialNumber;
use switchyard::domain::finding::Finding;
use switchyard::domain::leg::{Endpoint, LegId};
use switchyard::domain::sip_domain::SipDomain;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::driver::mail::{Mail, MailError};
use switchyard::driver::{
    Check, Closeness, Drifted, DriverError, EndedCalls, Expected, Foreign, Inclusion, PbxDriver, Rehearsal,
    Staged, StagedFile, Warrant,
};

/// Everything on disk is real. What would be sent to Asterisk is made, and dropped.
pub struct Unasked(pub AsteriskDriver);

#[async_trait]
impl PbxDriver for Unasked {
    fn obey(&mut self, warrant: Warrant) {
        self.0.obey(warrant);
    }

    async fn stage(
        &self,
        generation: i64,
        files: BTreeMap<Artifact, StagedFile>,
    ) -> Result<Staged, DriverError> {
        self.0.stage(generation, files).await
    }

    async fn drifted(
        &self,
        files: BTreeMap<Artifact, StagedFile>,
        closeness: Closeness,
    ) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
        self.0.drifted(files, closeness).await
    }

    async fn live_text(&self, file: Artifact, limit: u64) -> Result<Option<String>, DriverError> {
        self.0.live_text(file, limit).await
    }

    async fn foreign(&self, limit: u64) -> Result<Vec<Foreign>, DriverError> {
        self.0.foreign(limit).await
    }

    async fn rehearse(&self, generation: i64) -> Result<Rehearsal, DriverError> {
        self.0.rehearse(generation).await
    }

    async fn ready(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn unread(
        &self,
        _markers: &BTreeMap<Artifact, Option<String>>,
    ) -> Result<Vec<Artifact>, DriverError> {
        Ok(Vec::new())
    }

    async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
        self.0.end_calls(domains).await
    }

    async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        self.0.call(from, to).await
    }

    async fn hang_up(&self, legs: &[LegId]) -> Result<(), DriverError> {
        self.0.hang_up(legs).await
    }

    async fn inclusion(&self) -> Result<Inclusion, DriverError> {
        Ok(Inclusion::default())
    }

    async fn place(&self, generation: i64) -> Result<(), DriverError> {
        self.0.place(generation).await
    }

    async fn apply(&self, generation: i64, _reload: &[Artifact]) -> Result<(), DriverError> {
        self.0.place(generation).await
    }

    async fn verify(&self, _expected: &Expected) -> Result<Vec<Finding>, DriverError> {
        Ok(Vec::new())
    }

    async fn log_since_apply(&self) -> Vec<Finding> {
        Vec::new()
    }

    async fn standing(&self) -> Result<Option<i64>, DriverError> {
        self.0.standing().await
    }

    fn mail(&self) -> Result<Box<dyn Mail + '_>, MailError> {
        self.0.mail()
    }

    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError> {
        self.0.keep_only(generations).await
    }

    async fn test(&self) -> Vec<Check> {
        self.0.test().await
    }
}
