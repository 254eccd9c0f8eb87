//! What lets an order go on that works beside whoever gave it.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by whoever drives and by each piece of work of theirs on the disk: that cannot be stopped once it has begun, so
/// it asks before it moves anything, and keeps what is held for as long as it runs.
#[derive(Clone, Default)]
pub struct Warrant {
    withdrawn: Arc<AtomicBool>,
    _held: Option<Arc<dyn Any + Send + Sync>>,
}

impl Warrant {
    /// `held`: what nobody else may have before all work under it has ended.
    #[must_use]
    pub fn holding(held: impl Any + Send + Sync) -> Self {
        Self {
            withdrawn: Arc::default(),
            _held: Some(Arc::new(held)),
        }
    }

    /// From now on nothing is moved under it any more.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::SeqCst);
    }

    /// Refused once it is withdrawn.
    pub fn check(&self) -> io::Result<()> {
        if self.withdrawn.load(Ordering::SeqCst) {
            return Err(io::Error::other("another process may be driving this PBX by now"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_let_go_with_the_last_work_under_it() {
        let held = Arc::new(());
        let warrant = Warrant::holding(Arc::clone(&held));
        let work = warrant.clone();
        drop(warrant);
        assert_eq!(Arc::strong_count(&held), 2);
        drop(work);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn it_is_withdrawn_for_everybody() {
        let warrant = Warrant::default();
        let work = warrant.clone();
        assert!(work.check().is_ok());
        warrant.withdraw();
        assert!(work.check().is_err());
    }
}
