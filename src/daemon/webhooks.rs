//! The daemon's webhooks: a sender made from the configuration, and the use case that disables what takes nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::app::{App, webhooks};
use crate::config::Config;
use crate::domain::clock::SystemClock;
use crate::domain::error_chain::error_chain;
use crate::domain::random::SystemRandom;
use crate::domain::webhook_reach::WebhookReach;
use crate::outbox::webhooks::{Disabling, Limits, Options, Sender};
use crate::store::Store;
use crate::store::webhook_queue::Claimed;

/// What other processes put into queues comes without a nudge.
const PERIOD: Duration = Duration::from_secs(5);

/// Disables by the use case, which tells of it in the audit log.
pub struct Disabled(pub App);

#[async_trait]
impl Disabling for Disabled {
    async fn disable(&self, claimed: &Claimed, note: &str) -> Result<bool, String> {
        webhooks::disable_failing(&self.0, claimed.tenant, claimed.id, claimed.claim, note)
            .await
            .map_err(|error| error_chain(&error))
    }
}

/// Where webhooks may lead to.
#[must_use]
pub fn reach(config: &Config) -> WebhookReach {
    WebhookReach::new(config.webhooks.allow.clone())
}

/// What sends events.
#[must_use]
pub fn sender(config: &Config, store: Store, app: App) -> Sender {
    let hours = u64::from(config.webhooks.give_up_after_hours);
    let options = Options {
        holder: format!("{}/{}", config.node.name, std::process::id()),
        give_up_after: Duration::from_hours(hours),
        period: PERIOD,
        limits: Limits::default(),
    };
    Sender::new(
        store,
        reach(config),
        Arc::new(Disabled(app)),
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
        options,
    )
}
