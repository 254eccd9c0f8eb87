//! What a tenant may have, and how long its users' sessions may rest.

use schemars::JsonSchema;

use super::invalid::Invalid;

/// The limits and settings of a tenant; what is absent is not limited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// For how many minutes a session may rest.
    pub session_timeout_minutes: SessionTimeout,
    /// Active and invited users.
    pub max_users: Option<i64>,
    /// Extensions.
    pub max_extensions: Option<i64>,
    /// Calls at the same time.
    pub max_concurrent_calls: Option<i64>,
}

/// For how many minutes a session may rest: 5 to 1440.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct SessionTimeout(#[schemars(range(min = 5, max = 1440))] i64);

impl SessionTimeout {
    /// Refuses what is too short to work with, or longer than a day.
    pub fn new(minutes: i64) -> Result<Self, Invalid> {
        if (5..=1440).contains(&minutes) {
            Ok(Self(minutes))
        } else {
            Err(Invalid::new("must be 5 to 1440"))
        }
    }

    /// The minutes.
    #[must_use]
    pub const fn minutes(self) -> i64 {
        self.0
    }
}

impl Default for SessionTimeout {
    fn default() -> Self {
        Self(60)
    }
}
