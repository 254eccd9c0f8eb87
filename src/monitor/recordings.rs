//! Recordings on a PBX's disk, brought in line with what is known of them: new ones are found, and lost ones forgotten.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::io;

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::ids::{IdSource, InstanceId, RecordingId, TenantId};
use crate::domain::instance::{AbsolutePath, PbxInstance};
use crate::domain::recording::{FoundRecording, RecordingPath};
use crate::domain::sip_domain::SipDomain;
use crate::driver::spool::{Spool, Unseen};
use crate::store::{Store, StoreError, Tx, domains, recordings, tenant_lifecycle};

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
    /// What is not on it.
    #[error(
        "not every recording in {directory} could be looked at, so none is taken to have gone; mount its disk and let the \
         service read it, or, if all were removed on purpose, make the directory of one of the tenants in it"
    )]
    Unseen {
        /// Where.
        directory: String,
        /// What of it.
        #[source]
        source: Unseen,
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

/// What was removed of tenants that are to go.
#[derive(Default, Debug)]
pub struct Removed {
    /// How many recordings.
    pub recordings: usize,
    /// Those of which something may be left, with the first reason.
    pub kept: BTreeMap<TenantId, SearchError>,
}

/// Looks at every recording of an instance of this host. Without a directory of recordings there is nothing to look at.
///
/// Where not all can be looked at, what was found is kept, none is forgotten, and that is the error.
pub async fn search(
    store: &Store,
    ids: &dyn IdSource,
    instance: &PbxInstance,
) -> Result<Searched, SearchError> {
    let Some(directory) = instance.settings.recordings_dir() else {
        return Ok(Searched::default());
    };
    let (searched, unseen) = look(store, ids, instance, directory).await?;
    match unseen.into_iter().next() {
        None => Ok(searched),
        Some(source) => Err(SearchError::Unseen {
            directory: directory.to_string(),
            source,
        }),
    }
}

async fn look(
    store: &Store,
    ids: &dyn IdSource,
    instance: &PbxInstance,
    directory: &AbsolutePath,
) -> Result<(Searched, Vec<Unseen>), SearchError> {
    let mut tx = store.read("known_recordings").await?;
    let served: BTreeSet<(TenantId, SipDomain)> = domains::known_on(&mut tx, instance.id)
        .await?
        .into_iter()
        .collect();
    let known = recordings::known(&mut tx, instance.id).await?;
    drop(tx);
    // Also those of domains that nobody has any more: what is there of them belongs to somebody still.
    let mut places: Vec<SipDomain> = served.iter().map(|(_, domain)| domain.clone()).collect();
    let former = known.keys().filter_map(|path| path.directory().parse().ok());
    places.extend(former);
    places.sort();
    places.dedup();
    let found = Spool::new(directory.clone(), instance.settings.kind())
        .find(places)
        .await;
    let mut found = found.map_err(|source| SearchError::Disk {
        directory: directory.to_string(),
        source,
    })?;
    // Where there never was any, there need not be a directory.
    found
        .unseen
        .retain(|unseen| !(known.is_empty() && matches!(unseen, Unseen::Nothing)));
    let changed: Vec<&FoundRecording> = found
        .recordings
        .iter()
        .filter(|found| known.get(&found.path) != Some(found))
        .collect();
    let there: BTreeSet<&RecordingPath> = found.recordings.iter().map(|found| &found.path).collect();
    let gone: Vec<&RecordingPath> = known
        .keys()
        .filter(|path| found.unseen.is_empty() && !there.contains(path))
        .collect();
    let mut owners = Owners {
        instance: instance.id,
        served,
        holders: BTreeMap::new(),
    };
    let mut searched = Searched::default();
    for batch in changed.chunks(BATCH) {
        let mut tx = store.begin("keep_recordings").await?;
        for found in batch {
            if let Some(tenant) = owners.of(&mut tx, found).await? {
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
    Ok((searched, found.unseen))
}

/// Whose recordings are.
struct Owners {
    instance: InstanceId,
    served: BTreeSet<(TenantId, SipDomain)>,
    /// Since when who has or had each domain.
    holders: BTreeMap<SipDomain, Vec<(TenantId, Timestamp)>>,
}

impl Owners {
    /// Whose a recording is, which is nobody's rather than another's: a domain may have changed hands since it was made.
    async fn of(&mut self, tx: &mut Tx, found: &FoundRecording) -> Result<Option<TenantId>, StoreError> {
        let Ok(domain) = found.path.directory().parse::<SipDomain>() else {
            return Ok(None);
        };
        let holders = match self.holders.entry(domain.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(recordings::holders(tx, &domain).await?),
        };
        let before = holders.iter().filter(|(_, since)| *since <= found.written_at);
        let holder = before.max_by_key(|(_, since)| *since).map(|(tenant, _)| *tenant);
        if let Some(tenant) = holder
            && self.served.contains(&(tenant, domain.clone()))
        {
            return Ok(Some(tenant));
        }
        match found.path.channel() {
            Some(channel) => recordings::whose(tx, self.instance, &channel, &domain).await,
            None => Ok(None),
        }
    }
}

/// Removes every recording of the tenants that are to go, and their directories as far as they are empty then. What was not
/// found yet is looked for first. What keeps one of them keeps none of the others.
pub async fn remove_leaving(
    store: &Store,
    ids: &dyn IdSource,
    instance: &PbxInstance,
) -> Result<Removed, SearchError> {
    let mut removed = Removed::default();
    let Some(directory) = instance.settings.recordings_dir() else {
        return Ok(removed);
    };
    let mut tx = store.read("tenants_that_go").await?;
    let leaving = tenant_lifecycle::leaving(&mut tx).await?;
    drop(tx);
    if leaving.is_empty() {
        return Ok(removed);
    }
    let (_, unseen) = look(store, ids, instance, directory).await?;
    let mut tx = store.read("recordings_that_go").await?;
    let mut going: BTreeMap<TenantId, Vec<RecordingPath>> = BTreeMap::new();
    for (tenant, path) in recordings::leaving(&mut tx, instance.id).await? {
        going.entry(tenant).or_default().push(path);
    }
    let mut places = BTreeMap::new();
    for tenant in leaving {
        let paths = going.remove(&tenant).unwrap_or_default();
        let mut own = domains::ever_of(&mut tx, tenant).await?;
        own.extend(paths.iter().filter_map(|path| path.directory().parse().ok()));
        places.insert(tenant, (own, paths));
    }
    drop(tx);
    let spool = Spool::new(directory.clone(), instance.settings.kind());
    let directory = directory.to_string();
    for (tenant, (domains, paths)) in places {
        let missed = unseen
            .iter()
            .find(|unseen| domains.iter().any(|domain| unseen.is_of(domain)));
        if let Some(missed) = missed {
            let (directory, source) = (directory.clone(), missed.clone());
            removed
                .kept
                .insert(tenant, SearchError::Unseen { directory, source });
            continue;
        }
        let mut gone = Vec::new();
        let mut kept = None;
        for path in &paths {
            match spool.remove(path).await {
                Ok(_) => gone.push(path),
                Err(error) => kept = kept.or(Some(error)),
            }
        }
        for batch in gone.chunks(BATCH) {
            let mut tx = store.begin("lose_recordings").await?;
            for path in batch {
                recordings::lose(&mut tx, instance.id, path).await?;
            }
            tx.commit().await?;
        }
        removed.recordings += gone.len();
        // Last: without its directories a disk looks as if it were not mounted.
        for domain in domains {
            if let Err(error) = spool.tidy(&domain).await {
                kept = kept.or(Some(error));
            }
        }
        if let Some(source) = kept {
            let directory = directory.clone();
            removed
                .kept
                .insert(tenant, SearchError::Disk { directory, source });
        }
    }
    Ok(removed)
}
