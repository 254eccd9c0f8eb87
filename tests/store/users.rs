//! Users, roles and sessions: the same on both databases, and each tenant's own.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use switchyard::domain::contact::Contact;
use switchyard::domain::ids::{RoleId, SessionId, SystemIds, TenantId, UserId};
use switchyard::domain::page::PageRequest;
use switchyard::domain::permission::Permission;
use switchyard::domain::role::{Rank, Role};
use switchyard::domain::session::{LONGEST, Session};
use switchyard::domain::user::{Membership, User, UserStatus};
use switchyard::domain::user_query::{UserQuery, UserSort};
use switchyard::store::{Store, StoreError, Tx, roles, sessions, tenants, user_lists, users};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::samples::{World, at};

pub async fn two_tenants(store: &Store) -> (TenantId, TenantId) {
    let world = World::store(store).await;
    (world.acme.id, world.globex.id)
}

pub fn now() -> Timestamp {
    at(10)
}

/// A user with a built-in role of a tenant, or without either.
pub async fn add(tx: &mut Tx, email: &str, place: Option<(TenantId, Rank)>) -> User {
    let membership = match place {
        None => None,
        Some((tenant_id, rank)) => {
            let tenant = tenants::find(tx, tenant_id).await.unwrap().unwrap();
            let name = rank.as_str().parse().unwrap();
            let role = roles::find_by_name(tx, tenant_id, &name).await.unwrap().unwrap();
            Some(Membership {
                tenant_id,
                tenant: tenant.name,
                role_id: role.id,
                role: role.name,
                rank: role.rank,
            })
        }
    };
    let user = User {
        id: UserId::fresh(&SystemIds),
        platform_manager: membership.is_none(),
        membership,
        email: email.parse().unwrap(),
        name: email.split('@').next().unwrap().parse().unwrap(),
        status: UserStatus::Active,
        contact: Contact::default(),
        extension_id: None,
        has_password: false,
        external: None,
        last_login_at: None,
        version: 1,
        created_at: now(),
        updated_at: now(),
    };
    users::insert(tx, &user, None).await.unwrap();
    user
}

fn session(user: &User) -> Session {
    Session {
        id: SessionId::fresh(&SystemIds),
        user_id: user.id,
        created_at: now(),
        last_used_at: now(),
        expires_at: now() + LONGEST,
        address: Some("127.0.0.1".to_owned()),
        agent: None,
    }
}

#[rstest]
#[tokio::test]
async fn what_is_stored_of_a_user_is_read_back(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("users").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Owner))).await;
    assert_eq!(
        users::find(&mut tx, acme, ann.id).await.unwrap().as_ref(),
        Some(&ann)
    );
    assert_eq!(
        users::find_anywhere(&mut tx, ann.id).await.unwrap().as_ref(),
        Some(&ann)
    );
    assert_eq!(
        users::find_by_email(&mut tx, &ann.email).await.unwrap().as_ref(),
        Some(&ann)
    );
    // C02: for another tenant there is none.
    assert_eq!(users::find(&mut tx, beta, ann.id).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a36_an_address_is_one_users_on_the_whole_platform(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("users").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Owner))).await;
    let second = User {
        id: UserId::fresh(&SystemIds),
        membership: ann.membership.map(|of| Membership {
            tenant_id: beta,
            ..of
        }),
        ..ann
    };
    let taken = users::insert(&mut tx, &second, None).await.err().unwrap();
    assert!(matches!(taken, StoreError::Conflict { columns, .. } if columns == ["email"]));
}

