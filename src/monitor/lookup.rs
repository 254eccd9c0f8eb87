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

/// One kind of question to the database.
struct Asking {
    what: &'static str,
    /// Since it failed: when it is asked next.
    rests_until: Option<Instant>,
}

impl Asking {
    const fn new(what: &'static str) -> Self {
        Self {
            what,
            rests_until: None,
        }
    }

    fn rests(&self) -> bool {
        self.rests_until.is_some_and(|until| Instant::now() < until)
    }

    fn note(&mut self, instance: InstanceId, read: Result<(), String>) {
        match read {
            Ok(()) => self.rests_until = None,
            Err(error) => {
                if self.rests_until.is_none() {
                    tracing::warn!(%instance, error, "{} could not be read", self.what);
                }
                self.rests_until = Some(Instant::now() + AGAIN);
            }
        }
    }
}

/// Whose a call is, as far as it could be read.
pub struct Lookup {
    /// What was read.
    pub directory: Directory,
    store: Store,
    instance: InstanceId,
    domains: Asking,
    extensions: Asking,
    /// When the domains are read at the latest.
    domains_due: Instant,
    /// Whether they could not be read when they were due.
    are_domains_old: bool,
    /// Whether calls may have been told while not all was read.
    was_partial: bool,
}

impl Lookup {
    /// Nothing is read yet.
    pub fn new(store: Store, instance: InstanceId) -> Self {
        Self {
            directory: Directory::default(),
            store,
            instance,
            domains: Asking::new("whose its calls are"),
            extensions: Asking::new("which extension has which number"),
            domains_due: Instant::now() + KEPT,
            are_domains_old: false,
            was_partial: false,
        }
    }

    /// Whether all that was to be read was: else calls may be without their extensions, or another's.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.are_domains_old && self.directory.has_all()
    }

    /// Whether it is whole again, so that what was told meanwhile is to be told anew; once.
    #[must_use]
    pub fn has_become_whole(&mut self) -> bool {
        self.is_whole() && std::mem::take(&mut self.was_partial)
    }

    /// When something is to be read, or told anew, although nothing happens.
    #[must_use]
    pub fn due(&self) -> Instant {
        let now = Instant::now();
        let mut due = self.domains_due;
        if self.are_domains_old {
            due = self.domains.rests_until.unwrap_or(now);
        }
        if !self.directory.has_all() {
            due = due.min(self.extensions.rests_until.unwrap_or(now));
        }
        if self.is_whole() && self.was_partial {
            due = now;
        }
        due
    }

    /// Reads what is due.
    pub async fn read_due(&mut self) {
        if self.are_domains_old || self.domains_due <= Instant::now() {
            self.read_domains().await;
        }
        self.read_wanted().await;
    }

    /// Reads whose each domain is.
    pub async fn read_domains(&mut self) {
        self.are_domains_old = true;
        if !self.domains.rests() {
            let read = self.directory.read_domains(&self.store, self.instance);
            let read = patient(read).await;
            self.are_domains_old = read.is_err();
            self.domains_due = Instant::now() + KEPT;
            self.domains.note(self.instance, read);
        }
        self.was_partial |= !self.is_whole();
    }

    /// Reads the extensions that are wanted.
    pub async fn read_wanted(&mut self) {
        if !self.directory.has_all() && !self.extensions.rests() {
            let read = patient(self.directory.read_wanted(&self.store)).await;
            self.extensions.note(self.instance, read);
        }
        self.was_partial |= !self.is_whole();
    }
}

async fn patient(read: impl Future<Output = Result<(), StoreError>>) -> Result<(), String> {
    match timeout(PATIENCE, read).await {
        Ok(read) => read.map_err(|error| error_chain(&error)),
        Err(_) => Err("the database does not answer".to_owned()),
    }
}
