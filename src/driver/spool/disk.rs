//! One question at a time of what lies in a directory: a disk that does not answer keeps one thread, and no more of those that
//! all share.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Directories of which an answer is waited for, by whomever.
static ASKED: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// The turn of one question; over once it is dropped.
struct Turn(PathBuf);

impl Turn {
    /// None while another one goes on.
    fn take(directory: &Path) -> Option<Self> {
        let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = directory.to_owned();
        // Made only where it is taken: one that is dropped here would wait for the lock that is held.
        asked.insert(directory.clone()).then(|| Self(directory))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(&self.0);
    }
}

/// Asks, and waits so long for the answer; while an earlier question of that directory has none, this one is not asked. Both
/// are told as [`io::ErrorKind::TimedOut`].
pub(in crate::driver) async fn in_turn<T: Send + 'static>(
    directory: &Path,
    longest: Duration,
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let no_answer = || io::Error::from(io::ErrorKind::TimedOut);
    let turn = Turn::take(directory).ok_or_else(no_answer)?;
    let asked = spawn_blocking(move || {
        let answer = ask();
        drop(turn);
        answer
    });
    let answer = timeout(longest, asked).await.map_err(|_| no_answer())?;
    answer.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a20_while_a_disk_owes_an_answer_it_is_asked_nothing_else_and_keeps_one_thread() {
        let (directory, other) = (Path::new("/no/such/disk"), Path::new("/no/such/other"));
        let (answer, answers) = mpsc::channel::<()>();
        let short = Duration::from_millis(10);
        let first = in_turn(directory, short, move || answers.recv().map_err(io::Error::other)).await;
        assert_eq!(first.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let long = Duration::from_secs(20);
        let second = in_turn(directory, long, || -> io::Result<()> { panic!("it was asked") }).await;
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(in_turn(other, long, || Ok(7)).await.unwrap(), 7);
        answer.send(()).unwrap();
        // As soon as the first one is answered.
        for _ in 0..1_000 {
            if let Ok(seen) = in_turn(directory, long, || Ok(8)).await {
                assert_eq!(seen, 8);
                return;
            }
            tokio::time::sleep(short).await;
        }
        panic!("it is never asked again");
    }
}
