//! From an aim to files: the fragments of all tenants in their order, then the common part with the marker.

use std::collections::BTreeMap;

use tokio::task::spawn_blocking;

use super::error::DeployError;
use super::fragments::FragmentCache;
use super::plan::InstanceState;
use crate::domain::artifact::Artifact;
use crate::domain::digest::Digest;
use crate::domain::instance::InstanceSettings;
use crate::driver::{Part, Staged, StagedFile};
use crate::render::pbx;
use crate::render::template_set::TemplateSet;

/// The digest of each file as it was written. What stands around and between the fragments is the program's, and another
/// version may put something else there.
pub(super) type FileDigests = BTreeMap<Artifact, Digest>;

/// The common part of each file, with its marker.
///
/// An operator's template takes as long as it likes: meanwhile the lease is prolonged, and others get their answers.
pub(super) async fn commons(
    templates: &TemplateSet,
    markers: BTreeMap<Artifact, String>,
) -> Result<BTreeMap<Artifact, String>, DeployError> {
    let templates = templates.clone();
    let rendered = spawn_blocking(move || {
        let common = |(file, marker): (Artifact, String)| {
            pbx::instance(&templates, file, &marker).map(|text| (file, text))
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
    changed: &[Artifact],
    written: &FileDigests,
) -> Result<BTreeMap<Artifact, StagedFile>, DeployError> {
    let marker = |file: &Artifact| (*file, state.marker(*file).unwrap_or_default());
    let commons = commons(templates, Artifact::of(state.kind).iter().map(marker).collect()).await?;
    let mut files = BTreeMap::new();
    for (file, common) in commons {
        let mut parts = vec![Part::Bytes(pbx::head(file).into())];
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
    let digest = |(file, (digest, _)): (&Artifact, &(Digest, u64))| (*file, *digest);
    staged.files.iter().map(digest).collect()
}

/// Generation 0: nothing is served. What a first deploy goes back to. It tells its place from every other one.
pub(super) fn empty(settings: &InstanceSettings) -> BTreeMap<Artifact, StagedFile> {
    let place = settings.place();
    let file = |file: &Artifact| {
        (
            *file,
            StagedFile {
                parts: vec![Part::Bytes(
                    format!("{}{}", pbx::head(*file), pbx::nothing(*file, &place)).into(),
                )],
                unchanged: false,
                written: None,
            },
        )
    };
    Artifact::of(settings.kind()).iter().map(file).collect()
}
