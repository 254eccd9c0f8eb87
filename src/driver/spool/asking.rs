//! Questions to directories that are put at the same time: one that does not answer is asked nothing more, and keeps few threads.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// What each directory was asked and has not answered, with when that becomes owed.
static ASKED: LazyLock<Mutex<HashMap<PathBuf, BTreeMap<u64, Instant>>>> = LazyLock::new(Mutex::default);

/// Whoever goes away, as a player that seeks does, leaves no debt where the answer comes within that.
const GRACE: Duration = Duration::from_secs(1);
/// No more questions are put to a directory at a time: one that hangs owes none yet for seconds, and all share the threads.
const AT_ONCE: usize = 64;
/// Nor to all of them together, which may lie on one disk, but for the first few of each.
const IN_ALL: usize = 256;
const FEW: usize = 8;
/// Between two looks whether that many are under way still.
const TURN: Duration = Duration::from_millis(5);

/// One question to a directory.
#[derive(Clone, Debug)]
pub(super) struct Question {
    directory: PathBuf,
    number: u64,
}

impl Question {
    /// None while the directory owes an answer.
    pub(super) fn to(directory: &Path, longest: Duration) -> Option<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let now = Instant::now();
        let mut asked = asked();
        let of_it = asked.entry(directory.to_owned()).or_default();
        if of_it.values().any(|owed| *owed <= now) {
            return None;
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        of_it.insert(number, now + longest);
        Some(Self {
            directory: directory.to_owned(),
            number,
        })
    }
}

/// Whether a directory is asked as much as it may be.
fn is_full(directory: &Path) -> bool {
    let asked = asked();
    let of_it = asked.get(directory).map_or(0, BTreeMap::len);
    let in_all = || asked.values().map(BTreeMap::len).sum::<usize>();
    of_it >= AT_ONCE || of_it >= FEW && in_all() >= IN_ALL
}

/// Somebody who waits for an answer.
#[derive(Debug)]
pub(super) struct Waiting(pub(super) Question);

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut asked = asked();
        let of_it = asked.get_mut(&self.0.directory);
        if let Some(owed) = of_it.and_then(|of_it| of_it.get_mut(&self.0.number)) {
            *owed = (*owed).min(Instant::now() + GRACE);
        }
    }
}

/// The other side: the thread that asks. It has answered once this is dropped.
pub(super) struct Asking(pub(super) Question);

impl Drop for Asking {
    fn drop(&mut self) {
        let mut asked = asked();
        if let Some(of_it) = asked.get_mut(&self.0.directory) {
            of_it.remove(&self.0.number);
            if of_it.is_empty() {
                asked.remove(&self.0.directory);
            }
        }
    }
}

fn asked() -> MutexGuard<'static, HashMap<PathBuf, BTreeMap<u64, Instant>>> {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks, and waits so long for the answer; while an earlier one is owed of that directory, this one is not asked. Both are told
/// as [`io::ErrorKind::TimedOut`]. Unlike purges, exports and listeners ask at the same time as others.
pub(super) async fn patiently<T: Send + 'static>(
    directory: &Path,
    longest: Duration,
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let no_answer = || io::Error::from(io::ErrorKind::TimedOut);
    let begun = Instant::now();
    while is_full(directory) {
        if begun.elapsed() >= longest {
            return Err(no_answer());
        }
        sleep(TURN).await;
    }
    // Whoever had to wait for a place has that much less; that is no debt of the disk.
    let rest = longest.saturating_sub(begun.elapsed());
    let question = Question::to(directory, rest.max(GRACE.min(longest))).ok_or_else(no_answer)?;
    let (waiting, asking) = (Waiting(question.clone()), Asking(question));
    let asked = spawn_blocking(move || {
        let answered = ask();
        drop(asking);
        answered
    });
    let answered = timeout(rest, asked).await.map_err(|_| no_answer());
    drop(waiting);
    answered?.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SHORT: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(20);

    async fn is_asked_again(directory: &'static Path) {
        for _ in 0..1_000 {
            if patiently(directory, LONG, || Ok(8)).await.is_ok() {
                return;
            }
            sleep(SHORT).await;
        }
        panic!("it is never asked again");
    }

    #[tokio::test]
    async fn a46_a_disk_that_owes_an_answer_is_asked_nothing_and_others_are() {
        let (directory, other) = (Path::new("/no/such/sounds"), Path::new("/no/such/music"));
        let (answer, answers) = mpsc::channel::<()>();
        let first = patiently(directory, SHORT, move || answers.recv().map_err(io::Error::other)).await;
        assert_eq!(first.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let second = patiently(directory, LONG, || -> io::Result<()> { panic!("it was asked") }).await;
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(patiently(other, LONG, || Ok(7)).await.unwrap(), 7);
        answer.send(()).unwrap();
        is_asked_again(directory).await;
        assert!(!asked().contains_key(directory));
    }

    #[tokio::test]
    async fn a46_who_goes_away_while_a_disk_hangs_leaves_the_debt() {
        let directory = Path::new("/no/such/tape");
        let (answer, answers) = mpsc::channel::<()>();
        let left = patiently(directory, LONG, move || answers.recv().map_err(io::Error::other));
        assert!(timeout(SHORT, left).await.is_err());
        // Not at once: most answers come all the same.
        patiently(directory, LONG, || Ok(())).await.unwrap();
        let mut refused = false;
        for _ in 0..1_000 {
            refused = patiently(directory, LONG, || Ok(())).await.is_err();
            if refused {
                break;
            }
            sleep(SHORT).await;
        }
        assert!(refused, "nothing is owed");
        answer.send(()).unwrap();
        is_asked_again(directory).await;
    }

    #[test]
    fn a12_directories_that_are_asked_much_leave_a_few_questions_to_each_other_one() {
        let of = |directory: &Path| Asking(Question::to(directory, LONG).unwrap());
        let busy: Vec<PathBuf> = (0..IN_ALL / AT_ONCE)
            .map(|number| format!("/no/such/busy/{number}").into())
            .collect();
        let all: Vec<Asking> = busy
            .iter()
            .flat_map(|directory| (0..AT_ONCE).map(|_| of(directory)))
            .collect();
        let other = Path::new("/no/such/calm");
        let mut of_other = Vec::new();
        for _ in 0..FEW {
            assert!(!is_full(other));
            of_other.push(of(other));
        }
        assert!(is_full(other));
        drop(all);
        assert!(!is_full(other));
    }

    #[tokio::test]
    async fn a12_a_directory_is_asked_so_much_at_a_time_and_more_waits_its_turn() {
        let directory = Path::new("/no/such/crowd");
        let mut asking = tokio::task::JoinSet::new();
        let answers: Vec<mpsc::Sender<()>> = (0..AT_ONCE)
            .map(|_| {
                let (answer, answers) = mpsc::channel();
                let ask = move || answers.recv().map_err(io::Error::other);
                asking.spawn(patiently(directory, LONG, ask));
                answer
            })
            .collect();
        while !is_full(directory) {
            sleep(SHORT).await;
        }
        let early = patiently(directory, LONG, || -> io::Result<()> { panic!("it was asked") });
        assert!(timeout(TURN * 4, early).await.is_err());
        let late = patiently(directory, SHORT, || -> io::Result<()> { panic!("it was asked") });
        assert_eq!(late.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        for answer in &answers {
            answer.send(()).unwrap();
        }
        assert_eq!(patiently(directory, LONG, || Ok(9)).await.unwrap(), 9);
        while let Some(answered) = asking.join_next().await {
            answered.unwrap().unwrap();
        }
    }
}
