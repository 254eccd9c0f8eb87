//! Keys and values in the order of the wire, as both protocols send them.

use std::fmt;

/// A key may occur more than once, and compares without regard to case. `Debug` shows keys only: values hold passwords.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.push((key.into(), value.into()));
    }

    /// The value that was added last.
    pub fn last_value(&mut self) -> Option<&mut String> {
        self.0.last_mut().map(|(_, value)| value)
    }

    /// The first value under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// All values under `key`.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One that stands several times in a row is shown once.
        let mut keys: Vec<&str> = self.iter().map(|(key, _)| key).collect();
        keys.dedup();
        f.debug_list().entries(keys).finish()
    }
}
