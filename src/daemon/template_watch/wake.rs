//! Wakes when something may have changed below a directory: by inotify, and by the clock for what that does not see.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// With inotify: a link on the way to the directory may be moved, or its file system be another host's.
pub const SELDOM: Duration = Duration::from_secs(5);
/// Without.
const OFTEN: Duration = Duration::from_secs(1);

/// Wakes whoever waits.
pub struct Wake {
    directory: PathBuf,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// That it polls was said.
    warned: bool,
}

impl Wake {
    pub fn new(directory: &Path) -> Self {
        let mut wake = Self {
            directory: directory.to_owned(),
            changed: Arc::new(Notify::new()),
            watcher: None,
            warned: false,
        };
        wake.renew();
        wake
    }

    /// Watches what stands under the name now, and the directory that the name is in.
    pub fn renew(&mut self) {
        self.watcher = match self.watcher() {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                if !self.warned {
                    self.warned = true;
                    tracing::warn!(
                        directory = %self.directory.display(),
                        %error,
                        "changes of the templates cannot be waited for, so they are looked at every second; raise \
                         fs.inotify.max_user_watches and max_user_instances where a limit is reached"
                    );
                }
                None
            }
        };
    }

    fn watcher(&self) -> notify::Result<RecommendedWatcher> {
        let changed = Arc::clone(&self.changed);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error is an overrun: something was missed.
            if event.is_ok_and(|event| is_reading(event.kind)) {
                return;
            }
            changed.notify_one();
        })?;
        if let Some(parent) = self.directory.parent() {
            watcher.watch(parent, RecursiveMode::NonRecursive)?;
        }
        // While it is gone, its name is waited for.
        if self.directory.is_dir() {
            watcher.watch(&self.directory, RecursiveMode::Recursive)?;
        }
        Ok(watcher)
    }

    /// Returns when something may have changed.
    pub async fn woken(&self) {
        let period = if self.watcher.is_some() { SELDOM } else { OFTEN };
        tokio::select! {
            () = self.changed.notified() => {}
            () = tokio::time::sleep(period) => {}
        }
    }
}

/// Looking does not wake: it would wake itself for ever.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
impl Wake {
    /// One that inotify tells nothing.
    pub fn blind(directory: &Path) -> Self {
        let mut wake = Self::new(directory);
        wake.watcher = None;
        wake
    }
}
