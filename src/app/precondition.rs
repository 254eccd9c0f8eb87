//! What a change may ask of the thing it changes: that it still is as its author saw it.

use super::error::AppError;
use crate::domain::extension::Extension;

/// Names the version of an extension: every change of it gives it another one.
#[must_use]
pub fn tag(extension: &Extension) -> String {
    extension.version.to_string()
}

/// Which versions a change is meant for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum IfMatch {
    /// Whichever it is.
    #[default]
    Any,
    /// Those with one of these tags.
    OneOf(Vec<String>),
}

impl IfMatch {
    /// Refuses another version; to be asked in the transaction of the change.
    pub(super) fn check(&self, extension: &Extension) -> Result<(), AppError> {
        match self {
            Self::OneOf(tags) if !tags.contains(&tag(extension)) => Err(AppError::PreconditionFailed),
            Self::Any | Self::OneOf(_) => Ok(()),
        }
    }
}
