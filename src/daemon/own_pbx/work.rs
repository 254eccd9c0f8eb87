//! Work on the database between two pieces of root's work on the files.

use secrecy::SecretString;
use tokio::runtime::Runtime;

use super::OwnPbxError;
use super::signals::Signals;
use crate::app::{instances, operator};
use crate::config::Config;
use crate::daemon::identity;
use crate::daemon::parts::{self, Parts};
use crate::domain::instance::PbxInstance;
use crate::domain::name::InstanceName;

/// What the database knows of an instance.
pub struct Known {
    /// The instance.
    pub instance: PbxInstance,
    /// The secret of its manager account.
    pub secret: Option<SecretString>,
    /// How many tenants it serves.
    pub tenants: usize,
}

/// What the database knows of the instances of this host.
pub struct Host {
    /// The one that was asked for.
    pub known: Option<Known>,
    /// All others.
    pub others: Vec<PbxInstance>,
}

/// Opens the database as the user whom it belongs to, does the work, and closes it.
pub fn with_parts<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Parts) -> Result<T, OwnPbxError>,
) -> Result<T, OwnPbxError> {
    let runtime = runtime()?;
    identity::acting(config, || {
        // On this thread alone, which is the one that acts as somebody else.
        let worked = runtime.block_on(assembled(config, work));
        drop(runtime);
        worked
    })?
}

/// Work on the database that a signal breaks off, also one that came before it began.
pub struct Interruptible {
    runtime: Runtime,
    signals: Signals,
}

impl Interruptible {
    /// From now on a signal that would end the process is noted in place of that.
    pub fn begin() -> Result<Self, OwnPbxError> {
        let runtime = runtime()?;
        let signals = {
            let _inside = runtime.enter();
            Signals::note().map_err(OwnPbxError::Runtime)?
        };
        Ok(Self { runtime, signals })
    }

    /// The same as [`with_parts`]; `None` where a signal came first.
    pub fn with_parts<T>(
        mut self,
        config: &Config,
        work: impl AsyncFnOnce(&Parts) -> Result<T, OwnPbxError>,
    ) -> Result<Option<T>, OwnPbxError> {
        let acted = identity::acting(config, || {
            let worked = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = self.signals.next() => Ok(None),
                    worked = assembled(config, work) => worked.map(Some),
                }
            });
            // What is broken off may be stuck in a call of the system.
            self.runtime.shutdown_background();
            worked
        });
        acted?
    }
}

fn runtime() -> Result<Runtime, OwnPbxError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(OwnPbxError::Runtime)
}

async fn assembled<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Parts) -> Result<T, OwnPbxError>,
) -> Result<T, OwnPbxError> {
    let parts = parts::assemble(config).await?;
    let worked = work(&parts).await;
    parts.store.close().await;
    worked
}

/// The instance of that name, if it is this host's, and the others of this host.
pub async fn look(parts: &Parts, name: &InstanceName) -> Result<Host, OwnPbxError> {
    let caller = operator::platform(None);
    let all = instances::list(&parts.app, &caller).await?;
    let (named, mut others): (Vec<_>, Vec<_>) = all.into_iter().partition(|instance| instance.name == *name);
    others.retain(|instance| instance.node == parts.node);
    let Some(instance) = named.into_iter().next() else {
        return Ok(Host { known: None, others });
    };
    if instance.node != parts.node {
        return Err(OwnPbxError::Elsewhere {
            name: instance.name,
            node: instance.node,
        });
    }
    let known = Known {
        secret: instances::control_secret(&parts.app, &caller, instance.id).await?,
        tenants: instances::served_tenants(&parts.app, &caller, instance.id).await?,
        instance,
    };
    Ok(Host {
        known: Some(known),
        others,
    })
}
