//! Work on the database between two pieces of root's work on the files.

use secrecy::SecretString;

use super::OwnPbxError;
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

/// Opens the database as the user whom it belongs to, does the work, and closes it.
pub fn with_parts<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Parts) -> Result<T, OwnPbxError>,
) -> Result<T, OwnPbxError> {
    identity::acting(config, || {
        // On this thread alone, which is the one that acts as somebody else.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(OwnPbxError::Runtime)?;
        runtime.block_on(async {
            let parts = parts::assemble(config).await?;
            let worked = work(&parts).await;
            parts.store.close().await;
            worked
        })
    })?
}

/// The instance of that name, if it is this host's.
pub async fn known(parts: &Parts, name: &InstanceName) -> Result<Option<Known>, OwnPbxError> {
    let caller = operator::platform(None);
    let all = instances::list(&parts.app, &caller).await?;
    let Some(instance) = all.into_iter().find(|instance| instance.name == *name) else {
        return Ok(None);
    };
    if instance.node != parts.node {
        return Err(OwnPbxError::Elsewhere {
            name: instance.name,
            node: instance.node,
        });
    }
    Ok(Some(Known {
        secret: instances::manager_secret(&parts.app, &caller, instance.id).await?,
        tenants: instances::served_tenants(&parts.app, &caller, instance.id).await?,
        instance,
    }))
}
