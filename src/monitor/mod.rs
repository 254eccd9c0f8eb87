//! Live calls: what each PBX tells of its calls and phones, brought together so that a figure is right or says that it
//! may not be.

mod beside;
pub mod board;
mod book;
mod call;
pub mod desk;
mod directory;
mod ended_calls;
mod hearing;
mod known_recordings;
pub mod landmarks;
mod lasting;
pub mod leaving_recordings;
mod listener;
mod lookers;
mod lookup;
pub mod past_calls;
mod phones;
pub mod recordings;
pub mod records;
pub mod stream;
pub mod table;
mod tools;
pub mod voicemail;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::hearing::ANEW;
use self::hearing::Hearing;
use self::listener::Listener;
use self::lookers::{Lookers, Reached};
pub use self::tools::Tools;
use self::way::Way;
use crate::domain::digest::Digest;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::domain::instance::{NodeName, PbxInstance};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::driver::feed::FeedFactory;
use crate::store::{Store, StoreError, instances};

/// How often it is looked which instances there are, and whether one is reached otherwise by now.
const LOOK: Duration = Duration::from_secs(2);
/// Before another takes the place of a listener that panicked: it would do so again at once.
const REST: Duration = Duration::from_secs(5);
/// Before secrets that could not be read are read again.
const SECRETS_AGAIN: Duration = Duration::from_mins(1);

/// Who listens to an instance.
struct Listening {
    way: Way,
    /// Of the link's password.
    control: Digest,
    stop: CancellationToken,
    task: Id,
}

/// Why nobody listens to an instance for now.
enum Aside {
    /// In this way nobody can, or not before then.
    Way(Way, Option<Instant>),
    /// Its last listener has ended, and another begins then.
    Until(Instant),
}

impl Aside {
    /// Whether nobody is to listen in this way now.
    fn holds(&self, way: &Way, now: Instant) -> bool {
        match self {
            Self::Way(aside, until) => aside == way && until.is_none_or(|until| now < until),
            Self::Until(until) => now < *until,
        }
    }
}

/// Keeps a listener on each instance of this host until the soft stop, as they come, change and go.
pub async fn run(
    node: NodeName,
    feeds: Arc<dyn FeedFactory>,
    tools: Tools,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut crew = Crew {
        feeds,
        listeners: BTreeMap::new(),
        aside: BTreeMap::new(),
        hearing: BTreeMap::new(),
        lookers: Lookers::new(tools.clone()),
        tasks: JoinSet::new(),
        tools,
    };
    let mut failed = false;
    while !stop.is_cancelled() {
        // Whatever the database does, nobody waits for it at the end.
        let looked = tokio::select! {
            () = stop.cancelled() => break,
            looked = crew.look(&node) => looked,
        };
        if let Err(error) = &looked
            && !failed
        {
            tracing::error!(error = error_chain(error), "the instances could not be read");
        }
        failed = looked.is_err();
        let pause = tokio::time::sleep(LOOK);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                () = stop.cancelled() => break,
                Some(ended) = crew.tasks.join_next_with_id() => match ended {
                    Ok((task, hearing)) => crew.forget(task, Some(hearing)),
                    Err(error) => crew.forget(error.id(), None),
                },
            }
        }
    }
    crew.end().await;
    Ok(())
}

/// The instances of this host that can be listened to.
async fn look(store: &Store, node: &NodeName) -> Result<Vec<(PbxInstance, Way)>, StoreError> {
    let mut tx = store.read("monitor_instances").await?;
    let mut own = Vec::new();
    for instance in instances::list(&mut tx).await? {
        if instance.node == *node {
            let secrets = instances::secrets_mark(&mut tx, instance.id).await?;
            let way = Way::of(&instance.settings, secrets);
            own.push((instance, way));
        }
    }
    Ok(own)
}

/// Everybody who listens.
struct Crew {
    feeds: Arc<dyn FeedFactory>,
    tools: Tools,
    listeners: BTreeMap<InstanceId, Listening>,
    aside: BTreeMap<InstanceId, Aside>,
    /// Of listeners that have ended by themselves, each with how it listened: another way may hear otherwise.
    hearing: BTreeMap<InstanceId, (Way, Hearing)>,
    /// Beside the listeners: none of them ends with another's link.
    lookers: Lookers,
    tasks: JoinSet<Hearing>,
}

impl Crew {
    /// Looks which instances there are, and has each listened to.
    async fn look(&mut self, node: &NodeName) -> Result<(), StoreError> {
        let own = look(&self.tools.store, node).await?;
        let there: BTreeSet<InstanceId> = own.iter().map(|(instance, _)| instance.id).collect();
        let board = &self.tools.board;
        let stays = |id: &InstanceId| {
            let stays = there.contains(id);
            if !stays {
                board.remove(*id);
            }
            stays
        };
        self.aside.retain(|id, _| stays(id));
        self.hearing.retain(|id, _| there.contains(id));
        self.lookers.retain(|id| there.contains(id));
        self.listeners.retain(|id, listening| {
            let stays = stays(id);
            if !stays {
                listening.stop.cancel();
            }
            stays
        });
        for (instance, way) in own {
            self.follow(&instance, way).await?;
        }
        Ok(())
    }

