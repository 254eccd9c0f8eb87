//! Whose a domain is on one PBX, and which extension has which number: read from the database, kept for a while.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::dial::ExtensionNumber;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{ExtensionId, InstanceId, TenantId};
use crate::domain::leg::Leg;
use crate::domain::sip_domain::SipDomain;
use crate::store::{Store, StoreError, domains, extensions};

/// For how long the extensions of a tenant are believed to be those that were read.
const KEPT: Duration = Duration::from_mins(1);
/// How soon they are read again for a number that is not among them: it may have been made since.
const AGAIN: Duration = Duration::from_secs(2);

/// Whose a domain is, and which extension has which number.
#[derive(Default)]
pub struct Directory {
    domains: HashMap<SipDomain, TenantId>,
    /// The same the other way round.
    of_tenants: HashMap<TenantId, Vec<SipDomain>>,
    /// How often the domains were other ones than before.
    changes: u64,
    extensions: HashMap<TenantId, Numbers>,
    wanted: BTreeSet<TenantId>,
    /// Those of which a row cannot be read: no other try mends that.
    unreadable: HashSet<TenantId>,
}

struct Numbers {
    ids: HashMap<ExtensionNumber, ExtensionId>,
    read: Instant,
}

impl Directory {
    /// Whose a domain is, as a whole: one that only begins or ends alike is another.
    #[must_use]
    pub fn tenant(&self, domain: &SipDomain) -> Option<TenantId> {
        self.domains.get(domain).copied()
    }

    /// The domains of a tenant.
    #[must_use]
    pub fn domains(&self, tenant: TenantId) -> &[SipDomain] {
        self.of_tenants.get(&tenant).map_or(&[], Vec::as_slice)
    }

    /// Another number after each change of whose a domain is.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whose a leg is.
    #[must_use]
    pub fn tenant_of(&self, leg: &Leg) -> Option<TenantId> {
        leg.domains.iter().find_map(|domain| self.tenant(domain))
    }

    /// The extension of a number, as far as it was read.
    #[must_use]
    pub fn extension(&self, tenant: TenantId, number: &ExtensionNumber) -> Option<ExtensionId> {
        self.extensions.get(&tenant)?.ids.get(number).copied()
    }

    /// Every tenant that has a domain there.
    #[must_use]
    pub fn tenants(&self) -> HashSet<TenantId> {
        self.of_tenants.keys().copied().collect()
    }

    /// From now on these are all domains that there are.
    pub fn know(&mut self, domains: impl IntoIterator<Item = (TenantId, SipDomain)>) {
        let mut known: HashMap<SipDomain, Option<TenantId>> = HashMap::new();
        for (tenant, domain) in domains {
            // Of two tenants': nobody's is safer than somebody's.
            let one = known.entry(domain).or_insert(Some(tenant));
            *one = one.filter(|other| *other == tenant);
        }
        let known = known.into_iter();
        let domains: HashMap<SipDomain, TenantId> = known
            .filter_map(|(domain, tenant)| Some((domain, tenant?)))
            .collect();
        if domains == self.domains {
            return;
        }
        self.changes += 1;
        self.of_tenants.clear();
        for (domain, tenant) in &domains {
            self.of_tenants.entry(*tenant).or_default().push(domain.clone());
        }
        self.domains = domains;
        let of_tenants = &self.of_tenants;
        self.extensions
            .retain(|tenant, _| of_tenants.contains_key(tenant));
        self.wanted.retain(|tenant| of_tenants.contains_key(tenant));
        self.unreadable.retain(|tenant| of_tenants.contains_key(tenant));
    }

    /// The extensions of a tenant.
    pub fn learn(&mut self, tenant: TenantId, ids: impl IntoIterator<Item = (ExtensionNumber, ExtensionId)>) {
        let numbers = Numbers {
            ids: ids.into_iter().collect(),
            read: Instant::now(),
        };
        self.extensions.insert(tenant, numbers);
    }

    /// Notes what has to be read for a leg to be shown.
    pub fn want(&mut self, leg: &Leg) {
        if let Some(endpoint) = &leg.endpoint
            && let Some(tenant) = self.tenant(&endpoint.domain)
        {
            self.want_number(tenant, &endpoint.number);
        }
    }

    /// The same for a number.
    pub fn want_number(&mut self, tenant: TenantId, number: &ExtensionNumber) {
        let is_there = self.extensions.get(&tenant).is_some_and(|numbers| {
            let kept = if numbers.ids.contains_key(number) || self.unreadable.contains(&tenant) {
                KEPT
            } else {
                AGAIN
            };
            numbers.read.elapsed() < kept
        });
        if !is_there {
            self.wanted.insert(tenant);
        }
    }

    /// Whether nothing is wanted that was not read.
    #[must_use]
    pub fn has_all(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Reads the domains of a PBX.
    pub async fn read_domains(&mut self, store: &Store, instance: InstanceId) -> Result<(), StoreError> {
        let mut tx = store.read("monitor_domains").await?;
        self.know(domains::known_on(&mut tx, instance).await?);
        Ok(())
    }

    /// Reads what is wanted.
    pub async fn read_wanted(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let mut tx = store.read("monitor_extensions").await?;
        while let Some(tenant) = self.wanted.first().copied() {
            match extensions::numbers(&mut tx, tenant).await {
                Ok(ids) => {
                    self.unreadable.remove(&tenant);
                    self.learn(tenant, ids);
                }
                // It keeps those of nobody else from being known.
                Err(error @ StoreError::Corrupt { .. }) => {
                    if self.unreadable.insert(tenant) {
                        let error = error_chain(&error);
                        tracing::warn!(%tenant, error, "its extensions cannot be read: its calls are told without them");
                    }
                    self.learn(tenant, []);
                }
                Err(error) => return Err(error),
            }
            self.wanted.remove(&tenant);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn o10_a_domain_that_two_tenants_have_is_nobodys_whatever_their_order() {
        let [one, other] = [1, 2].map(|number| TenantId::from_uuid(Uuid::from_u128(number)));
        let [own, common] =
            ["own", "common"].map(|name| format!("{name}.example.com").parse::<SipDomain>().unwrap());
        let told = [
            (one, own.clone()),
            (one, common.clone()),
            (other, common.clone()),
            (one, common.clone()),
        ];
        for turned in 0..told.len() {
            let mut told = told.clone();
            told.rotate_left(turned);
            let mut directory = Directory::default();
            directory.know(told);
            assert_eq!(directory.tenant(&common), None, "{turned}");
            assert_eq!(directory.tenant(&own), Some(one));
            assert!(directory.domains(other).is_empty());
        }
    }
}
