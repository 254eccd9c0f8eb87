//! A deployment that has ended, as its record tells.

use switchyard::app::{App, deployments};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Stage, StageRecord, StageResult};

use super::world::operator;

/// A deployment that has ended.
#[derive(Debug)]
pub struct Ended {
    pub deployment: Deployment,
    pub stages: Vec<StageRecord>,
}

impl Ended {
    pub fn status(&self) -> DeploymentStatus {
        self.deployment.status
    }

    pub fn codes(&self) -> Vec<&str> {
        self.deployment
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect()
    }

    /// Whether Asterisk's own words are in the record.
    pub fn quotes(&self, words: &str) -> bool {
        let mut quotes = self.deployment.findings.iter().filter_map(|f| f.quote.as_deref());
        quotes.any(|quote| quote.contains(words))
    }

    /// How each stage ended.
    pub fn stages(&self) -> Vec<(Stage, Option<StageResult>)> {
        self.stages
            .iter()
            .map(|stage| (stage.stage, stage.result))
            .collect()
    }

    /// Asserts an end state; shows the whole record where it is another.
    #[track_caller]
    pub fn expect(self, status: DeploymentStatus) -> Self {
        assert_eq!(self.status(), status, "{self:#?}");
        assert!(
            self.stages.iter().all(|stage| stage.ended_at.is_some()),
            "{self:#?}"
        );
        assert!(self.deployment.ended_at.is_some(), "{self:#?}");
        if status == DeploymentStatus::Failed {
            self.assert_tells_what_to_do();
        }
        self
    }

    /// A deploy that failed says what to do before the next one.
    #[track_caller]
    pub fn assert_tells_what_to_do(&self) {
        let mut errors = self.deployment.findings.iter().filter(|f| f.is_error());
        assert!(
            errors.any(|finding| finding.message.contains("deploy again")),
            "{self:#?}"
        );
    }
}

/// Works a request off and reads its record.
pub async fn ended(app: &App, deployment: &Deployment) -> Ended {
    Box::pin(deployments::work_until_ended(app, deployment))
        .await
        .unwrap();
    record(app, deployment).await
}

/// The record as it stands.
pub async fn record(app: &App, deployment: &Deployment) -> Ended {
    let (deployment, stages) =
        deployments::find_of_instance(app, &operator(), deployment.instance_id, deployment.id)
            .await
            .unwrap();
    Ended { deployment, stages }
}
