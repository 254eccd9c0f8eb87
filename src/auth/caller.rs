//! A caller: who it is, which tenant it acts in, why, and where the request came from.

use std::net::IpAddr;
use std::sync::Arc;

use super::access::Act;
use super::denied::Denied;
use super::key_holder::KeyHolder;
use crate::domain::api_key::KeyPresence;
use crate::domain::audit::{Actor, ActorKind};
use crate::domain::deployment::AUTOMATIC;
use crate::domain::email::EmailAddress;
use crate::domain::ids::{SessionId, TenantId, UserId};
use crate::domain::name::PersonName;
use crate::domain::permission::{Permission, PlatformPermission};
use crate::domain::reason::Reason;
use crate::domain::request_id::RequestId;
use crate::domain::role::Rank;
use crate::domain::session::{Home, Presence};
use crate::domain::tenant::TenantStatus;
use crate::domain::user_agent::UserAgent;

/// Who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity {
    /// Somebody who signed in.
    User(Arc<SignedIn>),
    /// A program of a tenant, by its API key.
    ApiKey(Arc<KeyHolder>),
    /// The host's command line: root, or the service's group.
    SystemCli,
    /// The daemon itself, where it deploys what was edited.
    SystemAuto,
}

/// A user who signed in, as the database knew them when the request came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn {
    /// The user's id.
    pub user_id: UserId,
    /// The session's id.
    pub session_id: SessionId,
    /// The user's address.
    pub email: EmailAddress,
    /// The user's name.
    pub name: PersonName,
    /// Whether they manage the platform.
    pub platform_manager: bool,
    /// The tenant they work for, and their rights there.
    pub home: Option<Home>,
}

impl SignedIn {
    /// Whether their role in their own tenant holds a right.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        let held = |home: &Home| permission.is_among(&home.permissions);
        self.home.as_ref().is_some_and(held)
    }
}

impl Identity {
    /// As audit entries name it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::User(user) => Actor {
                kind: if user.home.is_some() {
                    ActorKind::User
                } else {
                    ActorKind::Manager
                },
                id: Some(user.user_id.uuid()),
                name: user.email.to_string(),
            },
            Self::ApiKey(key) => Actor {
                kind: ActorKind::ApiKey,
                id: Some(key.key_id.uuid()),
                name: key.name.to_string(),
            },
            Self::SystemCli => Actor::named(ActorKind::System, "system:cli"),
            Self::SystemAuto => Actor::named(ActorKind::System, AUTOMATIC),
        }
    }

    /// What tells it from every other for as long as there is a database.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::User(user) => format!("user:{}", user.user_id),
            Self::ApiKey(key) => format!("api_key:{}", key.key_id),
            Self::SystemCli | Self::SystemAuto => self.actor().name,
        }
    }
}

/// The tenant that a caller acts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// None: the platform.
    Platform,
    /// One that was named, but is not there.
    Unknown,
    /// The one they belong to.
    Home {
        /// Its id.
        id: TenantId,
        /// Whether it is served.
        status: TenantStatus,
    },
    /// One that one of the operator's people has entered.
    Entered {
        /// Its id.
        id: TenantId,
        /// Whether it is served.
        status: TenantStatus,
    },
}

/// Where a request came from.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Shared by logs, audit entries and the answer.
    pub request_id: Option<RequestId>,
    /// The address of the peer.
    pub address: Option<IpAddr>,
    /// The program that sent it.
    pub agent: Option<UserAgent>,
}

/// Why something is done, where that was said; an error where what was said is no reason.
pub type GivenReason = Result<Option<Reason>, Denied>;

/// Somebody who asks for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    identity: Identity,
    place: Place,
    reason: GivenReason,
    origin: Origin,
}

impl Caller {
    /// A caller whose identity was proven.
    #[must_use]
    pub const fn new(identity: Identity, place: Place, reason: Option<Reason>, origin: Origin) -> Self {
        Self {
            identity,
            place,
            reason: Ok(reason),
            origin,
        }
    }

