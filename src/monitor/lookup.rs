//! What a listener reads from the database, which may be away while the PBX goes on telling: asked again after a while, not
//! with each of its news.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::directory::Directory;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::store::{Store, StoreError};

/// The database may stand still; who listens must not.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two tries while it is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How old may be what is known of domains, however seldom the PBX is polled: a tenant that is gone is to leave nothing.
const KEPT: Duration = Duration::from_secs(30);

/// Whose a call is, as far as it could be read.
pub struct Lookup {
    /// What was read.
    pub directory: Directory,
    store: Store,
    instance: InstanceId,
    /// Since the database failed: when it is asked next.
    rests_until: Option<Instant>,
    /// When the domains are read at the latest.
    domains_due: Instant,
    /// Whether they could not be read when they were due.
    are_domains_old: bool,
}

impl Lookup {
    /// Nothing is read yet.
    pub fn new(store: Store, instance: InstanceId) -> Self {
        Self {
            directory: Directory::default(),
            store,
            instance,
            rests_until: None,
            domains_due: Instant::now() + KEPT,
            are_domains_old: false,
        }
    }

    /// Whether all that was to be read was: else calls may be without their extensions, or another's.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.are_domains_old && self.directory.has_all()
    }

    /// When something is to be read although nothing happens.
    #[must_use]
    pub fn due(&self) -> Instant {
        if self.is_whole() {
            self.domains_due
        } else {
            self.rests_until.unwrap_or(self.domains_due)
        }
    }

    /// Reads whose each domain is.
    pub async fn read_domains(&mut self) {
        self.are_domains_old = true;
        if self.rests() {
            return;
        }
        let read = self.directory.read_domains(&self.store, self.instance);
        let read = patient(read).await;
        self.are_domains_old = read.is_err();
        self.domains_due = Instant::now() + KEPT;
        self.note(read);
    }

    /// Reads the extensions that are wanted.
    pub async fn read_wanted(&mut self) {
        if self.directory.has_all() || self.rests() {
            return;
        }
        let read = patient(self.directory.read_wanted(&self.store)).await;
        self.note(read);
    }

    fn rests(&self) -> bool {
        self.rests_until.is_some_and(|until| Instant::now() < until)
    }

    fn note(&mut self, read: Result<(), String>) {
        match read {
            Ok(()) => self.rests_until = None,
            Err(error) => {
                if self.rests_until.is_none() {
                    tracing::warn!(instance = %self.instance, error, "whose its calls are could not be read");
                }
                self.rests_until = Some(Instant::now() + AGAIN);
            }
        }
    }
}

async fn patient(read: impl Future<Output = Result<(), StoreError>>) -> Result<(), String> {
    match timeout(PATIENCE, read).await {
        Ok(read) => read.map_err(|error| error_chain(&error)),
        Err(_) => Err("the database does not answer".to_owned()),
    }
}
