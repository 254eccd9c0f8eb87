//! Signing in by password: what is counted, what is refused before any hashing, and what cannot be dodged.

use std::future::poll_fn;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use switchyard::auth::password::{Cost, HashError, PasswordHasher};
use switchyard::auth::password_check::{CheckError, PasswordCheck};
use switchyard::auth::throttle::{Attempt, Limits, RetryAfter, Throttle};
use switchyard::domain::email::EmailAddress;
use switchyard::domain::password::{NewPassword, Password, PasswordHash};
use switchyard::domain::random::{NoRandomness, Randomness, SystemRandom};
use tokio::time::{sleep, timeout};

use crate::issuer::Hand;

const RIGHT: &str = "apples pears plums";

/// Enough to take some milliseconds.
const COST: Cost = Cost {
    memory: 4096,
    passes: 2,
};

struct Ground {
    check: PasswordCheck,
    clock: Hand,
    ann: EmailAddress,
    hash: PasswordHash,
}

impl Ground {
    /// 5 failures per account and 20 per address.
    async fn new() -> Self {
        let clock = Hand::new();
        let limits = Limits {
            per_account: NonZeroU32::new(5).unwrap(),
            per_address: NonZeroU32::new(20).unwrap(),
            window: Duration::from_mins(15),
        };
        let throttle = Throttle::new(limits, Arc::new(clock.clone()));
        let hasher = PasswordHasher::new(COST, Arc::new(SystemRandom)).unwrap();
        let ann: EmailAddress = "ann@example.com".parse().unwrap();
        let chosen = NewPassword::choose(&RIGHT.into(), &ann).ok().unwrap();
        let hash = hasher.hash(chosen).await.unwrap();
        Self {
            check: PasswordCheck::new(hasher, throttle),
            clock,
            ann,
            hash,
        }
    }

    async fn try_from(&self, address: IpAddr, typed: &str) -> Result<(), CheckError> {
        let typed = Password::typed(&typed.into());
        let checked = self
            .check
            .check(&self.ann, Some(address), typed, Some(self.hash.clone()));
        checked.await.map(drop)
    }

    async fn try_once(&self, typed: &str) -> Result<(), CheckError> {
        self.try_from(address(1), typed).await
    }

    fn attempt(&self) -> Attempt<'_> {
        Attempt {
            account: Some(&self.ann),
            address: None,
        }
    }
}

/// No salt before the gate is open.
struct Gated(Arc<(Mutex<bool>, Condvar)>);

impl Randomness for Gated {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        let (open, opened) = &*self.0;
        let _open = opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap();
        SystemRandom.fill(buffer)
    }
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn is_throttled(answer: &Result<(), CheckError>) -> bool {
    matches!(answer, Err(CheckError::Throttled(_)))
}

#[tokio::test]
async fn after_five_failures_the_right_password_is_refused_too_until_the_window_is_over() {
    let ground = Ground::new().await;
    assert!(ground.try_once(RIGHT).await.is_ok());
    for _ in 0..5 {
        assert!(matches!(ground.try_once("wrong").await, Err(CheckError::Wrong)));
    }
    let refused = ground.try_from(address(2), RIGHT).await;
    assert!(matches!(refused, Err(CheckError::Throttled(RetryAfter(900)))));
    ground.clock.forward(900);
    assert!(ground.try_once(RIGHT).await.is_ok());
}

#[tokio::test]
async fn successes_are_not_counted_however_many_at_once() {
    let ground = Ground::new().await;
    let answers = join_all((0..100).map(|_| ground.try_once(RIGHT))).await;
    assert!(answers.iter().all(Result::is_ok));
    // And they take back what failed before.
    for _ in 0..4 {
        assert!(ground.try_once("wrong").await.is_err());
        assert!(ground.try_once(RIGHT).await.is_ok());
    }
}

#[tokio::test]
async fn an_account_that_is_not_there_is_refused_in_the_same_way() {
    let ground = Ground::new().await;
    let nobody: EmailAddress = "nobody@example.com".parse().unwrap();
    let mut answers = Vec::new();
    for (account, stored) in [(&ground.ann, Some(&ground.hash)), (&nobody, None)] {
        for last in 0..6 {
            let typed = Password::typed(&"wrong".into());
            let checked = ground
                .check
                .check(account, Some(address(last)), typed, stored.cloned());
            answers.push(checked.await.err().unwrap().to_string());
        }
    }
    let (there, not_there) = answers.split_at(6);
    assert_eq!(there, not_there);
}

