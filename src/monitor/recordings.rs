//! Recordings on a PBX's disk, brought in line with what is known of them: new ones are found, and lost ones forgotten.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::io;

use jiff::Timestamp;
use thiserror::Error;

use super::known_recordings::{self, Known};
use crate::domain::call_record::CallCursor;
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
    let (searched, unseen) = look(store, ids, instance, directory, Among::All).await?;
    told(directory, unseen.into_iter().next()).map(|()| searched)
}

/// Looks at those of one tenant: at each domain that it ever had, and wherever one of its own is known to be. Where `is_recorded`,
/// or some are known, one of these directories has to be there: else another disk may be.
pub async fn search_for(
    store: &Store,
    ids: &dyn IdSource,
    instance: &PbxInstance,
    tenant: TenantId,
    is_recorded: bool,
) -> Result<(), SearchError> {
    let Some(directory) = instance.settings.recordings_dir() else {
        return Ok(());
    };
    let domains = domains_of(store, instance.id, tenant).await?;
    let knows = of_tenant(store, instance.id, tenant, &mut None).await?.is_some();
    let spool = Spool::new(directory.clone(), instance.settings.kind());
    let broken = |source| SearchError::Disk {
        directory: directory.to_string(),
        source,
    };
    if !spool.holds_any(domains.clone()).await.map_err(broken)? {
        let mut tx = store.read("domains_of_recordings").await?;
        let all = domains::known_on(&mut tx, instance.id).await?;
        drop(tx);
        // Where others have theirs, and none of its own was ever seen, it has none.
        let all = all.into_iter().map(|(_, domain)| domain).collect();
        let is_none = !knows && (!is_recorded || spool.holds_any(all).await.map_err(broken)?);
        return told(directory, (!is_none).then_some(Unseen::Nothing));
    }
    let among = Among::Tenant { tenant, domains };
    let (_, unseen) = look(store, ids, instance, directory, among).await?;
    told(directory, unseen.into_iter().next())
}

/// Whose recordings are looked at.
enum Among {
    All,
    Tenant {
        tenant: TenantId,
        domains: BTreeSet<SipDomain>,
    },
}

fn told(directory: &AbsolutePath, unseen: Option<Unseen>) -> Result<(), SearchError> {
    let Some(source) = unseen else { return Ok(()) };
    let directory = directory.to_string();
    Err(SearchError::Unseen { directory, source })
}

async fn look(
    store: &Store,
    ids: &dyn IdSource,
    instance: &PbxInstance,
    directory: &AbsolutePath,
    among: Among,
) -> Result<(Searched, Vec<Unseen>), SearchError> {
    let mut known = Known::read(store, instance.id).await?;
    let mut tx = store.read("domains_of_recordings").await?;
    let mut served: BTreeSet<(TenantId, SipDomain)> = domains::known_on(&mut tx, instance.id)
        .await?
        .into_iter()
        .collect();
    drop(tx);
    let is_of_all = matches!(among, Among::All);
    let places = match among {
        // Also those of domains that nobody has any more: what is there of them belongs to somebody still.
        Among::All => {
            let mut places = known.places.clone();
            places.extend(served.iter().map(|(_, domain)| domain.clone()));
            places
        }
        Among::Tenant { tenant, domains } => {
            // It may have left this PBX so long ago that no generation tells of it.
            served.extend(domains.iter().map(|domain| (tenant, domain.clone())));
            domains
        }
    };
    let mut owners = Owners {
        instance: instance.id,
        served,
        holders: BTreeMap::new(),
    };
    let mut searched = Searched::default();
    let mut walk = Spool::new(directory.clone(), instance.settings.kind()).walk(places.into_iter().collect());
    while let Some(mut portion) = walk.next().await {
        portion.retain(|found| !known.meet(found));
        for batch in portion.chunks(BATCH) {
            searched.kept += keep(store, ids, &mut owners, batch).await?;
        }
    }
    let mut unseen = walk.end().await.map_err(|source| SearchError::Disk {
        directory: directory.to_string(),
        source,
    })?;
    // Where there never was any, there need not be a directory.
    unseen.retain(|unseen| !(known.is_empty() && matches!(unseen, Unseen::Nothing)));
    // Of a tenant nothing is taken to have gone: another disk may be there, and its own files are asked for one by one.
    if unseen.is_empty() && is_of_all && known.misses_any() {
        let mut last = None;
        while let Some(mut portion) = known_recordings::next(store, instance.id, &mut last).await? {
            portion.retain(|recording| known.misses(&recording.path));
            let gone: Vec<&RecordingPath> = portion.iter().map(|recording| &recording.path).collect();
            lose(store, instance.id, &gone).await?;
            searched.lost += gone.len();
        }
    }
    Ok((searched, unseen))
}

