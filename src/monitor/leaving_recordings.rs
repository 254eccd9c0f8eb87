//! Recordings of tenants that are to go, removed from a PBX's disk before their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::landmarks::{self, Standing};
use super::recordings::{Among, LONGEST, SearchError, domains_of, look, lose, of_tenant};
use crate::domain::ids::{IdSource, InstanceId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::domain::sip_domain::SipDomain;
use crate::driver::spool::Spool;
use crate::store::{Store, StoreError, tenant_lifecycle};

/// What was removed of tenants that are to go.
#[derive(Default, Debug)]
pub struct Removed {
    /// How many recordings.
    pub recordings: usize,
    /// Those of which something may be left, with the first reason.
    pub kept: BTreeMap<TenantId, SearchError>,
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
    /// Whether the directory is another one by now.
    async fn is_another(&self) -> Result<io::Result<bool>, StoreError> {
        let kept = landmarks::kept(self.store, self.instance).await?;
        let there = self.spool.landmark(LONGEST).await;
        Ok(there.map(|there| Standing::of(kept.as_deref(), there.as_ref()) == Standing::Wrong))
    }

    /// Removes what can be removed: how many recordings, and why the first one that stays does.
    async fn remove(&self, domains: &BTreeSet<SipDomain>) -> Result<(usize, Option<io::Error>), StoreError> {
        let (mut count, mut kept) = (0, None);
        let mut last = None;
        while let Some(portion) = of_tenant(self.store, self.instance, self.tenant, &mut last).await? {
            let (mut gone, mut absent) = (Vec::new(), Vec::new());
            for path in &portion {
                match self.spool.remove(path, LONGEST).await {
                    Ok(true) => gone.push(path),
                    Ok(false) => absent.push(path),
                    Err(error) => kept = kept.or(Some(error)),
                }
            }
            // The disk may have gone since it was looked at.
            if !absent.is_empty() {
                match self.is_another().await? {
                    Ok(false) => gone.append(&mut absent),
                    Ok(true) => kept = kept.or(Some(io::ErrorKind::NotFound.into())),
                    Err(error) => kept = kept.or(Some(error)),
                }
            }
            lose(self.store, self.instance, &gone).await?;
            count += gone.len();
        }
        // Last: where it is known by nothing else, a disk without its directories looks as if it were not mounted.
        if kept.is_none() {
            for domain in domains {
                if let Err(error) = self.spool.tidy(domain).await {
                    kept = kept.or(Some(error));
                }
            }
        }
        Ok((count, kept))
    }
}
