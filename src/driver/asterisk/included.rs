//! Whether Asterisk's own files lead to ours, asked of Asterisk: it reads what we may not.

use std::collections::{BTreeMap, BTreeSet};

use super::marked::{self, SECTION};
use super::rights::ActionName;
use super::session::Session;
use super::verify;
use crate::domain::artifact::Artifact;
use crate::domain::finding::Finding;
use crate::domain::instance::{AbsolutePath, PbxKind};
use crate::driver::files::FileTree;
use crate::driver::{DriverError, Inclusion};
use crate::wire::ami::{self, Message};

/// The line that ends Asterisk's own file of that name. What is not there yet is no error with it.
pub fn line(config_dir: &AbsolutePath, file: Artifact) -> String {
    format!("#tryinclude {}", target(config_dir, file))
}

/// What it leads to.
pub fn target(config_dir: &AbsolutePath, file: Artifact) -> String {
    format!("{config_dir}/live/{file}")
}

/// What Asterisk finds behind its own file as that stands now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Our file.
    Ours,
    /// A file of another directory than ours, or none where ours should be.
    Other,
    /// None, or one that it cannot parse.
    None,
    /// It does not say: its own file cannot be parsed, is not the one that it reads, or is a link to another directory, which it
    /// keeps from the manager interface.
    Unknown,
}

impl Found {
    /// Whether it surely does not find our file, or cannot parse it.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Other | Self::None)
    }
}

/// What Asterisk finds behind its own file as that stands now.
///
/// Nothing that it serves changes. It parses the whole file, in a fifteenth of the time that the reload takes (24 ms for 2,000
/// endpoints, 0.3 s for 20,000; measured). A file of ours that it cannot parse counts as one that is not there (measured).
pub async fn found(session: &Session, files: &FileTree, file: Artifact) -> Result<Found, DriverError> {
    let shown: Option<BTreeSet<String>> = match section(session, file.as_str(), SECTION).await {
        Ok(answer) if answer.get("Category-000000").is_some() => {
            let lines = answer.fields().filter(|(key, _)| key.starts_with("Line-"));
            Some(lines.flat_map(|(_, value)| marked::markers(value)).collect())
        }
        Ok(_) => None,
        Err(DriverError::Refused { source, .. }) => match source.downcast_ref::<ami::Error>() {
            Some(ami::Error::Refused { message, .. }) if message.contains("file not found") => None,
            _ => return Ok(Found::Unknown),
        },
        Err(error) => return Err(error),
    };
    let found = match shown {
        Some(shown) if marked::is_same(&shown, marked::written(files, file).await?.as_ref()) => {
            return Ok(Found::Ours);
        }
        Some(_) => Found::Other,
        None => Found::None,
    };
    if file == Artifact::Pjsip && is_read_elsewhere(session).await? {
        return Ok(Found::Unknown);
    }
    Ok(found)
}

/// How many files of ours each of Asterisk's own leads to; `None` where Asterisk does not show it.
pub async fn leads(session: &Session) -> Result<BTreeMap<Artifact, Option<usize>>, DriverError> {
    let mut leads = BTreeMap::new();
    for file in Artifact::of(PbxKind::Asterisk).iter().copied() {
        let found = match section(session, file.as_str(), SECTION).await {
            Ok(answer) => Some(
                answer
                    .fields()
                    .filter(|(key, _)| key.starts_with("Category-"))
                    .count(),
            ),
            Err(DriverError::Refused { .. }) => None,
            Err(error) => return Err(error),
        };
        leads.insert(file, found);
    }
    Ok(leads)
}

/// Why nothing may be removed where files were before; `None` where nothing leads there.
pub fn may_lead_there(leads: &BTreeMap<Artifact, Option<usize>>) -> Option<String> {
    let names = |is_meant: fn(Option<usize>) -> bool| {
        let meant = leads.iter().filter(|(_, found)| is_meant(**found));
        let meant: Vec<&str> = meant.map(|(file, _)| file.as_str()).collect();
        (!meant.is_empty()).then(|| meant.join(", "))
    };
    let twice = names(|found| found.is_some_and(|found| found > 1))
        .map(|names| format!("a line of Asterisk's own {names} may lead there still; take it out first"));
    let unasked = names(|found| found.is_none()).map(|names| {
        format!("Asterisk could not be asked where its own {names} leads to; see yourself that no line leads there")
    });
    let why: Vec<String> = twice.into_iter().chain(unasked).collect();
    (!why.is_empty()).then(|| why.join("; "))
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
    files: &FileTree,
    config_dir: &AbsolutePath,
) -> Result<Inclusion, DriverError> {
    let mut inclusion = Inclusion::default();
    for file in Artifact::of(PbxKind::Asterisk).iter().copied() {
        let found = found(session, files, file).await?;
        if found.is_missing() {
            let shown = verify::shown_marker(session, file).await?;
            let finding = finding(config_dir, file, found, !shown.is_empty());
            inclusion.missing.insert(file, finding);
        }
        if found == Found::None {
            inclusion.perhaps_broken.insert(file);
        }
    }
    Ok(inclusion)
}

fn finding(config_dir: &AbsolutePath, file: Artifact, found: Found, is_served: bool) -> Finding {
    let known = if is_served {
        "It serves what it has read before, until it reads its files again"
    } else {
        "It serves nothing of it"
    };
    let why = match found {
        Found::Other => "but to a file of another directory",
        _ => "or Asterisk may not read that file",
    };
    let message = format!(
        "Asterisk's own {file} does not lead to {}, {why}. {known}. {}",
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
