//! Listens to one PBX: hears its news, polls it now and then and after each gap, and reports what is known.

use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::board::{Report, Told};
use super::call;
use super::desk::Desk;
use super::hearing::{CORRECTED, DEAF, Hearing};
use super::lookup::Lookup;
use super::phones::Phones;
use super::table::{Begun, NotTaken, Table};
use super::tools::Tools;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::domain::leg::{Contact, Leg};
use crate::driver::DriverError;
use crate::driver::feed::{Feed, News};

/// The most legs of one PBX that are kept: a larger one is told as stale.
const LEGS: usize = 20_000;
/// The most phones.
const PHONES: usize = 100_000;
/// Phones tell by themselves when they come and go; a poll finds what was missed without a word.
const PHONES_AGAIN: Duration = Duration::from_mins(10);
/// After a poll that failed; twice as long after each further one, so that all is known again soon after the PBX answers.
const RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(1);
/// However many gaps there are, the PBX is not asked without a pause.
const PAUSE: Duration = Duration::from_millis(200);
/// News that are taken before what they come to is told.
const AT_ONCE: usize = 2_000;

type Polling<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Polled = (Begun, Result<Vec<Leg>, DriverError>, Option<bool>);

/// Listens to one PBX.
pub struct Listener {
    instance: InstanceId,
    feed: Box<dyn Feed>,
    tools: Tools,
    stop: CancellationToken,
    desk: Desk,
    table: Table,
    phones: Phones,
    lookup: Lookup,
    is_up: bool,
    hearing: Hearing,
    /// When the next poll is due.
    due: Instant,
    begun: Instant,
    failures: u32,
    /// When the PBX was last heard of, or a poll begun that was answered: as it was then, it is known.
    known_at: Timestamp,
    /// When the last poll was begun.
    asked_at: Timestamp,
    /// Whether more came than is kept, since the last poll of which all was taken.
    is_full: bool,
    polling: Option<Polling<Polled>>,
    phones_due: Instant,
    polling_phones: Option<Polling<Result<Vec<Contact>, DriverError>>>,
    phones_begun: Instant,
    beside: Beside,
    corrected: u64,
    /// Whether what is told next is all that there is.
    tells_all_calls: bool,
}

impl Listener {
    /// Nothing is heard yet. `before`: what is known of the link before, on the same PBX. To be called inside a Tokio runtime.
    #[must_use]
    pub fn new(
        instance: InstanceId,
        feed: Box<dyn Feed>,
        tools: Tools,
        before: Option<&Hearing>,
        stop: CancellationToken,
    ) -> Self {
        let now = Instant::now();
        let at = tools.clock.now();
        Self {
            instance,
            desk: Desk::open(instance, &tools),
            feed,
            lookup: Lookup::new(tools.store.clone(), instance),
            tools,
            stop,
            table: Table::new(LEGS),
            phones: Phones::new(PHONES),
            is_up: false,
            hearing: before.map_or_else(|| Hearing::new(now), |before| before.on_another(now)),
            due: now,
            begun: now.checked_sub(PAUSE).unwrap_or(now),
            failures: 0,
            known_at: at,
            asked_at: at,
            is_full: false,
            polling: None,
            phones_due: now,
            polling_phones: None,
            phones_begun: now,
            beside: Beside::default(),
            corrected: 0,
            tells_all_calls: false,
        }
    }

    /// Listens until the stop, or until nothing will be heard any more on this link. Gives what is known of that.
    pub async fn run(mut self) -> Hearing {
        let stop = self.stop.clone();
        let listening = async {
            let mut goes_on = true;
            while goes_on {
                goes_on = self.turn().await;
                self.report().await;
            }
        };
        // Who stops it says what becomes of its figures: by then they may be another's.
        if stop.run_until_cancelled(listening).await.is_some() {
            self.tools.board.doubt(self.instance);
        }
        self.desk.close().await;
        self.hearing
    }

