//! What a test of the connection to a PBX found.

use schemars::JsonSchema;
use serde::Serialize;

use crate::driver::Check;

/// A test.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectionTest")]
pub struct ChecksView {
    /// What was looked at, in order.
    pub checks: Vec<CheckView>,
}

/// One thing that was looked at.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectionCheck")]
pub struct CheckView {
    /// Stable, such as `ami`, `config_dir`.
    pub name: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do where it is not.
    pub mend: Option<String>,
}

impl From<Vec<Check>> for ChecksView {
    fn from(checks: Vec<Check>) -> Self {
        let view = |check: Check| CheckView {
            name: check.name,
            ok: check.ok,
            detail: check.detail,
            mend: check.mend,
        };
        Self {
            checks: checks.into_iter().map(view).collect(),
        }
    }
}
