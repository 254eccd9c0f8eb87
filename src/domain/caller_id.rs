//! What the called party sees of a caller.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dial::DialNumber;
use super::name::DisplayName;

/// Shown instead of the extension's own name and number, each where given.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CallerId {
    /// Instead of the extension's name.
    pub name: Option<DisplayName>,
    /// Instead of the extension's number.
    pub number: Option<DialNumber>,
}
