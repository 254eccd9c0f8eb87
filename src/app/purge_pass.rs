//! One pass over the purges that run: it waits for no mail boxes once the daemon stops, and for those of a PBX once in vain.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::AppError;
use super::purge_voicemail::{self, Unseen};
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::purge::Purge;

/// What one process of a host does at a time.
pub(super) const AT_DISKS: &str = "purging";
/// How long mail boxes or recordings of a tenant are looked at before it is counted what of them is to go.
pub(super) const LONGEST_LOOK: Duration = Duration::from_mins(5);
/// How long a removal that was begun is waited for once the daemon stops, which has half a minute.
pub(super) const AT_STOP: Duration = Duration::from_secs(10);
/// Mail boxes that were waited for so long in vain are not waited for by the next tenant's purge.
const LONG: Duration = Duration::from_secs(10);

/// A turn of each purge.
pub(super) struct Pass<'a> {
    pub stop: &'a CancellationToken,
    /// The PBXs whose mail boxes were waited for in vain.
    away: BTreeSet<InstanceId>,
}

impl<'a> Pass<'a> {
    pub const fn new(stop: &'a CancellationToken) -> Self {
        Self {
            stop,
            away: BTreeSet::new(),
        }
    }

    /// Looks at a tenant's mail boxes on a PBX. Whoever begins with them once this says that they were seen looks first whether the
    /// daemon stops.
    pub async fn look(
        &mut self,
        app: &App,
        tenant: TenantId,
        place: InstanceId,
    ) -> Result<Option<Unseen>, AppError> {
        if self.away.contains(&place) {
            return Ok(Some(Unseen::All));
        }
        let begun = Instant::now();
        let look = timeout(LONGEST_LOOK, purge_voicemail::look(app, tenant, place));
        let Some(looked) = unless_stopped(self.stop, Duration::ZERO, look).await else {
            return Ok(None);
        };
        let Ok(unseen) = looked else {
            tracing::warn!(instance = %place, %tenant, "not all mail boxes could be looked at within some minutes before a purge");
            return Ok(Some(Unseen::Some));
        };
        let unseen = unseen?;
        if unseen == Some(Unseen::All) {
            self.waited(place, begun.elapsed());
        }
        Ok(unseen)
    }

    /// Has messages of mail boxes removed; gives whether nothing is left to do now. What was noted and not counted because of the
    /// stop is counted by whoever goes on.
    pub async fn voicemail(
        &mut self,
        app: &App,
        purge: &Purge,
        position: i64,
        place: InstanceId,
    ) -> Result<bool, AppError> {
        if self.away.contains(&place) {
            return Ok(true);
        }
        let begun = Instant::now();
        let batch = purge_voicemail::batch(app, purge, position, place, self.stop);
        let Some(done) = unless_stopped(self.stop, AT_STOP, batch).await else {
            return Ok(true);
        };
        if matches!(done, Err(AppError::Voicemail(_))) {
            self.waited(place, begun.elapsed());
        }
        done
    }

    fn waited(&mut self, place: InstanceId, waited: Duration) {
        if waited >= LONG {
            self.away.insert(place);
        }
    }
}

pub(super) fn no_lock(error: &io::Error) -> AppError {
    let message = format!("the lock `{AT_DISKS}/lock` of the state directory cannot be taken: {error}");
    AppError::conflict("not_alone", message)
}

/// What is done before the daemon stops, or so long after; none otherwise, as for whoever is killed.
pub(super) async fn unless_stopped<T>(
    stop: &CancellationToken,
    patience: Duration,
    what: impl Future<Output = T>,
) -> Option<T> {
    let stopped = async {
        stop.cancelled().await;
        sleep(patience).await;
    };
    tokio::select! {
        biased;
        done = what => Some(done),
        () = stopped => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a20_once_the_daemon_stops_what_was_begun_is_waited_for_some_seconds() {
        let (stop, long) = (CancellationToken::new(), Duration::from_hours(1));
        let short = || sleep(Duration::from_millis(1));
        assert!(unless_stopped(&stop, Duration::ZERO, short()).await.is_some());
        stop.cancel();
        assert!(unless_stopped(&stop, long, short()).await.is_some());
        let never = || pending::<()>();
        assert!(unless_stopped(&stop, Duration::ZERO, never()).await.is_none());
        let some = Duration::from_millis(1);
        assert!(unless_stopped(&stop, some, never()).await.is_none());
    }

    #[test]
    fn a20_mail_boxes_that_were_waited_for_in_vain_are_not_waited_for_again_in_the_same_pass() {
        let stop = CancellationToken::new();
        let [quick, hung] = [1, 2].map(|id| InstanceId::from_uuid(Uuid::from_u128(id)));
        let mut pass = Pass::new(&stop);
        pass.waited(quick, Duration::from_millis(10));
        pass.waited(hung, LONG);
        assert_eq!(pass.away, BTreeSet::from([hung]));
        assert!(Pass::new(&stop).away.is_empty());
    }
}
