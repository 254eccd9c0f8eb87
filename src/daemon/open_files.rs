//! How many files this process may have open: raised as far as it may raise that itself.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than is needed by what the daemon lets in.
const ENOUGH: u64 = 8192;
/// What is left to everything but connections: the database, PBXs, files.
const OTHERS: u64 = 512;
/// The most connections at a time, however many files there may be.
const MOST: usize = 2048;

/// Raises the limit; gives how many connections there may be at a time.
pub fn connections() -> usize {
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    let is_less = now.current.is_some_and(|current| current < wanted);
    let raised = Rlimit {
        current: Some(wanted),
        maximum: now.maximum,
    };
    let allowed = if is_less && setrlimit(Resource::Nofile, raised).is_ok() {
        Some(wanted)
    } else {
        now.current
    };
    connections_of(allowed)
}

fn connections_of(files: Option<u64>) -> usize {
    let Some(files) = files else { return MOST };
    let rest = files.saturating_sub(OTHERS).max(files / 2);
    usize::try_from(rest).unwrap_or(MOST).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_everything_else() {
        for (files, connections) in [
            (Some(256), 128),
            (Some(1024), 512),
            (Some(2000), 1488),
            (Some(8192), MOST),
            (None, MOST),
        ] {
            assert_eq!(connections_of(files), connections, "{files:?}");
        }
        assert!(connections() > 0);
    }
}
