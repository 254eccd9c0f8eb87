//! Hashes and verifies passwords with argon2id, off the async threads and few at a time, so that sign-ins do not starve
//! the daemon.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use zeroize::Zeroize as _;

use crate::domain::password::{NewPassword, Password, PasswordHash};
use crate::domain::random::{NoRandomness, Randomness};

/// As many hash at once; each takes a core and the memory of its cost.
const AT_ONCE: usize = 2;
/// As many wait for their turn, some seconds' work; whoever comes then is sent away.
const WAITING: usize = 256;
/// Bytes of a hash.
const LENGTH: usize = Params::DEFAULT_OUTPUT_LEN;

/// What hashing one password takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// In KiB.
    pub memory: u32,
    /// How many times that memory is gone through.
    pub passes: u32,
}

impl Default for Cost {
    /// What OWASP's cheat sheet on password storage recommends for argon2id, with one lane.
    fn default() -> Self {
        Self {
            memory: 19 * 1024,
            passes: 2,
        }
    }
}

/// A cost that argon2id does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("argon2id takes at least 8 KiB and one pass")]
pub struct BadCost;

/// Why a password was neither hashed nor verified.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many wait already.
    #[error("too many passwords wait to be verified")]
    Busy,
    /// There is no salt.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The algorithm refused; of a stored hash this says that it is none.
    #[error("argon2id: {0}")]
    Algorithm(String),
    /// The work ended early.
    #[error("hashing ended early")]
    Lost(#[from] JoinError),
}

impl From<argon2::password_hash::Error> for HashError {
    fn from(error: argon2::password_hash::Error) -> Self {
        Self::Algorithm(error.to_string())
    }
}

impl From<argon2::Error> for HashError {
    fn from(error: argon2::Error) -> Self {
        Self::Algorithm(error.to_string())
    }
}

impl From<phc::Error> for HashError {
    fn from(error: phc::Error) -> Self {
        Self::Algorithm(error.to_string())
    }
}

/// What became of a password that was verified.
pub enum Verdict {
    /// It is not the one, or there is none.
    Wrong,
    /// It is the one.
    Right {
        /// To be kept in place of the stored hash, which has the cost of former days.
        rehashed: Option<PasswordHash>,
    },
}

/// Hashes and verifies.
#[derive(Clone)]
pub struct PasswordHasher {
    work: Arc<Work>,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// What the blocking threads do.
pub(super) struct Work {
    params: Params,
    random: Arc<dyn Randomness>,
    /// What is compared where there is no password. Nobody knows one that gives it.
    nobodys: String,
    /// What hashes are made in, wiped and used again: given back to the allocator after each, it kept four of them at times.
    memory: Mutex<Vec<Vec<Block>>>,
}

impl PasswordHasher {
    /// Hashes at that cost.
    pub fn new(cost: Cost, random: Arc<dyn Randomness>) -> Result<Self, BadCost> {
        let params = Params::new(cost.memory, cost.passes, 1, Some(LENGTH)).map_err(|_| BadCost)?;
        let nobodys = nobodys(&params);
        Ok(Self {
            work: Arc::new(Work {
                params,
                random,
                nobodys,
                memory: Mutex::default(),
            }),
            places: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The hash of a password that was chosen.
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash, HashError> {
        let password = password.into_password();
        self.in_turn(move |work| work.hash(&password)).await?
    }

    /// Does the work in its turn. Work that was begun goes on to its end and keeps its turn, also when nobody waits for it
    /// any more: who hangs up early is neither counted less nor served faster.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Work) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| HashError::Busy)?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| HashError::Busy)?;
        let work = Arc::clone(&self.work);
        let done = spawn_blocking(move || {
            let _held = (place, turn);
            job(&work)
        });
        Ok(done.await?)
    }
}

/// A hash of that cost: 16 bytes of salt and as many of output as every hash has, all of them zero.
fn nobodys(params: &Params) -> String {
    let (salt, output) = ("A".repeat(22), "A".repeat(43));
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
}

impl Work {
    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt)?;
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: phc::ParamsString::try_from(&self.params)?,
            salt: Some(phc::Salt::new(&salt)?),
            hash: Some(self.output(&self.argon2(), password, &salt, LENGTH)?),
        };
        PasswordHash::parse(hash.to_string().into())
            .map_err(|invalid| HashError::Algorithm(invalid.to_string()))
    }

