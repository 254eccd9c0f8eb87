//! One at a time works on the mail boxes of a PBX, whoever asks for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::driver::mail::MailError;

/// What one does takes some seconds; whoever has waited for so long is told that nobody answers.
const LONGEST: Duration = Duration::from_mins(2);

/// The turn, which lasts until all that hold it are dropped: also those whom nobody waits for any more.
pub type Turn = Arc<OwnedMutexGuard<()>>;

/// By directory; there are as many as Asterisks on this host.
static TURNS: LazyLock<Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>> = LazyLock::new(Mutex::default);

/// Goes on with what was begun, though nobody waits for it any more.
#[expect(
    clippy::disallowed_methods,
    reason = "what a PBX was told goes on there, whoever stops here; nothing is lost where this is cut off by a stop"
)]
pub fn go_on(what: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(what));
}

/// Waits for the turn.
pub async fn take(directory: &Path) -> Result<Turn, MailError> {
    let taken = take_within(directory, LONGEST).await;
    taken.map_err(|elapsed| MailError::unavailable("the mail boxes of the PBX", elapsed))
}

/// Waits so long for it.
pub async fn take_within(directory: &Path, longest: Duration) -> Result<Turn, Elapsed> {
    let turn = {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(directory.to_owned()).or_default())
    };
    timeout(longest, turn.lock_owned()).await.map(Arc::new)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a20_one_at_a_time_works_on_the_mail_boxes_of_a_pbx() {
        let (one, other) = (Path::new("/no/such/spool"), Path::new("/no/such/other"));
        let turn = take(one).await.unwrap();
        assert!(take(one).now_or_never().is_none());
        assert!(take(other).await.is_ok());
        let of_a_thread = Arc::clone(&turn);
        drop(turn);
        assert!(take(one).now_or_never().is_none());
        drop(of_a_thread);
        assert!(take(one).await.is_ok());
    }
}
