//! What is known of an instance's recordings while its disk is walked through: a digest of each, so that a million of them take
//! 16 MB.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};

use crate::domain::ids::InstanceId;
use crate::domain::recording::{FoundRecording, RecordingPath};
use crate::domain::sip_domain::SipDomain;
use crate::store::{Store, StoreError, recordings};

/// All recordings that were known of an instance at the begin of a walk.
///
/// Two paths with one digest, which none of a million has but once in ten million walks, are taken for one another in one way
/// only: one that has gone may go unnoticed until the next walk, which digests otherwise.
#[derive(Debug)]
pub struct Known {
    digests: RandomState,
    /// By the digest of the path.
    rows: Vec<Row>,
    /// The directories that they are in: those of the tenants' domains, and of domains that nobody has any more.
    pub places: BTreeSet<SipDomain>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Row {
    path: u64,
    /// Its length and when it was written, but for [`MET`]: a flag of its own would make each row half as large again.
    content: u64,
}

/// Whether a recording is there, beside the digest of its content.
const MET: u64 = 1;

impl Row {
    const fn is_there(&self) -> bool {
        self.content & MET != 0
    }
}

impl Known {
    /// Reads what is known now, portion by portion.
    pub async fn read(store: &Store, instance: InstanceId) -> Result<Self, StoreError> {
        let mut known = Self {
            digests: RandomState::new(),
            rows: Vec::new(),
            places: BTreeSet::new(),
        };
        let mut last = None;
        while let Some(portion) = next(store, instance, &mut last).await? {
            for recording in &portion {
                known.add(recording);
            }
        }
        known.rows.sort_unstable();
        Ok(known)
    }

    fn add(&mut self, recording: &FoundRecording) {
        self.rows.push(Row {
            path: self.digests.hash_one(recording.path.as_str()),
            content: self.content(recording),
        });
        let place = recording.path.directory();
        if self.places.last().is_none_or(|last| last.as_str() != place) {
            self.places.extend(place.parse::<SipDomain>().ok());
        }
    }

    fn content(&self, recording: &FoundRecording) -> u64 {
        self.digests.hash_one((recording.bytes, recording.written_at)) & !MET
    }

    /// Whether none was known.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Notes that a recording is there; whether it is just as it was known.
    pub fn meet(&mut self, found: &FoundRecording) -> bool {
        let (path, content) = (self.digests.hash_one(found.path.as_str()), self.content(found));
        let begin = self.rows.partition_point(|row| row.path < path);
        let rows = self.rows.iter_mut().skip(begin);
        let mut is_as_known = false;
        for row in rows.take_while(|row| row.path == path) {
            is_as_known |= row.content & !MET == content;
            row.content |= MET;
        }
        is_as_known
    }

    /// Whether any was not met.
    pub fn misses_any(&self) -> bool {
        self.rows.iter().any(|row| !row.is_there())
    }

    /// Whether some were known, and none was met.
    pub fn misses_all(&self) -> bool {
        !self.is_empty() && self.rows.iter().all(|row| !row.is_there())
    }

    /// Whether this one was known and not met.
    pub fn misses(&self, path: &RecordingPath) -> bool {
        let path = self.digests.hash_one(path.as_str());
        let begin = self.rows.partition_point(|row| row.path < path);
        let mut rows = self.rows.iter().skip(begin);
        rows.next().is_some_and(|row| row.path == path && !row.is_there())
    }
}

/// The next portion of what is known of an instance, in a transaction of its own; none once all were given.
pub async fn next(
    store: &Store,
    instance: InstanceId,
    last: &mut Option<RecordingPath>,
) -> Result<Option<Vec<FoundRecording>>, StoreError> {
    let mut tx = store.read("known_recordings").await?;
    let portion = recordings::known(&mut tx, instance, last.as_ref()).await?;
    let Some(end) = portion.last() else {
        return Ok(None);
    };
    *last = Some(end.path.clone());
    Ok(Some(portion))
}
