//! Reads the audit log from its first entry to its head, and finds what is not as it was written.
//!
//! It holds two entries at most, so that a log of any length can be read.

use serde::Serialize;
use uuid::Uuid;

use super::audit::AuditHead;
use super::audit_chain::{BEGINNING, Link};
use super::parsed::word_enum;

/// A report holds no more findings than this; further ones are counted.
const MOST: usize = 100;

word_enum! {
    /// What is wrong with an entry.
    AuditFault {
        /// It is gone.
        Removed = "removed",
        /// What stays of it for good was changed, or another one stands in its place.
        Altered = "altered",
        /// Its payload was changed.
        PayloadAltered = "payload_altered",
        /// It stands in the place of its neighbour.
        Swapped = "swapped",
        /// Whether it was changed cannot be told, since the one before it was.
        Unconfirmed = "unconfirmed",
        /// The program did not write it.
        Forged = "forged",
        /// Its payload was blanked, and no entry of the tenant's deletion, or of what it keeps no longer, says so.
        Untold = "untold",
        /// The head does not belong to it.
        HeadAltered = "head_altered",
        /// It is not the one that was kept elsewhere.
        NotTheKept = "not_the_kept",
    }
}

impl AuditFault {
    const fn detail(self) -> &'static str {
        match self {
            Self::Removed => "was removed",
            Self::Altered => {
                "was changed, or replaced, or the entry before it was written anew together with its digest"
            }
            Self::PayloadAltered => "has another payload than was written, or a part of it",
            Self::Swapped => "stand each in the place of the other",
            Self::Unconfirmed => "cannot be confirmed, since the entry before it was changed",
            Self::Forged => {
                "stands where the program has written none, behind the head or twice; or the head was changed"
            }
            Self::Untold => {
                "has no payload any more, although its tenant was not deleted since and had nothing removed that is so young"
            }
            Self::HeadAltered => "is not what the head of the log says, or the head is gone",
            Self::NotTheKept => "is not there, or has another digest than the one that was kept",
        }
    }
}

/// Something that is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AuditFinding {
    /// The number of the entry.
    pub entry: i64,
    /// The number of the last one, where several in a row have the same fault.
    pub last: i64,
    /// The entry's id, where it is one that is there.
    pub id: Option<Uuid>,
    /// The fault.
    pub code: AuditFault,
    /// The same in words.
    pub detail: &'static str,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AuditReport {
    /// Whether nothing was found.
    pub ok: bool,
    /// How many entries there are.
    pub entries: u64,
    /// How many of them have no payload any more.
    pub blanked: u64,
    /// The head of the log: keep it elsewhere.
    pub head: Option<AuditHead>,
    /// What is not as it was written, by entry.
    pub findings: Vec<AuditFinding>,
    /// How many findings there are beyond these.
    pub further_findings: u64,
}

/// An entry as it is stored, with what its row tells beyond the chain.
#[derive(Clone, Debug)]
pub struct StoredLink {
    /// The entry.
    pub link: Link,
    /// Whether only a part of its payload is there, or all of it although it counts as blanked.
    pub in_part: bool,
    /// Whether it names a later entry, by which its tenant was deleted, or keeps it no longer.
    pub told: bool,
}

/// The entry before.
struct Behind {
    number: i64,
    /// Its digest as it is stored.
    stored: Vec<u8>,
    /// Its digest as it must be.
    computed: Vec<u8>,
    /// Whether it is as it was written.
    sound: bool,
    /// Whether it is there at all.
    known: bool,
}

/// Takes the entries one after the other, by number.
pub struct AuditCheck {
    kept: Option<AuditHead>,
    kept_was_seen: bool,
    behind: Behind,
    /// One that does not fit, until the next one shows whether they were swapped.
    suspect: Option<StoredLink>,
    report: AuditReport,
}

impl AuditCheck {
    /// `head`: as the database holds it. `kept`: one that was noted down some time ago, which the log must still hold.
    #[must_use]
    pub fn new(head: Option<AuditHead>, kept: Option<AuditHead>) -> Self {
        Self {
            kept,
            kept_was_seen: kept.is_some_and(|kept| kept.number == 0 && *kept.digest.as_bytes() == BEGINNING),
            behind: Behind {
                number: 0,
                stored: BEGINNING.to_vec(),
                computed: BEGINNING.to_vec(),
                sound: true,
                known: true,
            },
            suspect: None,
            report: AuditReport {
                ok: true,
                entries: 0,
                blanked: 0,
                head,
                findings: Vec::new(),
                further_findings: 0,
            },
        }
    }

