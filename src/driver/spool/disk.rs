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
        asked.insert(directory.clone()).then_some(Self(directory))
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
pub(super) async fn in_turn<T: Send + 'static>(
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
