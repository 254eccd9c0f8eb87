//! An issuer's keys, kept for as long as they are good and asked for rarely, whatever tokens are presented.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::fetch::{FetchError, Fetched, Fetcher};
use super::keys::{KeySet, PublishedKey};
use crate::domain::clock::Clock;
use crate::domain::error_chain::error_chain;
use crate::domain::issuer::Issuer;

/// While there are good keys, an id that is not among them makes us ask again, but not more often than this: anybody can
/// make up ids.
const BETWEEN_QUESTIONS: SignedDuration = SignedDuration::from_secs(30);
/// While there are none, an issuer that failed is asked again after this.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);

/// Why there is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KeyError {
    /// The issuer has none of that id.
    Unknown,
    /// The issuer could not be asked. Keys that are no longer good are not used instead: they may be withdrawn.
    Unavailable,
}

/// The keys of one issuer.
pub(super) struct KeyCache {
    shared: Arc<Shared>,
    /// The question that is under way, which is not given up with whoever made us ask: else somebody who hangs up early
    /// could make us ask without end.
    tasks: Mutex<JoinSet<()>>,
}

struct Shared {
    issuer: Issuer,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    asked: Option<Asked>,
    /// Closed once the question that is under way is answered.
    under_way: Option<watch::Receiver<()>>,
}

struct Held {
    keys: KeySet,
    since: Timestamp,
    good_for: SignedDuration,
}

struct Asked {
    at: Timestamp,
    failed: bool,
}

/// What is known of a key id.
enum Known {
    Answer(Result<PublishedKey, KeyError>),
    /// Nothing until the issuer was asked.
    Nothing,
}

impl KeyCache {
    pub fn new(issuer: Issuer, fetcher: Fetcher, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                issuer,
                fetcher,
                clock,
                state: Mutex::default(),
            }),
            tasks: Mutex::default(),
        }
    }

    pub fn issuer(&self) -> &Issuer {
        &self.shared.issuer
    }

    /// The key of that id.
    pub async fn key(&self, id: &str) -> Result<PublishedKey, KeyError> {
        if let Known::Answer(answer) = self.shared.known(id) {
            return answer;
        }
        // Fails when the sender is gone, which is what is waited for.
        let _ = self.ask().changed().await;
        match self.shared.known(id) {
            Known::Answer(answer) => answer,
            Known::Nothing => Err(KeyError::Unavailable),
        }
    }

    /// Asks the issuer, or joins those who wait for its answer.
    fn ask(&self) -> watch::Receiver<()> {
        let mut state = self.shared.state();
        if let Some(under_way) = state
            .under_way
            .as_ref()
            .filter(|answer| answer.has_changed().is_ok())
        {
            return under_way.clone();
        }
        let (answered, answer) = watch::channel(());
        state.under_way = Some(answer.clone());
        drop(state);
        let shared = Arc::clone(&self.shared);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let fetched = shared.fetcher.fetch(&shared.issuer).await;
            shared.note(fetched);
            drop(answered);
        });
        answer
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &str) -> Known {
        let now = self.clock.now();
        let state = self.state();
        let held = state
            .held
            .as_ref()
            .filter(|held| within(held.good_for, held.since, now));
        if let Some(key) = held.and_then(|held| held.keys.get(id)) {
            return Known::Answer(Ok(key.clone()));
        }
        let asked_lately = state.asked.as_ref().filter(|asked| match (held, asked.failed) {
            (Some(_), _) => within(BETWEEN_QUESTIONS, asked.at, now),
            (None, true) => within(AFTER_FAILURE, asked.at, now),
            (None, false) => false,
        });
        match asked_lately {
            Some(Asked { failed: true, .. }) => Known::Answer(Err(KeyError::Unavailable)),
            Some(_) => Known::Answer(Err(KeyError::Unknown)),
            None => Known::Nothing,
        }
    }

    fn note(&self, fetched: Result<Fetched, FetchError>) {
        let now = self.clock.now();
        let mut state = self.state();
        state.asked = Some(Asked {
            at: now,
            failed: fetched.is_err(),
        });
        state.under_way = None;
        match fetched {
            Ok(Fetched { keys, good_for }) => {
                tracing::info!(issuer = %self.issuer.name, keys = keys.len(), %good_for, "the issuer's keys were fetched");
                state.held = Some(Held {
                    keys,
                    since: now,
                    good_for,
                });
            }
            Err(error) => {
                tracing::warn!(
                    issuer = %self.issuer.name,
                    error = error_chain(&error),
                    "the issuer's keys could not be fetched"
                );
            }
        }
    }
}

/// Whether less than `length` has gone since `since`. After a clock was put back, nothing is known of that.
fn within(length: SignedDuration, since: Timestamp, now: Timestamp) -> bool {
    let gone = now.duration_since(since);
    gone >= SignedDuration::ZERO && gone < length
}
