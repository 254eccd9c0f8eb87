//! The reconciler of calls that were missed: takes no input, and looks for what a PBX wrote down of each gap, again and again
//! for a day; the gap stays told, for nothing says that it was all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::time::{sleep, timeout};

use super::book::{BATCH, Book, CLOCKS, Told};
use crate::domain::call_record::CallGap;
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{IdSource, InstanceId, TenantId};
use crate::driver::DriverError;
use crate::driver::feed::{Archive, Asked, Page, Place, Skipped};
use crate::store::{Store, StoreError, call_gaps};

/// Between two looks whether a gap is due.
const TURN: Duration = Duration::from_secs(5);
/// Between two looks at one gap, in minutes; the last one again and again.
const PAUSES: [i64; 8] = [1, 1, 2, 4, 8, 15, 30, 60];
/// Which of these is between two looks at a gap that grows.
const SOON: usize = 2;
/// What was not there by then is not looked for any more.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(24);
/// Gaps that are looked at in one turn; others have the next.
const GAPS: usize = 20;
/// Pages of one turn; more of them are read in the next.
const PAGES: usize = 100;
/// For one page.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a look ended early. Nothing is lost by looking again.
#[derive(Debug, Error)]
enum Broken {
    #[error("they could not be kept")]
    Store(#[from] StoreError),
    #[error("they could not be asked for")]
    Archive(#[from] DriverError),
    #[error("no answer came within a minute")]
    Late,
    #[error("somebody holds the tenant {0}, or the database is busy")]
    Held(TenantId),
}

/// How far the looks at one gap are.
struct Look {
    /// The gap may become longer.
    to: Timestamp,
    due: Timestamp,
    /// Looks that came to the end of what is there.
    ended: usize,
    /// Those in a row that broke.
    broke: usize,
    /// Where the one that is under way goes on.
    behind: Option<Place>,
    /// A tenant of which it has kept nothing, for somebody held it.
    held: Option<TenantId>,
    /// What it found that was not known.
    found: usize,
    /// What it found that tells of no call, or of none that is kept.
    skipped: Skipped,
    /// What was told of that last: each look finds the same again.
    told: Skipped,
}

impl Look {
    fn new(to: Timestamp, now: Timestamp) -> Self {
        Self {
            to,
            due: now,
            ended: 0,
            broke: 0,
            behind: None,
            held: None,
            found: 0,
            skipped: Skipped::default(),
            told: Skipped::default(),
        }
    }

    /// A gap that has become longer is looked at soon, and not from its begin each time that it grows.
    fn reach(&mut self, to: Timestamp, now: Timestamp) {
        if self.to != to {
            self.to = to;
            self.ended = self.ended.min(SOON);
            // What breaks is not tried more often for that.
            if self.broke == 0 {
                self.due = self.due.min(now + pause(SOON));
            }
        }
    }

    /// A clock that was put back makes it due too.
    fn is_due(&self, now: Timestamp) -> bool {
        self.due <= now || self.due.duration_since(now) > pause(usize::MAX)
    }
}

/// Looks for the missed calls of one PBX.
pub struct PastCalls {
    store: Store,
    clock: Arc<dyn Clock>,
    instance: InstanceId,
    archive: Arc<dyn Archive>,
    book: Book,
    /// By the begin of the gap.
    looks: BTreeMap<Timestamp, Look>,
    /// Tenants that somebody held in this turn: they are waited for once.
    held: BTreeSet<TenantId>,
}

impl PastCalls {
    /// Of an instance, where its PBX writes calls down.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        instance: InstanceId,
        archive: Arc<dyn Archive>,
    ) -> Self {
        Self {
            book: Book::new(store.clone(), Arc::clone(&clock), ids, instance),
            store,
            clock,
            instance,
            archive,
            looks: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    /// Looks for ever. Whatever it was at when it is dropped is looked at again by whoever comes next.
    pub async fn run(mut self) {
        let mut failed = false;
        loop {
            let turned = self.turn().await;
            if let Err(error) = &turned
                && !failed
            {
                tracing::warn!(instance = %self.instance, error = error_chain(error), "gaps in its calls could not be read");
            }
            failed = turned.is_err();
            sleep(TURN).await;
        }
    }

    /// Looks at the gaps that are due, at the one that has waited the longest first.
    pub async fn turn(&mut self) -> Result<(), StoreError> {
        self.held.clear();
        let now = self.clock.now();
        let mut tx = self.store.read("gaps_to_fill").await?;
        let gaps = call_gaps::recent(&mut tx, self.instance, now - GIVEN_UP).await?;
        drop(tx);
        self.looks
            .retain(|from, _| gaps.iter().any(|gap| gap.from == *from));
        let mut due: Vec<(Timestamp, CallGap)> = Vec::new();
        for gap in gaps {
            let look = self
                .looks
                .entry(gap.from)
                .or_insert_with(|| Look::new(gap.to, now));
            look.reach(gap.to, now);
            if look.is_due(now) {
                due.push((look.due, gap));
            }
        }
        due.sort_by_key(|(due, gap)| (*due, gap.from));
        for (_, gap) in due.into_iter().take(GAPS) {
            if let Some(mut look) = self.looks.remove(&gap.from) {
                self.look_at(gap, &mut look).await;
                self.looks.insert(gap.from, look);
            }
        }
        Ok(())
    }

    async fn look_at(&mut self, gap: CallGap, look: &mut Look) {
        match self.read(gap, look).await {
            Ok(()) => look.broke = 0,
            Err(error) => {
                if look.broke == 0 {
                    tracing::warn!(
                        instance = %self.instance,
                        from = %gap.from,
                        to = %gap.to,
                        error = error_chain(&error),
                        "calls that were missed could not be read in"
                    );
                }
                look.due = self.clock.now() + pause(look.broke);
                look.broke = look.broke.saturating_add(1);
            }
        }
    }

    async fn read(&mut self, gap: CallGap, look: &mut Look) -> Result<(), Broken> {
        self.book.refresh().await?;
        let asked = Asked {
            tenants: self.book.tenants(),
            from: gap.from - CLOCKS,
            to: gap.to + CLOCKS,
        };
        for _ in 0..PAGES {
            let paging = self.archive.page(&asked, look.behind);
            let page = timeout(PATIENCE, paging).await.map_err(|_| Broken::Late)??;
            self.keep(&page, look).await?;
            look.behind = page.next;
            if look.behind.is_none() {
                self.tell(gap, look);
                // The others are kept; of this one the next look finds the same again.
                if let Some(held) = look.held.take() {
                    return Err(Broken::Held(held));
                }
                // However long it took, others have a pause.
                look.due = self.clock.now() + pause(look.ended);
                look.ended = look.ended.saturating_add(1);
                return Ok(());
            }
        }
        // Others have their turn.
        Ok(())
    }

    /// Says what a whole look found, and begins to count anew.
    fn tell(&self, gap: CallGap, look: &mut Look) {
        let (found, skipped) = (std::mem::take(&mut look.found), std::mem::take(&mut look.skipped));
        if found > 0 {
            tracing::info!(instance = %self.instance, from = %gap.from, to = %gap.to, found, "calls that were missed are on record");
        }
        if skipped != look.told {
            if !skipped.is_empty() {
                tracing::info!(instance = %self.instance, from = %gap.from, to = %gap.to, %skipped, "rows of calls that were missed come to no record");
            }
            look.told = skipped;
        }
    }

    /// Keeps what is missing of a page. What it skips counts once the page is done: one that breaks is read again.
    async fn keep(&mut self, page: &Page, look: &mut Look) -> Result<(), Broken> {
        let mut skipped = page.skipped.clone();
        let mut broken = None;
        for some in page.parts.chunks(BATCH) {
            self.book.refresh().await?;
            for (tenant, missed) in self.book.missed(some, &mut skipped).await? {
                if self.held.contains(&tenant) {
                    look.held = Some(tenant);
                    continue;
                }
                match self.keep_missed(&missed).await {
                    Ok(found) => look.found += found,
                    Err(StoreError::Busy { .. }) => {
                        self.held.insert(tenant);
                        look.held = Some(tenant);
                    }
                    // What one tenant's page breaks on keeps no other one's from being kept.
                    Err(error) => broken = broken.or(Some(error)),
                }
            }
        }
        if let Some(error) = broken {
            return Err(error.into());
        }
        look.skipped.extend(&skipped);
        Ok(())
    }

    /// Keeps these; gives how many it has kept.
    async fn keep_missed(&mut self, missed: &[Told]) -> Result<usize, StoreError> {
        match self.book.keep(missed.iter()).await {
            Err(error) if !error.may_pass() => {}
            kept => return kept,
        }
        // One call must not keep the others from being kept.
        self.book.read_anew().await?;
        let mut found = 0;
        for one in missed {
            match self.book.keep(std::iter::once(one)).await {
                Ok(kept) => found += kept,
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => {
                    tracing::error!(
                        error = error_chain(&error),
                        "a call that was missed cannot be kept"
                    );
                }
            }
        }
        Ok(found)
    }
}

fn pause(ended: usize) -> SignedDuration {
    let longest = PAUSES.last().copied().unwrap_or(1);
    SignedDuration::from_mins(PAUSES.get(ended).copied().unwrap_or(longest))
}
