//! `switchyard serve`: the daemon in the foreground.

use super::session::block_on;
use super::{Context, Failure};
use crate::daemon::identity;
use crate::daemon::service::Service;

pub fn run(context: &Context<'_>) -> Result<(), Failure> {
    // Warnings go where the daemon logs to, in the form that was asked for.
    let loaded = context.read()?;
    identity::take(&loaded.config)?;
    Service::start_logging(&loaded.config, &loaded.warnings)?;
    block_on(async {
        let service = Service::prepare(&loaded.config).await?;
        Ok(service.run().await?)
    })
}