    /// One thing that happens, with the news that are there already; false once nothing will.
    async fn turn(&mut self) -> bool {
        let may_poll = self.is_up && self.polling.is_none();
        let may_poll_phones = self.is_up && self.polling_phones.is_none() && self.table.is_current();
        tokio::select! {
            news = self.feed.next() => match news {
                Some(news) => self.hear(news),
                None => return false,
            },
            (begun, polled, hears) = ready(&mut self.polling) => {
                self.polling = None;
                // What was heard before the answer is older than what comes after it.
                self.hear_ready();
                self.take(&begun, polled).await;
                // Behind it: what is doubted from here on is of the next link, and no poll of this one takes it back.
                if self.heed(hears) || self.hearing.gives_up(Instant::now(), &self.tools.anew) {
                    return false;
                }
            }
            polled = ready(&mut self.polling_phones) => {
                self.polling_phones = None;
                self.hear_ready();
                self.take_phones(polled);
            }
            () = sleep_until(self.due), if may_poll => self.poll(),
            () = sleep_until(self.phones_due), if may_poll_phones => self.poll_phones(),
            () = sleep_until(self.lookup.due()) => self.look_up().await,
        }
        self.hear_ready();
        true
    }

    fn hear_ready(&mut self) {
        for _ in 0..AT_ONCE {
            match self.feed.next().now_or_never() {
                Some(Some(news)) => self.hear(news),
                Some(None) | None => return,
            }
        }
    }

    fn hear(&mut self, news: News) {
        self.desk.hear(&news);
        let was_current = self.table.is_current();
        let is_of_leg = matches!(news, News::Leg(_) | News::Ended { .. });
        if is_of_leg {
            self.hearing.hear();
        }
        if !self.hearing.is_deaf() {
            self.known_at = self.known_at.max(self.tools.clock.now());
        }
        match news {
            News::LinkUp => {
                self.desk.hear_up(self.feed.poll());
                self.is_up = true;
                self.hearing = self.hearing.on_another(Instant::now());
                self.failures = 0;
                self.poll_soon();
            }
            News::LinkDown => {
                self.is_up = false;
                self.lose();
            }
            News::Lost | News::LegLost => {
                self.lose();
                self.poll_soon();
            }
            // The PBX may be about to change what a poll tells.
            News::Moved => self.due = self.due.min(Instant::now() + PAUSE),
            News::Leg(leg) => self.table.hear(leg, self.tools.clock.now()),
            News::Ended { id, .. } => self.table.end(id),
            News::Record(_) | News::RecordLost => {}
            News::SignedIn(contact) => {
                if self.phones.hear(contact, true) {
                    self.phones_due = self.beside.hear(Instant::now(), self.phones_due);
                }
            }
            News::SignedOut(contact) => _ = self.phones.hear(contact, false),
        }
        // It may have more than it keeps.
        let is_lost = !self.table.is_current() && !self.table.is_polled();
        if is_of_leg && self.is_up && is_lost && (was_current || self.polling.is_some()) {
            self.polling = None;
            if self.is_full {
                // Each new leg would have it asked again, for nothing, while it has the most to do.
                self.due = self.begun + self.tools.period;
            } else {
                self.is_full = true;
                self.poll_soon();
            }
        }
    }

    fn lose(&mut self) {
        self.table.lose();
        self.phones.lose();
        self.polling = None;
        self.polling_phones = None;
        self.phones_due = Instant::now();
    }

    fn poll_soon(&mut self) {
        self.due = Instant::now().max(self.begun + PAUSE);
    }

    fn poll(&mut self) {
        self.begun = Instant::now();
        self.due = self.begun + self.tools.period;
        let begun = self.table.begin_poll();
        let (asking, now) = (self.feed.poll(), self.tools.clock.now());
        let is_asked = self.hearing.is_asked();
        self.asked_at = now;
        self.polling = Some(Box::pin(async move {
            // What happens from now on is heard; what happened before is in the PBX's tables by then.
            sleep(asking.lag()).await;
            let polled = asking.legs(now).await;
            let hears = if is_asked {
                asking.hears_calls().await
            } else {
                None
            };
            (begun, polled, hears)
        }));
    }

    fn poll_phones(&mut self) {
        self.phones.begin_poll();
        self.phones_begun = Instant::now();
        self.phones_due = self.phones_begun + PHONES_AGAIN;
        let asking = self.feed.poll();
        self.polling_phones = Some(Box::pin(async move {
            sleep(asking.lag()).await;
            asking.contacts().await
        }));
    }

    /// Takes what the PBX says of what is heard on this link; gives whether another link would hear more.
    fn heed(&mut self, hears: Option<bool>) -> bool {
        let was_deaf = self.hearing.is_deaf();
        let is_outdated = self.hearing.tell(hears);
        if self.hearing.is_deaf() && !was_deaf {
            tracing::warn!(instance = %self.instance, "{DEAF}");
        }
        is_outdated
    }

