//! After a change of a password its user is told by mail, whoever changed it; and what counts for nothing is removed.

use std::time::Duration;

use rstest::rstest;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{operator, platform_users, profile};
use switchyard::daemon::forgetting;
use switchyard::domain::mail::{Line, Mail};
use tokio_util::sync::CancellationToken;

use super::mailed::{NEW, with_mail};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{PASSWORD, World};

const ANN: &str = "ann@example.com";

/// Changes Ann's password as it is said.
async fn change(world: &World, how: &str) {
    let ann = world.person("ann", &world.acme, "agent").await;
    match how {
        "herself" => {
            let caller = world.caller(&ann.token).await;
            profile::change_password(&world.app, &caller, &PASSWORD.into(), &NEW.into())
                .await
                .unwrap();
        }
        "by a link" => {
            world.forgot(ANN).await.unwrap();
            let token = world.only_token().await;
            world.confirm(&token, NEW).await.unwrap();
        }
        "a platform manager" => {
            let boss = world.manager("boss").await;
            let boss = world.caller(&boss.token).await;
            platform_users::set_password(&world.app, &boss, ann.user.id, &NEW.into(), &IfMatch::Any)
                .await
                .unwrap();
        }
        _ => {
            let host = operator::platform(None);
            platform_users::set_password(&world.app, &host, ann.user.id, &NEW.into(), &IfMatch::Any)
                .await
                .unwrap();
        }
    }
}

#[rstest]
#[tokio::test]
async fn whose_password_was_changed_is_told_by_mail_and_by_whom(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(
        ("herself", None),
        ("by a link", None),
        ("a platform manager", Some("boss")),
        ("the host", Some("the operator of this server"))
    )]
    (how, by): (&str, Option<&str>),
) {
    let world = with_mail(backend).await;
    change(&world, how).await;
    assert!(world.log_in(ANN, NEW).await.is_ok());
    let mails = world.waiting().await;
    let [Mail::PasswordChanged(mail)] = mails.as_slice() else {
        panic!("{} mails", mails.len());
    };
    assert_eq!(mail.to.address.as_str(), ANN);
    assert_eq!(mail.by.as_ref().map(Line::as_str), by);
    assert!(mails[0].link().is_none());
    // Filed as the tenant's and by the user's id, so that it goes with either.
    let filed = world
        .texts("select o.subject from outbox o join tenants t on t.id = o.tenant_id where t.name = 'Acme'")
        .await;
    assert_eq!(filed.len(), 1);
    assert!(filed[0].starts_with("password-changed/"), "{filed:?}");
}

#[rstest]
#[tokio::test]
async fn without_a_mail_server_a_change_of_a_password_queues_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("herself", "a platform manager", "the host")] how: &str,
) {
    let world = World::new(backend).await;
    change(&world, how).await;
    assert!(world.log_in(ANN, NEW).await.is_ok());
    assert!(world.texts("select subject from outbox").await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_password_that_is_not_changed_is_told_to_nobody(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await;
    let caller = world.caller(&ann.token).await;
    let wrong = profile::change_password(&world.app, &caller, &NEW.into(), &NEW.into()).await;
    assert!(wrong.is_err());
    assert!(world.waiting().await.is_empty());
}

/// The daemon's own upkeep, again and again; what is good stays.
#[rstest]
#[tokio::test]
async fn links_and_sessions_that_have_ended_are_removed_by_themselves(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    for name in ["ann", "bob"] {
        world.person(name, &world.acme, "agent").await;
        world.forgot(&format!("{name}@example.com")).await.unwrap();
    }
    let ends = "update one_time_tokens set expires_at = created_at where user_id in \
        (select id from users where name = 'ann'); \
        update sessions set expires_at = created_at where user_id in (select id from users where name = 'ann')";
    let left = async || {
        let whose = "select u.name from users u where u.id in (select user_id from one_time_tokens) \
            or u.id in (select user_id from sessions)";
        world.texts(whose).await
    };
    world.bench.sql(ends).await;
    assert_eq!(left().await.len(), 2);
    let stop = CancellationToken::new();
    let upkeep = forgetting::run(world.app.clone(), Duration::from_millis(20), stop.clone());
    let looking = async {
        while left().await != ["bob"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // A later turn finds nothing that it may take.
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    };
    let (done, ()) = tokio::join!(upkeep, looking);
    done.unwrap();
    assert_eq!(left().await, ["bob"]);
}
