//! A recording that is read piece by piece, each with a limit to how long the disk may take.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Spool;
use crate::domain::recording::RecordingPath;

/// How many answers that nobody waits for any more each directory owes.
static OWED: LazyLock<Mutex<HashMap<PathBuf, usize>>> = LazyLock::new(Mutex::default);

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
    /// Opens a recording as [`Self::open`] does, with an answer in that time or an error. While an earlier answer is owed to
    /// somebody who waits no more, the directory is asked nothing: so a disk that hangs keeps few threads.
    pub async fn open_within(&self, path: &RecordingPath, longest: Duration) -> io::Result<Sound> {
        let (spool, path) = (self.clone(), path.clone());
        let open = patiently(self.root.as_path(), longest, move || spool.open_file(&path));
        let (file, metadata) = open.await?;
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

    /// The next piece, no longer than this; empty at the end of what it was when it was opened. An error where it is shorter
    /// by now, or where no answer comes in that time.
    pub async fn next(&mut self, most: usize, longest: Duration) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length - self.read).unwrap_or(usize::MAX);
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

/// Where one question stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Awaited,
    /// Nobody waits any more, and it has not come.
    Owed,
    Given,
}

/// Somebody who waits for an answer; once this is dropped without one, it is owed.
struct Waiting {
    directory: PathBuf,
    answer: Arc<Mutex<Answer>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut owed = owed();
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if *answer == Answer::Awaited {
            *answer = Answer::Owed;
            *owed.entry(self.directory.clone()).or_default() += 1;
        }
    }
}

/// The other side: the thread that asks. It has answered once this is dropped.
struct Asking {
    directory: PathBuf,
    answer: Arc<Mutex<Answer>>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut owed = owed();
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *answer, Answer::Given) == Answer::Owed {
            let left = owed.remove(&self.directory).unwrap_or_default().saturating_sub(1);
            if left > 0 {
                owed.insert(self.directory.clone(), left);
            }
        }
    }
}

fn owed() -> MutexGuard<'static, HashMap<PathBuf, usize>> {
    OWED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks, and waits so long for the answer; while an earlier one is owed of that directory, this one is not asked. Both are told
/// as [`io::ErrorKind::TimedOut`]. Unlike purges, exports ask at the same time as others.
async fn patiently<T: Send + 'static>(
    directory: &Path,
    longest: Duration,
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let no_answer = || io::Error::from(io::ErrorKind::TimedOut);
    if owed().contains_key(directory) {
        return Err(no_answer());
    }
    let answer = Arc::new(Mutex::new(Answer::Awaited));
    let asking = Asking {
        directory: directory.to_owned(),
        answer: Arc::clone(&answer),
    };
    let waiting = Waiting {
        directory: directory.to_owned(),
        answer,
    };
    let asked = spawn_blocking(move || {
        let answered = ask();
        drop(asking);
        answered
    });
    let answered = timeout(longest, asked).await.map_err(|_| no_answer());
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
            tokio::time::sleep(SHORT).await;
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
        assert!(!owed().contains_key(directory));
    }

    #[tokio::test]
    async fn a46_who_goes_away_while_a_disk_hangs_leaves_the_debt() {
        let directory = Path::new("/no/such/tape");
        let (answer, answers) = mpsc::channel::<()>();
        let left = patiently(directory, LONG, move || answers.recv().map_err(io::Error::other));
        assert!(timeout(SHORT, left).await.is_err());
        let refused = patiently(directory, LONG, || Ok(())).await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::TimedOut);
        answer.send(()).unwrap();
        is_asked_again(directory).await;
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
    }
}
