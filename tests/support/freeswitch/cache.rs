//! FusionPBX's cache of XML in files: what it holds never expires, and a lookup that is under way can write back what was
//! deleted.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::gate::Gate;

/// How long a lookup is between the rows and the cache.
#[derive(Debug, Clone, Copy)]
pub struct Race {
    /// What the simulation waits there, beside what PostgreSQL takes.
    pub pause: Duration,
    /// How old what was read may be when it is written; older rows are read again. A slow machine would otherwise stretch
    /// the race beyond any wait that a driver keeps.
    pub window: Duration,
}

impl Default for Race {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(1),
            window: Duration::from_millis(25),
        }
    }
}

/// The cache.
#[derive(Debug, Default)]
pub struct Cache {
    entries: Mutex<BTreeMap<String, String>>,
    /// Parts of the names of files that nobody may remove.
    kept: Mutex<Vec<String>>,
    race: Mutex<Race>,
    /// Between the rows of a lookup and the cache.
    gate: Gate,
}

/// When rows were read, and whether a test has held them since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    at: Instant,
    was_held: bool,
}

impl Read {
    /// The same where a test held the lookup before.
    pub(super) fn or_held(self, was_held: bool) -> Self {
        Self {
            was_held: self.was_held || was_held,
            ..self
        }
    }
}

/// A key is the name of a file, in which a colon is a dot: `dialplan:a.b` and `dialplan.a.b` are the same entry.
fn file(key: &str) -> String {
    key.replace(':', ".").replace(['/', '\\'], "_")
}

impl Cache {
    pub fn set_race(&self, race: Race) {
        *self.race.lock().unwrap() = race;
    }

    pub fn holds(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The names of all entries, as files.
    pub fn files(&self) -> Vec<String> {
        self.entries.lock().unwrap().keys().cloned().collect()
    }

    /// All that it holds, by the names of files.
    pub fn entries(&self) -> BTreeMap<String, String> {
        self.entries.lock().unwrap().clone()
    }

    /// What lookups have read long ago and write only now.
    pub fn bring_back(&self, former: BTreeMap<String, String>) {
        self.entries.lock().unwrap().extend(former);
    }

    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.entries.lock().unwrap().get(&file(key)).cloned()
    }

    /// From now on no entry of which the key holds this can be deleted.
    pub fn keep(&self, part: &str) {
        self.kept.lock().unwrap().push(file(part));
    }

    /// All can be deleted again.
    pub fn keep_none(&self) {
        self.kept.lock().unwrap().clear();
    }

    /// Deleting what is not there is a yes as well.
    pub(super) fn delete(&self, key: &str) -> bool {
        let name = file(key);
        let is_kept = self.kept.lock().unwrap().iter().any(|part| name.contains(part));
        let mut entries = self.entries.lock().unwrap();
        if is_kept && entries.contains_key(&name) {
            return false;
        }
        entries.remove(&name);
        true
    }

    /// Writes under each of these keys that is not there yet; an entry that is there stays. Nothing is written where what
    /// was read is too old, which is looked at under the same lock: a deletion comes before or after, never in between.
    pub(super) fn put(&self, keys: &[String], value: &str, read: Read) -> bool {
        let window = self.race.lock().unwrap().window;
        let mut entries = self.entries.lock().unwrap();
        if !read.was_held && read.at.elapsed() > window {
            return false;
        }
        for key in keys {
            entries.entry(file(key)).or_insert_with(|| value.to_owned());
        }
        true
    }

    /// From now on each lookup waits once it has read its rows.
    pub fn hold(&self) {
        self.gate.hold();
    }

    /// Those that wait write what they have read.
    pub fn let_go(&self) {
        self.gate.let_go();
    }

    /// Waits until so many lookups have read their rows and not written yet.
    pub async fn until_under_way(&self, count: usize) {
        self.gate.until_under_way(count).await;
    }

    /// What lies between reading the rows, begun at `at`, and writing the cache.
    pub(super) async fn pause(&self, at: Instant) -> Read {
        let pause = self.race.lock().unwrap().pause;
        let was_held = self.gate.pass(pause).await;
        Read { at, was_held }
    }
}
