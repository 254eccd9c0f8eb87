//! Rendered fragments on disk, named by their digest: an unchanged tenant is never rendered again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::plan::InstanceState;
use crate::domain::artifact::Artifact;
use crate::domain::digest::Digest;
use crate::domain::ids::{InstanceId, TenantId};
use crate::driver::Part;
use crate::render::pbx::Fragments;

/// The fragments of one instance: `DIR/instances/<instance>/fragments/<tenant>/<digest>.<file>`.
///
/// They hold digests that sign in, so only the daemon's user may read them. The directory is a cache: what is missing
/// or damaged is rendered again.
#[derive(Clone, Debug)]
pub struct FragmentCache {
    root: PathBuf,
}

impl FragmentCache {
    /// `state_dir`: the daemon's own directory.
    #[must_use]
    pub fn new(state_dir: &Path, instance_id: InstanceId) -> Self {
        Self {
            root: state_dir
                .join("instances")
                .join(instance_id.to_string())
                .join("fragments"),
        }
    }

    /// Keeps a tenant's fragments; gives their digests.
    pub fn put(&self, tenant_id: TenantId, fragments: &Fragments) -> io::Result<BTreeMap<Artifact, Digest>> {
        let directory = self.root.join(tenant_id.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let mut digests = BTreeMap::new();
        for (file, text) in fragments {
            let digest = Digest::of(text);
            let path = self.path(tenant_id, *file, digest);
            if !is_whole(&path, digest) {
                write(&directory, &path, text.as_bytes())?;
            }
            digests.insert(*file, digest);
        }
        Ok(digests)
    }

    /// Whether every one of these fragments is there, with the bytes that were put.
    #[must_use]
    pub fn has_whole(&self, tenant_id: TenantId, digests: &BTreeMap<Artifact, Digest>) -> bool {
        digests
            .iter()
            .all(|(file, digest)| is_whole(&self.path(tenant_id, *file, *digest), *digest))
    }

    /// Whether every fragment of a state is there and whole.
    #[must_use]
    pub fn has_all(&self, state: &InstanceState) -> bool {
        let mut tenants = state.tenants.iter();
        tenants.all(|(id, tenant)| self.has_whole(*id, &tenant.fragments))
    }

    /// A fragment as a part of a file.
    #[must_use]
    pub fn part(&self, tenant_id: TenantId, file: Artifact, digest: Digest) -> Part {
        Part::File {
            path: self.path(tenant_id, file, digest),
            digest,
        }
    }

    /// Removes the fragments that no state in `keep` uses.
    pub fn keep_only(&self, keep: &BTreeMap<TenantId, BTreeSet<(Artifact, Digest)>>) -> io::Result<()> {
        for tenant in entries(&self.root)? {
            let id = tenant
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse::<TenantId>().ok());
            let used: BTreeSet<PathBuf> = id
                .and_then(|id| keep.get(&id).map(|used| (id, used)))
                .into_iter()
                .flat_map(|(id, used)| {
                    used.iter()
                        .map(move |(file, digest)| self.path(id, *file, *digest))
                })
                .collect();
            for path in entries(&tenant)? {
                if !used.contains(&path) {
                    fs::remove_file(path)?;
                }
            }
            if used.is_empty() {
                fs::remove_dir(tenant)?;
            }
        }
        Ok(())
    }

    /// Removes all fragments of a tenant.
    pub fn forget(&self, tenant_id: TenantId) -> io::Result<()> {
        match fs::remove_dir_all(self.root.join(tenant_id.to_string())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn path(&self, tenant_id: TenantId, file: Artifact, digest: Digest) -> PathBuf {
        self.root
            .join(tenant_id.to_string())
            .join(format!("{digest}.{file}"))
    }
}

/// Whole or not at all: a daemon that is killed here leaves no half fragment under a good name.
/// A preview and a deploy may write the same fragment at the same time, so each has a file of its own until then.
fn write(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut making = NamedTempFile::new_in(directory)?;
    making.write_all(bytes)?;
    making.persist(path).map(drop).map_err(|refused| refused.error)
}

/// Whether a fragment is there with these bytes: after a crash of the host it may be empty.
fn is_whole(path: &Path, digest: Digest) -> bool {
    fs::read(path).is_ok_and(|bytes| Digest::of(bytes) == digest)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| entry.map(|entry| entry.path())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const TENANT: TenantId = TenantId::from_uuid(Uuid::nil());

    fn cache() -> (tempfile::TempDir, FragmentCache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = FragmentCache::new(directory.path(), InstanceId::from_uuid(Uuid::nil()));
        (directory, cache)
    }

    #[test]
    fn what_was_put_is_there_until_it_is_removed() {
        let (_directory, cache) = cache();
        let digests = cache
            .put(TENANT, &Fragments::from([(Artifact::Pjsip, "text".to_owned())]))
            .unwrap();
        assert!(cache.has_whole(TENANT, &digests));
        fs::remove_file(cache.path(TENANT, Artifact::Pjsip, digests[&Artifact::Pjsip])).unwrap();
        assert!(!cache.has_whole(TENANT, &digests));
    }

    #[test]
    fn a_damaged_fragment_is_none_and_is_written_again() {
        let (_directory, cache) = cache();
        let fragments = Fragments::from([(Artifact::Pjsip, "text".to_owned())]);
        let digests = cache.put(TENANT, &fragments).unwrap();
        fs::write(cache.path(TENANT, Artifact::Pjsip, digests[&Artifact::Pjsip]), "").unwrap();
        assert!(!cache.has_whole(TENANT, &digests));
        cache.put(TENANT, &fragments).unwrap();
        assert!(cache.has_whole(TENANT, &digests));
    }

    #[test]
    fn unused_fragments_go_with_their_directory() {
        let (_directory, cache) = cache();
        let old = cache
            .put(TENANT, &Fragments::from([(Artifact::Pjsip, "old".to_owned())]))
            .unwrap();
        let new = cache
            .put(TENANT, &Fragments::from([(Artifact::Pjsip, "new".to_owned())]))
            .unwrap();
        let keep = BTreeMap::from([(TENANT, new.clone().into_iter().collect())]);
        cache.keep_only(&keep).unwrap();
        assert!(cache.has_whole(TENANT, &new) && !cache.has_whole(TENANT, &old));
        cache.keep_only(&BTreeMap::new()).unwrap();
        assert!(!cache.root.join(TENANT.to_string()).exists());
    }
}
