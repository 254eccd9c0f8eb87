//! What becomes of one field in a change.

use serde::{Deserialize, Deserializer};

/// A field that may also go: with `#[serde(default)]` one that is not there stays as it is, and `null` takes it away.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It goes.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// The field after the change.
    #[must_use]
    pub fn over(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Clear, Self::Set))
    }
}
