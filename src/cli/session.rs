//! What a command that works on the database has at hand, from opening to closing.

use std::future::Future;

use super::{Context, Failure};
use crate::config::Config;
use crate::daemon::identity;
use crate::daemon::parts::{self, Parts};

impl Context<'_> {
    /// The configuration, for a command that opens the database: root acts as the user whom that belongs to from here on.
    pub fn configured(&mut self) -> Result<Config, Failure> {
        let config = self.load()?.config;
        identity::take(&config)?;
        Ok(config)
    }

    /// Opens the database of the configuration, does the work, and closes the database however the work ended.
    pub fn with_parts<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self, &Parts) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let config = self.configured()?;
        block_on(async {
            let parts = parts::assemble(&config).await?;
            let worked = work(self, &parts).await;
            parts.store.close().await;
            worked
        })
    }
}

/// Runs a command's asynchronous part to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(work)
}
