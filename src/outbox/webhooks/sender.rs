//! The worker of webhooks: claims those for which an event is due, sends it, and notes what became of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Notify, OnceCell};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::client::{Limits, WebhookClient};
use super::places::Places;
use super::verdict::{Outcome, Record, Verdict};
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::TenantId;
use crate::domain::random::Randomness;
use crate::domain::webhook_reach::WebhookReach;
use crate::store::webhook_queue::{self, Claimed, Target};
use crate::store::{Store, StoreError, webhook_turns};

/// Longer than a request may take, and the note of it.
const CLAIM: Duration = Duration::from_mins(1);
/// How long the end of a request is waited for when the daemon stops.
const GRACE: Duration = Duration::from_secs(3);
const NOTE_PAUSE: Duration = Duration::from_secs(1);
/// The shortest pause between two looks.
const SHORTEST: Duration = Duration::from_millis(50);

/// Disables webhooks that take nothing, which is a change like any other.
#[async_trait]
pub trait Disabling: Send + Sync {
    /// Disables the webhook; false where it is not there or not claimed by this any more; or why that cannot be done.
    async fn disable(&self, claimed: &Claimed, note: &str) -> Result<bool, String>;
}

/// How a sender works.
pub struct Options {
    /// Names the process, for people.
    pub holder: String,
    /// How long a webhook may take nothing before it is disabled.
    pub give_up_after: Duration,
    /// How often it looks: what other processes put into queues comes without a nudge.
    pub period: Duration,
    /// What a webhook may take of the daemon.
    pub limits: Limits,
}

/// Sends events to webhooks, to many at once, and to each in order.
pub struct Sender {
    store: Store,
    reach: WebhookReach,
    disabling: Arc<dyn Disabling>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    options: Options,
    /// Made when there is something to send: it reads the host's certificates. Tried again where that fails.
    client: OnceCell<WebhookClient>,
}

impl Sender {
    /// `reach` says what may be connected to.
    #[must_use]
    pub fn new(
        store: Store,
        reach: WebhookReach,
        disabling: Arc<dyn Disabling>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
        options: Options,
    ) -> Self {
        Self {
            store,
            reach,
            disabling,
            clock,
            random,
            options,
            client: OnceCell::new(),
        }
    }

    /// Sends until the soft stop, on a nudge and periodically.
    pub async fn run(self, nudge: Arc<Notify>, stop: CancellationToken) -> Result<(), Infallible> {
        let own = Arc::new(self);
        let mut places = Places::default();
        while !stop.is_cancelled() {
            let rest = match own.begin_what_is_due(&mut places, &stop).await {
                Ok(rest) => rest,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(error, "webhooks wait: their queues cannot be read");
                    own.options.period
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = nudge.notified() => {}
                true = places.one_is_given_back() => {}
                () = sleep(rest) => {}
            }
        }
        while places.one_is_given_back().await {}
        Ok(())
    }

    /// Begins to send to whichever webhook is due, but for those of tenants that have their share of the places; answers how long
    /// none is.
    async fn begin_what_is_due(
        self: &Arc<Self>,
        places: &mut Places,
        stop: &CancellationToken,
    ) -> Result<Duration, StoreError> {
        places.give_back();
        while places.has_one() && !stop.is_cancelled() {
            let full = places.full();
            let Some(claimed) = self.claim(&full).await? else {
                return self.until_due(&full).await;
            };
            let (own, stop) = (Arc::clone(self), stop.clone());
            places.take(claimed.tenant, async move { own.deliver(claimed, &stop).await });
        }
        Ok(self.options.period)
    }

    /// Sends everything that is due, one after the other; answers how many attempts were made.
    pub async fn work_off(&self, stop: &CancellationToken) -> Result<usize, StoreError> {
        let mut attempts = 0;
        while let Some(claimed) = self.claim(&[]).await? {
            self.deliver(claimed, stop).await;
            attempts += 1;
        }
        Ok(attempts)
    }

    /// Of other tenants than these. Looks first: on SQLite a transaction that may write keeps others waiting.
    async fn claim(&self, full: &[TenantId]) -> Result<Option<Claimed>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.store.read_once("webhooks_due").await?;
        let is_due = webhook_turns::earliest(&mut tx, full, now)
            .await?
            .is_some_and(|at| at <= now);
        drop(tx);
        if !is_due {
            return Ok(None);
        }
        let mut tx = self.store.begin("claim_webhook").await?;
        let claimed = webhook_queue::claim_due(&mut tx, &self.options.holder, now, CLAIM, full).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn deliver(&self, claimed: Claimed, stop: &CancellationToken) {
        let outcome = match &claimed.target {
            Ok(target) => self.send(&claimed, target, stop).await,
            // The sealing key is the host's.
            Err(error) => Outcome::hindered(error_chain(error)),
        };
        self.note(&claimed, outcome, stop).await;
    }

