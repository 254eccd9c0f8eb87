//! Counts failed sign-ins per account and per address, and refuses further ones for a while.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::domain::clock::Clock;
use crate::domain::email::EmailAddress;

/// As many accounts, and as many addresses, are kept in mind; beyond that, those that were left alone for longest are
/// forgotten. Two cores do not verify as many passwords within a window of 15 minutes.
const KEPT: u64 = 150_000;

/// How many failures are put up with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// On one account.
    pub per_account: NonZeroU32,
    /// From one address.
    pub per_address: NonZeroU32,
    /// From the first failure on, for so long they are counted, and then forgotten together.
    pub window: Duration,
}

/// Whose failures are counted: of what was tried, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The account, whether or not there is one.
    pub account: Option<&'a EmailAddress>,
    /// Where it was tried from.
    pub address: Option<IpAddr>,
}

/// Nothing is verified for as many seconds, at least one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many failed sign-ins; try again in {0} seconds")]
pub struct RetryAfter(pub u64);

/// What failed so far. Clones count together.
#[derive(Clone)]
pub struct Throttle {
    accounts: Counter<AccountDigest>,
    addresses: Counter<Network>,
    clock: Arc<dyn Clock>,
}

impl Throttle {
    /// Nothing has failed yet.
    #[must_use]
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            accounts: Counter::new(limits.per_account, limits.window, KEPT),
            addresses: Counter::new(limits.per_address, limits.window, KEPT),
            clock,
        }
    }

    /// Whether it may be tried; costs nothing and counts nothing.
    pub fn check(&self, attempt: Attempt<'_>) -> Result<(), RetryAfter> {
        let now = self.clock.now();
        let account = attempt
            .account
            .and_then(|a| self.accounts.refused(&digest(a), now));
        let address = attempt
            .address
            .and_then(|a| self.addresses.refused(&a.into(), now));
        match account.max(address) {
            Some(seconds) => Err(RetryAfter(seconds)),
            None => Ok(()),
        }
    }

    /// Counts what is tried, whatever comes of it, where it may be tried.
    pub fn spend(&self, attempt: Attempt<'_>) -> Result<(), RetryAfter> {
        self.check(attempt)?;
        self.failed(attempt);
        Ok(())
    }

    /// It was tried in vain.
    pub fn failed(&self, attempt: Attempt<'_>) {
        let now = self.clock.now();
        if let Some(account) = attempt.account {
            self.accounts.add(digest(account), now);
        }
        if let Some(address) = attempt.address {
            self.addresses.add(address.into(), now);
        }
    }

    /// The account's owner came through. Where they came from stays counted: somebody with an account of their own could
    /// else try others' on and on.
    pub fn succeeded(&self, attempt: Attempt<'_>) {
        if let Some(account) = attempt.account {
            self.accounts.windows.invalidate(&digest(account));
        }
    }
}

/// Stands for an e-mail address in little memory.
type AccountDigest = [u8; 16];

