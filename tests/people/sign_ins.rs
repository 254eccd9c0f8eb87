//! Signing in: what it leaves of the user as it was, and whom it waits for.

use std::sync::Arc;

use rstest::rstest;
use switchyard::auth::password::{Cost, PasswordHasher};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::password::NewPassword;
use switchyard::domain::random::SystemRandom;
use switchyard::store::{tenants, users};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{PASSWORD, World};

const ANN: &str = "ann@example.com";

/// Whoever edits the user meanwhile is not told that somebody else did.
#[rstest]
#[tokio::test]
async fn a_sign_in_that_hashes_the_password_anew_makes_the_user_no_other_version(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await.user;
    let former = Cost { memory: 16, passes: 2 };
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