    fn output(
        &self,
        argon2: &Argon2<'_>,
        password: &Password,
        salt: &[u8],
        length: usize,
    ) -> Result<phc::Output, HashError> {
        let kept = || self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output = vec![0; length];
        let mut blocks = kept().pop().unwrap_or_default();
        blocks.resize(argon2.params().block_count(), Block::new());
        let bytes = password.expose().as_bytes();
        let done = argon2.hash_password_into_with_memory(bytes, salt, &mut output, &mut blocks);
        blocks.iter_mut().zeroize();
        // One of a dearer cost of former days is not kept.
        if blocks.len() <= self.params.block_count() {
            kept().push(blocks);
        }
        done?;
        Ok(phc::Output::new(&output)?)
    }

    /// Compares with what is stored, and where nothing is with what is nobody's, so that the time does not tell.
    pub(super) fn verify(
        &self,
        password: &Password,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, HashError> {
        let kept = phc::PasswordHash::new(stored.map_or(&self.nobodys, PasswordHash::expose))?;
        let (Some(salt), Some(expected)) = (&kept.salt, &kept.hash) else {
            return Err(HashError::Algorithm("the stored hash is cut off".to_owned()));
        };
        let algorithm = Algorithm::try_from(kept.algorithm.as_str())?;
        let version = kept
            .version
            .map(Version::try_from)
            .transpose()?
            .unwrap_or_default();
        let params = Params::try_from(&kept)?;
        let is_of_today = params == self.params;
        let argon2 = Argon2::new(algorithm, version, params);
        // Outputs are compared in a time that does not tell where they differ.
        if self.output(&argon2, password, salt, expected.len())? != *expected || stored.is_none() {
            return Ok(Verdict::Wrong);
        }
        let rehashed = if is_of_today {
            None
        } else {
            Some(self.hash(password)?)
        };
        Ok(Verdict::Right { rehashed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    const CHEAP: Cost = Cost { memory: 8, passes: 1 };
    const DEAR: Cost = Cost {
        memory: 16,
        passes: 2,
    };

    fn hasher(cost: Cost) -> PasswordHasher {
        PasswordHasher::new(cost, Arc::new(SystemRandom)).unwrap()
    }

    fn chosen(text: &str) -> NewPassword {
        let email = "ann@example.com".parse().unwrap();
        NewPassword::choose(&text.into(), &email).ok().unwrap()
    }

    async fn verify(
        hasher: &PasswordHasher,
        typed: &str,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HashError> {
        let typed = Password::typed(&typed.into());
        hasher
            .in_turn(move |work| work.verify(&typed, stored.as_ref()))
            .await?
    }

    fn resident() -> u32 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_hashes_take_does_not_grow_with_their_number() {
        let memory = 19 * 1024;
        let hasher = hasher(Cost { memory, passes: 1 });
        let batch = async || {
            let eight: Vec<_> = (0..8).map(|_| verify(&hasher, "quince", None)).collect();
            for done in futures_util::future::join_all(eight).await {
                assert!(matches!(done.unwrap(), Verdict::Wrong));
            }
            resident()
        };
        let before = resident();
        let first = batch().await;
        let mut last = first;
        for _ in 0..6 {
            last = batch().await;
        }
        let told = format!("{before} kB, {first} kB after 8 hashes of {memory} kB each, {last} kB after 56");
        assert!(last < first + memory, "{told}");
        // Two at once, and what else the first one brings.
        assert!(last < before + 3 * memory, "{told}");
    }

    #[tokio::test]
    async fn only_the_chosen_password_is_right() {
        let hasher = hasher(CHEAP);
        let hash = hasher.hash(chosen("apples pears plums")).await.unwrap();
        let right = verify(&hasher, "apples pears plums", Some(hash.clone())).await;
        assert!(matches!(right, Ok(Verdict::Right { rehashed: None })));
        for typed in [
            "",
            "apples pears plum",
            "Apples pears plums",
            "apples pears plums ",
            &"x".repeat(100_000),
        ] {
            let wrong = verify(&hasher, typed, Some(hash.clone())).await;
            assert!(matches!(wrong, Ok(Verdict::Wrong)), "{typed}");
        }
    }

    #[tokio::test]
    async fn where_there_is_no_password_none_is_right() {
        for typed in ["", "apples pears plums"] {
            assert!(matches!(
                verify(&hasher(CHEAP), typed, None).await,
                Ok(Verdict::Wrong)
            ));
        }
    }

    #[tokio::test]
    async fn what_is_compared_where_there_is_no_password_costs_what_a_new_one_does() {
        for cost in [CHEAP, DEAR, Cost::default()] {
            let hasher = hasher(cost);
            let made = hasher.hash(chosen("apples pears plums")).await.unwrap();
            let of_cost = |text: &str| {
                let hash = phc::PasswordHash::new(text).unwrap();
                let lengths = (hash.salt.unwrap().len(), hash.hash.unwrap().len());
                (hash.algorithm, hash.version, hash.params, lengths)
            };
            assert_eq!(of_cost(&hasher.work.nobodys), of_cost(made.expose()));
        }
    }

    #[tokio::test]
    async fn a_hash_says_how_it_was_made_and_is_salted_anew_each_time() {
        let hasher = hasher(Cost::default());
        let (one, two) = (chosen("apples pears plums"), chosen("apples pears plums"));
        let (one, two) = (hasher.hash(one).await.unwrap(), hasher.hash(two).await.unwrap());
        assert!(one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(one.expose(), two.expose());
        let salt = |hash: &PasswordHash| hash.expose().split('$').nth(4).map(str::to_owned);
        assert_ne!(salt(&one), salt(&two));
    }

    #[tokio::test]
    async fn a_hash_of_former_cost_is_made_anew_once_the_password_was_right() {
        let former = hasher(CHEAP).hash(chosen("apples pears plums")).await.unwrap();
        let now = hasher(DEAR);
        let wrong = verify(&now, "apples pears prunes", Some(former.clone())).await;
        assert!(matches!(wrong, Ok(Verdict::Wrong)));
        let Ok(Verdict::Right {
            rehashed: Some(fresh),
        }) = verify(&now, "apples pears plums", Some(former)).await
        else {
            panic!("not hashed anew");
        };
        assert!(fresh.expose().starts_with("$argon2id$v=19$m=16,t=2,p=1$"));
        let again = verify(&now, "apples pears plums", Some(fresh)).await;
        assert!(matches!(again, Ok(Verdict::Right { rehashed: None })));
    }

    #[tokio::test]
    async fn a_stored_hash_that_is_none_is_an_error_and_not_a_wrong_password() {
        for text in [
            "$argon2id$v=19$m=8,t=1,p=1",
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ",
            "$argon2id$v=19$x",
        ] {
            let stored = PasswordHash::parse(text.into()).ok();
            assert!(verify(&hasher(CHEAP), "x", stored).await.is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn without_randomness_nothing_is_hashed() {
        struct Broken;
        impl Randomness for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), NoRandomness> {
                Err(NoRandomness)
            }
        }
        let hasher = PasswordHasher::new(CHEAP, Arc::new(Broken)).unwrap();
        let refused = hasher.hash(chosen("apples pears plums")).await;
        assert!(matches!(refused, Err(HashError::Random(NoRandomness))));
    }

    #[test]
    fn a_cost_below_the_least_is_refused() {
        let costs = [Cost { memory: 7, passes: 1 }, Cost { memory: 8, passes: 0 }];
        for cost in costs {
            assert!(PasswordHasher::new(cost, Arc::new(SystemRandom)).is_err());
        }
    }
}
