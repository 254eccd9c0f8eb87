//! How a use case posts a mail, and what it has to hand on by itself without a mail server.

use std::sync::Arc;

use rstest::rstest;
use secrecy::SecretString;
use switchyard::app::App;
use switchyard::config::{Config, Environment};
use switchyard::daemon::parts::{self, Parts};
use switchyard::domain::ids::{IdSource as _, SystemIds};
use switchyard::domain::mail::{Mail, Page, PasswordReset, Recipient};
use switchyard::domain::outbox::Subject;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::wait::until;
use super::world::{ADDRESS, TOKEN, World};

/// What a daemon is made of with this configuration.
async fn parts_of(world: &World, more: &[(&str, String)]) -> Parts {
    let given = [
        ("SWITCHYARD_DATABASE_URL", world.bench.text.clone()),
        ("SWITCHYARD_SEALING_KEY", "a".repeat(64)),
        ("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:8421".to_owned()),
    ];
    let environment: Environment = given.iter().chain(more).cloned().collect();
    let loaded = Config::load(None, &environment).unwrap_or_else(|error| panic!("{error}"));
    parts::assemble(&loaded.config).await.unwrap()
}

async fn with_mail(world: &World) -> Parts {
    let more = [
        ("SWITCHYARD_MAIL_HOST", "127.0.0.1".to_owned()),
        ("SWITCHYARD_MAIL_PORT", world.server.port.to_string()),
        ("SWITCHYARD_MAIL_TLS", "none".to_owned()),
        ("SWITCHYARD_MAIL_FROM", "pbx@example.com".to_owned()),
        (
            "SWITCHYARD_HTTP_PUBLIC_URL",
            "https://pbx.example.com/phones".to_owned(),
        ),
    ];
    parts_of(world, &more).await
}

fn reset(app: &App, token: &str) -> Mail {
    let link = app.link(Page::PasswordReset, &SecretString::from(token));
    Mail::PasswordReset(PasswordReset {
        to: Recipient {
            address: ADDRESS.parse().unwrap(),
            name: "Ann".parse().unwrap(),
        },
        link: link.unwrap(),
        expires_at: "2200-01-01T00:00:00Z".parse().unwrap(),
    })
}

fn subject() -> Subject {
    Subject::of("password-reset", SystemIds.next()).unwrap()
}

#[rstest]
#[tokio::test]
async fn o28_a_posted_mail_goes_out_at_once_and_a_second_one_takes_its_place(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let parts = with_mail(&world).await;
    let (_, nudge) = parts.mails.unwrap();
    let app = parts.app;
    assert!(app.sends_mails());
    let again = subject();
    for token in ["first-token-of-this-user", TOKEN] {
        let mut tx = world.begin().await;
        let by_hand = app
            .post(&mut tx, None, &again, &reset(&app, token))
            .await
            .unwrap();
        assert!(by_hand.is_none());
        tx.commit().await.unwrap();
    }
    let accepted = || world.server.accepted();
    let posting = async {
        until("the second has arrived", || accepted().len() == 1).await;
        for number in 2..=4 {
            let mut tx = world.begin().await;
            app.post(&mut tx, None, &subject(), &reset(&app, TOKEN))
                .await
                .unwrap();
            tx.commit().await.unwrap();
            app.posted();
            until("the next has arrived", || accepted().len() == number).await;
        }
        world.stop.cancel();
    };
    let running = world.worker().run(Arc::clone(&nudge), world.stop.clone());
    let (Ok(()), ()) = tokio::join!(running, posting);
    let first = &accepted()[0].parts()[0].1;
    assert!(
        first.contains(&format!(
            "https://pbx.example.com/phones/password-reset#token={TOKEN}"
        )),
        "{first}"
    );
    assert!(!world.server.heard().contains("first-token"));
    world.server.assert_correct();
}

#[rstest]
#[tokio::test]
async fn without_a_mail_server_the_link_is_for_whoever_asked(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let parts = parts_of(&world, &[]).await;
    assert!(parts.mails.is_none());
    let app = parts.app;
    assert!(!app.sends_mails());
    let subject = subject();
    let mut tx = world.begin().await;
    let by_hand = app
        .post(&mut tx, None, &subject, &reset(&app, TOKEN))
        .await
        .unwrap();
    let link = by_hand.unwrap();
    assert_eq!(
        link.expose(),
        format!("http://127.0.0.1:8421/password-reset#token={TOKEN}")
    );
    assert_eq!(app.mail_standing(&mut tx, None, &subject).await.unwrap(), None);
    let silent = app
        .post(&mut tx, None, &subject, &world.password_changed())
        .await
        .unwrap();
    assert!(silent.is_none(), "there is nothing to hand on");
    tx.commit().await.unwrap();
    app.posted();
    let rows = world.bench.ask("select subject from outbox".to_owned()).await;
    assert_eq!(rows, [""; 0]);
}

/// The mail server was taken out of the configuration while something waited.
#[tokio::test]
async fn without_a_mail_server_what_waits_gives_way_too() {
    let world = World::new(Sqlite).await;
    let (with, without) = (with_mail(&world).await.app, parts_of(&world, &[]).await.app);
    let subject = subject();
    let mut tx = world.begin().await;
    assert!(
        with.post(&mut tx, None, &subject, &reset(&with, TOKEN))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        with.mail_standing(&mut tx, None, &subject)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        without
            .post(&mut tx, None, &subject, &reset(&without, TOKEN))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(with.mail_standing(&mut tx, None, &subject).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_taken_back_is_not_there_any_more() {
    let world = World::new(Sqlite).await;
    let app = with_mail(&world).await.app;
    let subject = subject();
    let mut tx = world.begin().await;
    app.post(&mut tx, None, &subject, &reset(&app, TOKEN))
        .await
        .unwrap();
    app.take_back(&mut tx, &subject).await.unwrap();
    assert_eq!(app.mail_standing(&mut tx, None, &subject).await.unwrap(), None);
    assert!(
        app.link(Page::Invitation, &SecretString::from("no token"))
            .is_err()
    );
}
