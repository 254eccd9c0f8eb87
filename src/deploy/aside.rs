//! Long work in the middle of a task, from which no other task suffers.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Does it here, and lets the other tasks of this thread go on in another: an operator's template takes as long as it likes.
pub(super) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        // There is no other thread, or nobody waits.
        _ => work(),
    }
}