    /// Somebody who signed in, at home or in the tenant that they asked for.
    #[must_use]
    pub fn signed_in(presence: Presence, enters: bool, reason: GivenReason, origin: Origin) -> Self {
        let place = match (enters, presence.entered, &presence.home) {
            (true, Some((id, status)), _) => Place::Entered { id, status },
            (true, None, _) => Place::Unknown,
            (false, _, Some(home)) => Place::Home {
                id: home.membership.tenant_id,
                status: home.status,
            },
            (false, _, None) => Place::Platform,
        };
        let user = SignedIn {
            user_id: presence.session.user_id,
            session_id: presence.session.id,
            email: presence.email,
            name: presence.name,
            platform_manager: presence.platform_manager,
            home: presence.home,
        };
        Self {
            identity: Identity::User(Arc::new(user)),
            place,
            reason,
            origin,
        }
    }

    /// A program of a tenant. It is at home there, and enters no other.
    #[must_use]
    pub fn of_key(presence: KeyPresence, enters: bool, reason: GivenReason, origin: Origin) -> Self {
        let key = KeyHolder::from(presence);
        let place = if enters {
            Place::Unknown
        } else {
            Place::Home {
                id: key.tenant_id,
                status: key.status,
            }
        };
        Self {
            identity: Identity::ApiKey(Arc::new(key)),
            place,
            reason,
            origin,
        }
    }

    /// The same request of somebody who signed in, as the database knows them now.
    #[must_use]
    pub fn signed_in_still(&self, presence: Presence) -> Self {
        let enters = matches!(self.place, Place::Entered { .. } | Place::Unknown);
        Self::signed_in(presence, enters, self.reason.clone(), self.origin.clone())
    }

