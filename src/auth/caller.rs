//! A caller: who it is, which tenant it acts in, why, and where the request came from.

use std::net::IpAddr;

use super::denied::Denied;
use super::permission::{Act, Permission, PlatformPermission};
use crate::domain::audit::{Actor, ActorKind};
use crate::domain::ids::TenantId;
use crate::domain::reason::Reason;
use crate::domain::request_id::RequestId;
use crate::domain::tenant::TenantStatus;
use crate::domain::user_agent::UserAgent;

/// Who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// The holder of the configured bootstrap token, one of the operator's people.
    Bootstrap,
    /// The host's command line: root, or the service's group.
    SystemCli,
    /// The daemon itself, where it deploys what was edited.
    SystemAuto,
}

impl Identity {
    /// As audit entries name it.
    #[must_use]
    pub fn actor(self) -> Actor {
        match self {
            Self::Bootstrap => Actor::named(ActorKind::Manager, "bootstrap"),
            Self::SystemCli => Actor::named(ActorKind::System, "system:cli"),
            Self::SystemAuto => Actor::named(ActorKind::System, "system:auto"),
        }
    }

    /// What tells it from every other for as long as there is a database.
    #[must_use]
    pub fn key(self) -> String {
        self.actor().name
    }
}

/// The tenant that a caller acts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// None: the platform.
    Platform,
    /// One that was named, but is not there.
    Unknown,
    /// This one.
    Tenant {
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

/// Somebody who asks for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    identity: Identity,
    place: Place,
    reason: Option<Reason>,
    origin: Origin,
}

impl Caller {
    /// A caller whose identity was proven.
    #[must_use]
    pub const fn new(identity: Identity, place: Place, reason: Option<Reason>, origin: Origin) -> Self {
        Self {
            identity,
            place,
            reason,
            origin,
        }
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Where the request came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The tenant of somebody else that it acts in.
    #[must_use]
    pub const fn operates_in(&self) -> Option<TenantId> {
        match (self.identity, self.place) {
            (Identity::Bootstrap, Place::Tenant { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// The tenant it acts in, when it may do this there.
    ///
    /// Whether a reason was given is asked for by [`Self::reason_to_change`], once the thing to change is found.
    pub fn tenant(&self, permission: Permission, act: Act) -> Result<TenantId, Denied> {
        if matches!(
            self.place,
            Place::Tenant {
                status: TenantStatus::Suspended,
                ..
            }
        ) && act == Act::Change
        {
            return Err(Denied::TenantSuspended);
        }
        match self.identity {
            Identity::Bootstrap if !permission.is_for_operators() => return Err(Denied::Permission),
            // What it asks for is asked for on the platform, whatever the tenant's status.
            Identity::SystemAuto => return Err(Denied::Permission),
            Identity::Bootstrap | Identity::SystemCli => {}
        }
        match self.place {
            Place::Tenant { id, .. } => Ok(id),
            Place::Unknown => Err(Denied::TenantUnknown),
            Place::Platform => Err(Denied::TenantRequired),
        }
    }

    /// Whether it may do this on the platform.
    pub const fn platform(&self, permission: PlatformPermission) -> Result<(), Denied> {
        match (self.identity, permission) {
            (Identity::Bootstrap | Identity::SystemCli, _)
            | (Identity::SystemAuto, PlatformPermission::InstancesDeploy) => Ok(()),
            (Identity::SystemAuto, _) => Err(Denied::Permission),
        }
    }

    /// Why it changes something in the tenant it acts in: required of the operator's people, for whom the tenant is
    /// somebody else's.
    pub fn reason_to_change(&self) -> Result<Option<&Reason>, Denied> {
        match (self.identity, self.place, &self.reason) {
            (Identity::Bootstrap, Place::Tenant { .. }, None) => Err(Denied::ReasonRequired),
            (_, _, reason) => Ok(reason.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use uuid::Uuid;

    const ID: TenantId = TenantId::from_uuid(Uuid::nil());
    const ACTIVE: Place = Place::Tenant {
        id: ID,
        status: TenantStatus::Active,
    };
    const SUSPENDED: Place = Place::Tenant {
        id: ID,
        status: TenantStatus::Suspended,
    };

    fn caller(identity: Identity, place: Place) -> Caller {
        Caller::new(identity, place, None, Origin::default())
    }

    #[rstest]
    #[case(ACTIVE, Permission::ConfigWrite, Act::Change, Ok(ID))]
    #[case(SUSPENDED, Permission::ConfigRead, Act::Read, Ok(ID))]
    #[case(SUSPENDED, Permission::ConfigWrite, Act::Change, Err(Denied::TenantSuspended))]
    #[case(SUSPENDED, Permission::OrgApiKeys, Act::Change, Err(Denied::TenantSuspended))]
    #[case(ACTIVE, Permission::OrgApiKeys, Act::Read, Err(Denied::Permission))]
    #[case(Place::Unknown, Permission::OrgApiKeys, Act::Read, Err(Denied::Permission))]
    #[case(Place::Platform, Permission::OrgApiKeys, Act::Read, Err(Denied::Permission))]
    #[case(Place::Unknown, Permission::ConfigRead, Act::Read, Err(Denied::TenantUnknown))]
    #[case(
        Place::Platform,
        Permission::ConfigRead,
        Act::Read,
        Err(Denied::TenantRequired)
    )]
    fn operators_have_an_owners_rights_less_the_keys(
        #[case] place: Place,
        #[case] permission: Permission,
        #[case] act: Act,
        #[case] answer: Result<TenantId, Denied>,
    ) {
        assert_eq!(caller(Identity::Bootstrap, place).tenant(permission, act), answer);
    }

    #[test]
    fn the_hosts_command_line_may_do_everything() {
        for permission in Permission::ALL {
            assert_eq!(
                caller(Identity::SystemCli, ACTIVE).tenant(*permission, Act::Change),
                Ok(ID)
            );
        }
        for permission in PlatformPermission::ALL {
            assert_eq!(
                caller(Identity::SystemCli, Place::Platform).platform(*permission),
                Ok(())
            );
        }
    }

    #[test]
    fn the_daemon_may_deploy_and_nothing_else() {
        for permission in Permission::ALL {
            let denied = caller(Identity::SystemAuto, ACTIVE).tenant(*permission, Act::Read);
            assert_eq!(denied, Err(Denied::Permission));
        }
        for permission in PlatformPermission::ALL {
            let may = caller(Identity::SystemAuto, Place::Platform).platform(*permission);
            assert_eq!(may.is_ok(), *permission == PlatformPermission::InstancesDeploy);
        }
    }

    #[test]
    fn operators_give_a_reason_to_change_a_tenant() {
        let without = caller(Identity::Bootstrap, ACTIVE);
        assert_eq!(without.reason_to_change(), Err(Denied::ReasonRequired));
        let reason: Reason = "asked by phone".parse().unwrap();
        let with = Caller::new(
            Identity::Bootstrap,
            ACTIVE,
            Some(reason.clone()),
            Origin::default(),
        );
        assert_eq!(with.reason_to_change(), Ok(Some(&reason)));
        assert_eq!(
            caller(Identity::Bootstrap, Place::Platform).reason_to_change(),
            Ok(None)
        );
        assert_eq!(caller(Identity::SystemCli, ACTIVE).reason_to_change(), Ok(None));
    }
}
