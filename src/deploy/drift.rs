//! Drift: what lies on disk otherwise than it was written, named, and shown without a secret; nothing is mended here.

use std::collections::BTreeMap;
use std::fs;

use tokio::task::spawn_blocking;

use super::aim::Aim;
use super::assemble::{self, FileDigests};
use super::engine::Engine;
use super::error::DeployError;
use super::ground::{Ground, MadeWith};
use super::masking;
use super::preview::FileDiff;
use super::reading::as_written;
use super::wording::{happened, misplaced, not_compared};
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::ids::InstanceId;
use crate::domain::instance::PbxInstance;
use crate::driver::{Closeness, Drifted, Foreign, Inclusion, Part, PbxDriver, StagedFile};

/// Longer files are named, but not compared line by line.
const LONGEST_SHOWN: u64 = 2_000_000;
/// What is not ours is shown up to this length, and so much of it is named.
const LONGEST_FOREIGN: u64 = 64 * 1024;
const MOST_FOREIGN: usize = 50;

/// What is said of rows of ours that are somebody else's by now.
pub(super) const TAKEN: &str = "row_taken_on_pbx";

/// What was found on disk.
#[derive(Default)]
pub(super) struct Drift {
    pub findings: Vec<Finding>,
    /// What was made of each file; may be about any tenant.
    pub files: Vec<FileDiff>,
}

impl Drift {
    fn unknown(why: &str) -> Self {
        let message = format!("it was not looked at what somebody may have made of it: {why}");
        Self {
            findings: vec![Finding::warning("not_compared", message)],
            files: Vec::new(),
        }
    }

    /// Leaves what a tenant may hear: paths and texts are the operator's, or another tenant's.
    pub fn for_tenant(&mut self) {
        self.findings.retain(|finding| finding.code == "drift");
        self.files.clear();
    }
}

impl Engine {
    /// Compares what stands behind the live link with what was written, and names what is not ours.
    pub(super) async fn drift(
        &self,
        instance: &PbxInstance,
        driver: &dyn PbxDriver,
        ground: &Ground,
    ) -> Result<Drift, DeployError> {
        let mut drift = Drift::default();
        let kind = instance.settings.kind();
        if let Some(live) = &ground.live {
            match driver.standing().await {
                Ok(Some(number)) if number == live.number => {}
                Ok(standing) => drift.findings.push(Finding::error(
                    "not_in_place",
                    format!(
                        "{}; a deploy puts it right",
                        misplaced(kind, standing, live.number)
                    ),
                )),
                Err(error) => drift.findings.push(Finding::error("not_in_place", error.full())),
            }
            self.compare(instance, driver, ground, &mut drift).await?;
        }
        let root = instance.settings.config_dir();
        let foreign = driver.foreign(LONGEST_FOREIGN).await?;
        if let Some(unnamed) = foreign.len().checked_sub(MOST_FOREIGN).filter(|more| *more > 0) {
            let message = format!("{unnamed} more files and directories in our place are not ours");
            drift.findings.push(Finding::warning("foreign_file", message));
        }
        for Foreign { path, what, text } in foreign.into_iter().take(MOST_FOREIGN) {
            let message = format!(
                "{} is not ours ({what}). Nothing reads it and no deploy removes it; remove it, or have it elsewhere",
                path.display()
            );
            drift.findings.push(Finding::warning("foreign_file", message));
            if let Some(shown) = text.and_then(|text| masking::foreign(&text)) {
                let below = root
                    .and_then(|root| path.strip_prefix(root.as_path()).ok())
                    .unwrap_or(&path);
                let name = below.display().to_string();
                drift.files.push(FileDiff::between(&name, "", &shown));
            }
        }
        Ok(drift)
    }

    async fn compare(
        &self,
        instance: &PbxInstance,
        driver: &dyn PbxDriver,
        ground: &Ground,
        drift: &mut Drift,
    ) -> Result<(), DeployError> {
        let kind = instance.settings.kind();
        let Some(files) = self.as_served(instance, ground).await? else {
            let message = not_compared(kind);
            drift.findings.push(Finding::warning("not_compared", message));
            return Ok(());
        };
        let drifted = driver.drifted(files.compared, Closeness::Whole).await?;
        let mut written = files.shown;
        for (file, how) in drifted {
            let found = driver.live_text(file, LONGEST_SHOWN).await?;
            let too_long = if found.is_none() && how == Drifted::Edited {
                ", and is too long to be shown"
            } else {
                ""
            };
            let (code, mend) = match how {
                Drifted::Taken => (TAKEN, "put it back, or delete the rows"),
                Drifted::Edited | Drifted::Missing | Drifted::Lost => {
                    ("drift", "the next deploy writes it anew")
                }
            };
            let message = format!("{}{too_long}; {mend}", happened(kind, file, how));
            drift
                .findings
                .push(Finding::error(code, message).about(file.as_str()));
            let found = match how {
                Drifted::Edited | Drifted::Taken => found,
                Drifted::Missing => Some(String::new()),
                Drifted::Lost => None,
            };
            if let (Some(found), Some(wanted)) = (found, written.remove(&file))
                && let Some(wanted) = text(wanted).await?
            {
                let masked = |text: &str| masking::masked(file, text);
                let diff = FileDiff::between(file.as_str(), &masked(&wanted), &masked(&found));
                drift.files.push(diff);
            }
        }
        Ok(())
    }