/// The next of a tenant's recordings on an instance; none once all were given.
async fn of_tenant(
    store: &Store,
    instance: InstanceId,
    tenant: TenantId,
    last: &mut Option<CallCursor>,
) -> Result<Option<Vec<RecordingPath>>, StoreError> {
    let mut tx = store.read("recordings_of_tenant").await?;
    let portion = recordings::of_tenant(&mut tx, tenant, instance, *last).await?;
    let Some((end, _)) = portion.last() else {
        return Ok(None);
    };
    *last = Some(*end);
    Ok(Some(portion.into_iter().map(|(_, path)| path).collect()))
}

/// All domains that something of a tenant may lie under.
async fn domains_of(
    store: &Store,
    instance: InstanceId,
    tenant: TenantId,
) -> Result<BTreeSet<SipDomain>, StoreError> {
    let mut tx = store.read("domains_of_tenant").await?;
    let mut domains = domains::ever_of(&mut tx, tenant).await?;
    drop(tx);
    let mut last = None;
    while let Some(portion) = of_tenant(store, instance, tenant, &mut last).await? {
        domains.extend(portion.iter().filter_map(|path| path.directory().parse().ok()));
    }
    Ok(domains)
}

/// Keeps what was found, as far as it is somebody's; gives how many that are.
async fn keep(
    store: &Store,
    ids: &dyn IdSource,
    owners: &mut Owners,
    batch: &[FoundRecording],
) -> Result<usize, StoreError> {
    let mut kept = 0;
    let mut tx = store.begin("keep_recordings").await?;
    for found in batch {
        if let Some(tenant) = owners.of(&mut tx, found).await? {
            recordings::put(&mut tx, RecordingId::fresh(ids), tenant, owners.instance, found).await?;
            kept += 1;
        }
    }
    tx.commit().await?;
    Ok(kept)
}

/// Forgets recordings whose files have gone.
async fn lose(store: &Store, instance: InstanceId, gone: &[&RecordingPath]) -> Result<(), StoreError> {
    for batch in gone.chunks(BATCH) {
        let mut tx = store.begin("lose_recordings").await?;
        for path in batch {
            recordings::lose(&mut tx, instance, path).await?;
        }
        tx.commit().await?;
    }
    Ok(())
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
            Entry::Vacant(unknown) => unknown.insert(domains::holders(tx, &domain).await?),
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
    let (_, unseen) = look(store, ids, instance, directory, Among::All).await?;
    let spool = Spool::new(directory.clone(), instance.settings.kind());
    for tenant in leaving {
        let going = Going {
            store,
            instance: instance.id,
            spool: &spool,
            tenant,
        };
        let domains = domains_of(store, instance.id, tenant).await?;
        let missed = unseen
            .iter()
            .find(|unseen| domains.iter().any(|domain| unseen.is_of(domain)));
        let directory = directory.to_string();
        if let Some(missed) = missed {
            let source = missed.clone();
            removed
                .kept
                .insert(tenant, SearchError::Unseen { directory, source });
            continue;
        }
        let (gone, kept) = going.remove(&domains).await?;
        removed.recordings += gone;
        if let Some(source) = kept {
            removed
                .kept
                .insert(tenant, SearchError::Disk { directory, source });
        }
    }
    Ok(removed)
}

/// A tenant that is to go, with its recordings on an instance.
struct Going<'a> {
    store: &'a Store,
    instance: InstanceId,
    spool: &'a Spool,
    tenant: TenantId,
}

impl Going<'_> {
    /// Removes what can be removed: how many recordings, and why the first one that stays does.
    async fn remove(&self, domains: &BTreeSet<SipDomain>) -> Result<(usize, Option<io::Error>), StoreError> {
        let (mut count, mut kept) = (0, None);
        let mut last = None;
        while let Some(portion) = of_tenant(self.store, self.instance, self.tenant, &mut last).await? {
            let mut gone = Vec::new();
            for path in &portion {
                match self.spool.remove(path).await {
                    Ok(_) => gone.push(path),
                    Err(error) => kept = kept.or(Some(error)),
                }
            }
            lose(self.store, self.instance, &gone).await?;
            count += gone.len();
        }
        // Last: without its directories a disk looks as if it were not mounted.
        for domain in domains {
            if let Err(error) = self.spool.tidy(domain).await {
                kept = kept.or(Some(error));
            }
        }
        Ok((count, kept))
    }
}
