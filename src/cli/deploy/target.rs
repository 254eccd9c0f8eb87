//! What a deploy is of: one tenant, or a PBX instance with all its tenants.

use clap::Args;

use crate::app::{instances, operator};
use crate::cli::{Failure, lookup};
use crate::daemon::parts::Parts;
use crate::domain::instance::PbxInstance;
use crate::domain::name::InstanceName;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::Tenant;

/// One tenant or one instance.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// One tenant, by its SIP domain
    #[arg(long, value_name = "DOMAIN")]
    tenant: Option<SipDomain>,
    /// One PBX instance with all its tenants, the templates and its settings
    #[arg(long, value_name = "NAME")]
    instance: Option<InstanceName>,
}

/// What a target names, and the instance that it is on.
pub struct Found {
    /// The tenant; absent when it is a whole instance.
    pub tenant: Option<Tenant>,
    /// The PBX.
    pub instance: PbxInstance,
}

impl Target {
    /// Looks it up.
    pub async fn find(&self, parts: &Parts) -> Result<Found, Failure> {
        match (&self.tenant, &self.instance) {
            (Some(domain), _) => {
                let tenant = lookup::tenant(parts, domain).await?;
                let caller = operator::platform(None);
                let instance = instances::find(&parts.app, &caller, tenant.instance_id).await?;
                Ok(Found {
                    tenant: Some(tenant),
                    instance,
                })
            }
            (None, Some(name)) => Ok(Found {
                tenant: None,
                instance: lookup::instance(parts, name).await?,
            }),
            // The group above refuses this before.
            (None, None) => Err(Failure::Input(vec![(
                "--tenant".to_owned(),
                "or `--instance` is required".to_owned(),
            )])),
        }
    }
}
