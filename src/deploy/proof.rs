//! Proof by the running PBX, and the way back where there is none.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::DeployError;
use super::ground::Ground;
use super::plan::InstanceState;
use super::run::Run;
use crate::domain::artifact::ConfFile;
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::finding::Finding;
use crate::driver::{DriverError, Expected};
use crate::store::{generations, instances};

/// Between two questions to a PBX that does not answer.
const PAUSE: Duration = Duration::from_millis(250);

/// What the running PBX said to what it should serve.
pub(super) enum Proof {
    Seen,
    Differs(Vec<Finding>),
    Unknown(String),
}

/// Where a roll back leads.
pub(super) struct Back<'a> {
    /// The former generation's number; 0 where nothing was served.
    pub number: i64,
    /// What must be seen then.
    pub expected: &'a Expected,
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

    /// Puts the former generation back and proves it. `tried`: the number of the one that could not be proven.
    pub(super) async fn roll_back(
        &self,
        back: &Back<'_>,
        tried: i64,
        mut findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        self.record.stage(Stage::RollingBack).await?;
        let applied = self.apply_back(back.number).await;
        let proof = self.prove(back.expected).await;
        let what = if back.number == 0 {
            "the empty state before it".to_owned()
        } else {
            format!("generation {}", back.number)
        };
        // What runs and what stands on disk for the next start must both be the former.
        let stands = matches!(self.driver.standing().await, Ok(standing) if standing == Some(back.number));
        if let (Proof::Seen, true) = (&proof, stands) {
            let mut tx = self.record.begin("rolled_back").await?;
            instances::set_applying(&mut tx, self.instance.id, None).await?;
            let detail = format!("the running PBX is proven to be back: {what}");
            let last = (Stage::RollingBack, StageResult::Ok, detail.as_str());
            let status = self
                .end_in(tx, Some(last), DeploymentStatus::RolledBack, findings)
                .await?;
            self.keep_only(&[back.number]).await;
            return Ok(status);
        }
        let why = match (applied, proof) {
            (Err(error), _) => error.full(),
            (Ok(()), Proof::Unknown(error)) => error,
            (Ok(()), Proof::Differs(differences)) => {
                let why = format!("{} differences remain", differences.len());
                findings.extend(differences);
                why
            }
            (Ok(()), Proof::Seen) => "the files were not put back".to_owned(),
        };
        findings.push(Finding::error(
            "state_unknown",
            format!(
                "It is not known what the PBX serves now: neither generation {tried} nor {what} could be proven ({why}). \
                 See that Asterisk runs and answers its manager interface, then deploy again: the next deploy has it read \
                 every file anew"
            ),
        ));
        let tx = self.record.begin("state_unknown").await?;
        let last = (Stage::RollingBack, StageResult::Failed, why.as_str());
        self.end_in(tx, Some(last), DeploymentStatus::Failed, findings)
            .await
    }

    /// The files first: a PBX that is not running now reads them when it starts.
    async fn apply_back(&self, number: i64) -> Result<(), DriverError> {
        self.driver.place(number).await?;
        let deadline = Instant::now() + self.engine.options.patience;
        loop {
            match self.driver.apply(number, ConfFile::ALL).await {
                Err(DriverError::Unreachable { .. }) if Instant::now() < deadline => sleep(PAUSE).await,
                applied => return applied,
            }
        }
    }

    /// Undoes what a process left half done that died, where the deploy cannot be finished any more.
    pub(super) async fn undo(&self, findings: Vec<Finding>) -> Result<DeploymentStatus, DeployError> {
        let mut tx = self.record.begin("undo").await?;
        let tried = generations::next_number(&mut tx, self.instance.id).await? - 1;
        let live = Ground::live(self.engine, &mut tx, &self.instance).await?;
        drop(tx);
        let markers = match &live {
            Some((_, state)) => state.markers(),
            None => InstanceState::default().markers(),
        };
        let expected = Expected {
            markers,
            ..Expected::default()
        };
        let back = Back {
            number: live.map_or(0, |(generation, _)| generation.number),
            expected: &expected,
        };
        self.roll_back(&back, tried, findings).await
    }
}
