//! What somebody does while they are shut out, or another password is put in the place of theirs: it comes to nothing.

use rstest::rstest;
use switchyard::app::api_keys;
use switchyard::app::error::AppError;
use switchyard::app::own_tenant::{self, OwnTenantInput};
use switchyard::app::platform_users::{self, UserInput};
use switchyard::app::precondition::IfMatch;
use switchyard::app::profile::{self, ProfileChange};
use switchyard::app::roles::{self, RoleInput};
use switchyard::app::{invitations, operator, users};
use switchyard::auth::denied::Denied;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::user::User;
use switchyard::store::users as rows;
use switchyard::store::{Tx, sessions, tenant_lifecycle};

use super::keys::key;
use super::mailed::NEW;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::suspension::pause;
use super::world::{PASSWORD, World, fields, invitation, person};

const ANN: &str = "ann@example.com";

impl World {
    /// Somebody of Acme who has not signed in yet.
    async fn newcomer(&self, name: &str, password: &str) -> User {
        let input = UserInput {
            tenant_id: Some(self.acme.id.to_string()),
            password: Some(password.into()),
            ..person(name)
        };
        let made = platform_users::create(&self.app, &operator::platform(None), input).await;
        made.unwrap().0
    }

    async fn sessions_of(&self, user: &User) -> usize {
        let mut tx = self.store.read("look").await.unwrap();
        let there = sessions::of_user(&mut tx, user.id, SystemClock.now()).await;
        there.unwrap().len()
    }

    /// Has somebody have the password of another, in a transaction that is still open.
    async fn put_password(&self, user: &User, like: &User) -> Tx {
        let mut tx = self.store.begin("put_password").await.unwrap();
        let hash = rows::password_hash(&mut tx, like.id).await.unwrap().unwrap();
        let now = SystemClock.now();
        assert!(
            rows::set_password_hash(&mut tx, user.id, &hash, now)
                .await
                .unwrap()
        );
        tx
    }
}

fn suspended<T>(done: &Result<T, AppError>) -> bool {
    matches!(done, Err(AppError::Denied(Denied::TenantSuspended)))
}

#[rstest]
#[tokio::test]
async fn a_sign_in_with_a_password_that_is_being_replaced_opens_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.newcomer("ann", PASSWORD).await;
    let other = world.newcomer("other", NEW).await;
    let mut tx = world.put_password(&ann, &other).await;
    sessions::end_all(&mut tx, ann.id, None).await.unwrap();
    let (login, ()) = tokio::join!(world.log_in(ANN, PASSWORD), async {
        world.bench.others_wait().await;
        tx.commit().await.unwrap();
    });
    assert!(matches!(login, Err(AppError::Denied(Denied::Credentials))));
    assert_eq!(world.sessions_of(&ann).await, 0);
    assert!(world.log_in(ANN, NEW).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn a_change_of_the_own_password_does_not_outlive_a_reset(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await;
    let other = world.newcomer("other", NEW).await;
    let caller = world.caller(&ann.token).await;
    let mut tx = world.put_password(&ann.user, &other).await;
    sessions::end_all(&mut tx, ann.user.id, None).await.unwrap();
    let (present, third) = (PASSWORD.into(), "yet another one".into());
    let changing = profile::change_password(&world.app, &caller, &present, &third);
    let (changed, ()) = tokio::join!(changing, async {
        world.bench.others_wait().await;
        tx.commit().await.unwrap();
    });
    assert!(
        matches!(changed, Err(AppError::Denied(Denied::Credentials))),
        "{changed:?}"
    );
    assert!(world.log_in(ANN, NEW).await.is_ok());
}

/// The session is still there: the password is compared with what there is then.
#[rstest]
#[tokio::test]
async fn the_present_password_is_the_one_that_is_there_when_it_is_replaced(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await;
    let other = world.newcomer("other", NEW).await;
    let caller = world.caller(&ann.token).await;
    let tx = world.put_password(&ann.user, &other).await;
    let (present, third) = (PASSWORD.into(), "yet another one".into());
    let changing = profile::change_password(&world.app, &caller, &present, &third);
    let (changed, ()) = tokio::join!(changing, async {
        world.bench.others_wait().await;
        tx.commit().await.unwrap();
    });
    assert_eq!(fields(changed), ["current_password"]);
    assert!(world.log_in(ANN, NEW).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn o29_a_sign_in_while_the_tenant_is_being_suspended_leaves_no_session(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.newcomer("ann", PASSWORD).await;
    let mut tx = world.store.begin("suspend").await.unwrap();
    let pause = pause(SystemClock.now());
    tenant_lifecycle::suspend(&mut tx, world.acme.id, &pause)
        .await
        .unwrap();
    let (login, ()) = tokio::join!(world.log_in(ANN, PASSWORD), async {
        world.bench.others_wait().await;
        tx.commit().await.unwrap();
    });
    assert!(suspended(&login));
    assert_eq!(world.sessions_of(&ann).await, 0);
}

/// Whoever was let in before the suspension does not change anything after it.
#[rstest]
#[tokio::test]
async fn o29_a_request_that_was_let_in_before_a_suspension_changes_nothing_after_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let owner = world.person("owner", &world.acme, "owner").await;
    let ann = world.newcomer("ann", PASSWORD).await;
    let (app, caller) = (&world.app, world.caller(&owner.token).await);
    world.suspend(&world.acme).await;
    let role = RoleInput {
        name: Some("keeper".to_owned()),
        permissions: Some(vec!["config.read".to_owned()]),
    };
    let input = OwnTenantInput {
        name: Some("Acme Two".to_owned()),
        ..OwnTenantInput::default()
    };
    let name = ProfileChange {
        name: Some("Somebody Else".parse().unwrap()),
        contact: None,
    };
    let (present, new) = (PASSWORD.into(), NEW.into());
    let done = [
        users::suspend(app, &caller, ann.id, &IfMatch::Any)
            .await
            .map(drop),
        users::assign_role(app, &caller, ann.id, "manager", &IfMatch::Any)
            .await
            .map(drop),
        users::delete(app, &caller, ann.id, &IfMatch::Any).await,
        invitations::invite(app, &caller, invitation("bob", "agent"))
            .await
            .map(drop),
        roles::create(app, &caller, role, None).await.map(drop),
        api_keys::create(app, &caller, key(&["config.read"]))
            .await
            .map(drop),
        own_tenant::change(app, &caller, input, &IfMatch::Any)
            .await
            .map(drop),
        world.extension(&caller, "1001").await.map(drop),
        profile::change(app, &caller, name, &IfMatch::Any).await.map(drop),
        profile::change_password(app, &caller, &present, &new).await,
    ];
    for (place, done) in done.iter().enumerate() {
        assert!(suspended(done), "{place}: {done:?}");
    }
    assert!(world.audited().await.is_empty());
}
