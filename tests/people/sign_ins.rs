//! Signing in: what it leaves of the user as it was, and whom it waits for.

use std::sync::Arc;

use futures_util::future::join_all;
use rstest::rstest;
use secrecy::ExposeSecret as _;
use switchyard::app::sign_in::Login;
use switchyard::auth::password::{Cost, PasswordHasher};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::password::NewPassword;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::session::MOST;
use switchyard::store::{tenants, users};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, PASSWORD, World, admitted};

const ANN: &str = "ann@example.com";

impl World {
    async fn signs_in(&self) -> Login {
        self.log_in(ANN, PASSWORD).await.unwrap()
    }

    async fn is_signed_in(&self, login: &Login) -> bool {
        admitted(&self.authenticator, login.token.expose_secret())
            .await
            .is_ok()
    }

    async fn sessions(&self) -> usize {
        self.texts("select 'one' from sessions").await.len()
    }
}

/// Whoever edits the user meanwhile is not told that somebody else did.
#[rstest]
#[tokio::test]
async fn a_sign_in_that_hashes_the_password_anew_makes_the_user_no_other_version(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await.user;
    let former = Cost {
        memory: 16,
        passes: 2,
    };
    let hasher = PasswordHasher::new(former, Arc::new(SystemRandom)).unwrap();
    let password = NewPassword::choose(&PASSWORD.into(), &ann.email).ok().unwrap();
    let former = hasher.hash(password).await.unwrap();
    let mut tx = world.store.begin("former_cost").await.unwrap();
    let set = users::set_password_hash(&mut tx, ann.id, &former, SystemClock.now()).await;
    assert!(set.unwrap());
    tx.commit().await.unwrap();
    let known = async || {
        let mut tx = world.store.read("known").await.unwrap();
        let user = users::find_anywhere(&mut tx, ann.id).await.unwrap().unwrap();
        let hash = users::password_hash(&mut tx, ann.id).await.unwrap().unwrap();
        (user.version, user.updated_at, hash)
    };
    let before = known().await;
    world.log_in(ANN, PASSWORD).await.unwrap();
    let after = known().await;
    assert!(before.2 == former && after.2 != former, "it is hashed anew");
    assert_eq!((before.0, before.1), (after.0, after.1));
    world.log_in(ANN, PASSWORD).await.unwrap();
}

/// An import takes its time; SQLite has one writer in any case.
#[tokio::test]
async fn a_sign_in_waits_for_nothing_that_is_done_in_the_tenant() {
    let world = World::new(Postgres).await;
    world.person("ann", &world.acme, "agent").await;
    let mut importing = world.store.begin("import").await.unwrap();
    assert!(tenants::lock(&mut importing, world.acme.id).await.unwrap());
    let somebody_waits = async {
        let sql = "select pid::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while world.texts(sql).await.is_empty() {}
    };
    tokio::select! {
        login = world.log_in(ANN, PASSWORD) => assert!(login.is_ok()),
        () = somebody_waits => panic!("the sign-in waits for the import"),
    }
    importing.commit().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn with_one_session_more_than_a_user_may_have_the_oldest_ends(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let most = usize::try_from(MOST).unwrap();
    world.person("bob", &world.acme, "agent").await;
    world.person("ann", &world.acme, "agent").await;
    world
        .bench
        .sql("delete from sessions where user_id <> (select id from users where email = 'bob@example.com')")
        .await;
    let mut logins = Vec::new();
    for _ in 0..most {
        logins.push(world.signs_in().await);
    }
    assert!(world.is_signed_in(&logins[0]).await);
    assert_eq!(world.sessions().await, most + 1, "bob's counts for bob");
    let one_more = world.signs_in().await;
    assert!(!world.is_signed_in(&logins[0]).await);
    assert!(world.is_signed_in(&logins[1]).await && world.is_signed_in(&one_more).await);
    assert_eq!(world.sessions().await, most + 1);

    // One that has rested too long makes room before any that is in use.
    world
        .bench
        .sql("update sessions set last_used_at = 1 where created_at = (select max(created_at) from sessions)")
        .await;
    let one_more = world.signs_in().await;
    assert!(world.is_signed_in(&logins[1]).await && world.is_signed_in(&one_more).await);
    assert_eq!(world.sessions().await, most + 1);
    let told =
        "select cast(after as text) from audit_entries where action = 'session.begin' and after is not null";
    assert_eq!(world.texts(told).await, [r#"{"ended_sessions":1}"#; 2]);
}

#[rstest]
#[tokio::test]
async fn many_who_sign_in_at_once_as_one_user_have_no_more_sessions_than_that(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.person("ann", &world.acme, "agent").await;
    let logins = join_all((0..MANY + 10).map(|_| world.log_in(ANN, PASSWORD))).await;
    assert!(logins.iter().all(Result::is_ok));
    assert_eq!(world.sessions().await, usize::try_from(MOST).unwrap());
}
