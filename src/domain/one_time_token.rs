//! Tokens that work once: an invitation's, or that of a password's reset.

use jiff::Timestamp;

use super::ids::{OneTimeTokenId, UserId};
use super::parsed::word_enum;

word_enum! {
    /// What a token is good for.
    Purpose {
        /// To accept an invitation.
        Invitation = "invitation",
        /// To choose a new password.
        PasswordReset = "password_reset",
    }
}

/// A token without its secret, of which only a digest is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OneTimeToken {
    /// Its id.
    pub id: OneTimeTokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is good for.
    pub purpose: Purpose,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it is good for nothing.
    pub expires_at: Timestamp,
}
