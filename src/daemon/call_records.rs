//! The reconciler of recordings: takes no input, and brings what is known of them in line with the disk of each PBX of this
//! host; and the maker of calls that are asked for.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::deploy_worker::own_instances;
use crate::app::App;
use crate::app::click_to_call::{self, Click};
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, SystemIds};
use crate::domain::instance::NodeName;
use crate::monitor::{leaving_recordings, recordings};
use crate::store::{Store, instances};

/// Often enough to hear a call soon after it, seldom enough to cost a large disk nothing.
pub const PERIOD: Duration = Duration::from_secs(30);
/// A look that takes longer is told in the log.
const LONG: Duration = Duration::from_mins(5);
/// Calls that are made at once.
const AT_ONCE: usize = 64;
/// The same of one PBX: those of one that does not answer leave room for the others'.
const AT_ONCE_OF_ONE: usize = 8;

/// Looks each time that the period has passed, until the soft stop.
pub async fn find_recordings(
    store: Store,
    node: NodeName,
    period: Duration,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut looks = Looks::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
        let own = match own_instances(&store, &node).await {
            Ok(own) => own,
            Err(error) => {
                tracing::error!(error = error_chain(&error), "the instances could not be read");
                continue;
            }
        };
        for id in own {
            let store = store.clone();
            looks.begin(id, async move { find(&store, id).await });
        }
    }
}

/// The PBXs whose recordings are looked at now. One whose disk does not answer keeps none of the others waiting, and is asked
/// nothing else meanwhile.
#[derive(Default)]
struct Looks {
    tasks: JoinSet<InstanceId>,
    under_way: BTreeMap<InstanceId, Look>,
}

struct Look {
    begun: Instant,
    is_told: bool,
}

impl Looks {
    /// Looks at one, unless that is being done still.
    fn begin(&mut self, id: InstanceId, look: impl Future<Output = ()> + Send + 'static) {
        while let Some(ended) = self.tasks.try_join_next() {
            match ended.map_err(JoinError::try_into_panic) {
                Ok(id) => drop(self.under_way.remove(&id)),
                Err(Ok(panic)) => resume_unwind(panic),
                Err(Err(_)) => {}
            }
        }
        match self.under_way.entry(id) {
            Entry::Vacant(free) => {
                free.insert(Look {
                    begun: Instant::now(),
                    is_told: false,
                });
                self.tasks.spawn(async move {
                    look.await;
                    id
                });
            }
            Entry::Occupied(look) => {
                let look = look.into_mut();
                if !look.is_told && look.begun.elapsed() >= LONG {
                    look.is_told = true;
                    tracing::warn!(instance = %id, "recordings are looked at for minutes; see that their disk answers");
                }
            }
        }
    }
}

async fn find(store: &Store, id: InstanceId) {
    let looked = async {
        let mut tx = store.read("instance_of_recordings").await?;
        let instance = instances::find(&mut tx, id).await?;
        drop(tx);
        match instance {
            Some(instance) => {
                // Of tenants that go, also those that another host finishes.
                let removed = leaving_recordings::remove_leaving(store, &SystemIds, &instance).await?;
                for (tenant, error) in &removed.kept {
                    let error = error_chain(error);
                    tracing::warn!(instance = %id, %tenant, error, "recordings of a tenant that goes are kept");
                }
                recordings::search(store, &SystemIds, &instance).await
            }
            None => Ok(recordings::Searched::default()),
        }
    };
    match looked.await {
        Ok(found) if found == recordings::Searched::default() => {}
        Ok(found) => tracing::debug!(instance = %id, found.kept, found.lost, "recordings were looked at"),
        Err(error) => {
            tracing::warn!(instance = %id, error = error_chain(&error), "recordings could not be looked at");
        }
    }
}

/// Makes the calls that are asked for, until the soft stop.
pub async fn make_calls(app: App, stop: CancellationToken) -> Result<(), Infallible> {
    let Some(mut asked) = click_to_call::take(&app) else {
        stop.cancelled().await;
        return Ok(());
    };
    let mut places = Places::default();
    // No more than wait for an answer of `click_to_call::call`, which bounds them.
    let mut waiting = VecDeque::new();
    let mut making = JoinSet::new();
    loop {
        while making.len() < AT_ONCE
            && let Some((click, place)) = places.next(&mut waiting, Click::instance)
        {
            let app = app.clone();
            making.spawn(async move {
                click_to_call::make(&app, click).await;
                drop(place);
            });
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(_) = making.join_next(), if !making.is_empty() => {}
            click = asked.recv() => match click {
                Some(click) => waiting.push_back(click),
                None => return Ok(()),
            },
        }
    }
}

/// How many more calls each PBX may be asked for.
#[derive(Default)]
struct Places(BTreeMap<InstanceId, Arc<Semaphore>>);

impl Places {
    /// Takes the first one out whose PBX has a place, with that place; none where nobody's has.
    fn next<T>(
        &mut self,
        waiting: &mut VecDeque<T>,
        of: impl Fn(&T) -> InstanceId,
    ) -> Option<(T, OwnedSemaphorePermit)> {
        let (at, place) = waiting.iter().enumerate().find_map(|(at, asked)| {
            let places = self.0.entry(of(asked));
            let places = places.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_OF_ONE)));
            Some((at, Arc::clone(places).try_acquire_owned().ok()?))
        })?;
        waiting.remove(at).map(|asked| (asked, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a48_calls_of_a_pbx_that_answers_are_made_while_many_of_one_that_does_not_wait() {
        let (hangs, healthy) = (InstanceId::fresh(&SystemIds), InstanceId::fresh(&SystemIds));
        let asked = (0..AT_ONCE).map(|number| (hangs, number));
        let mut waiting: VecDeque<_> = asked.chain([(healthy, 0)]).collect();
        let mut places = Places::default();
        let mut making: Vec<_> = (0..=AT_ONCE_OF_ONE)
            .map(|_| places.next(&mut waiting, |(of, _)| *of).unwrap())
            .collect();
        let made: Vec<_> = making.iter().map(|(asked, _)| *asked).collect();
        let first = (0..AT_ONCE_OF_ONE).map(|number| (hangs, number));
        assert_eq!(made, first.chain([(healthy, 0)]).collect::<Vec<_>>());
        assert!(places.next(&mut waiting, |(of, _)| *of).is_none());
        // Whoever has waited for longest is next.
        drop(making.remove(0));
        let next = places.next(&mut waiting, |(of, _)| *of);
        assert_eq!(next.map(|(asked, _)| asked), Some((hangs, AT_ONCE_OF_ONE)));
    }
    #[tokio::test]
    async fn a13_a_disk_that_hangs_keeps_no_other_pbx_waiting_and_is_asked_nothing_else() {
        let (hangs, healthy) = (InstanceId::fresh(&SystemIds), InstanceId::fresh(&SystemIds));
        let mut looks = Looks::default();
        let (seen, mut looked) = tokio::sync::mpsc::unbounded_channel();
        looks.begin(hangs, std::future::pending());
        for _ in 0..3 {
            looks.begin(hangs, async { panic!("it was asked") });
            let seen = seen.clone();
            looks.begin(healthy, async move { seen.send(()).unwrap() });
            looked.recv().await.unwrap();
            // It has ended once its task has.
            while looks.tasks.len() > 1
                && !looks.tasks.try_join_next().is_some_and(|ended| {
                    looks.under_way.remove(&ended.unwrap());
                    true
                })
            {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(looks.under_way.into_keys().collect::<Vec<_>>(), [hangs]);
    }
}
