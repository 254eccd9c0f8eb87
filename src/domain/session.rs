//! A session: one sign-in of a user, until it ends.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::email::EmailAddress;
use super::ids::{SessionId, TenantId, UserId};
use super::name::PersonName;
use super::permission::Permission;
use super::tenant::TenantStatus;
use super::user::{Membership, UserStatus};

/// The longest that a session lasts, however much it is used.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// How long a session of somebody without tenant may rest; a tenant has its own setting.
pub const REST: SignedDuration = SignedDuration::from_mins(60);

/// So many sessions a user has at the same time: with one more, the oldest ends.
pub const MOST: i64 = 50;

/// A session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// From where they signed in.
    pub address: Option<String>,
    /// With what.
    pub agent: Option<String>,
}

/// A session with all that its owner's rights depend on, as the database knows it now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presence {
    /// The session.
    pub session: Session,
    /// The owner's address.
    pub email: EmailAddress,
    /// The owner's name.
    pub name: PersonName,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Whether they manage the platform.
    pub platform_manager: bool,
    /// The tenant they work for.
    pub home: Option<Home>,
    /// The tenant that was asked for, if there is one of that id.
    pub entered: Option<(TenantId, TenantStatus)>,
}

/// The tenant that somebody works for, and what they may do there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Home {
    /// Which tenant, in which role.
    pub membership: Membership,
    /// Whether it is served.
    pub status: TenantStatus,
    /// How long a session may rest.
    pub rest: SignedDuration,
    /// The role's rights.
    pub permissions: BTreeSet<Permission>,
}

impl Presence {
    /// How long the session may rest.
    #[must_use]
    pub fn rest(&self) -> SignedDuration {
        self.home.as_ref().map_or(REST, |home| home.rest)
    }

    /// Whether the session has neither ended nor rested too long, and its owner may be signed in.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.status == UserStatus::Active
            && now < self.session.expires_at
            && now.duration_since(self.session.last_used_at) < self.rest()
    }
}
