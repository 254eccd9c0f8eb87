//! Mails: what each says and to whom, in types that cannot hold a line of a header.

mod line;
mod link;
mod payload;
mod server;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::line::{Line, Mailbox};
pub use self::link::{Link, Page, PublicUrl};
pub use self::payload::NoMail;
pub use self::server::{Login, SmtpServer, TlsMode, is_this_host};
use super::email::EmailAddress;
use super::parsed::word_enum;

word_enum! {
    /// The kinds of mail, each with its templates.
    MailKind {
        /// Somebody is to become a user.
        Invitation = "invitation",
        /// A user is to choose a new password.
        PasswordReset = "password-reset",
        /// A user's password is another one now.
        PasswordChanged = "password-changed",
    }
}

/// A mail before it has words. Not `Serialize`, since most hold a link that signs in; see [`Mail::to_payload`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum Mail {
    /// Somebody is to become a user.
    Invitation(#[serde(with = "Invitation")] Invitation),
    /// A user is to choose a new password.
    PasswordReset(#[serde(with = "PasswordReset")] PasswordReset),
    /// A user's password is another one now.
    PasswordChanged(PasswordChanged),
}

/// Whom a mail is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// Where it goes.
    pub address: EmailAddress,
    /// How the person is called.
    pub name: Line,
}

/// What an invitation says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Invitation {
    /// Who is invited.
    pub to: Recipient,
    /// Where to; `None` is the platform itself.
    pub tenant: Option<Line>,
    /// Who invites; `None` is the operator of the host.
    pub inviter: Option<Line>,
    /// Where it is accepted.
    #[serde(with = "Link")]
    pub link: Link,
    /// When the link is worth nothing any more.
    pub expires_at: Timestamp,
}

/// What a mail with a way back in says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct PasswordReset {
    /// Whose password.
    pub to: Recipient,
    /// Where a new one is chosen.
    #[serde(with = "Link")]
    pub link: Link,
    /// When the link is worth nothing any more.
    pub expires_at: Timestamp,
}

/// What a mail after a change of password says: it warns whoever did not change it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// Whose password.
    pub to: Recipient,
    /// When it was changed.
    pub changed_at: Timestamp,
    /// Who did it for the user; `None` is the user.
    pub by: Option<Line>,
}

impl Mail {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::Invitation(_) => MailKind::Invitation,
            Self::PasswordReset(_) => MailKind::PasswordReset,
            Self::PasswordChanged(_) => MailKind::PasswordChanged,
        }
    }

    /// Whom it is for.
    #[must_use]
    pub const fn to(&self) -> &Recipient {
        match self {
            Self::Invitation(Invitation { to, .. })
            | Self::PasswordReset(PasswordReset { to, .. })
            | Self::PasswordChanged(PasswordChanged { to, .. }) => to,
        }
    }

    /// The link that it holds.
    #[must_use]
    pub const fn link(&self) -> Option<&Link> {
        match self {
            Self::Invitation(Invitation { link, .. }) | Self::PasswordReset(PasswordReset { link, .. }) => {
                Some(link)
            }
            Self::PasswordChanged(_) => None,
        }
    }

    /// When it is worth nothing any more.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Invitation(Invitation { expires_at, .. })
            | Self::PasswordReset(PasswordReset { expires_at, .. }) => Some(*expires_at),
            Self::PasswordChanged(_) => None,
        }
    }
}

/// A mail in words. Without `Debug`: the words hold the link.
#[derive(Clone)]
pub struct Letter {
    /// What a list of mails shows.
    pub subject: Line,
    /// For whoever reads text.
    pub text: String,
    /// The same for whoever reads HTML.
    pub html: String,
}