    /// The live files as they were written; `None` where neither that was noted nor all fragments are there any more.
    async fn as_served(
        &self,
        instance: &PbxInstance,
        ground: &Ground,
    ) -> Result<Option<ServedFiles>, DeployError> {
        let Some(made_with) = &ground.live_templates else {
            return Ok(None);
        };
        let cache = self.fragments(instance.id);
        let (looked, before) = (cache.clone(), ground.before.clone());
        let whole = spawn_blocking(move || looked.has_all(&before)).await?;
        if !whole && ground.written.is_empty() {
            return Ok(None);
        }
        let files = || assemble::files(&cache, made_with, &ground.before, &[], &ground.written);
        Ok(Some(ServedFiles {
            compared: files().await?,
            shown: if whole { files().await? } else { BTreeMap::new() },
        }))
    }

    /// Those of our files that the PBX would not find if it read its own again, as far as they are as they were written where
    /// it does not tell that from a file that it cannot parse.
    pub(super) async fn not_included(
        &self,
        instance: &PbxInstance,
        driver: &dyn PbxDriver,
        ground: &Ground,
    ) -> Result<Vec<Finding>, DeployError> {
        let Some(live) = ground.live.as_ref().map(|live| live.number) else {
            return Ok(Vec::new());
        };
        // A PBX that does not answer has been told of already.
        let Ok(Inclusion {
            mut missing,
            perhaps_broken,
            remarks,
        }) = driver.inclusion().await
        else {
            return Ok(Vec::new());
        };
        if !perhaps_broken.is_empty() {
            let in_place = matches!(driver.standing().await, Ok(standing) if standing == Some(live));
            let served = self.as_served(instance, ground).await?;
            let written = served.filter(|_| in_place).map(|files| files.compared);
            missing = as_written(driver, missing, &perhaps_broken, written).await?;
        }
        Ok(missing.into_values().chain(remarks).collect())
    }

    /// What a plan tells of it: nobody waits for a plan, so that a file is read only if it was written to since it went live.
    pub(super) async fn glance_at_drift(&self, id: InstanceId, aim: &Aim) -> Result<Drift, DeployError> {
        let (instance, driver) = match self.driver_in_force(id).await {
            Ok(driver) => driver,
            Err(DeployError::DrivenElsewhere { .. }) => return Ok(Drift::default()),
            Err(error) => return Ok(Drift::unknown(&error.told().1)),
        };
        let live = aim.live.as_ref().map(|live| live.number);
        let noted = noted(&aim.live_files);
        let as_it_was = match (driver.standing().await, driver.foreign(0).await) {
            (Ok(standing), Ok(foreign)) => {
                let drifted = driver.drifted(noted, Closeness::Touched).await;
                let in_place = live.is_none() || standing == live;
                in_place && foreign.is_empty() && drifted.is_ok_and(|drifted| drifted.is_empty())
            }
            _ => false,
        };
        if as_it_was {
            return Ok(Drift::default());
        }
        let mut tx = self.store.read("plan_drift").await?;
        let ground = Ground::read(self, &mut tx, &instance, MadeWith::Live).await?;
        drop(tx);
        match self.drift(&instance, driver.as_ref(), &ground).await {
            // What was to be found out: a plan says it, and does not end with it.
            Err(DeployError::Driver(error)) => Ok(Drift::unknown(&error.full())),
            drift => drift,
        }
    }
}

/// The files that are served, twice, since they are read as they are used.
struct ServedFiles {
    compared: BTreeMap<Artifact, StagedFile>,
    /// None where they cannot be put together any more.
    shown: BTreeMap<Artifact, StagedFile>,
}

/// The files of which it was noted how they were written.
fn noted(written: &FileDigests) -> BTreeMap<Artifact, StagedFile> {
    let file = |(file, digest): (&Artifact, &crate::domain::digest::Digest)| {
        let staged = StagedFile {
            parts: Vec::new(),
            unchanged: true,
            written: Some(*digest),
        };
        (*file, staged)
    };
    written.iter().map(file).collect()
}

/// The text that was written, from its parts; `None` where it is too long to be shown.
async fn text(file: StagedFile) -> Result<Option<String>, DeployError> {
    let read = spawn_blocking(move || {
        let mut bytes = Vec::new();
        for part in file.parts {
            match part {
                Part::Bytes(more) => bytes.extend(more),
                Part::File { path, .. } => bytes.extend(fs::read(path)?),
            }
            if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_SHOWN) {
                return Ok(None);
            }
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    });
    read.await?.map_err(DeployError::Fragments)
}
