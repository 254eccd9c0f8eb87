//! Proof by the running PBX, and the way back where there is none.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::assemble::{self, FileDigests};
use super::error::DeployError;
use super::expectation::{Expectation, TenantExpectation};
use super::ground::Ground;
use super::inquiry::{self, Seen};
use super::mending::mended;
use super::plan::InstanceState;
use super::run::Run;
use super::wording;
use crate::domain::artifact::Artifact;
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::error_chain::error_chain;
use crate::domain::finding::Finding;
use crate::domain::generation::Generation;
use crate::domain::ids::{GenerationId, TenantId};
use crate::domain::instance::PbxKind;
use crate::driver::DriverError;
use crate::render::template_set::TemplateSet;
use crate::store::{generations, instances};

/// Between two questions to a PBX that does not answer.
const PAUSE: Duration = Duration::from_millis(250);

/// What the running PBX said to what it should serve.
pub(super) enum Proof {
    Seen(Seen),
    Differs(Vec<Finding>),
    Unknown(String),
}

/// Where a roll back leads.
pub(super) struct Back<'a> {
    /// The former generation; `None` where nothing was served.
    pub id: Option<GenerationId>,
    /// The former generation's number; 0 where nothing was served.
    pub number: i64,
    /// What it was made with, and what of; `None` where nothing was served.
    pub served: Option<(&'a TemplateSet, &'a InstanceState)>,
    /// What must be seen then.
    pub expected: &'a Expectation,
    /// Whether the PBX may serve something else under the same markers: then it must have read the generation anew.
    pub is_distrusted: bool,
}

impl Run<'_> {
    /// Asks until the PBX answers or patience ends. A PBX that answers is believed at once.
    pub(super) async fn prove(&self, number: i64, expected: &Expectation) -> Result<Proof, DeployError> {
        let deadline = Instant::now() + self.engine.options.patience;
        loop {
            let asked = match inquiry::ask(self.engine, self.driver.as_ref(), expected).await {
                Ok(answer) if answer.differences.is_empty() => {
                    let proof = self.proof_in_place(number, answer.seen).await;
                    proof.map_err(DeployError::Driver)
                }
                Ok(answer) => Ok(Proof::Differs(answer.differences)),
                Err(error) => Err(error),
            };
            match asked {
                Ok(proof) => return Ok(proof),
                Err(DeployError::Driver(error)) => {
                    let is_final = matches!(error, DriverError::Refused { .. });
                    if is_final || Instant::now() >= deadline {
                        return Ok(Proof::Unknown(error.full()));
                    }
                    sleep(PAUSE).await;
                }
                // Whoever takes the lease next does it again.
                Err(error) if error.may_pass() => return Err(error),
                // What is to be asked for cannot be read: then nothing is proven, and the deploy goes back.
                Err(error) => {
                    tracing::error!(error = error_chain(&error), "what should run could not be read");
                    return Ok(Proof::Unknown(error.told().1));
                }
            }
        }
    }

    /// What runs must also be what the PBX reads when it starts the next time.
    async fn proof_in_place(&self, number: i64, seen: Seen) -> Result<Proof, DriverError> {
        if self.driver.standing().await? == Some(number) {
            return Ok(Proof::Seen(seen));
        }
        let message = wording::not_in_place(self.instance.settings.kind());
        Ok(Proof::Differs(vec![Finding::error("not_in_place", message)]))
    }

    /// Puts the former generation back and proves it. `tried`: the number of the one that could not be proven.
    pub(super) async fn roll_back(
        &self,
        back: &Back<'_>,
        tried: i64,
        mut findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        self.record.stage(Stage::RollingBack).await?;
        let renewed = self.stage_back(back).await.unwrap_or_else(|error| {
            let message = format!(
                "the former generation could not be written anew and is put back as it lies there: {}",
                error_chain(&error)
            );
            findings.push(Finding::warning("former_not_renewed", message));
            FileDigests::new()
        });
        if let Err(error) = self.part_from(back.expected).await {
            // Whose phones stay signed in is found by the proof.
            tracing::warn!(error = error_chain(&error), "who goes could not be read");
        }
        let astray = self.surely_astray().await;
        let applied = if astray.is_empty() {
            self.apply_back(back.number).await
        } else {
            let told: Vec<String> = findings.iter().map(|finding| finding.code.clone()).collect();
            findings.extend(astray.into_iter().filter(|finding| !told.contains(&finding.code)));
            self.place_back(back.number).await
        };
        let proof = self.prove(back.number, back.expected).await?;
        let complaints = self.driver.log_since_apply().await;
        let refused = complaints.iter().filter(|finding| finding.is_error()).count();
        let what = if back.number == 0 {
            "the empty state before it".to_owned()
        } else {
            format!("generation {}", back.number)
        };
        findings.extend(complaints);
        findings.extend(self.tried_place_left().await?);
        let kind = self.instance.settings.kind();
        let is_unread = applied.is_err() && back.is_distrusted && wording::is_one_document(kind);
        if let (Proof::Seen(_), 0, false) = (&proof, refused, is_unread) {
            let mut tx = self.record.begin("rolled_back").await?;
            instances::set_applying(&mut tx, self.instance.id, None).await?;
            if let Some(id) = back.id {
                generations::put_files(&mut tx, id, &renewed).await?;
            }
            if !renewed.is_empty() {
                findings.extend(mended(&findings, None));
            }
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
            (Ok(()), Proof::Seen(_)) => format!("it found {refused} errors in our files"),
        };
        findings.push(Finding::error(
            "state_unknown",
            format!(
                "It is not known what the PBX serves now: neither generation {tried} nor {what} could be proven ({why}). \
                 See that it runs and answers the daemon, then deploy again: the next deploy has it read everything anew"
            ),
        ));
        let tx = self.record.begin("state_unknown").await?;
        let last = (Stage::RollingBack, StageResult::Failed, why.as_str());
        self.end_in(tx, Some(last), DeploymentStatus::Failed, findings)
            .await
    }

    /// Writes the former generation once more: its directory may have been removed since, and a file that it shares with
    /// the live one was damaged along with that. Gives what was written.
    async fn stage_back(&self, back: &Back<'_>) -> Result<FileDigests, DeployError> {
        if self.driver.standing().await? == Some(back.number) {
            return Ok(FileDigests::new());
        }
        let files = match back.served {
            Some((templates, state)) => {
                let cache = self.engine.fragments(self.instance.id);
                assemble::files(
                    &cache,
                    templates,
                    state,
                    Artifact::of(state.kind),
                    &FileDigests::new(),
                )
                .await?
            }
            None => assemble::empty(&self.instance.settings),
        };
        Ok(assemble::written(&self.driver.stage(back.number, files).await?))
    }

    /// What it reads first: a PBX that is not running now reads it when it starts.
    async fn apply_back(&self, number: i64) -> Result<(), DriverError> {
        let deadline = Instant::now() + self.engine.options.patience;
        let all = Artifact::of(self.instance.settings.kind());
        loop {
            let applied = match self.driver.place(number).await {
                Ok(()) => self.driver.apply(number, all).await,
                Err(error) => Err(error),
            };
            match applied {
                Err(DriverError::Unreachable { .. }) if Instant::now() < deadline => sleep(PAUSE).await,
                applied => return applied,
            }
        }
    }

    /// All that may be done where a reload would end what runs: whether it is told anything, it is asked what it serves.
    async fn place_back(&self, number: i64) -> Result<(), DriverError> {
        self.driver.place(number).await?;
        Err(DriverError::Refused {
            what: "to be told to read its files".to_owned(),
            source: "its own files do not lead to ours".into(),
        })
    }

    /// Undoes what was left half done, by this process or by one that died, where the deploy cannot be finished any more.
    pub(super) async fn undo(
        &self,
        applying: Option<GenerationId>,
        findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        let mut tx = self.engine.store.read("undo").await?;
        let tried = match applying {
            Some(id) => generations::find(&mut tx, self.instance.id, id).await?,
            None => None,
        };
        let live = Ground::live(self.engine, &mut tx, &self.instance).await?;
        drop(tx);
        let expected = expected_after_undo(
            self.instance.settings.kind(),
            tried.as_ref(),
            live.as_ref().map(|(_, state, _)| state),
        );
        let back = Back {
            id: live.as_ref().map(|(generation, ..)| generation.id),
            number: live.as_ref().map_or(0, |(generation, ..)| generation.number),
            served: live.as_ref().map(|(_, state, made_with)| (made_with, state)),
            expected: &expected,
            is_distrusted: true,
        };
        let tried = tried.map_or(0, |generation| generation.number);
        // Whoever was cut off may have told the PBX of anything.
        self.driver.distrust();
        self.roll_back(&back, tried, findings).await
    }
}