    /// Has an instance listened to in this way.
    async fn follow(&mut self, instance: &PbxInstance, way: Way) -> Result<(), StoreError> {
        let id = instance.id;
        if self
            .listeners
            .get(&id)
            .is_some_and(|listening| listening.way == way)
            || self.is_aside(id, &way)
        {
            return Ok(());
        }
        let (secrets, again) = match secrets(&self.tools.store, id).await {
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => {
                tracing::warn!(instance = %id, error = error_chain(&error), "its secrets cannot be read: its calls are not known");
                (None, Some(Instant::now() + SECRETS_AGAIN))
            }
            Ok(secrets) => (secrets, None),
        };
        let control = secrets
            .as_ref()
            .map(|secrets| Digest::of(secrets.control.expose_secret()));
        self.look_back(instance, &way, secrets.as_ref());
        if let Some(listening) = self.listeners.get_mut(&id)
            && listening.way.has_link_of(&way)
            && control == Some(listening.control)
        {
            // A link that is made anew leaves a gap.
            listening.way = way;
            return Ok(());
        }
        if let Some(before) = self.listeners.remove(&id) {
            before.stop.cancel();
            if before.way.at == way.at {
                // The same PBX: its calls go on.
                self.tools.board.doubt(id);
            } else {
                self.tools.board.remove(id);
            }
        }
        let feed = secrets.and_then(|secrets| self.feeds.feed(instance, secrets));
        let (Some(feed), Some(control)) = (feed, control) else {
            self.lookers.remove(id);
            self.tools.board.remove(id);
            self.aside.insert(id, Aside::Way(way, again));
            return Ok(());
        };
        self.tools.board.add(id);
        let stop = CancellationToken::new();
        let before = self.hearing.remove(&id);
        let before = before.and_then(|(before, hearing)| (before == way).then_some(hearing));
        let listener = Listener::new(id, feed, self.tools.clone(), before.as_ref(), stop.clone());
        let task = self.tasks.spawn(listener.run()).id();
        let listening = Listening {
            way,
            control,
            stop,
            task,
        };
        self.listeners.insert(id, listening);
        Ok(())
    }

    /// Has missed calls looked for where the PBX writes its calls down, if it does: however slow that is, what is heard is taken
    /// meanwhile.
    fn look_back(&mut self, instance: &PbxInstance, way: &Way, secrets: Option<&InstanceSecrets>) {
        let archive = secrets.and_then(|secrets| self.feeds.archive(instance, secrets));
        let (Some(archive), Some(settings)) = (archive, &way.archive) else {
            self.lookers.remove(instance.id);
            return;
        };
        let password = secrets.and_then(|secrets| secrets.database.as_ref());
        let reached = Reached {
            settings: settings.as_ref().clone(),
            password: password.map(|password| Digest::of(password.expose_secret())),
        };
        self.lookers.follow(instance.id, reached, archive);
    }

    /// Whether nobody is to listen in this way for now.
    fn is_aside(&mut self, id: InstanceId, way: &Way) -> bool {
        let now = Instant::now();
        let stays = self.aside.get(&id).is_some_and(|aside| aside.holds(way, now));
        if !stays {
            self.aside.remove(&id);
        }
        stays
    }

    /// A listener has ended that nobody stopped: a later look begins another. `hearing`: none where it panicked.
    fn forget(&mut self, task: Id, hearing: Option<Hearing>) {
        let mut listeners = self.listeners.iter();
        let Some(id) = listeners.find_map(|(id, listening)| (listening.task == task).then_some(*id)) else {
            return;
        };
        let Some(ended) = self.listeners.remove(&id) else {
            return;
        };
        self.tools.board.doubt(id);
        let mut until = Instant::now();
        if let Some(hearing) = hearing {
            self.hearing.insert(id, (ended.way, hearing));
        } else {
            tracing::error!(instance = %id, "its listener panicked; another begins");
            until += REST;
        }
        self.aside.insert(id, Aside::Until(until));
    }

    /// Ends all, once each has written what waits.
    async fn end(mut self) {
        self.lookers.retain(|_| false);
        for listening in self.listeners.values() {
            listening.stop.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn secrets(store: &Store, id: InstanceId) -> Result<Option<InstanceSecrets>, StoreError> {
    let mut tx = store.read("monitor_secrets").await?;
    instances::secrets(&mut tx, id).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::way::tests::way;
    use serde_json::json;

    #[test]
    fn who_cannot_be_listened_to_stays_aside_until_its_way_is_another_and_with_unreadable_secrets_for_a_while()
     {
        let (now, way, other) = (Instant::now(), way(&json!({}), "a"), way(&json!({}), "b"));
        let later = now + SECRETS_AGAIN;
        let never = Aside::Way(way.clone(), None);
        assert!(never.holds(&way, later) && !never.holds(&other, now));
        let unread = Aside::Way(way.clone(), Some(later));
        assert!(unread.holds(&way, now) && !unread.holds(&way, later) && !unread.holds(&other, now));
    }
}
