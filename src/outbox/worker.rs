//! The worker of mails: claims what is due, sends it, and notes what became of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::letter;
use super::smtp::Session;
use super::verdict::{Outcome, Verdict};
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::mail::{Letter, Mail, SmtpServer};
use crate::domain::outbox::MessageKind;
use crate::domain::random::Randomness;
use crate::store::outbox::{self, Claimed};
use crate::store::{Store, StoreError};

const KIND: MessageKind = MessageKind::Mail;
/// Longer than a session may take from the claim to its renewal, and from there to its end.
const CLAIM: Duration = Duration::from_mins(5);
/// How long the end of a session is waited for when the daemon stops.
const GRACE: Duration = Duration::from_secs(20);
/// How long it is kept that something was sent or given up.
const KEPT: Duration = Duration::from_hours(30 * 24);
const NOTE_PAUSE: Duration = Duration::from_secs(1);
const PURGE_PERIOD: Duration = Duration::from_hours(1);

/// Puts mails into words.
pub trait Letters: Send + Sync {
    /// The words, or why there are none.
    fn render(&self, mail: &Mail) -> Result<Letter, String>;
}

/// How a worker works.
pub struct Options {
    /// Names the process, for people.
    pub holder: String,
    /// How this host calls itself.
    pub hello: String,
    /// How old a mail may become before it is given up.
    pub give_up_after: Duration,
    /// How often it looks: what other processes push comes without a nudge.
    pub period: Duration,
}

/// Sends the mails of the outbox, one after the other.
pub struct Worker {
    store: Store,
    server: SmtpServer,
    letters: Arc<dyn Letters>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    options: Options,
}

/// Why it rests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Nothing is due.
    NothingDue,
    /// The server takes nothing from anybody.
    ServerDown,
    /// The daemon stops.
    Stopping,
}

impl Worker {
    /// `server` takes the mails that `letters` puts into words.
    #[must_use]
    pub fn new(
        store: Store,
        server: SmtpServer,
        letters: Arc<dyn Letters>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
        options: Options,
    ) -> Self {
        Self {
            store,
            server,
            letters,
            clock,
            random,
            options,
        }
    }

    /// Sends until the soft stop, on a nudge and periodically.
    pub async fn run(self, nudge: Arc<Notify>, stop: CancellationToken) -> Result<(), Infallible> {
        let mut purged = None;
        while !stop.is_cancelled() {
            let rest = match self.work_off(&stop).await {
                Ok(Rest::NothingDue) => self.until_due().await,
                Ok(Rest::ServerDown | Rest::Stopping) => self.options.period,
                Err(error) => {
                    tracing::error!(
                        error = error_chain(&error),
                        "mails wait: the outbox cannot be read"
                    );
                    self.options.period
                }
            };
            if purged.is_none_or(|at: Instant| at.elapsed() >= PURGE_PERIOD) {
                self.purge().await;
                purged = Some(Instant::now());
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = nudge.notified() => {}
                () = sleep(rest) => {}
            }
        }
        Ok(())
    }

    /// Sends everything that is due.
    pub async fn work_off(&self, stop: &CancellationToken) -> Result<Rest, StoreError> {
        while !stop.is_cancelled() {
            let Some(claimed) = self.claim().await? else {
                return Ok(Rest::NothingDue);
            };
            let mut session = None;
            let outcome = self.send(&claimed, &mut session, stop).await?;
            let is_down = matches!(outcome, Outcome::Failed { of_server: true, .. });
            // Before anything else: a process that dies before it is noted sends it again.
            self.note(&claimed, outcome, stop).await;
            if let Some(session) = session {
                session.quit().await;
            }
            if is_down {
                return Ok(Rest::ServerDown);
            }
        }
        Ok(Rest::Stopping)
    }

    /// Looks first: on SQLite a transaction that may write keeps others waiting.
    async fn claim(&self) -> Result<Option<Claimed>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.store.read("outbox_due").await?;
        let is_due = outbox::earliest(&mut tx, KIND, now)
            .await?
            .is_some_and(|at| at <= now);
        drop(tx);
        if !is_due {
            return Ok(None);
        }
        let mut tx = self.store.begin("claim_mail").await?;
        let claimed = outbox::claim_due(&mut tx, KIND, &self.options.holder, now, CLAIM).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn send(
        &self,
        claimed: &Claimed,
        session: &mut Option<Session>,
        stop: &CancellationToken,
    ) -> Result<Outcome, StoreError> {
        let mail = match self.read(claimed) {
            Ok(mail) => mail,
            Err(outcome) => return Ok(outcome),
        };
        let written = self.letters.render(&mail).and_then(|letter| {
            let from = &self.server.from;
            letter::message(claimed.id, claimed.created_at, from, mail.to(), letter)
        });
        let message = match written {
            Ok(message) => message,
            Err(reason) => return Ok(Outcome::failed(reason)),
        };
        let opened = tokio::select! {
            opened = Session::open(&self.server, &self.options.hello) => opened,
            () = stop.cancelled() => return Ok(Outcome::Interrupted),
        };
        let session = match opened {
            Ok(opened) => session.insert(opened),
            Err(error) => return Ok(error.into()),
        };
        // It may have been taken back while the server was waited for.
        if !self.renew(claimed).await? {
            return Ok(Outcome::NotOurs);
        }
        let stopped = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        let secret = mail.link().map_or("", |link| link.token());
        Ok(tokio::select! {
            handed = session.hand_over(&message, secret) => handed.map_or_else(Outcome::from, |()| Outcome::Sent),
            () = stopped => Outcome::failed("the daemon stopped, and the server had not answered"),
        })
    }

