//! From an aim to files: the fragments of all tenants in their order, then the common part with the marker.

use std::collections::BTreeMap;

use tokio::task::spawn_blocking;

use super::error::DeployError;
use super::fragments::FragmentCache;
use super::plan::InstanceState;
use crate::domain::artifact::ConfFile;
use crate::domain::digest::Digest;
use crate::driver::{Part, Staged, StagedFile};
use crate::render::asterisk;
use crate::render::template_set::TemplateSet;

/// What stands at the head of each file, for whoever opens it.
const HEAD: &str = "; Written by switchyard. Changes made here are lost with the next deploy; make them in the \
                    dashboard, or in a template.\n\n";

/// The digest of each file as it was written. What stands around and between the fragments is the program's, and another
/// version may put something else there.
pub(super) type FileDigests = BTreeMap<ConfFile, Digest>;

/// The common part of each file, with its marker.
///
/// An operator's template takes as long as it likes: meanwhile the lease is prolonged, and others get their answers.
pub(super) async fn commons(
    templates: &TemplateSet,
    markers: BTreeMap<ConfFile, String>,
) -> Result<BTreeMap<ConfFile, String>, DeployError> {
    let templates = templates.clone();
    let rendered = spawn_blocking(move || {
        let common = |(file, marker): (ConfFile, String)| {
            asterisk::instance(&templates, file, &marker).map(|text| (file, text))
        };
        markers.into_iter().map(common).collect::<Result<_, _>>()
    });
    rendered.await?.map_err(DeployError::Templates)
}

/// The files of a state; only fragments on disk are referred to, none is read. `written`: the live files as they were
/// written.
pub(super) async fn files(
    cache: &FragmentCache,
    templates: &TemplateSet,
    state: &InstanceState,
    changed: &[ConfFile],
    written: &FileDigests,
) -> Result<BTreeMap<ConfFile, StagedFile>, DeployError> {
    let marker = |file: &ConfFile| (*file, state.marker(*file).unwrap_or_default());
    let commons = commons(templates, ConfFile::ALL.iter().map(marker).collect()).await?;
    let mut files = BTreeMap::new();
    for (file, common) in commons {
        let mut parts = vec![Part::Bytes(HEAD.into())];
        for (tenant_id, tenant) in &state.tenants {
            if let Some(digest) = tenant.fragments.get(&file) {
                parts.push(cache.part(*tenant_id, file, *digest));
            }
        }
        parts.push(Part::Bytes(common.into_bytes()));
        files.insert(
            file,
            StagedFile {
                parts,
                unchanged: !changed.contains(&file),
                written: written.get(&file).copied(),
            },
        );
    }
    Ok(files)
}

/// What was written.
pub(super) fn written(staged: &Staged) -> FileDigests {
    let digest = |(file, (digest, _)): (&ConfFile, &(Digest, u64))| (*file, *digest);
    staged.files.iter().map(digest).collect()
}

/// No object to the PBX, but a section that it can be asked for: whether its own files lead here.
const NOTHING: &str = "; Nothing is served.\n[switchyard-marker](!)\n";

/// Generation 0: nothing is served. What a first deploy goes back to.
pub(super) fn empty() -> BTreeMap<ConfFile, StagedFile> {
    let file = |file: &ConfFile| {
        (
            *file,
            StagedFile {
                parts: vec![Part::Bytes(format!("{HEAD}{NOTHING}").into())],
                unchanged: false,
                written: None,
            },
        )
    };
    ConfFile::ALL.iter().map(file).collect()
}