#[tokio::test]
async fn a_thousand_at_once_have_no_more_tries_than_one_after_the_other() {
    let ground = Ground::new().await;
    let answers = join_all((0..250).map(|_| ground.try_once("wrong"))).await;
    let looked_at = answers
        .iter()
        .filter(|a| matches!(a, Err(CheckError::Wrong)))
        .count();
    // Two are verified at a time: when the fifth fails, another one may be under way.
    assert!((5..=6).contains(&looked_at), "{looked_at}");
    assert_eq!(
        answers.iter().filter(|answer| is_throttled(answer)).count(),
        250 - looked_at
    );
}

#[tokio::test]
async fn more_than_can_wait_are_sent_away_and_those_who_wait_are_served() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let cheap = Cost { memory: 8, passes: 1 };
    let hasher = PasswordHasher::new(cheap, Arc::new(Gated(Arc::clone(&gate)))).unwrap();
    let ann = "ann@example.com".parse().unwrap();
    let mut hashing: Vec<_> = (0..300)
        .map(|_| Box::pin(hasher.hash(NewPassword::choose(&RIGHT.into(), &ann).ok().unwrap())))
        .collect();
    let mut sent_away = 0;
    for one in &mut hashing {
        match poll_fn(|cx| Poll::Ready(one.as_mut().poll(cx))).await {
            Poll::Ready(Err(HashError::Busy)) => sent_away += 1,
            Poll::Ready(_) => panic!("hashed without a salt"),
            Poll::Pending => {}
        }
    }
    // Two hash, 256 wait.
    assert_eq!(sent_away, 300 - 258);
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    hashing.truncate(258);
    assert!(join_all(hashing).await.iter().all(Result::is_ok));
    let later = NewPassword::choose(&RIGHT.into(), &ann).ok().unwrap();
    assert!(hasher.hash(later).await.is_ok());
}

#[tokio::test]
async fn who_hangs_up_before_the_answer_is_counted_nevertheless() {
    let ground = Ground::new().await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut answered = 0;
    while ground.check.throttle().check(ground.attempt()).is_ok() {
        assert!(Instant::now() < deadline, "nothing of it is counted");
        // Polled once, which is enough to begin where a turn is free.
        let hung_up = timeout(Duration::ZERO, ground.try_once("wrong")).await;
        answered += u32::from(hung_up.is_ok());
        sleep(Duration::from_millis(1)).await;
    }
    assert!(answered < 5, "nobody hung up");
    assert!(is_throttled(&ground.try_once(RIGHT).await));
}

#[tokio::test]
async fn one_address_has_so_many_tries_for_all_accounts_together() {
    let ground = Ground::new().await;
    for account in 0..20 {
        let account: EmailAddress = format!("user{account}@example.com").parse().unwrap();
        let typed = Password::typed(&"wrong".into());
        let checked = ground.check.check(&account, Some(address(1)), typed, None).await;
        assert!(matches!(checked, Err(CheckError::Wrong)));
    }
    assert!(is_throttled(&ground.try_from(address(1), RIGHT).await));
    assert!(ground.try_from(address(2), RIGHT).await.is_ok());
    // A success of one's own does not open the address for tries on others.
    assert!(is_throttled(&ground.try_from(address(1), RIGHT).await));
}

#[tokio::test]
async fn what_is_refused_is_not_hashed() {
    /// Counts the salts: each hash that is made needs one.
    struct Counting(Arc<AtomicUsize>);
    impl Randomness for Counting {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
            self.0.fetch_add(1, Ordering::SeqCst);
            SystemRandom.fill(buffer)
        }
    }
    let ground = Ground::new().await;
    let salts = Arc::new(AtomicUsize::new(0));
    let dearer = Cost { passes: 3, ..COST };
    let hasher = PasswordHasher::new(dearer, Arc::new(Counting(Arc::clone(&salts)))).unwrap();
    let check = PasswordCheck::new(hasher, ground.check.throttle().clone());
    let try_once = || {
        let typed = Password::typed(&RIGHT.into());
        check.check(&ground.ann, None, typed, Some(ground.hash.clone()))
    };
    // The stored hash is cheaper than what is asked for now, so each success hashes anew.
    assert!(try_once().await.unwrap().is_some());
    assert_eq!(salts.load(Ordering::SeqCst), 1);
    for _ in 0..5 {
        check.throttle().failed(ground.attempt());
    }
    assert!(matches!(try_once().await, Err(CheckError::Throttled(_))));
    assert_eq!(salts.load(Ordering::SeqCst), 1);
}
