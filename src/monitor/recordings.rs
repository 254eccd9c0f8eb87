//! Recordings on a PBX's disk, brought in line with what is known of them: new ones are found, and lost ones forgotten.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::known_recordings::{self, Known};
use super::landmarks::{self, Standing};
use crate::domain::call_record::CallCursor;
use crate::domain::ids::{IdSource, InstanceId, RecordingId, TenantId};
use crate::domain::instance::{AbsolutePath, PbxInstance};
use crate::domain::recording::{FoundRecording, RecordingPath};
use crate::domain::sip_domain::SipDomain;
use crate::driver::spool::{LANDMARK, Spool, Unseen};
use crate::store::{Store, StoreError, Tx, domains, recordings};

/// Rows that are written in one transaction.
const BATCH: usize = 200;
/// How long a disk may take to say whose directories are there, or to remove a file.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

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
         service read it, or, if it is the right directory, make the file {LANDMARK} in it empty (`truncate -s 0`)"
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

/// Looks at those of one tenant: at each domain that it ever had, and wherever one of its own is known to be. Where nothing tells
/// that the directory is the right one, and calls are recorded or recordings are known, one of the tenants' own has to be there.
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
    let spool = Spool::new(directory.clone(), instance.settings.kind());
    let broken = |source| SearchError::Disk {
        directory: directory.to_string(),
        source,
    };
    let kept = landmarks::kept(store, instance.id).await?;
    let there = spool.landmark(LONGEST).await.map_err(broken)?;
    let standing = Standing::of(kept.as_deref(), there.as_ref());
    if standing == Standing::Wrong {
        return told(directory, Some(Unseen::Landmark));
    }
    let is_right = standing == Standing::Right;
    if !is_right && !spool.holds_any(domains.clone(), LONGEST).await.map_err(broken)? {
        let has_own = of_tenant(store, instance.id, tenant, &mut None).await?.is_some();
        let mut tx = store.read("domains_of_recordings").await?;
        let all = domains::known_on(&mut tx, instance.id).await?;
        drop(tx);
        // Where others have theirs, and none of its own was ever seen, it has none.
        let all = all.into_iter().map(|(_, domain)| domain).collect();
        let is_none = !has_own && (!is_recorded || spool.holds_any(all, LONGEST).await.map_err(broken)?);
        return told(directory, (!is_none).then_some(Unseen::Nothing));
    }
    let among = Among::Tenant { tenant, domains };
    let (_, unseen) = look(store, ids, instance, directory, among).await?;
    told(directory, unseen.into_iter().next())
}

/// Whose recordings are looked at.
pub(super) enum Among {
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

pub(super) async fn look(
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
    let spool = Spool::new(directory.clone(), instance.settings.kind());
    let broken = |source| SearchError::Disk {
        directory: directory.to_string(),
        source,
    };
    // A disk that does not answer is not walked through.
    spool.landmark(LONGEST).await.map_err(broken)?;
    let mut walk = spool.walk(places.into_iter().collect()).map_err(broken)?;
    while let Some(mut portion) = walk.next().await {
        portion.retain(|found| !known.meet(found));
        for batch in portion.chunks(BATCH) {
            searched.kept += keep(store, ids, &mut owners, batch).await?;
        }
    }
    let seen = walk.end().await.map_err(broken)?;
    let kept = landmarks::kept(store, instance.id).await?;
    let mut standing = Standing::of(kept.as_deref(), seen.landmark.as_ref());
    let mut unseen = seen.unseen;
    if !is_of_all {
        // Of a tenant nothing is taken to have gone: its own files are asked for one by one.
        unseen.extend((standing == Standing::Wrong).then_some(Unseen::Landmark));
        return Ok((searched, unseen));
    }
    // Where there never was any, there need not be a directory.
    unseen.retain(|unseen| !(known.is_empty() && matches!(unseen, Unseen::Nothing)));
    if standing == Standing::Unsure && known.misses_all() {
        landmarks::doubt(store, instance.id).await?;
        standing = Standing::Wrong;
    }
    let mut missed = 0;
    if unseen.is_empty() && standing != Standing::Wrong && known.misses_any() {
        let is_there = |domain: &str| seen.there.iter().any(|there| there.as_str() == domain);
        let is_gone = |path: &RecordingPath| standing == Standing::Right || is_there(path.directory());
        let mut last = None;
        while let Some(mut portion) = known_recordings::next(store, instance.id, &mut last).await? {
            portion.retain(|recording| known.misses(&recording.path));
            let all = portion.len();
            portion.retain(|recording| is_gone(&recording.path));
            missed += all - portion.len();
            let gone: Vec<&RecordingPath> = portion.iter().map(|recording| &recording.path).collect();
            lose(store, instance.id, &gone).await?;
            searched.lost += gone.len();
        }
    }
    if missed > 0 || (standing == Standing::Wrong && (known.is_empty() || known.misses_any())) {
        unseen.push(Unseen::Landmark);
    }
    if let Some(there) = &seen.landmark {
        let is_same = kept.as_deref() == Some(&there.kept());
        if is_same && there.is_file() && !there.is_operators() {
            // Who may not write there leaves it as old as it is.
            let _ = spool.refresh_landmark(LONGEST).await;
        } else if unseen.is_empty() && (is_same || !seen.there.is_empty()) {
            landmarks::adopt(store, ids, instance.id, &spool, (kept.as_deref(), there)).await?;
        }
    }
    Ok((searched, unseen))
}

/// The next of a tenant's recordings on an instance; none once all were given.
pub(super) async fn of_tenant(
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
pub(super) async fn domains_of(
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
pub(super) async fn lose(
    store: &Store,
    instance: InstanceId,
    gone: &[&RecordingPath],
) -> Result<(), StoreError> {
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