    async fn send(&self, claimed: &Claimed, target: &Target, stop: &CancellationToken) -> Outcome {
        let made = async { WebhookClient::new(self.reach.clone(), self.options.limits) };
        let client = match self.client.get_or_try_init(|| made).await {
            Ok(client) => client,
            Err(error) => {
                return Outcome::hindered(format!("no HTTPS client can be made: {}", error_chain(&error)));
            }
        };
        let stopped = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            outcome = client.send(target, &claimed.event, self.clock.now().as_second()) => outcome,
            () = stopped => Outcome::Interrupted,
        }
    }

    /// Notes what became of an event, and tries that again while the claim lasts.
    async fn note(&self, claimed: &Claimed, outcome: Outcome, stop: &CancellationToken) {
        let now = self.clock.now();
        let record = Record {
            attempt: claimed.attempt,
            refused: claimed.refused,
            failing_since: claimed.failing_since,
        };
        let verdict = Verdict::new(outcome, record, now, self.options.give_up_after, &*self.random);
        let end = Instant::now() + CLAIM;
        loop {
            match self.try_to_note(claimed, &verdict, now).await {
                Ok(is_ours) => return tell(claimed, &verdict, is_ours),
                Err(error) => {
                    let webhook = claimed.id;
                    tracing::error!(%webhook, error, "what became of an event could not be noted");
                }
            }
            if stop.is_cancelled() || Instant::now() >= end {
                return;
            }
            sleep(NOTE_PAUSE).await;
        }
    }

    /// False where the webhook is not claimed by this any more.
    async fn try_to_note(
        &self,
        claimed: &Claimed,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<bool, String> {
        if let Verdict::Disable { note } = verdict {
            return self.disabling.disable(claimed, note).await;
        }
        let noted = async {
            let mut tx = self.store.begin("note_webhook").await?;
            let is_ours = match verdict {
                Verdict::Delivered => webhook_queue::delivered(&mut tx, claimed, now).await?,
                Verdict::Again { at, reason } => {
                    webhook_queue::retry_later(&mut tx, claimed, now, *at, reason).await?
                }
                Verdict::Wait { at, reason } => webhook_queue::wait(&mut tx, claimed, *at, reason).await?,
                Verdict::GiveUp { reason } => webhook_queue::give_up(&mut tx, claimed, now, reason).await?,
                Verdict::LetGo | Verdict::Disable { .. } => webhook_queue::let_go(&mut tx, claimed).await?,
            };
            tx.commit().await?;
            Ok::<bool, StoreError>(is_ours)
        };
        noted.await.map_err(|error| error_chain(&error))
    }

    /// How long nothing of other tenants than these is due.
    async fn until_due(&self, full: &[TenantId]) -> Result<Duration, StoreError> {
        let mut tx = self.store.read_once("webhooks_due").await?;
        let now = self.clock.now();
        let earliest = webhook_turns::earliest(&mut tx, full, now).await?;
        let until = earliest.map(|at| at.duration_since(now));
        let until = until.map(|until| Duration::try_from(until).unwrap_or_default());
        // What is due and cannot be claimed, as somebody else holds its row, is not looked for without a pause.
        Ok(until.map_or(self.options.period, |until| {
            until.max(SHORTEST).min(self.options.period)
        }))
    }
}

/// Neither what an event says nor the path that it goes to, which may hold a secret.
fn tell(claimed: &Claimed, verdict: &Verdict, is_ours: bool) {
    let (webhook, attempt, number) = (claimed.id, claimed.attempt, claimed.event.number);
    let to = claimed.target.as_ref().map(|target| target.url.origin());
    let (to, kind) = (to.unwrap_or_default(), claimed.event.kind.as_str());
    if !is_ours {
        tracing::info!(%webhook, to, kind, number, "the webhook was changed while an event was on its way");
        return;
    }
    match verdict {
        Verdict::Delivered => tracing::debug!(%webhook, to, kind, number, attempt, "event delivered"),
        Verdict::Again { at, reason } => {
            tracing::warn!(%webhook, to, kind, number, attempt, reason, again = %at, "event not delivered yet");
        }
        Verdict::Wait { at, reason } => {
            tracing::error!(%webhook, to, kind, number, reason, again = %at, "event not sent, by no fault of the webhook");
        }
        Verdict::GiveUp { reason } => {
            tracing::error!(%webhook, to, kind, number, attempt, reason, "event given up");
        }
        Verdict::Disable { note } => tracing::error!(%webhook, to, note, "webhook disabled"),
        Verdict::LetGo => tracing::info!(%webhook, to, kind, number, "event not delivered: the daemon stops"),
    }
}