    /// The same request of a program.
    #[must_use]
    pub fn of_key_still(&self, presence: KeyPresence) -> Self {
        let enters = matches!(self.place, Place::Unknown);
        Self::of_key(presence, enters, self.reason.clone(), self.origin.clone())
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The tenant it acts in.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Where the request came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The tenant of somebody else that it acts in.
    #[must_use]
    pub const fn operates_in(&self) -> Option<TenantId> {
        match (&self.identity, self.place) {
            (Identity::User(_), Place::Entered { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// The tenant it acts in, when it may do this there.
    ///
    /// Whether a reason was given is asked for by [`Self::reason_to_change`], once the thing to change is found.
    pub fn tenant(&self, permission: Permission, act: Act) -> Result<TenantId, Denied> {
        self.check_standing(act)?;
        if self.may(permission) {
            self.id_of_place()
        } else {
            Err(Denied::Permission)
        }
    }

    /// Whether it has a right where it acts, which is also what it may give to others.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        match (&self.identity, self.place) {
            (Identity::SystemCli, _) => true,
            (Identity::User(user), Place::Home { .. }) => user.may(permission),
            (Identity::ApiKey(key), Place::Home { .. }) => key.may(permission),
            // A key enters no tenant. What the daemon asks for is asked for on the platform, whatever the tenant's status.
            (Identity::ApiKey(_) | Identity::SystemAuto, _) => false,
            (Identity::User(user), _) => user.platform_manager && permission.is_for_operators(),
        }
    }

    /// The tenant it acts in, with whatever role.
    pub fn member(&self, act: Act) -> Result<TenantId, Denied> {
        self.check_standing(act)?;
        let may = match (&self.identity, self.place) {
            (Identity::SystemCli, _) | (Identity::User(_), Place::Home { .. }) => true,
            // What no right names is for people only.
            (Identity::ApiKey(_) | Identity::SystemAuto, _) => false,
            (Identity::User(user), _) => user.platform_manager,
        };
        if may {
            self.id_of_place()
        } else {
            Err(Denied::Permission)
        }
    }

    /// The tenant it acts in, for whoever has been found to hold the right that is asked of them.
    pub fn inside(&self, act: Act) -> Result<TenantId, Denied> {
        match (&self.identity, self.place) {
            (Identity::ApiKey(_), Place::Home { id, .. }) => self.check_standing(act).map(|()| id),
            _ => self.member(act),
        }
    }

    /// The user it is, for what is their own.
    pub fn own(&self) -> Result<&SignedIn, Denied> {
        self.standing()?;
        let Identity::User(user) = &self.identity else {
            return Err(Denied::Permission);
        };
        if user.may(Permission::UsersViewSelf) || user.home.is_none() {
            Ok(user)
        } else {
            Err(Denied::Permission)
        }
    }

    /// Whether it sees of extensions what stands in a directory, and no more.
    #[must_use]
    pub fn sees_the_directory_only(&self) -> bool {
        match (&self.identity, self.place) {
            (Identity::User(user), Place::Home { .. }) => {
                let home = user.home.as_ref();
                home.is_none_or(|home| home.membership.rank == Rank::Agent)
            }
            (Identity::ApiKey(key), _) => key.author_rank == Rank::Agent,
            _ => false,
        }
    }

    /// Whether it sees of tickets those that it opened or looks after, and no more.
    #[must_use]
    pub fn sees_own_tickets_only(&self) -> bool {
        self.sees_the_directory_only()
    }

    /// Whether it may do this on the platform.
    pub fn platform(&self, permission: PlatformPermission) -> Result<(), Denied> {
        match (&self.identity, permission) {
            (Identity::User(user), _) => {
                check_home(user)?;
                user.platform_manager.then_some(()).ok_or(Denied::Permission)
            }
            (Identity::SystemCli, _) | (Identity::SystemAuto, PlatformPermission::InstancesDeploy) => Ok(()),
            (Identity::ApiKey(_), _) => self.standing().and(Err(Denied::Permission)),
            (Identity::SystemAuto, _) => Err(Denied::Permission),
        }
    }

    /// Why it changes something in the tenant it acts in: required of the operator's people, for whom the tenant is
    /// somebody else's. What others say has to be a reason too.
    pub fn reason_to_change(&self) -> Result<Option<&Reason>, Denied> {
        match (self.place, &self.reason) {
            (_, Err(denied)) => Err(*denied),
            (Place::Entered { .. }, Ok(None)) if matches!(self.identity, Identity::User(_)) => {
                Err(Denied::ReasonRequired)
            }
            (_, Ok(reason)) => Ok(reason.as_ref()),
        }
    }

    /// Whether it may do anything at all: who works for a suspended tenant may not.
    pub fn standing(&self) -> Result<(), Denied> {
        match &self.identity {
            Identity::User(user) => check_home(user),
            Identity::ApiKey(key) if key.status != TenantStatus::Active => Err(Denied::TenantSuspended),
            Identity::ApiKey(_) | Identity::SystemCli | Identity::SystemAuto => Ok(()),
        }
    }

    /// Nobody acts from a suspended tenant, and nobody changes anything in one.
    fn check_standing(&self, act: Act) -> Result<(), Denied> {
        self.standing()?;
        match self.place {
            Place::Home { status, .. } | Place::Entered { status, .. }
                if !status.is_active() && act == Act::Change && self.may_enter() =>
            {
                Err(Denied::TenantSuspended)
            }
            _ => Ok(()),
        }
    }

    /// Whether it may know of the tenant it acts in: of somebody else's, only the operator may.
    fn may_enter(&self) -> bool {
        match (&self.identity, self.place) {
            (Identity::User(user), Place::Entered { .. }) => user.platform_manager,
            _ => true,
        }
    }

    const fn id_of_place(&self) -> Result<TenantId, Denied> {
        match self.place {
            Place::Home { id, .. } | Place::Entered { id, .. } => Ok(id),
            Place::Unknown => Err(Denied::TenantUnknown),
            Place::Platform => Err(Denied::TenantRequired),
        }
    }
}

/// Who works for a suspended tenant is refused everything, a platform manager too.
fn check_home(user: &SignedIn) -> Result<(), Denied> {
    match &user.home {
        Some(home) if !home.status.is_active() => Err(Denied::TenantSuspended),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