    /// The mail, unless it cannot be read or is worth nothing any more.
    fn read(&self, claimed: &Claimed) -> Result<Mail, Outcome> {
        let payload = claimed.payload.as_ref();
        let payload = payload.map_err(|error| Outcome::failed(error_chain(error)))?;
        // A newer version of the program, on another host, may know it.
        let mail = Mail::from_payload(payload)
            .map_err(|_| Outcome::failed("this version of the program does not know such a mail"))?;
        match mail.expires_at().filter(|at| *at <= self.clock.now()) {
            Some(expired) => Err(Outcome::Worthless(format!(
                "what it offers has expired at {expired}"
            ))),
            None => Ok(mail),
        }
    }

    async fn renew(&self, claimed: &Claimed) -> Result<bool, StoreError> {
        let mut tx = self.store.begin("renew_mail").await?;
        let is_ours = outbox::renew(&mut tx, claimed, self.clock.now(), CLAIM).await?;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// Notes what became of a mail, and tries that again while the claim lasts.
    async fn note(&self, claimed: &Claimed, outcome: Outcome, stop: &CancellationToken) {
        let now = self.clock.now();
        let verdict = Verdict::new(outcome, claimed, now, self.options.give_up_after, &*self.random);
        let end = Instant::now() + CLAIM;
        while let Err(error) = self.try_to_note(claimed, &verdict, now).await {
            let (id, error) = (claimed.id, error_chain(&error));
            tracing::error!(%id, error, "what became of a mail could not be noted");
            if stop.is_cancelled() || Instant::now() >= end {
                return;
            }
            sleep(NOTE_PAUSE).await;
        }
        tell(claimed, &verdict);
    }

    async fn try_to_note(
        &self,
        claimed: &Claimed,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin("note_mail").await?;
        match verdict {
            Verdict::Sent => outbox::done(&mut tx, claimed.id, now).await?,
            Verdict::NotOurs => return Ok(()),
            Verdict::Again { at, reason } => {
                outbox::retry_later(&mut tx, claimed, *at, reason.as_deref()).await?
            }
            Verdict::GiveUp { reason } => outbox::give_up(&mut tx, claimed, now, reason).await?,
        };
        tx.commit().await
    }

    /// How long nothing is due.
    async fn until_due(&self) -> Duration {
        let now = self.clock.now();
        let earliest = async {
            let mut tx = self.store.read("outbox_due").await?;
            outbox::earliest(&mut tx, KIND, now).await
        };
        match earliest.await {
            Ok(Some(at)) => Duration::try_from(at.duration_since(now))
                .unwrap_or_default()
                .min(self.options.period),
            Ok(None) | Err(_) => self.options.period,
        }
    }

    async fn purge(&self) {
        let until = self.clock.now().checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        let purged = async {
            let mut tx = self.store.begin("purge_outbox").await?;
            while outbox::purge(&mut tx, until).await? > 0 {}
            tx.commit().await
        };
        if let Err(error) = purged.await {
            tracing::warn!(
                error = error_chain(&error),
                "old messages could not be removed from the outbox"
            );
        }
    }
}

/// Neither whom it is for nor what it says.
fn tell(claimed: &Claimed, verdict: &Verdict) {
    let (id, subject, attempt) = (claimed.id, &claimed.subject, claimed.attempt);
    match verdict {
        Verdict::Sent => tracing::info!(%id, %subject, attempt, "mail sent"),
        Verdict::NotOurs => tracing::info!(%id, %subject, "mail not sent, it was taken back"),
        Verdict::Again { at, reason } => {
            let reason = reason.as_deref().unwrap_or("the daemon stops");
            tracing::warn!(%id, %subject, attempt, reason, again = %at, "mail not sent yet");
        }
        Verdict::GiveUp { reason } => {
            tracing::error!(%id, %subject, attempt, reason, "mail given up");
        }
    }
}