    /// Looks at the next entry.
    pub fn see(&mut self, entry: StoredLink) {
        self.report.entries += 1;
        self.see_kept(&entry.link);
        self.see_payload(&entry);
        if let Some(suspect) = self.suspect.take() {
            if self.are_swapped(&suspect.link, &entry.link) {
                self.found_between(AuditFault::Swapped, suspect.link.number, entry.link.number);
                self.move_on(
                    entry.link.number,
                    suspect.link.digest.clone(),
                    suspect.link.digest,
                    true,
                );
                return;
            }
            self.give_up(suspect);
        }
        let number = entry.link.number;
        let head = self.report.head.map_or(i64::MAX, |head| head.number);
        if number <= self.behind.number || number > head {
            self.found(AuditFault::Forged, &entry.link);
            return;
        }
        if number > self.behind.number + 1 {
            self.found_between(AuditFault::Removed, self.behind.number + 1, number - 1);
            self.behind.known = false;
        }
        if !self.behind.known || self.follows(&entry.link) {
            let digest = entry.link.digest;
            self.move_on(number, digest.clone(), digest, true);
        } else {
            self.suspect = Some(entry);
        }
    }

    /// What was found in all of them.
    #[must_use]
    pub fn finish(mut self) -> AuditReport {
        if let Some(suspect) = self.suspect.take() {
            self.give_up(suspect);
        }
        let last = self.behind.number;
        match self.report.head {
            Some(head) if head.number > last => {
                self.found_between(AuditFault::Removed, last + 1, head.number);
            }
            Some(head) if self.is_behind(head.digest.as_bytes()) => {}
            _ => self.found_between(AuditFault::HeadAltered, last, last),
        }
        if let Some(kept) = self.kept.filter(|_| !self.kept_was_seen) {
            self.found_between(AuditFault::NotTheKept, kept.number, kept.number);
        }
        self.report.findings.sort_by_key(|finding| finding.entry);
        self.report
    }

    fn see_kept(&mut self, link: &Link) {
        let kept = self.kept.filter(|kept| kept.number == link.number);
        self.kept_was_seen |= kept.is_some_and(|kept| kept.digest.as_bytes().as_slice() == link.digest);
    }

    fn see_payload(&mut self, entry: &StoredLink) {
        let is_blank = entry.link.payload.is_none();
        if entry.in_part || !(is_blank || entry.link.says_what_was_written()) {
            self.found(AuditFault::PayloadAltered, &entry.link);
        } else if is_blank {
            self.report.blanked += 1;
            if !entry.told {
                self.found(AuditFault::Untold, &entry.link);
            }
        }
    }

    fn is_behind(&self, digest: &[u8]) -> bool {
        self.behind.stored == digest || self.behind.computed == digest
    }

    /// Whether an entry was written after the one before it, as that is or as it must have been.
    fn follows(&self, link: &Link) -> bool {
        let fits = |previous: &[u8]| link.digest_after(previous).as_bytes().as_slice() == link.digest;
        fits(&self.behind.stored) || fits(&self.behind.computed)
    }

    /// Whether both fit once each has the number of the other.
    fn are_swapped(&self, one: &Link, other: &Link) -> bool {
        let with = |link: &Link, number: i64| Link {
            number,
            ..link.clone()
        };
        let (first, second) = (with(other, one.number), with(one, other.number));
        self.follows(&first) && second.digest_after(&first.digest).as_bytes().as_slice() == second.digest
    }

    /// It does not fit, and was not swapped.
    fn give_up(&mut self, suspect: StoredLink) {
        let link = suspect.link;
        let fault = if self.behind.sound {
            AuditFault::Altered
        } else {
            AuditFault::Unconfirmed
        };
        self.found(fault, &link);
        let computed = link.digest_after(&self.behind.stored).as_bytes().to_vec();
        self.move_on(link.number, link.digest, computed, false);
    }

    fn move_on(&mut self, number: i64, stored: Vec<u8>, computed: Vec<u8>, sound: bool) {
        self.behind = Behind {
            number,
            stored,
            computed,
            sound,
            known: true,
        };
    }

    fn found(&mut self, code: AuditFault, link: &Link) {
        self.note(code, link.number, link.number, Some(link.id));
    }

    fn found_between(&mut self, code: AuditFault, entry: i64, last: i64) {
        self.note(code, entry, last, None);
    }

    fn note(&mut self, code: AuditFault, entry: i64, last: i64, id: Option<Uuid>) {
        self.report.ok = false;
        let findings = &mut self.report.findings;
        let goes_on =
            |before: &&mut AuditFinding| before.code == code && before.last.checked_add(1) == Some(entry);
        let run = findings.iter_mut().rev().find(goes_on);
        if let Some(before) = run {
            before.last = last;
            before.id = None;
        } else if findings.len() < MOST {
            findings.push(AuditFinding {
                entry,
                last,
                id,
                code,
                detail: code.detail(),
            });
        } else {
            self.report.further_findings += 1;
        }
    }
}

#[cfg(test)]
mod tests;
