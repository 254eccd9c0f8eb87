//! Who may do what, where.

use super::*;
use jiff::SignedDuration;
use rstest::rstest;
use uuid::Uuid;

use crate::domain::ids::{ApiKeyId, RoleId};
use crate::domain::role::Rank;
use crate::domain::user::Membership;

const ID: TenantId = TenantId::from_uuid(Uuid::nil());
const OTHER: TenantId = TenantId::from_uuid(Uuid::from_u128(1));
const ACTIVE: TenantStatus = TenantStatus::Active;
const SUSPENDED: TenantStatus = TenantStatus::Suspended;

fn entered(status: TenantStatus) -> Place {
    Place::Entered { id: ID, status }
}

fn caller(identity: Identity, place: Place) -> Caller {
    Caller::new(identity, place, None, Origin::default())
}

fn user(platform_manager: bool, home: Option<Home>) -> Identity {
    Identity::User(Arc::new(SignedIn {
        user_id: UserId::from_uuid(Uuid::nil()),
        session_id: SessionId::from_uuid(Uuid::nil()),
        email: "ann@example.com".parse().unwrap(),
        name: "Ann".parse().unwrap(),
        platform_manager,
        home,
    }))
}

fn manager() -> Identity {
    user(true, None)
}

fn home(status: TenantStatus, permissions: &[Permission]) -> Home {
    Home {
        membership: Membership {
            tenant_id: OTHER,
            tenant: "Acme".parse().unwrap(),
            role_id: RoleId::from_uuid(Uuid::nil()),
            role: "agent".parse().unwrap(),
            rank: Rank::Agent,
        },
        status,
        rest: SignedDuration::from_mins(60),
        permissions: permissions.iter().copied().collect(),
    }
}

/// Somebody at home, with these rights there.
fn at_home(status: TenantStatus, permissions: &[Permission]) -> Caller {
    let place = Place::Home { id: OTHER, status };
    caller(user(false, Some(home(status, permissions))), place)
}

#[rstest]
#[case(entered(ACTIVE), Permission::ConfigWrite, Act::Change, Ok(ID))]
#[case(entered(SUSPENDED), Permission::ConfigRead, Act::Read, Ok(ID))]
#[case(
    entered(SUSPENDED),
    Permission::ConfigWrite,
    Act::Change,
    Err(Denied::TenantSuspended)
)]
#[case(
    entered(SUSPENDED),
    Permission::OrgApiKeys,
    Act::Change,
    Err(Denied::TenantSuspended)
)]
#[case(entered(ACTIVE), Permission::OrgApiKeys, Act::Read, Err(Denied::Permission))]
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
    assert_eq!(caller(manager(), place).tenant(permission, act), answer);
}

#[test]
fn a01_a_user_may_at_home_what_the_role_holds_and_nothing_else() {
    let reader = at_home(ACTIVE, &[Permission::ConfigRead]);
    for permission in Permission::ALL {
        let may = reader.tenant(*permission, Act::Read);
        let held = *permission == Permission::ConfigRead;
        assert_eq!(may, if held { Ok(OTHER) } else { Err(Denied::Permission) });
    }
    assert_eq!(reader.member(Act::Read), Ok(OTHER));
    assert_eq!(reader.own(), Err(Denied::Permission));
    for permission in PlatformPermission::ALL {
        assert_eq!(reader.platform(*permission), Err(Denied::Permission));
    }
}

#[test]
fn o29_from_a_suspended_tenant_everything_is_refused() {
    let locked_out = [
        at_home(SUSPENDED, Permission::ALL),
        caller(
            user(true, Some(home(SUSPENDED, Permission::ALL))),
            entered(ACTIVE),
        ),
    ];
    for caller in locked_out {
        let refused = Err(Denied::TenantSuspended);
        assert_eq!(caller.tenant(Permission::ConfigRead, Act::Read), refused);
        assert_eq!(caller.member(Act::Read), refused);
        assert_eq!(caller.own().map(drop), Err(Denied::TenantSuspended));
        assert_eq!(
            caller.platform(PlatformPermission::TenantsRead),
            Err(Denied::TenantSuspended)
        );
    }
}

#[test]
fn c02_only_platform_managers_enter_a_tenant() {
    let stranger = caller(user(false, Some(home(ACTIVE, Permission::ALL))), entered(ACTIVE));
    let refused = Err(Denied::Permission);
    assert_eq!(stranger.tenant(Permission::ConfigRead, Act::Read), refused);
    assert_eq!(stranger.member(Act::Read), refused);
    // Whether it is served is told to nobody who may not enter it either.
    let stranger = caller(
        user(false, Some(home(ACTIVE, Permission::ALL))),
        entered(SUSPENDED),
    );
    assert_eq!(stranger.tenant(Permission::ConfigWrite, Act::Change), refused);
    assert_eq!(stranger.member(Act::Change), refused);
}

