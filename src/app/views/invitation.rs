//! A user who has just been invited, as every surface shows them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::UserView;
use crate::app::invitations::Invitation;
use crate::domain::mail::Link;
use crate::domain::user::User;

/// A user, with what became of the invitation where there is one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InvitedUser")]
pub struct InvitedView {
    #[serde(flatten)]
    user: UserView,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<InvitationView>,
}

/// An invitation. Without a mail server it shows the link, this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
struct InvitationView {
    expires_at: Timestamp,
    mailed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl InvitedView {
    /// Shows the link, where it does not go by mail.
    #[must_use]
    pub fn new(user: &User, invitation: Option<&Invitation>) -> Self {
        let invitation = invitation.map(|invitation| InvitationView {
            expires_at: invitation.expires_at,
            mailed: invitation.link.is_none(),
            link: invitation.link.as_ref().map(Link::expose).map(str::to_owned),
        });
        Self {
            user: user.into(),
            invitation,
        }
    }
}
