//! FusionPBX's cache of XML in files: what it holds never expires, and a lookup that is under way can write back what was
//! deleted.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::watch;

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
#[derive(Debug)]
pub struct Cache {
    entries: Mutex<BTreeMap<String, String>>,
    race: Mutex<Race>,
    /// Whether lookups wait, with their rows in hand, until a test lets them go on.
    held: watch::Sender<bool>,
    /// How many lookups are between their rows and the cache.
    under_way: watch::Sender<usize>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            race: Mutex::default(),
            held: watch::Sender::new(false),
            under_way: watch::Sender::new(0),
        }
    }
}

/// When rows were read, and whether a test has held them since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    at: Instant,
    was_held: bool,
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

    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.entries.lock().unwrap().get(&file(key)).cloned()
    }

    /// Deleting what is not there is a yes as well.
    pub(super) fn delete(&self, key: &str) {
        self.entries.lock().unwrap().remove(&file(key));
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
        self.held.send_replace(true);
    }

    /// Those that wait write what they have read.
    pub fn let_go(&self) {
        self.held.send_replace(false);
    }

    /// Waits until so many lookups have read their rows and not written yet.
    pub async fn until_under_way(&self, count: usize) {
        let mut under_way = self.under_way.subscribe();
        under_way.wait_for(|now| *now >= count).await.unwrap();
    }

    /// What lies between reading the rows, begun at `at`, and writing the cache.
    pub(super) async fn pause(&self, at: Instant) -> Read {
        let mut held = self.held.subscribe();
        let was_held = *held.borrow_and_update();
        self.under_way.send_modify(|count| *count += 1);
        if was_held {
            held.wait_for(|held| !held).await.unwrap();
        } else {
            let pause = self.race.lock().unwrap().pause;
            tokio::time::sleep(pause).await;
        }
        self.under_way.send_modify(|count| *count -= 1);
        Read { at, was_held }
    }
}
