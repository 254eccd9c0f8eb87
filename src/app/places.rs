//! How much PBXs are asked at once: one that does not answer takes no place from the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::ids::InstanceId;

/// What waits for an answer, or for its turn to be asked.
pub(super) const OF_ALL: usize = 256;
/// The same of one PBX.
const OF_ONE: usize = 32;

/// Who is at it, and which PBX is asked. Cheap to clone.
pub(super) struct Places<K>(Arc<Mutex<BTreeMap<K, InstanceId>>>);

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// They are at it already.
    Taken,
    /// As much is asked of their PBX, or of all, as may be.
    Full,
}

impl<K: Ord + Copy> Places<K> {
    /// Takes a place.
    pub(super) fn enter(&self, who: K, instance: InstanceId) -> Result<Place<K>, NoPlace> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.contains_key(&who) {
            return Err(NoPlace::Taken);
        }
        let of_its_pbx = all.values().filter(|other| **other == instance).count();
        if of_its_pbx >= OF_ONE || all.len() >= OF_ALL {
            return Err(NoPlace::Full);
        }
        all.insert(who, instance);
        drop(all);
        Ok(Place {
            all: self.clone(),
            who,
        })
    }
}

/// The place of who is at it, given back with the value.
pub(super) struct Place<K: Ord> {
    all: Places<K>,
    who: K,
}

impl<K: Ord + Copy> Place<K> {
    /// Whose it is.
    pub(super) const fn who(&self) -> K {
        self.who
    }
}

impl<K: Ord> Drop for Place<K> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ExtensionId, SystemIds};

    #[test]
    fn a48_of_one_extension_one_call_at_a_time_is_being_made() {
        let places = Places::default();
        let pbx = InstanceId::fresh(&SystemIds);
        let (ann, bob) = (ExtensionId::fresh(&SystemIds), ExtensionId::fresh(&SystemIds));
        let first = places.enter(ann, pbx);
        assert!(first.is_ok());
        assert_eq!(places.clone().enter(ann, pbx).err(), Some(NoPlace::Taken));
        // One that was refused ends nothing of the first.
        assert!(places.enter(ann, pbx).is_err());
        assert!(places.enter(bob, pbx).is_ok());
        drop(first);
        assert!(places.enter(ann, pbx).is_ok());
    }

    #[test]
    fn a48_one_pbx_takes_no_place_of_anothers_and_all_have_no_more_than_there_are() {
        let places = Places::default();
        let mut entered = Vec::new();
        // More than there is room for.
        for _ in 0..=OF_ALL / OF_ONE {
            let pbx = InstanceId::fresh(&SystemIds);
            for _ in 0..=OF_ONE {
                match places.enter(ExtensionId::fresh(&SystemIds), pbx) {
                    Ok(place) => entered.push((pbx, place)),
                    Err(refused) => assert_eq!(refused, NoPlace::Full),
                }
            }
            let of_it = entered.iter().filter(|(of, _)| *of == pbx).count();
            let is_full = entered.len() == OF_ALL;
            assert!(of_it == OF_ONE || (is_full && of_it == 0), "{of_it}");
        }
        assert_eq!(entered.len(), OF_ALL);
    }
}
