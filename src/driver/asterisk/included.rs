//! Whether Asterisk's own files lead to ours, asked of Asterisk: it reads what we may not.

use std::collections::BTreeMap;

use super::rights::ActionName;
use super::session::Session;
use super::verify;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::instance::{AbsolutePath, PbxKind};
use crate::driver::DriverError;
use crate::wire::ami::{self, Message};

/// A section that stands in every file of ours, also in those that serve nothing.
const SECTION: &str = "switchyard-marker";

/// The line that ends Asterisk's own file of that name. What is not there yet is no error with it.
pub fn line(config_dir: &AbsolutePath, file: Artifact) -> String {
    format!("#tryinclude {}", target(config_dir, file))
}

/// What it leads to.
pub fn target(config_dir: &AbsolutePath, file: Artifact) -> String {
    format!("{config_dir}/live/{file}")
}

/// Whether Asterisk finds our file behind its own as that stands now; `None` where it does not say: its own file cannot be
/// parsed, is not the one that it reads, or is a link to another directory, which it keeps from the manager interface.
///
/// Nothing that it serves changes. It parses the whole file, in a fifteenth of the time that the reload takes (24 ms for 2,000
/// endpoints, 0.3 s for 20,000; measured). A file of ours that it cannot parse counts as one that is not there (measured).
pub async fn is_included(session: &Session, file: Artifact) -> Result<Option<bool>, DriverError> {
    let found = match section(session, file.as_str(), SECTION).await {
        Ok(answer) => Some(answer.get("Category-000000").is_some()),
        Err(DriverError::Refused { source, .. }) => match source.downcast_ref::<ami::Error>() {
            Some(ami::Error::Refused { message, .. }) if message.contains("file not found") => Some(false),
            _ => None,
        },
        Err(error) => return Err(error),
    };
    if found == Some(false) && file == Artifact::Pjsip && is_read_elsewhere(session).await? {
        return Ok(None);
    }
    Ok(found)
}

/// Asterisk's own files that may lead to more than one file of ours, as where a line still leads to where it was before. One
/// that Asterisk does not show may.
pub async fn leading_twice(session: &Session) -> Result<Vec<Artifact>, DriverError> {
    let mut twice = Vec::new();
    for file in Artifact::of(PbxKind::Asterisk).iter().copied() {
        let leads_twice = match section(session, file.as_str(), SECTION).await {
            Ok(answer) => answer.get("Category-000001").is_some(),
            Err(DriverError::Refused { .. }) => true,
            Err(error) => return Err(error),
        };
        if leads_twice {
            twice.push(file);
        }
    }
    Ok(twice)
}

/// Whether `sorcery.conf` has objects of `res_pjsip` read from another file.
async fn is_read_elsewhere(session: &Session) -> Result<bool, DriverError> {
    let mappings = match section(session, "sorcery.conf", "res_pjsip").await {
        Ok(mappings) => mappings,
        Err(DriverError::Refused { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let is_elsewhere = mappings
        .fields()
        .filter(|(key, _)| key.starts_with("Line-"))
        .filter_map(|(_, mapping)| mapping.split_once("=config,"))
        .any(|(_, from)| from.split(',').next() != Some(Artifact::Pjsip.as_str()));
    Ok(is_elsewhere)
}

async fn section(session: &Session, file: &str, name: &str) -> Result<Message, DriverError> {
    let asked = [
        ("Filename", file),
        ("Category", name),
        ("Filter", "TEMPLATES=include"),
    ];
    session.ask(ActionName::GetConfig, &asked).await
}

/// The files that Asterisk would not find, each with what is known and what to do.
pub async fn missing(
    session: &Session,
    config_dir: &AbsolutePath,
) -> Result<BTreeMap<Artifact, Finding>, DriverError> {
    let mut missing = BTreeMap::new();
    for file in Artifact::of(PbxKind::Asterisk).iter().copied() {
        if is_included(session, file).await? == Some(false) {
            let shown = verify::shown_marker(session, file).await?;
            missing.insert(file, finding(config_dir, file, !shown.is_empty()));
        }
    }
    Ok(missing)
}

fn finding(config_dir: &AbsolutePath, file: Artifact, is_served: bool) -> Finding {
    let known = if is_served {
        "It serves what it has read before, until it reads its files again"
    } else {
        "It serves nothing of it"
    };
    let message = format!(
        "Asterisk's own {file} does not lead to {}, or Asterisk may not read that file. {known}. {}",
        target(config_dir, file),
        mend(config_dir, file)
    );
    Finding::error("include_missing", message).about(file.as_str())
}

/// What puts it right.
pub fn mend(config_dir: &AbsolutePath, file: Artifact) -> String {
    format!(
        "End Asterisk's own {file} with the line `{}` (`switchyard pbx install NAME` does so), and let Asterisk's group read \
         {config_dir}",
        line(config_dir, file)
    )
}