#[test]
fn o02_the_flag_alone_opens_the_platform() {
    let places = [Place::Platform, entered(ACTIVE)];
    for (place, permission) in places
        .iter()
        .flat_map(|place| PlatformPermission::ALL.iter().map(move |one| (place, one)))
    {
        assert_eq!(caller(manager(), *place).platform(*permission), Ok(()));
        let owner = user(false, Some(home(ACTIVE, Permission::ALL)));
        assert_eq!(
            caller(owner, *place).platform(*permission),
            Err(Denied::Permission)
        );
    }
}

#[test]
fn a_platform_manager_without_tenant_has_a_profile_too() {
    assert!(caller(manager(), Place::Platform).own().is_ok());
    assert_eq!(
        caller(manager(), Place::Platform).member(Act::Read),
        Err(Denied::TenantRequired)
    );
    assert_eq!(caller(manager(), entered(ACTIVE)).member(Act::Read), Ok(ID));
}

fn key(status: TenantStatus, permissions: &[Permission]) -> Identity {
    Identity::ApiKey(Arc::new(KeyHolder {
        key_id: ApiKeyId::from_uuid(Uuid::nil()),
        prefix: "swy_0123456789ab".to_owned(),
        name: "crm".parse().unwrap(),
        tenant_id: OTHER,
        status,
        permissions: permissions.iter().copied().collect(),
        rank: Rank::Admin,
        author_rank: Rank::Owner,
    }))
}

#[test]
fn a_key_may_at_home_what_it_names_and_nowhere_else_anything() {
    let identity = key(ACTIVE, Permission::ALL);
    let home = Place::Home {
        id: OTHER,
        status: ACTIVE,
    };
    let at_home = caller(identity.clone(), home);
    for permission in Permission::ALL {
        // Not even where its row says so.
        let expected = if permission.is_for_keys() {
            Ok(OTHER)
        } else {
            Err(Denied::Permission)
        };
        assert_eq!(at_home.tenant(*permission, Act::Change), expected);
        for place in [entered(ACTIVE), Place::Unknown, Place::Platform] {
            let outside = caller(identity.clone(), place);
            let refused = Err(Denied::Permission);
            assert_eq!(outside.tenant(*permission, Act::Read), refused);
            assert_eq!(outside.inside(Act::Read), refused);
        }
    }
    assert_eq!(at_home.member(Act::Read), Err(Denied::Permission));
    assert_eq!(at_home.inside(Act::Change), Ok(OTHER));
    assert_eq!(at_home.own().map(drop), Err(Denied::Permission));
    assert_eq!(at_home.reason_to_change(), Ok(None));
    assert!(!at_home.sees_the_directory_only());
    for permission in PlatformPermission::ALL {
        assert_eq!(at_home.platform(*permission), Err(Denied::Permission));
    }
}

#[test]
fn o29_a_key_of_a_suspended_tenant_is_refused_everything() {
    let home = Place::Home {
        id: OTHER,
        status: SUSPENDED,
    };
    let key = caller(key(SUSPENDED, Permission::ALL), home);
    let refused = Err(Denied::TenantSuspended);
    assert_eq!(key.tenant(Permission::ConfigRead, Act::Read), refused);
    assert_eq!(key.inside(Act::Read), refused);
    assert_eq!(key.own().map(drop), Err(Denied::TenantSuspended));
    assert_eq!(
        key.platform(PlatformPermission::TenantsRead),
        Err(Denied::TenantSuspended)
    );
}

#[test]
fn the_hosts_command_line_may_do_everything() {
    for permission in Permission::ALL {
        assert_eq!(
            caller(Identity::SystemCli, entered(ACTIVE)).tenant(*permission, Act::Change),
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
        let denied = caller(Identity::SystemAuto, entered(ACTIVE)).tenant(*permission, Act::Read);
        assert_eq!(denied, Err(Denied::Permission));
    }
    for permission in PlatformPermission::ALL {
        let may = caller(Identity::SystemAuto, Place::Platform).platform(*permission);
        assert_eq!(may.is_ok(), *permission == PlatformPermission::InstancesDeploy);
    }
}

#[test]
fn operators_give_a_reason_to_change_a_tenant() {
    let without = caller(manager(), entered(ACTIVE));
    assert_eq!(without.reason_to_change(), Err(Denied::ReasonRequired));
    let reason: Reason = "asked by phone".parse().unwrap();
    let with = Caller::new(
        manager(),
        entered(ACTIVE),
        Some(reason.clone()),
        Origin::default(),
    );
    assert_eq!(with.reason_to_change(), Ok(Some(&reason)));
    assert_eq!(caller(manager(), Place::Platform).reason_to_change(), Ok(None));
    assert_eq!(
        caller(Identity::SystemCli, entered(ACTIVE)).reason_to_change(),
        Ok(None)
    );
    assert_eq!(at_home(ACTIVE, &[]).reason_to_change(), Ok(None));
}
