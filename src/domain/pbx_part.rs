//! What a PBX of an operator's own needs in its configuration before it can be driven, and whether it is there.

use serde::Serialize;

use super::parsed::word_enum;

word_enum! {
    /// How one of them is.
    State {
        /// As it must be.
        InPlace = "in_place",
        /// To be put in.
        Missing = "missing",
        /// Works perhaps, and should be looked at; only the operator can mend it.
        Doubtful = "doubtful",
        /// Nothing is put in before the operator has mended it.
        Blocked = "blocked",
    }
}

/// One of the things that stand in the configuration of an operator's own PBX.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// Stable, such as `include_pjsip`.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What the operator can do, where it is not as it must be.
    pub mend: Option<String>,
}
