//! Names of webhooks' hosts: resolved anew for each connection, and only to addresses that webhooks may reach.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::sync::Semaphore;

use crate::domain::webhook_reach::WebhookReach;

/// So many names are looked up at once: each takes a thread for as long as its name servers please.
const LOOKUPS: usize = 32;

/// The host is, or its name leads to, what no webhook may reach. Says nothing of where it leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("leads to an address that webhooks may not reach")]
pub(super) struct Unreachable;

/// Resolves names for one client. What is connected to is what was checked here.
#[derive(Clone)]
pub(super) struct Resolver {
    reach: WebhookReach,
    is_clear: bool,
    lookups: Arc<Semaphore>,
}

impl Resolver {
    /// `is_clear`: for connections without TLS.
    pub fn new(reach: WebhookReach, is_clear: bool) -> Self {
        Self {
            reach,
            is_clear,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    fn allowed(&self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Unreachable> {
        let allowed: Vec<_> = found
            .filter(|address| self.reach.may_reach(address.ip(), self.is_clear))
            .collect();
        if allowed.is_empty() {
            return Err(Unreachable);
        }
        Ok(allowed)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let own = self.clone();
        Box::pin(async move {
            let _permit = own.lookups.acquire().await.map_err(io::Error::other)?;
            let found = lookup_host((name.as_str(), 0)).await?;
            let allowed = own.allowed(found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_name_leads_to_only_what_may_be_reached_is_connected_to() {
        let resolver = Resolver::new(WebhookReach::default(), false);
        let socket = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let (public, private) = (socket("1.1.1.1"), socket("::ffff:169.254.169.254"));
        assert_eq!(
            resolver.allowed([private, public].into_iter()),
            Ok(vec![public]),
            "whichever comes first"
        );
        assert_eq!(resolver.allowed([private].into_iter()), Err(Unreachable));
        let clear = Resolver::new(WebhookReach::default(), true);
        assert_eq!(clear.allowed([public].into_iter()), Err(Unreachable));
    }
}
