//! Click-to-call: how often a phone is rung for what was asked, and that nobody's calls wait for another's.

use std::time::Duration;

use rstest::rstest;
use switchyard::app::click_to_call::{self, ClickInput};
use switchyard::app::error::AppError;
use switchyard::app::idempotency::{Done, Once};
use switchyard::app::precondition::IfMatch;
use switchyard::app::users;
use switchyard::auth::caller::Caller;
use switchyard::domain::digest::Digest;
use tokio::time::timeout;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, code};

impl World {
    /// Somebody of Acme whose phone is an extension.
    async fn at_phone(&self, owner: &Caller, name: &str, number: &str) -> Caller {
        let person = self.person(name, &self.acme, "agent").await;
        let extension = self.extension(owner, number).await.unwrap();
        users::link_extension(
            &self.app,
            owner,
            person.user.id,
            Some(extension.id),
            &IfMatch::Any,
        )
        .await
        .unwrap();
        self.caller(&person.token).await
    }

    async fn click(&self, caller: &Caller, once: Option<&Once>) -> Result<Done<()>, AppError> {
        let input = ClickInput {
            to: Some("1777".to_owned()),
        };
        click_to_call::call(&self.app, caller, input, once).await
    }

    async fn owner(&self) -> Caller {
        let olga = self.person("olga", &self.acme, "owner").await;
        self.caller(&olga.token).await
    }
}

fn once(key: &str) -> Once {
    Once {
        key: key.parse().unwrap(),
        request: Digest::of(b"to 1777"),
        secret: false,
    }
}

#[rstest]
#[tokio::test]
async fn a48_from_one_extension_one_call_is_made_at_a_time_and_others_do_not_wait_for_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let owner = world.owner().await;
    let ann = world.at_phone(&owner, "ann", "1001").await;
    let bob = world.at_phone(&owner, "bob", "1002").await;
    // Nobody makes them yet, as where a PBX does not answer.
    let mut asked = click_to_call::take(&world.app).unwrap();
    world.click(&ann, None).await.unwrap();
    assert_eq!(code(world.click(&ann, None).await), "call_under_way");
    world.click(&bob, None).await.unwrap();
    assert_eq!(code(world.click(&ann, None).await), "call_under_way");

    // No PBX is there, so the first one comes to nothing.
    click_to_call::make(&world.app, asked.recv().await.unwrap()).await;
    world.click(&ann, None).await.unwrap();
    assert_eq!(code(world.click(&bob, None).await), "call_under_way");
    // Nor does one hold anything that finds no room.
    drop(asked);
    for _ in 0..2 {
        assert_eq!(code(world.click(&ann, None).await), "too_many_calls");
    }
}

#[rstest]
#[tokio::test]
async fn a48_a_click_that_is_sent_again_with_its_key_rings_once_unless_it_was_refused(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let owner = world.owner().await;
    let ann = world.at_phone(&owner, "ann", "1001").await;
    let mut asked = click_to_call::take(&world.app).unwrap();
    // At once, and afterwards.
    let first = once("first");
    let both = tokio::join!(world.click(&ann, Some(&first)), world.click(&ann, Some(&first)));
    let is_now = |done: &Done<()>| matches!(done, Done::Now(()));
    let both = [both.0.unwrap(), both.1.unwrap()];
    assert_eq!(both.iter().filter(|done| is_now(done)).count(), 1, "{both:?}");
    assert!(!is_now(&world.click(&ann, Some(&first)).await.unwrap()));
    let click = asked.try_recv().ok().unwrap();
    assert!(asked.try_recv().is_err(), "a phone is rung twice");
    let clicks = "select actor_name from audit_entries where action = 'call.click'";
    assert_eq!(world.texts(clicks).await.len(), 1);
    drop(click);

    // What was refused is tried again.
    let second = once("second");
    for _ in 0..2 {
        let (refused, ()) = tokio::join!(world.click(&ann, Some(&second)), async {
            let click = timeout(Duration::from_mins(1), asked.recv()).await;
            click_to_call::make(&world.app, click.unwrap().unwrap()).await;
        });
        assert_eq!(code(refused), "pbx_unreachable");
    }
}
