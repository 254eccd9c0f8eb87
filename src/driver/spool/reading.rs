//! A recording that is read piece by piece, each with a limit to how long the disk may take.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::Spool;
use crate::domain::recording::RecordingPath;

/// What each directory was asked and has not answered, with when that becomes owed.
static ASKED: LazyLock<Mutex<HashMap<PathBuf, BTreeMap<u64, Instant>>>> = LazyLock::new(Mutex::default);

/// Whoever goes away, as a player that seeks does, leaves no debt where the answer comes within that.
const GRACE: Duration = Duration::from_secs(1);
/// No more questions are put to a directory at a time: one that hangs owes none yet for seconds, and all share the threads.
const AT_ONCE: usize = 64;
/// Between two looks whether that many are under way still.
const TURN: Duration = Duration::from_millis(5);
/// Between two looks whether a directory still owes an answer.
const PAUSE: Duration = Duration::from_millis(100);

/// A recording or a message, open to be read from its beginning.
pub struct Sound {
    /// There until this is dropped.
    file: Option<Arc<File>>,
    directory: PathBuf,
    /// How long it was when it was opened.
    pub length: u64,
    read: u64,
}

impl Spool {
    /// Opens a recording as [`Self::open`] does, to be read from its beginning.
    pub async fn open_within(&self, path: &RecordingPath, longest: Duration) -> io::Result<Sound> {
        let (file, metadata) = self.open(path, longest).await?;
        Ok(Sound::of(file, metadata.len(), self.root.as_path().to_owned()))
    }
}

impl Sound {
    /// Of an open file, so long, in a directory whose disk is waited for.
    pub(in crate::driver) fn of(file: File, length: u64, directory: PathBuf) -> Self {
        Self {
            file: Some(Arc::new(file)),
            directory,
            length,
            read: 0,
        }
    }

    /// Of it no more than this is read: so many bytes behind so many.
    pub fn narrow(&mut self, behind: u64, size: u64) {
        self.length = self.length.min(behind.saturating_add(size));
        self.read = behind;
    }

    /// The next piece, no longer than this; empty at the end of what it was when it was opened. An error where it is shorter
    /// by now, or where no answer comes in that time.
    pub async fn next(&mut self, most: usize, longest: Duration) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(self.read)).unwrap_or(usize::MAX);
        let (at, size) = (self.read, left.min(most));
        let Some(file) = self.file.clone().filter(|_| size > 0) else {
            return Ok(Vec::new());
        };
        let piece = patiently(&self.directory, longest, move || {
            let mut piece = vec![0; size];
            file.read_exact_at(&mut piece, at).map(|()| piece)
        });
        let piece = piece.await?;
        self.read += u64::try_from(size).unwrap_or(u64::MAX);
        Ok(piece)
    }

    /// The same for who would break off otherwise: an answer that is late or owed to another is waited for, so long in all before
    /// the last question.
    pub async fn next_in_all(
        &mut self,
        most: usize,
        longest: Duration,
        in_all: Duration,
    ) -> io::Result<Vec<u8>> {
        let begun = Instant::now();
        loop {
            match self.next(most, longest).await {
                Err(error) if error.kind() == io::ErrorKind::TimedOut && begun.elapsed() < in_all => {
                    sleep(PAUSE).await;
                }
                piece => return piece,
            }
        }
    }
}

impl Drop for Sound {
    /// A disk that hangs may hold whoever closes the file.
    fn drop(&mut self) {
        let file = self.file.take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(file));
        }
    }
}

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
    asked().get(directory).is_some_and(|of_it| of_it.len() >= AT_ONCE)
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

    /// Has a directory owe an answer until it is given one.
    async fn hang(directory: &'static Path) -> mpsc::Sender<()> {
        let (answer, answers) = mpsc::channel();
        let asked = patiently(directory, SHORT, move || answers.recv().map_err(io::Error::other));
        assert!(asked.await.is_err());
        answer
    }

    #[tokio::test]
    async fn a12_who_listens_goes_on_once_a_disk_has_answered_and_breaks_off_where_it_does_not() {
        let directory = Path::new("/no/such/record");
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let mut sound = Sound::of(file, 10, directory.to_owned());
        let answer = hang(directory).await;
        let refused = sound.next_in_all(6, LONG, PAUSE * 2).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        let (piece, ()) = tokio::join!(sound.next_in_all(6, LONG, LONG), async {
            sleep(PAUSE * 2).await;
            answer.send(()).unwrap();
        });
        assert_eq!(piece.unwrap().len(), 6);
        assert_eq!(sound.next_in_all(6, LONG, LONG).await.unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a46_a_file_that_has_become_shorter_is_an_error_and_not_a_shorter_file() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let mut sound = Sound {
            file: Some(Arc::new(file.try_clone().unwrap())),
            directory: "/no/such/dir".into(),
            length: 10,
            read: 0,
        };
        assert_eq!(sound.next(6, LONG).await.unwrap().len(), 6);
        file.set_len(7).unwrap();
        assert!(sound.next(6, LONG).await.is_err());
        file.set_len(20).unwrap();
        assert_eq!(sound.next(6, LONG).await.unwrap().len(), 4);
        assert!(sound.next(6, LONG).await.unwrap().is_empty());
        for (behind, size, expected) in [(3, 4, 4), (8, 4, 2), (12, 4, 0), (0, u64::MAX, 6)] {
            sound.length = 10;
            sound.narrow(behind, size);
            assert_eq!(sound.next(6, LONG).await.unwrap().len(), expected, "{behind}");
        }
    }
}
