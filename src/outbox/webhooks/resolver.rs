//! Names of webhooks' hosts: resolved anew for each connection, and only to addresses that webhooks may reach.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::domain::webhook_reach::WebhookReach;

/// So many names are looked up at once, each in a thread for as long as its name servers please, whoever has ceased to wait for
/// it by then. More than there are webhooks that are sent to at once; half of the threads that the process has for all such work.
const LOOKUPS: usize = 256;

/// The host is, or its name leads to, what no webhook may reach, or leads nowhere. Says nothing of where it leads, nor which names
/// the house's own name servers know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("leads to no address that webhooks may reach")]
pub(super) struct Unreachable;

/// Too many names are being looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many names are being looked up at this moment")]
pub(super) struct Busy;

/// What looks a name up.
pub(super) type LookUp = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// By the system's resolver.
fn of_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((name, 0).to_socket_addrs()?.collect())
}

/// How many more names may be looked up, for all clients together.
#[derive(Clone)]
pub(super) struct Lookups {
    left: Arc<Semaphore>,
    look_up: LookUp,
}

impl Default for Lookups {
    fn default() -> Self {
        Self::new(LOOKUPS, of_system)
    }
}

impl Lookups {
    /// So many at once.
    pub fn new(most: usize, look_up: LookUp) -> Self {
        Self {
            left: Arc::new(Semaphore::new(most)),
            look_up,
        }
    }

    /// Where a name leads to. Nobody waits for others' names: where there is no place for one more, that is said.
    async fn find(&self, name: String) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let permit = Arc::clone(&self.left).try_acquire_owned().map_err(|_| Busy)?;
        let look_up = self.look_up;
        let asked = name.clone();
        let found = spawn_blocking(move || {
            // Given back when the thread is free.
            let _permit = permit;
            look_up(&name)
        });
        let unknown = |error: io::Error| {
            // Whose webhook it is reads another text; where this host's name servers are at fault, its operator has to see it.
            tracing::warn!(host = asked, %error, "the name of a webhook's host leads nowhere");
            Unreachable
        };
        Ok(found.await?.map_err(unknown)?)
    }
}

/// Resolves names for one client. What is connected to is what was checked here.
#[derive(Clone)]
pub(super) struct Resolver {
    reach: WebhookReach,
    is_clear: bool,
    lookups: Lookups,
}

impl Resolver {
    /// `is_clear`: for connections without TLS.
    pub fn new(reach: WebhookReach, is_clear: bool, lookups: Lookups) -> Self {
        Self {
            reach,
            is_clear,
            lookups,
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
            let found = own.lookups.find(name.as_str().to_owned()).await?;
            let allowed = own.allowed(found.into_iter())?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn of_what_a_name_leads_to_only_what_may_be_reached_is_connected_to() {
        let of = |is_clear| Resolver::new(WebhookReach::default(), is_clear, Lookups::default());
        let resolver = of(false);
        let socket = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let (public, private) = (socket("1.1.1.1"), socket("::ffff:169.254.169.254"));
        assert_eq!(
            resolver.allowed([private, public].into_iter()),
            Ok(vec![public]),
            "whichever comes first"
        );
        assert_eq!(resolver.allowed([private].into_iter()), Err(Unreachable));
        assert_eq!(of(true).allowed([public].into_iter()), Err(Unreachable));
    }

    /// Held by a test for as long as names are to hang.
    static SLOW: Mutex<()> = Mutex::new(());

    fn slow(name: &str) -> io::Result<Vec<SocketAddr>> {
        match name {
            "slow.example.com" => drop(SLOW.lock()),
            "other.example.com" => {}
            _ => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(vec![SocketAddr::from(([1, 1, 1, 1], 0))])
    }

    #[test]
    fn a_name_that_hangs_holds_its_place_until_its_thread_is_free_and_nobody_waits_for_one() {
        let lookups = Lookups::new(2, slow);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let find = |name: &str| lookups.find(name.to_owned());
        let is_busy = |found: Result<_, Box<dyn Error + Send + Sync>>| {
            let error = found.err();
            error.is_some_and(|error| error.downcast_ref::<Busy>().is_some())
        };
        let held = SLOW.lock().unwrap();
        runtime.block_on(async {
            for _ in 0..2 {
                let moment = Duration::from_millis(20);
                let found = timeout(moment, find("slow.example.com")).await;
                assert!(found.is_err(), "it hangs, and its caller goes on");
            }
            assert!(is_busy(find("other.example.com").await));
        });
        drop(held);
        runtime.block_on(async {
            for _ in 0..1000 {
                if lookups.left.available_permits() == 2 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(find("other.example.com").await.unwrap().len(), 1);
        });
    }

    /// Else a tenant could find out which names there are in the house.
    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_not_told_from_one_that_leads_into_the_house() {
        let unknown = Lookups::new(1, slow).find("nowhere.example.com".to_owned()).await;
        let error = unknown.err().unwrap();
        assert_eq!(error.downcast_ref::<Unreachable>(), Some(&Unreachable));
    }
}
