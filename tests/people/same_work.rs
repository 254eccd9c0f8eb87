//! Signing in takes a turn at comparing passwords, whether or not there is such an account.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex};
use std::task::Poll;

use rstest::rstest;
use switchyard::app::App;
use switchyard::app::error::AppError;
use switchyard::app::sign_in::{self, Login, SignIn};
use switchyard::auth::caller::Origin;
use switchyard::auth::denied::Denied;
use switchyard::auth::password::{Cost, PasswordHasher};
use switchyard::auth::password_check::PasswordCheck;
use switchyard::auth::token::TokenKey;
use switchyard::domain::password::NewPassword;
use switchyard::domain::random::{NoRandomness, Randomness, SystemRandom};

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::sign_in::cheap;
use super::world::{PASSWORD, World};

/// As many hash or wait for it at once; whoever comes then is sent away.
const PLACES: usize = 2 + 256;

/// No salt before the gate is open.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl Randomness for Gate {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        let (open, opened) = &*self.0;
        let _open = opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap();
        SystemRandom.fill(buffer)
    }
}

async fn sign_in(app: &App, name: &str, password: &str) -> Result<Login, AppError> {
    let email = format!("{name}@example.com").parse().unwrap();
    sign_in::with_password(app, Origin::default(), &email, &password.into()).await
}

#[rstest]
#[tokio::test]
async fn o52_an_unknown_address_waits_for_its_turn_to_be_compared_like_a_wrong_password(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    for name in ["ann", "suspended", "by_issuer"] {
        world.person(name, &world.acme, "agent").await;
    }
    let owner = world.person("owner", &world.acme, "owner").await;
    let owner = world.caller(&owner.token).await;
    world.invited(&owner, "invited", "agent").await;
    let others = "update users set status = 'suspended' where email = 'suspended@example.com'; \
        update users set password_hash = null where email = 'by_issuer@example.com'";
    world.bench.sql(others).await;
    let gate = Gate::default();
    let cost = Cost { memory: 8, passes: 1 };
    let hasher = PasswordHasher::new(cost, Arc::new(gate.clone())).unwrap();
    let usual = cheap(Arc::new(TokenKey::new(&[7; 32])));
    let check = PasswordCheck::new(hasher.clone(), usual.check.throttle().clone());
    let app = world.app.clone().with_sign_in(Some(SignIn { check, ..usual }));

    let chosen = || NewPassword::choose(&PASSWORD.into(), &"eve@example.com".parse().unwrap());
    let mut hashing: Vec<_> = (0..PLACES)
        .map(|_| Box::pin(hasher.hash(chosen().ok().unwrap())))
        .collect();
    for one in &mut hashing {
        let waits = poll_fn(|context| Poll::Ready(one.as_mut().poll(context).is_pending())).await;
        assert!(waits);
    }
    let all = [
        ("ann", PASSWORD),
        ("ann", "not the password"),
        ("nobody", PASSWORD),
        ("suspended", PASSWORD),
        ("invited", PASSWORD),
        ("by_issuer", PASSWORD),
    ];
    let mut without_place = Vec::new();
    for (name, password) in all {
        without_place.push(sign_in(&app, name, password).await);
    }
    gate.open();
    for one in hashing {
        one.await.unwrap();
    }
    for ((name, _), answer) in all.iter().zip(without_place) {
        let refused = answer.err().unwrap();
        let sent_away = matches!(refused, AppError::Crowded);
        assert!(sent_away, "{name} is answered without a turn: {refused:?}");
    }
    for (name, password) in all {
        let answer = sign_in(&app, name, password).await;
        let is_right = (name, password) == ("ann", PASSWORD);
        let same = matches!(answer, Err(AppError::Denied(Denied::Credentials)));
        assert!(answer.is_ok() == is_right && same != is_right, "{name}");
    }
}
