//! Click-to-call: how often a phone is rung for what was asked, and that nobody's calls wait for another's.

use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::app::click_to_call::{self, ClickInput};
use switchyard::app::error::AppError;
use switchyard::app::idempotency::{Done, Once};
use switchyard::app::instances::{self, NewInstance};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{operator, users};
use switchyard::auth::caller::Caller;
use switchyard::domain::digest::Digest;
use switchyard::domain::ids::{ExtensionId, InstanceId};
use switchyard::domain::instance::{FreeSwitchSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, code};

impl World {
    /// Somebody of Acme whose phone is an extension.
    async fn at_phone(&self, owner: &Caller, name: &str, number: &str) -> Caller {
        self.with_phone(owner, name, number).await.0
    }

    /// The same, with the extension.
    pub async fn with_phone(&self, owner: &Caller, name: &str, number: &str) -> (Caller, ExtensionId) {
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
        (self.caller(&person.token).await, extension.id)
    }

    pub async fn click(&self, caller: &Caller, once: Option<&Once>) -> Result<Done<()>, AppError> {
        let input = ClickInput {
            to: Some("1777".to_owned()),
        };
        click_to_call::call(&self.app, caller, input, once).await
    }

    /// Gives Acme a PBX that takes connections, and says nothing.
    pub async fn silent_pbx_of_acme(&self) -> (TcpListener, InstanceId) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let instance = self.freeswitch_of_acme(port, "esl-secret").await;
        (listener, instance)
    }

    /// Gives Acme the FreeSWITCH that answers at this port.
    pub async fn freeswitch_of_acme(&self, port: u16, password: &str) -> InstanceId {
        let config_dir = self.bench.folder.path().join("freeswitch");
        let new = NewInstance {
            name: "switch".parse().unwrap(),
            node: "node1".parse().unwrap(),
            settings: InstanceSettings::FreeSwitch(FreeSwitchSettings {
                event_socket_host: "127.0.0.1".parse().unwrap(),
                event_socket_port: port,
                config_dir: config_dir.to_str().unwrap().parse().unwrap(),
                recordings_dir: None,
                voicemail_dir: None,
                emergency_numbers: Vec::new(),
            }),
            secrets: InstanceSecrets::of_control(password.into()),
        };
        let made = instances::create(&self.app, &operator::platform(None), new).await;
        let moved = "update tenants set instance_id = (select id from instances where name = 'switch') where name = 'Acme'";
        self.texts(moved).await;
        made.unwrap().id
    }

    pub async fn owner(&self) -> Caller {
        let olga = self.person("olga", &self.acme, "owner").await;
        self.caller(&olga.token).await
    }
}

pub fn once(key: &str) -> Once {
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

#[rstest]
#[tokio::test]
async fn a48_clicks_of_one_pbx_leave_room_for_those_of_another(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    world.silent_pbx_of_acme().await;
    let owner = world.owner().await;
    let mut many = Vec::new();
    for number in 0..32 {
        let name = format!("ann{number}");
        many.push(world.at_phone(&owner, &name, &(1001 + number).to_string()).await);
    }
    let last = world.at_phone(&owner, "zoe", "1100").await;
    let gina = world.person("gina", &world.globex, "owner").await;
    let gina = world.caller(&gina.token).await;
    let bob = world.person("bob", &world.globex, "agent").await;
    let extension = world.extension(&gina, "1001").await.unwrap();
    users::link_extension(&world.app, &gina, bob.user.id, Some(extension.id), &IfMatch::Any)
        .await
        .unwrap();
    let bob = world.caller(&bob.token).await;
    // Nobody makes them.
    let _asked = click_to_call::take(&world.app).unwrap();
    let clicks = many.iter().map(|caller| world.click(caller, None));
    for click in join_all(clicks).await {
        click.unwrap();
    }
    let (refused, others) = tokio::join!(world.click(&last, None), world.click(&bob, None));
    assert_eq!(code(refused), "too_many_calls");
    others.unwrap();
}

#[rstest]
#[tokio::test]
async fn a48_who_asked_is_told_that_the_pbx_says_nothing_and_may_ask_again(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let _silent = world.silent_pbx_of_acme().await;
    let owner = world.owner().await;
    let ann = world.at_phone(&owner, "ann", "1001").await;
    let mut asked = click_to_call::take(&world.app).unwrap();
    for _ in 0..2 {
        let (told, ()) = tokio::join!(world.click(&ann, None), async {
            let click = timeout(Duration::from_mins(1), asked.recv()).await;
            click_to_call::make(&world.app, click.unwrap().unwrap()).await;
        });
        assert_eq!(code(told), "call_failed");
    }
}
