//! What listeners tell of a PBX, and what is told of it in figures.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::domain::call::{Call, Freshness};
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{ExtensionId, InstanceId, TenantId};
use crate::domain::leg::LegId;

/// The calls of one PBX in figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Which PBX.
    pub instance_id: InstanceId,
    /// All its calls, those of no tenant too.
    pub total: usize,
    /// Those of each tenant that has any.
    pub by_tenant: BTreeMap<TenantId, usize>,
    /// How well that is known.
    pub freshness: Freshness,
    /// How many legs polls have put right that news had wrong, while the news seemed to be whole.
    pub corrected: u64,
}

/// Of an extension, by its tenant and its number, with its id where that is known: how many phones can be reached.
pub type ToldPhones = (TenantId, ExtensionNumber, Option<ExtensionId>, usize);

/// What is told of a PBX at once.
pub struct Report {
    /// Calls as they are now, or that there are not any more.
    pub calls: Told<(LegId, Option<Call>)>,
    /// Whether nothing is heard of calls between polls: each is known as it was at the last.
    pub are_calls_polled: bool,
    /// How many phones of extensions can be reached.
    pub phones: Told<ToldPhones>,
    /// How many legs were put right.
    pub corrected: u64,
    /// Those that may have phones there, where that was looked at again.
    pub tenants: Option<HashSet<TenantId>>,
    /// When it was known to be so.
    pub at: Timestamp,
    /// Stops who tells it: from then on another may tell of another PBX, and nothing of this is taken.
    pub stop: CancellationToken,
}

/// What is told of calls, or of phones.
pub struct Told<T> {
    /// Those that are otherwise now.
    pub items: Vec<T>,
    /// Whether there are no others.
    pub are_all: bool,
    /// Whether they may be otherwise by now.
    pub are_stale: bool,
}
