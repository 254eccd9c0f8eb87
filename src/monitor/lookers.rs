//! Keeps somebody at looking for the missed calls of each PBX that writes its calls down, whatever becomes of the link to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lasting::last;
use super::past_calls::PastCalls;
use super::tools::Tools;
use crate::domain::digest::Digest;
use crate::domain::ids::{InstanceId, SystemIds};
use crate::domain::instance::{AccountName, HostName, Tls};
use crate::driver::feed::Archive;

/// What was missed is not needed at once.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// Host and port of a database, its name, as whom, and whether under TLS.
pub(super) type Settings = (HostName, u16, [AccountName; 2], Option<Tls>);

/// How the place is reached where a PBX writes its calls down; by another way it is looked anew.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub settings: Settings,
    /// Of its password.
    pub password: Option<Digest>,
}

/// Whoever looks, by instance.
pub(super) struct Lookers {
    tools: Tools,
    /// A set of one: it ends with its place here.
    of: BTreeMap<InstanceId, (Reached, JoinSet<()>)>,
}

impl Lookers {
    pub const fn new(tools: Tools) -> Self {
        let of = BTreeMap::new();
        Self { tools, of }
    }

    /// Has calls looked for in this way. Who looks already goes on where it is: it knows which gaps are due.
    pub fn follow(&mut self, instance: InstanceId, reached: Reached, archive: Box<dyn Archive>) {
        if self.of.get(&instance).is_some_and(|(now, _)| *now == reached) {
            return;
        }
        let (tools, archive) = (self.tools.clone(), Arc::from(archive));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let end = CancellationToken::new();
            let looking = || {
                let (store, clock) = (tools.store.clone(), Arc::clone(&tools.clock));
                PastCalls::new(store, clock, Arc::new(SystemIds), instance, Arc::clone(&archive)).run()
            };
            last(
                ("what looks for its missed calls", instance),
                LONGEST_REST,
                &end,
                looking,
            )
            .await;
        });
        self.of.insert(instance, (reached, task));
    }

    pub fn retain(&mut self, stays: impl Fn(&InstanceId) -> bool) {
        self.of.retain(|id, _| stays(id));
    }

    pub fn remove(&mut self, instance: InstanceId) {
        self.of.remove(&instance);
    }
}