    async fn take(&mut self, begun: &Begun, polled: Result<Vec<Leg>, DriverError>) {
        let polled = match polled {
            Ok(polled) => polled,
            Err(error) => return self.failed(&error),
        };
        let taken = self.table.end_poll(begun, polled);
        if !matches!(taken, Err(NotTaken::Outdated)) {
            self.is_full = taken.is_err();
        }
        match taken {
            Ok(corrected) if corrected > 0 => {
                self.corrected += u64::try_from(corrected).unwrap_or(u64::MAX);
                if !self.hearing.is_deaf() {
                    tracing::warn!(instance = %self.instance, corrected, "{CORRECTED}");
                }
                self.hearing.take(true);
            }
            Ok(_) => self.hearing.take(false),
            Err(error @ NotTaken::TooMany(_)) => {
                tracing::warn!(instance = %self.instance, error = error_chain(&error), "calls are not followed");
            }
            Err(NotTaken::Outdated) => return self.poll_soon(),
        }
        self.failures = 0;
        self.known_at = self.known_at.max(self.asked_at);
        // A call that named no tenant may be one's by now.
        self.table.change_all();
        self.tells_all_calls = true;
        self.lookup.read_domains().await;
    }

    /// Reads whose each call is although no poll was taken: a tenant may be gone, or the database back.
    async fn look_up(&mut self) {
        let changes = self.lookup.directory.changes();
        self.lookup.read_due().await;
        if self.lookup.has_become_whole() || changes != self.lookup.directory.changes() {
            self.table.change_all();
        }
    }

    fn failed(&mut self, error: &DriverError) {
        if self.failures == 0 {
            tracing::warn!(instance = %self.instance, error = error_chain(error), "its calls could not be asked for");
        }
        self.lose();
        let wait = RETRY.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.due = Instant::now() + wait.min(LONGEST_RETRY).min(self.tools.period);
    }

    fn take_phones(&mut self, polled: Result<Vec<Contact>, DriverError>) {
        self.beside.asked(Instant::now(), self.phones_begun.elapsed());
        match polled {
            Ok(polled) => {
                if !self.phones.end_poll(polled) {
                    self.phones_due = Instant::now() + PAUSE;
                }
            }
            Err(error) => {
                tracing::debug!(instance = %self.instance, error = error_chain(&error), "its phones could not be asked for");
                self.phones.lose();
                self.phones_due = Instant::now() + self.tools.period;
            }
        }
    }

    /// Tells what has changed, and since when it is known to be so.
    async fn report(&mut self) {
        let changed = self.table.take_changed();
        let phones = self.phones.take_changed(&self.lookup.directory);
        for link in &changed {
            for leg in self.table.legs_of(link) {
                self.lookup.directory.want(leg);
            }
        }
        let streams = self.tools.board.streams();
        for (tenant, number) in phones.of.keys() {
            if streams.is_followed(*tenant) {
                self.lookup.directory.want_number(*tenant, number);
            }
        }
        self.lookup.read_wanted().await;
        let (directory, is_whole) = (&self.lookup.directory, self.lookup.is_whole());
        let calls = changed.into_iter().map(|link| {
            let call = call::of_legs(self.instance, &link, &self.table.legs_of(&link), directory);
            (link, call)
        });
        let all_phones = phones.are_all;
        let phones = phones.of.into_iter().map(|((tenant, number), contacts)| {
            let id = directory.extension(tenant, &number);
            (tenant, number, id, contacts)
        });
        let are_all_calls = std::mem::take(&mut self.tells_all_calls);
        let report = Report {
            calls: Told {
                items: calls.collect(),
                are_all: are_all_calls,
                are_stale: !(self.table.is_current() && is_whole),
            },
            are_calls_polled: self.hearing.is_deaf(),
            phones: Told {
                items: phones.collect(),
                are_all: all_phones,
                are_stale: !(self.phones.is_current() && is_whole),
            },
            corrected: self.corrected,
            tenants: are_all_calls.then(|| directory.tenants()),
            at: self.known_at,
            stop: self.stop.clone(),
        };
        self.tools.board.report(self.instance, report);
    }
}

/// Waits for what is under way, for ever where nothing is.
async fn ready<T>(polling: &mut Option<Polling<T>>) -> T {
    match polling {
        Some(polling) => polling.await,
        None => std::future::pending().await,
    }
}