/// Every object as the former generation has it. The attempt may have changed any: an equal revision was rendered with
/// the secrets and the status of its moment, which nobody noted.
fn expected_after_undo(
    kind: PbxKind,
    tried: Option<&Generation>,
    former: Option<&InstanceState>,
) -> Expectation {
    let nothing = InstanceState::nothing(kind);
    let former = former.unwrap_or(&nothing);
    let mut expected = Expectation::markers_of(former);
    let attempt = |id: &TenantId| tried.and_then(|tried| tried.tenants.get(id).copied());
    let attempted = tried.into_iter().flat_map(|tried| tried.tenants.keys());
    let all: BTreeSet<&TenantId> = attempted.chain(former.tenants.keys()).collect();
    for tenant_id in all {
        let tenant = TenantExpectation {
            before: None,
            tried: attempt(tenant_id),
            after: former.tenants.get(tenant_id).map(|state| state.version),
            all: true,
            secrets: false,
            is_new: false,
        };
        expected.tenants.insert(*tenant_id, tenant);
    }
    expected
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::deploy::plan::{TenantState, TenantVersion};
    use crate::domain::digest::Digest;
    use crate::domain::ids::{InstanceId, RevisionId};
    use crate::domain::tenant::Service;

    /// A change of status moves no revision: what it was to serve is asked for all the same.
    #[test]
    fn what_is_undone_is_asked_for_although_no_revision_moved() {
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let revision_id = RevisionId::from_uuid(Uuid::from_u128(2));
        let version = TenantVersion {
            revision_id,
            secrets_version: 1,
            service: Service::Blocked,
        };
        let state = TenantState {
            version,
            fragments: BTreeMap::new(),
        };
        let former = InstanceState {
            kind: PbxKind::Asterisk,
            common: BTreeMap::new(),
            tenants: BTreeMap::from([(tenant, state)]),
        };
        let tried = Generation {
            id: GenerationId::from_uuid(Uuid::nil()),
            instance_id: InstanceId::from_uuid(Uuid::nil()),
            number: 2,
            template_digest: Digest::of(""),
            settings_revision: 1,
            marker_salt: 0,
            tenants: BTreeMap::from([(tenant, revision_id)]),
            created_at: Timestamp::UNIX_EPOCH,
        };
        let expected = expected_after_undo(PbxKind::Asterisk, Some(&tried), Some(&former));
        let asked = expected.tenants.get(&tenant).unwrap();
        assert_eq!((asked.tried, asked.after), (Some(revision_id), Some(version)));
        assert!(asked.all);
    }
}