#[rstest]
#[tokio::test]
async fn o47_a_list_is_sorted_alike_by_everything_it_shows(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("users").await.unwrap();
    for (email, place) in [
        ("zoe@example.com", Some((acme, Rank::Owner))),
        ("bob@example.com", Some((beta, Rank::Agent))),
        ("ann@example.com", None),
    ] {
        add(&mut tx, email, place).await;
    }
    for sort in UserSort::ALL {
        let mut names = Vec::new();
        for descending in [false, true] {
            let query = UserQuery {
                sort: *sort,
                descending,
                ..UserQuery::default()
            };
            let page = user_lists::list_all(&mut tx, &query).await.unwrap();
            assert_eq!(page.total, 3);
            names.push(
                page.items
                    .iter()
                    .map(|user| user.name.to_string())
                    .collect::<Vec<_>>(),
            );
        }
        let (up, mut down) = (names[0].clone(), names[1].clone());
        down.reverse();
        assert_eq!(up, down, "{sort}");
        let expected = match sort {
            UserSort::Tenant => ["ann", "zoe", "bob"].to_vec(),
            UserSort::Name | UserSort::Role | UserSort::Email => ["ann", "bob", "zoe"].to_vec(),
            UserSort::PlatformManager | UserSort::Status | UserSort::LastLoginAt | UserSort::CreatedAt => {
                ["zoe", "bob", "ann"].to_vec()
            }
        };
        assert_eq!(up, expected, "{sort}");
    }
    let of_acme = user_lists::list(&mut tx, acme, &UserQuery::default())
        .await
        .unwrap();
    assert_eq!(of_acme.total, 1);
    let second = UserQuery {
        page: PageRequest::new(2, 2).unwrap(),
        ..UserQuery::default()
    };
    assert_eq!(
        user_lists::list_all(&mut tx, &second).await.unwrap().items.len(),
        1
    );
    for (query, total) in [
        (
            UserQuery {
                search: Some("ZO".to_owned()),
                ..UserQuery::default()
            },
            1,
        ),
        (
            UserQuery {
                search: Some("%".to_owned()),
                ..UserQuery::default()
            },
            0,
        ),
        (
            UserQuery {
                role: Some("agent".parse().unwrap()),
                ..UserQuery::default()
            },
            1,
        ),
        (
            UserQuery {
                platform_manager: Some(true),
                ..UserQuery::default()
            },
            1,
        ),
        (
            UserQuery {
                status: Some(UserStatus::Suspended),
                ..UserQuery::default()
            },
            0,
        ),
        (
            UserQuery {
                tenant_id: Some(beta),
                ..UserQuery::default()
            },
            1,
        ),
    ] {
        assert_eq!(
            user_lists::list_all(&mut tx, &query).await.unwrap().total,
            total,
            "{query:?}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn a_session_knows_its_owner_as_they_are_now(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("users").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let session = session(&ann);
    sessions::insert(&mut tx, &session).await.unwrap();
    let seen = sessions::presence(&mut tx, session.id, Some(beta))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.session, session);
    let home = seen.home.clone().unwrap();
    assert_eq!(
        (home.permissions.len(), home.rest),
        (7, SignedDuration::from_mins(60))
    );
    assert_eq!(home.membership, ann.membership.clone().unwrap());
    assert_eq!(seen.entered.map(|(id, _)| id), Some(beta));
    assert!(seen.is_good(now()));
    assert!(!seen.is_good(now() + SignedDuration::from_mins(60)));

    users::set_status(&mut tx, ann.id, UserStatus::Suspended, now())
        .await
        .unwrap();
    let seen = sessions::presence(&mut tx, session.id, None)
        .await
        .unwrap()
        .unwrap();
    assert!(!seen.is_good(now()));
    sessions::end_all(&mut tx, ann.id, None).await.unwrap();
    assert_eq!(sessions::presence(&mut tx, session.id, None).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a07_a_tenants_own_roles_are_its_own(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, beta) = two_tenants(&store).await;
    let mut tx = store.begin("roles").await.unwrap();
    let role = Role {
        id: RoleId::fresh(&SystemIds),
        tenant_id: Some(acme),
        name: "porter".parse().unwrap(),
        rank: Rank::Agent,
        permissions: [Permission::ConfigRead, Permission::UsersViewSelf].into(),
    };
    roles::insert(&mut tx, acme, &role, now()).await.unwrap();
    assert_eq!(
        roles::find(&mut tx, acme, role.id).await.unwrap().as_ref(),
        Some(&role)
    );
    assert_eq!(roles::find(&mut tx, beta, role.id).await.unwrap(), None);
    assert_eq!(roles::list(&mut tx, Some(acme)).await.unwrap().len(), 5);
    assert_eq!(roles::list(&mut tx, Some(beta)).await.unwrap().len(), 4);
    assert!(!roles::update(&mut tx, beta, &role, now()).await.unwrap());
    assert!(!roles::delete(&mut tx, beta, role.id).await.unwrap());
    let fewer = Role {
        permissions: [Permission::ConfigRead].into(),
        ..role
    };
    assert!(roles::update(&mut tx, acme, &fewer, now()).await.unwrap());
    assert_eq!(
        roles::find(&mut tx, acme, fewer.id).await.unwrap(),
        Some(fewer.clone())
    );
    // The built-in ones are nobody's to change.
    let owner = roles::find_by_name(&mut tx, acme, &"owner".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(!roles::update(&mut tx, acme, &owner, now()).await.unwrap());
    assert!(!roles::delete(&mut tx, acme, owner.id).await.unwrap());
    assert!(roles::delete(&mut tx, acme, fewer.id).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn o34_with_a_tenant_go_its_users_roles_and_sessions(#[values(Sqlite, Postgres)] backend: Backend) {
    let (bench, store) = Bench::migrated(backend).await;
    let (acme, _) = two_tenants(&store).await;
    let mut tx = store.begin("users").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Owner))).await;
    let manager = add(&mut tx, "manager@example.com", None).await;
    for user in [&ann, &manager] {
        sessions::insert(&mut tx, &session(user)).await.unwrap();
    }
    tx.commit().await.unwrap();
    bench
        .sql("delete from tenants where domain = 'acme.example.com'")
        .await;
    assert_eq!(
        bench.ask("select email from users".to_owned()).await,
        ["manager@example.com"]
    );
    assert_eq!(
        bench.ask("select count(*) || '' from sessions".to_owned()).await,
        ["1"]
    );
}

#[rstest]
#[tokio::test]
async fn ended_sessions_go_a_hundred_at_a_time_whosever_they_are(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let (acme, globex) = two_tenants(&store).await;
    let mut tx = store.begin("sessions").await.unwrap();
    let ann = add(&mut tx, "ann@example.com", Some((acme, Rank::Agent))).await;
    let bob = add(&mut tx, "bob@example.com", Some((globex, Rank::Agent))).await;
    for _ in 0..60 {
        sessions::insert(&mut tx, &session(&ann)).await.unwrap();
        sessions::insert(&mut tx, &session(&bob)).await.unwrap();
    }
    let young = Session {
        expires_at: now() + LONGEST + SignedDuration::from_secs(1),
        ..session(&ann)
    };
    sessions::insert(&mut tx, &young).await.unwrap();
    for expected in [100, 20, 0] {
        let purged = sessions::purge_all(&mut tx, now() + LONGEST).await;
        assert_eq!(purged.unwrap(), expected);
    }
    let left = sessions::of_user(&mut tx, ann.id, now()).await.unwrap();
    assert_eq!(left, [young]);
}