fn digest(account: &EmailAddress) -> AccountDigest {
    let hash = blake3::hash(account.as_str().as_bytes());
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Who is one client: an IPv4 address, or a network of IPv6, which is what one customer is given.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Failures by key.
#[derive(Clone)]
struct Counter<K> {
    windows: Cache<K, Window>,
    limit: u32,
    length: SignedDuration,
}

/// The failures of one key.
#[derive(Clone, Copy)]
struct Window {
    since: Timestamp,
    failures: u32,
}

impl<K: Hash + Eq + Send + Sync + 'static> Counter<K> {
    fn new(limit: NonZeroU32, length: Duration, kept: u64) -> Self {
        // A rare key must not keep a new one out, as the cache's usual policy would have it. What it drops by its own
        // clock is over by ours too.
        let windows = Cache::builder()
            .max_capacity(kept)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(length)
            .build();
        Self {
            windows,
            limit: limit.get(),
            length: SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX),
        }
    }

    /// For how many seconds a key is refused, if it is.
    fn refused(&self, key: &K, now: Timestamp) -> Option<u64> {
        let window = self
            .windows
            .get(key)
            .filter(|window| window.failures >= self.limit)?;
        let left = self.left(window, now)?;
        let whole = u64::try_from(left.as_secs()).unwrap_or_default();
        Some(whole + u64::from(left.subsec_nanos() > 0))
    }

    fn add(&self, key: K, now: Timestamp) {
        self.windows.entry(key).and_upsert_with(|known| {
            let known = known.map(moka::Entry::into_value);
            let open = known.filter(|window| self.left(*window, now).is_some());
            open.map_or(
                Window {
                    since: now,
                    failures: 1,
                },
                |window| Window {
                    failures: window.failures.saturating_add(1),
                    ..window
                },
            )
        });
    }

    /// How much is left of a window that is not over; a clock that was put back neither ends it nor makes it longer.
    fn left(&self, window: Window, now: Timestamp) -> Option<SignedDuration> {
        let gone = now.duration_since(window.since);
        (gone.abs() < self.length).then(|| self.length - gone.max(SignedDuration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    struct Hand(Mutex<Timestamp>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    impl Hand {
        fn turn(&self, seconds: i64) {
            *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
        }
    }

    /// 3 failures per account and 5 per address in 900 seconds.
    fn throttle() -> (Throttle, Arc<Hand>) {
        let hand = Arc::new(Hand(Mutex::new(Timestamp::UNIX_EPOCH)));
        let limits = Limits {
            per_account: NonZeroU32::new(3).unwrap(),
            per_address: NonZeroU32::new(5).unwrap(),
            window: Duration::from_mins(15),
        };
        (Throttle::new(limits, Arc::<Hand>::clone(&hand)), hand)
    }

    fn email(text: &str) -> EmailAddress {
        text.parse().unwrap()
    }

    fn from(address: &str) -> Attempt<'static> {
        Attempt {
            account: None,
            address: Some(address.parse().unwrap()),
        }
    }

    fn on(account: &EmailAddress) -> Attempt<'_> {
        Attempt {
            account: Some(account),
            address: None,
        }
    }

    #[test]
    fn failures_on_an_account_are_counted_whatever_its_case_and_wherever_they_came_from() {
        let (throttle, _) = throttle();
        for (account, address) in [("Ann@example.com", "192.0.2.1"), ("ann@EXAMPLE.com", "192.0.2.2")] {
            let attempt = Attempt {
                account: Some(&email(account)),
                address: Some(address.parse().unwrap()),
            };
            throttle.failed(attempt);
            assert_eq!(throttle.check(attempt), Ok(()));
        }
        throttle.failed(on(&email("ann@example.com")));
        let elsewhere = Attempt {
            account: Some(&email("ANN@example.com")),
            address: Some("2001:db8::1".parse().unwrap()),
        };
        assert_eq!(throttle.check(elsewhere), Err(RetryAfter(900)));
        assert_eq!(throttle.check(on(&email("bob@example.com"))), Ok(()));
    }

    #[test]
    fn what_is_asked_for_is_not_counted() {
        let (throttle, _) = throttle();
        let ann = email("ann@example.com");
        for _ in 0..1000 {
            assert_eq!(throttle.check(on(&ann)), Ok(()));
        }
    }

    #[test]
    fn what_is_spent_is_counted_whatever_comes_of_it_and_ends_with_the_window() {
        let (throttle, hand) = throttle();
        for _ in 0..5 {
            assert_eq!(throttle.spend(from("192.0.2.1")), Ok(()));
        }
        assert_eq!(throttle.spend(from("192.0.2.1")), Err(RetryAfter(900)));
        assert_eq!(throttle.spend(from("192.0.2.2")), Ok(()));
        hand.turn(900);
        assert_eq!(throttle.spend(from("192.0.2.1")), Ok(()));
    }

    #[test]
    fn a_success_is_not_counted_and_clears_the_account_but_not_the_address() {
        let (throttle, _) = throttle();
        let (ann, address) = (email("ann@example.com"), from("192.0.2.1").address);
        let attempt = Attempt {
            account: Some(&ann),
            address,
        };
        for _ in 0..2 {
            throttle.failed(attempt);
            throttle.failed(attempt);
            throttle.succeeded(attempt);
        }
        assert_eq!(throttle.check(attempt), Ok(()));
        throttle.failed(attempt);
        assert_eq!(throttle.check(on(&ann)), Ok(()));
        assert_eq!(throttle.check(from("192.0.2.1")), Err(RetryAfter(900)));
    }

    #[test]
    fn a_refusal_says_for_how_long_and_ends_then() {
        let (throttle, hand) = throttle();
        let ann = email("ann@example.com");
        for _ in 0..3 {
            throttle.failed(on(&ann));
            hand.turn(10);
        }
        assert_eq!(throttle.check(on(&ann)), Err(RetryAfter(870)));
        *hand.0.lock().unwrap() += SignedDuration::from_millis(869_500);
        assert_eq!(throttle.check(on(&ann)), Err(RetryAfter(1)));
        *hand.0.lock().unwrap() += SignedDuration::from_millis(500);
        assert_eq!(throttle.check(on(&ann)), Ok(()));
        throttle.failed(on(&ann));
        throttle.failed(on(&ann));
        assert_eq!(throttle.check(on(&ann)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_put_back_neither_opens_nor_prolongs_a_refusal() {
        let (throttle, hand) = throttle();
        let ann = email("ann@example.com");
        for _ in 0..3 {
            throttle.failed(on(&ann));
        }
        hand.turn(-60);
        assert_eq!(throttle.check(on(&ann)), Err(RetryAfter(900)));
        hand.turn(-3600);
        assert_eq!(throttle.check(on(&ann)), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_an_address_of_ipv4_however_it_is_written() {
        let (throttle, _) = throttle();
        for host in 1..=5 {
            throttle.failed(from(&format!("2001:db8:1:2:{host}::{host}")));
            throttle.failed(from("192.0.2.1"));
        }
        assert!(throttle.check(from("2001:db8:1:2:ffff::1")).is_err());
        assert!(throttle.check(from("2001:db8:1:3::1")).is_ok());
        assert!(throttle.check(from("::ffff:192.0.2.1")).is_err());
        assert!(throttle.check(from("192.0.2.2")).is_ok());
        assert!(throttle.check(from("::ffff:192.0.2.2")).is_ok());
    }

    #[test]
    fn failures_at_the_same_time_are_all_counted() {
        let (throttle, _) = throttle();
        let limits = Limits {
            per_account: NonZeroU32::new(800).unwrap(),
            per_address: NonZeroU32::MAX,
            window: Duration::from_mins(15),
        };
        let throttle = Throttle::new(limits, throttle.clock);
        let ann = email("ann@example.com");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100).for_each(|_| throttle.failed(on(&ann))));
            }
        });
        assert_eq!(
            throttle.accounts.windows.get(&digest(&ann)).unwrap().failures,
            800
        );
        assert!(throttle.check(on(&ann)).is_err());
    }

    #[test]
    fn only_so_many_keys_are_kept_and_a_new_one_is_counted_nevertheless() {
        let counter = Counter::new(NonZeroU32::MIN, Duration::from_mins(15), 100);
        let now = Timestamp::UNIX_EPOCH;
        for key in 0..10_000 {
            counter.add(key, now);
            assert!(counter.refused(&key, now).is_some());
        }
        counter.windows.run_pending_tasks();
        assert!(counter.windows.entry_count() <= 100);
        assert!(counter.refused(&9_999, now).is_some());
        assert!(counter.refused(&0, now).is_none());
    }
}
