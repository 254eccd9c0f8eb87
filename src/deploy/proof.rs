//! Proof by the running PBX, and the way back where there is none.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::aim::Aim;
use super::error::DeployError;
use super::run::Run;
use crate::domain::artifact::ConfFile;
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::finding::Finding;
use crate::driver::{DriverError, Expected};
use crate::store::instances;

/// Between two questions to a PBX that does not answer.
const PAUSE: Duration = Duration::from_millis(250);

/// What the running PBX said to what it should serve.
pub(super) enum Proof {
    Seen,
    Differs(Vec<Finding>),
    Unknown(String),
}

impl Run<'_> {
    /// Asks until the PBX answers or patience ends. A PBX that answers is believed at once.
    pub(super) async fn prove(&self, expected: &Expected) -> Proof {
        let deadline = Instant::now() + self.engine.options.patience;
        loop {
            match self.driver.verify(expected).await {
                Ok(differences) if differences.is_empty() => return Proof::Seen,
                Ok(differences) => return Proof::Differs(differences),
                Err(error) if Instant::now() >= deadline => return Proof::Unknown(error.full()),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Puts the former generation back and proves it.
    pub(super) async fn roll_back(
        &self,
        aim: &Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        self.record.stage(Stage::RollingBack).await?;
        let former = aim.live.as_ref().map_or(0, |live| live.number);
        let deadline = Instant::now() + self.engine.options.patience;
        let applied = loop {
            match self.driver.apply(former, ConfFile::ALL).await {
                Err(DriverError::Unreachable { .. }) if Instant::now() < deadline => sleep(PAUSE).await,
                applied => break applied,
            }
        };
        let proof = self.prove(&aim.expected_back).await;
        let what = if former == 0 {
            "nothing is served, as before".to_owned()
        } else {
            format!("generation {former}")
        };
        if let Proof::Seen = proof {
            let mut tx = self.record.begin("rolled_back").await?;
            instances::set_applying(&mut tx, self.instance.id, None).await?;
            tx.commit().await?;
            let detail = format!("the running PBX is proven to be back: {what}");
            self.record
                .stage_end(Stage::RollingBack, StageResult::Ok, &detail)
                .await?;
            return Ok(DeploymentStatus::RolledBack);
        }
        let why = match (applied, proof) {
            (Err(error), _) => error.full(),
            (Ok(()), Proof::Unknown(error)) => error,
            (Ok(()), Proof::Differs(differences)) => {
                let why = format!("{} differences remain", differences.len());
                findings.extend(differences);
                why
            }
            (Ok(()), Proof::Seen) => String::new(),
        };
        findings.push(Finding::error(
            "state_unknown",
            format!(
                "It is not known what the PBX serves now: neither generation {} nor {what} could be proven ({why}). See \
                 that Asterisk runs and answers its manager interface, then deploy again: the next deploy has it read \
                 every file anew",
                aim.generation.number
            ),
        ));
        self.record
            .stage_end(Stage::RollingBack, StageResult::Failed, &why)
            .await?;
        Ok(DeploymentStatus::Failed)
    }
}
