//! Recordings on a PBX's disk, brought in line with what is known of them: new ones are found, and lost ones forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use thiserror::Error;

use crate::domain::ids::{IdSource, RecordingId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::domain::recording::{FoundRecording, RecordingPath};
use crate::domain::sip_domain::SipDomain;
use crate::driver::spool::Spool;
use crate::store::{Store, StoreError, domains, recordings, tenant_lifecycle};

/// Rows that are written in one transaction.
const BATCH: usize = 200;

/// Why recordings could not be looked at.
#[derive(Debug, Error)]
pub enum SearchError {
    /// The disk.
    #[error(
        "the recordings in {directory} cannot be worked on; see that the service may read that directory and write in it"
    )]
    Disk {
        /// Where.
        directory: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The database.
    #[error("the recordings that were found could not be kept")]
    Store(#[from] StoreError),
}

/// What a search found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Searched {
    /// New ones, and those that have grown.
    pub kept: usize,
    /// Those whose file has gone.
    pub lost: usize,
}

/// Looks at every recording of an instance of this host. Without a directory of recordings there is nothing to look at.
pub async fn search(
    store: &Store,
    ids: &dyn IdSource,
    instance: &PbxInstance,
) -> Result<Searched, SearchError> {
    let Some(directory) = instance.settings.recordings_dir() else {
        return Ok(Searched::default());
    };
    let mut tx = store.read("known_recordings").await?;
    let mut by_domain: BTreeMap<SipDomain, TenantId> = BTreeMap::new();
    for (tenant, domain) in domains::known_on(&mut tx, instance.id).await? {
        by_domain.insert(domain, tenant);
    }
    let known = recordings::known(&mut tx, instance.id).await?;
    drop(tx);
    // Also those of domains that nobody has any more: what is there of them belongs to somebody still.
    let mut places: Vec<SipDomain> = by_domain.keys().cloned().collect();
    let former = known.keys().filter_map(|path| path.directory().parse().ok());
    places.extend(former);
    places.sort();
    places.dedup();
    let found = Spool::new(directory.clone()).find(places).await;
    let found = found.map_err(|source| SearchError::Disk {
        directory: directory.to_string(),
        source,
    })?;
    let changed: Vec<&FoundRecording> = found
        .iter()
        .filter(|found| known.get(&found.path) != Some(found))
        .collect();
    let there: BTreeSet<&RecordingPath> = found.iter().map(|found| &found.path).collect();
    let gone: Vec<&RecordingPath> = known.keys().filter(|path| !there.contains(path)).collect();
    let mut searched = Searched::default();
    for batch in changed.chunks(BATCH) {
        let mut tx = store.begin("keep_recordings").await?;
        for found in batch {
            let by_domain = || {
                let domain: SipDomain = found.path.directory().parse().ok()?;
                by_domain.get(&domain).copied()
            };
            // The record of the call knows whose it was; the directory says who has that domain today.
            let recorded = match found.path.channel() {
                Some(channel) => recordings::whose(&mut tx, instance.id, &channel).await?,
                None => None,
            };
            if let Some(tenant) = recorded.or_else(by_domain) {
                recordings::put(&mut tx, RecordingId::fresh(ids), tenant, instance.id, found).await?;
                searched.kept += 1;
            }
        }
        tx.commit().await?;
    }
    for batch in gone.chunks(BATCH) {
        let mut tx = store.begin("lose_recordings").await?;
        for path in batch {
            recordings::lose(&mut tx, instance.id, path).await?;
            searched.lost += 1;
        }
        tx.commit().await?;
    }
    Ok(searched)
}

/// Removes every recording of the tenants that are to go, and their directories as far as they are empty then; gives how
/// many. What was not found yet is looked for first.
pub async fn remove_leaving(
    store: &Store,
    ids: &dyn IdSource,
    instance: &PbxInstance,
) -> Result<usize, SearchError> {
    let Some(directory) = instance.settings.recordings_dir() else {
        return Ok(0);
    };
    let mut tx = store.read("tenants_that_go").await?;
    let leaving = tenant_lifecycle::leaving(&mut tx).await?;
    drop(tx);
    if leaving.is_empty() {
        return Ok(0);
    }
    search(store, ids, instance).await?;
    let mut tx = store.read("recordings_that_go").await?;
    let going = recordings::leaving(&mut tx, instance.id).await?;
    let mut places = BTreeSet::new();
    for tenant in &leaving {
        places.extend(domains::ever_of(&mut tx, *tenant).await?);
    }
    drop(tx);
    let disk = |source| SearchError::Disk {
        directory: directory.to_string(),
        source,
    };
    let spool = Spool::new(directory.clone());
    for (_, path) in &going {
        spool.remove(path).await.map_err(disk)?;
    }
    for place in places {
        spool.tidy(&place).await.map_err(disk)?;
    }
    for batch in going.chunks(BATCH) {
        let mut tx = store.begin("lose_recordings").await?;
        for (_, path) in batch {
            recordings::lose(&mut tx, instance.id, path).await?;
        }
        tx.commit().await?;
    }
    Ok(going.len())
}
