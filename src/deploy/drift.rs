//! Drift: what lies on disk otherwise than it was written, named, and shown without a secret; nothing is mended here.

use std::collections::BTreeMap;
use std::fs;

use tokio::task::spawn_blocking;

use super::aim::Aim;
use super::assemble;
use super::engine::Engine;
use super::error::DeployError;
use super::ground::Ground;
use super::preview::{FileDiff, unified};
use super::reading::as_written;
use super::run::Run;
use crate::domain::artifact::ConfFile;
use crate::domain::finding::Finding;
use crate::domain::instance::PbxInstance;
use crate::driver::{Part, PbxDriver, StagedFile};

/// Longer files are named, but not compared line by line.
const LONGEST_SHOWN: u64 = 2_000_000;

/// What was found on disk.
#[derive(Default)]
pub(super) struct Drift {
    pub findings: Vec<Finding>,
    /// What was made of each file; may be about any tenant.
    pub files: Vec<FileDiff>,
}

impl Engine {
    /// Compares what stands behind the live link with what is served.
    pub(super) async fn drift(
        &self,
        instance: &PbxInstance,
        driver: &dyn PbxDriver,
        ground: &Ground,
    ) -> Result<Drift, DeployError> {
        let mut drift = Drift::default();
        let (Some(live), Some(made_with)) = (&ground.live, &ground.live_templates) else {
            return Ok(drift);
        };
        match driver.standing().await {
            Ok(Some(number)) if number == live.number => {}
            Ok(standing) => drift
                .findings
                .push(Finding::error("not_in_place", misplaced(standing, live.number))),
            Err(error) => drift.findings.push(Finding::error("not_in_place", error.full())),
        }
        let is_in_place = drift.findings.is_empty();
        let cache = self.fragments(instance.id);
        let (looked, before) = (cache.clone(), ground.before.clone());
        let whole = spawn_blocking(move || looked.has_all(&before)).await?;
        if !whole && ground.written.is_empty() {
            let message = "the files could not be compared: fragments in the state directory are lost; the next deploy renders them again";
            drift.findings.push(Finding::warning("not_compared", message));
            return Ok(drift);
        }
        let files = || assemble::files(&cache, made_with, &ground.before, &[], &ground.written);
        let mut written = if whole { files()? } else { BTreeMap::new() };
        for file in driver.drifted(files()?).await? {
            let found = driver.live_text(file, LONGEST_SHOWN).await?;
            let what = match found {
                Some(_) => "was edited in place",
                None => "was edited in place, and is too long to be shown, or is missing",
            };
            let message = format!("{file} {what} since the last deploy; the next deploy writes it anew");
            drift
                .findings
                .push(Finding::error("drift", message).about(file.as_str()));
            if let (Some(found), Some(wanted)) = (found, written.remove(&file))
                && let Some(wanted) = text(wanted).await?
            {
                drift.files.push(FileDiff {
                    file,
                    diff: unified(&masked(file, &wanted), &masked(file, &found), file),
                    truncated: false,
                });
            }
        }
        // A PBX that does not answer has been told of already.
        if is_in_place && let Ok(missing) = driver.not_included().await {
            let missing = as_written(driver, missing, files()?).await?;
            drift.findings.extend(missing.into_values());
        }
        for path in driver.foreign().await? {
            let message = format!(
                "{} is not ours; remove it: nothing includes it, and a deploy may",
                path.display()
            );
            drift.findings.push(Finding::warning("foreign_file", message));
        }
        Ok(drift)
    }
}

impl Run<'_> {
    /// Whether the live files are still as they were written. Those that are not are written and read anew, and everything
    /// is asked for: the markers may have been right all the time.
    pub(super) async fn find_drift(
        &self,
        aim: &mut Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<(), DeployError> {
        let cache = self.engine.fragments(self.instance.id);
        let (looked, before) = (cache.clone(), aim.before.clone());
        let known = !aim.live_files.is_empty() || spawn_blocking(move || looked.has_all(&before)).await?;
        let served = match &aim.live_templates {
            // Of what moves, the fragments that are served may be lost; then what is written is compared.
            Some(made_with) if known => {
                assemble::files(&cache, made_with, &aim.before, &[], &aim.live_files)?
            }
            _ if aim.is_unchanged() => {
                assemble::files(&cache, &aim.templates, &aim.after, &[], &aim.live_files)?
            }
            _ => return Ok(()),
        };
        for file in self.driver.drifted(served).await? {
            findings.push(overwritten(file));
            aim.overwrite(file);
        }
        Ok(())
    }
}

/// What a deploy says of a file that it found edited.
pub(super) fn overwritten(file: ConfFile) -> Finding {
    let message = format!("{file} was edited in place since the last deploy; this deploy overwrites it");
    Finding::warning("drift", message).about(file.as_str())
}

fn misplaced(standing: Option<i64>, live: i64) -> String {
    let found = match standing {
        Some(number) => format!("leads to generation {number}"),
        None => "is missing".to_owned(),
    };
    format!("the live link {found}, although generation {live} was proven last; a deploy puts it right")
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

/// Without what signs in: whatever a key that sounds like it holds, and the PIN of each mailbox.
fn masked(file: ConfFile, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match hidden(file, line) {
            Some((before, after)) => {
                shown.push_str(before);
                shown.push_str("(hidden)");
                shown.push_str(after);
            }
            None => shown.push_str(line),
        }
    }
    shown
}

/// What stands before and after the secret of a line that holds one.
fn hidden(file: ConfFile, line: &str) -> Option<(&str, &str)> {
    let end = if line.ends_with('\n') { "\n" } else { "" };
    if file == ConfFile::Voicemail {
        // Asterisk takes `=` as well as `=>`.
        let equals = line.find('=')? + 1;
        let value = equals + usize::from(line.get(equals..)?.starts_with('>'));
        let comma = line.get(value..)?.find(',').map(|at| value + at);
        return Some((
            line.get(..value)?,
            comma.and_then(|at| line.get(at..)).unwrap_or(end),
        ));
    }
    let equals = line.find('=')?;
    let key = line.get(..equals)?.to_ascii_lowercase();
    let is_secret = ["pass", "secret", "digest", "cred", "token"]
        .iter()
        .any(|word| key.contains(word));
    is_secret.then_some((line.get(..=equals)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let pjsip = "[1001]\ntype=auth\npassword_digest=MD5:abc\nPassword = clear\nrealm=x";
        assert_eq!(
            masked(ConfFile::Pjsip, pjsip),
            "[1001]\ntype=auth\npassword_digest=(hidden)\nPassword =(hidden)\nrealm=x"
        );
        assert_eq!(
            masked(
                ConfFile::Voicemail,
                "1001 => -1234,Ann\n1002 =>99\n1003 = 12,Bob\n[x]\n"
            ),
            "1001 =>(hidden),Ann\n1002 =>(hidden)\n1003 =(hidden),Bob\n[x]\n"
        );
    }
}
