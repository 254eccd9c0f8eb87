//! What a test of the connection to an instance found, as it is kept.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeptCheck {
    /// Stable, such as `ami`, `config_dir`.
    pub name: String,
    /// Whether it was as it must be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do where it was not; null where it was.
    #[serde(default)]
    pub mend: Option<String>,
}

/// A whole test.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct CheckRecord {
    /// When.
    pub at: Timestamp,
    /// Whether all of it was as it must be.
    pub ok: bool,
    /// What was looked at, in order.
    pub checks: Vec<KeptCheck>,
}
