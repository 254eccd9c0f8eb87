//! With a mail server: links go by mail and to nobody else, and a forgotten password is replaced by one.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use rstest::rstest;
use secrecy::{ExposeSecret as _, SecretString};
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{invitations, password_reset, users};
use switchyard::domain::mail::Mail;
use switchyard::domain::outbox::MessageKind;
use switchyard::store::outbox;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, PASSWORD, Person, World, admitted, code, fields, invitation, origin};

pub const NEW: &str = "another good one";
const HOUR: Duration = Duration::from_hours(1);

/// Nothing listens there: what is posted waits.
pub async fn with_mail(backend: Backend) -> World {
    let more = [
        ("SWITCHYARD_MAIL_HOST", "127.0.0.1".to_owned()),
        ("SWITCHYARD_MAIL_PORT", "1".to_owned()),
        ("SWITCHYARD_MAIL_TLS", "none".to_owned()),
        ("SWITCHYARD_MAIL_FROM", "pbx@example.com".to_owned()),
    ];
    World::with(backend, &more).await
}

impl World {
    /// What waits, as whoever sends mails would read it.
    pub async fn waiting(&self) -> Vec<Mail> {
        let mut mails = Vec::new();
        let now = "2200-01-01T00:00:00Z".parse().unwrap();
        let mut tx = self.store.begin("look").await.unwrap();
        while let Some(claimed) = outbox::claim_due(&mut tx, MessageKind::Mail, "test", now, HOUR)
            .await
            .unwrap()
        {
            let payload = claimed.payload.unwrap();
            mails.push(Mail::from_payload(&payload).unwrap_or_else(|error| panic!("{error}")));
        }
        mails
    }

    /// The token of the only mail that waits.
    pub async fn only_token(&self) -> SecretString {
        let mails = self.waiting().await;
        assert_eq!(mails.len(), 1);
        mails[0].link().unwrap().token().into()
    }

    /// Asks, and sees to all that was asked for, as the daemon does.
    pub async fn forgot(&self, email: &str) -> Result<(), AppError> {
        password_reset::request(&self.app, origin(), email.parse().unwrap()).await?;
        while let Some(asked) = password_reset::next(&self.app).now_or_never().flatten() {
            password_reset::see_to(&self.app, asked).await;
        }
        Ok(())
    }

    pub async fn confirm(&self, token: &SecretString, password: &str) -> Result<(), AppError> {
        password_reset::confirm(&self.app, origin(), token.clone(), &password.into()).await
    }

    pub async fn is_in(&self, person: &Person) -> bool {
        admitted(&self.authenticator, &person.token).await.is_ok()
    }
}

#[rstest]
#[tokio::test]
async fn o28_a_mailed_link_is_shown_to_nobody_and_says_who_invites_where_to(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let (bob, sent) = invitations::invite(&world.app, &caller, invitation("bob", "agent"))
        .await
        .unwrap();
    assert!(sent.link.is_none());
    let mails = world.waiting().await;
    let [Mail::Invitation(mail)] = mails.as_slice() else {
        panic!("no invitation");
    };
    assert_eq!(mail.to.address.as_str(), "bob@example.com");
    assert_eq!(mail.tenant.as_ref().unwrap().as_str(), "Acme");
    assert_eq!(mail.inviter.as_ref().unwrap().as_str(), "ann");
    assert_eq!(mail.expires_at, sent.expires_at);
    // One sent again takes its place.
    let first = mail.link.token().into();
    let (_, again) = invitations::again(&world.app, &caller, bob.id).await.unwrap();
    assert!(again.link.is_none());
    let second = world.only_token().await;
    assert_eq!(fields(world.accept(&first, PASSWORD).await), ["token"]);
    assert!(world.accept(&second, PASSWORD).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn o28_a_mail_of_an_invitation_that_was_taken_back_is_not_sent(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let (bob, _) = invitations::invite(&world.app, &caller, invitation("bob", "agent"))
        .await
        .unwrap();
    invitations::revoke(&world.app, &caller, bob.id).await.unwrap();
    let (eve, _) = invitations::invite(&world.app, &caller, invitation("eve", "agent"))
        .await
        .unwrap();
    users::delete(&world.app, &caller, eve.id, &IfMatch::Any)
        .await
        .unwrap();
    assert!(world.waiting().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_forgotten_password_is_replaced_and_every_session_ends(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "agent").await;
    let bob = world.person("bob", &world.acme, "agent").await;
    world.forgot("ANN@example.com").await.unwrap();
    let token = world.only_token().await;
    assert_eq!(fields(world.confirm(&token, "short").await), ["password"]);
    assert!(world.is_in(&ann).await);
    world.confirm(&token, NEW).await.unwrap();
    assert!(!world.is_in(&ann).await);
    assert!(world.is_in(&bob).await);
    assert!(world.log_in("ann@example.com", PASSWORD).await.is_err());
    assert!(world.log_in("ann@example.com", NEW).await.is_ok());
    assert_eq!(fields(world.confirm(&token, PASSWORD).await), ["token"]);
    assert_eq!(
        world.audited().await,
        [
            "user.request_password_reset system system:auto",
            "user.reset_password system system:auto"
        ]
    );
}

#[rstest]
#[tokio::test]
async fn o52_the_answer_is_the_same_whoever_has_the_address(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    let bob = world.person("bob", &world.acme, "agent").await;
    users::suspend(&world.app, &caller, bob.user.id, &IfMatch::Any)
        .await
        .unwrap();
    for address in ["nobody@example.com", "bob@example.com", "ann@example.com"] {
        world.forgot(address).await.unwrap();
    }
    // Asked again at once, she is not sent another.
    world.forgot("ann@example.com").await.unwrap();
    let mails = world.waiting().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to().address.as_str(), "ann@example.com");
}

#[rstest]
#[tokio::test]
async fn of_many_who_use_a_link_for_a_new_password_one_does(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = with_mail(backend).await;
    world.person("ann", &world.acme, "agent").await;
    world.forgot("ann@example.com").await.unwrap();
    let token = world.only_token().await;
    let passwords: Vec<String> = (0..MANY).map(|n| format!("quince medlar {n}")).collect();
    let done = join_all(passwords.iter().map(|password| world.confirm(&token, password))).await;
    let came: Vec<&String> = passwords
        .iter()
        .zip(&done)
        .filter_map(|(password, done)| done.is_ok().then_some(password))
        .collect();
    assert_eq!(came.len(), 1);
    assert!(world.log_in("ann@example.com", came[0]).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn without_a_mail_server_nobody_is_sent_a_link_and_is_told_so(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.person("ann", &world.acme, "agent").await;
    for address in ["ann@example.com", "nobody@example.com"] {
        assert_eq!(code(world.forgot(address).await), "no_mail_server");
    }
    let tokens = world.texts("select id || '' from one_time_tokens").await;
    assert!(tokens.is_empty());
}

#[rstest]
#[tokio::test]
async fn an_invitations_token_chooses_no_new_password_and_the_other_way_round(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = with_mail(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    invitations::invite(&world.app, &caller, invitation("bob", "agent"))
        .await
        .unwrap();
    world.forgot("ann@example.com").await.unwrap();
    let tokens: Vec<SecretString> = world
        .waiting()
        .await
        .iter()
        .map(|mail| mail.link().unwrap().token().into())
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0].expose_secret(), tokens[1].expose_secret());
    assert_eq!(fields(world.confirm(&tokens[0], NEW).await), ["token"]);
    assert_eq!(fields(world.accept(&tokens[1], NEW).await), ["token"]);
}
