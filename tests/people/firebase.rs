//! Accepting an invitation by an issuer's token: of the very address that was invited, and of nobody else.

use rstest::rstest;
use secrecy::SecretString;
use serde_json::json;
use switchyard::app::error::AppError;
use switchyard::app::invitations::{self, Acceptance};
use switchyard::app::sign_in::{self, Login};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::user::User;

use super::issuer::{Answer, CERTIFICATES, LocalIssuer, firebase_claims};
use super::issuer_keys::{RsaKey, certificates};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{PASSWORD, World, fields, origin};

struct Ground {
    world: World,
    key: RsaKey,
    _issuer: LocalIssuer,
}

impl Ground {
    async fn new(backend: Backend) -> Self {
        let (issuer, key) = (LocalIssuer::start(), RsaKey::new("k1"));
        issuer.publish(CERTIFICATES, Answer::keys(certificates(&[&key])));
        let world = World::new(backend).await.believing(issuer.firebase());
        Self {
            world,
            key,
            _issuer: issuer,
        }
    }

    fn id_token(&self, subject: &str, email: &str, verified: bool) -> SecretString {
        let mut claims = firebase_claims(SystemClock.now().as_second());
        claims["sub"] = json!(subject);
        claims["email"] = json!(email);
        claims["email_verified"] = json!(verified);
        self.key.token(&claims).into()
    }

    async fn invited(&self, name: &str) -> (User, SecretString) {
        let owner = format!("owner-of-{name}");
        let owner = self.world.person(&owner, &self.world.acme, "owner").await;
        let caller = self.world.caller(&owner.token).await;
        self.world.invited(&caller, name, "agent").await
    }

    async fn accept(&self, token: &SecretString, id_token: &SecretString) -> Result<Login, AppError> {
        let by = Acceptance::IdToken(id_token);
        invitations::accept(&self.world.app, origin(), token.clone(), by).await
    }
}

#[rstest]
#[tokio::test]
async fn a24_a_verified_address_that_was_invited_comes_in_and_signs_in_by_the_issuer_from_then_on(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend).await;
    let (bob, token) = ground.invited("bob").await;
    let id_token = ground.id_token("user-1", "BOB@example.com", true);
    let login = ground.accept(&token, &id_token).await.unwrap();
    assert_eq!(login.presence.session.user_id, bob.id);
    let again = ground.accept(&token, &id_token).await;
    assert_eq!(fields(again), ["token"]);
    let login = sign_in::with_id_token(&ground.world.app, origin(), &id_token).await;
    assert_eq!(login.unwrap().presence.session.user_id, bob.id);
    assert!(ground.world.log_in("bob@example.com", PASSWORD).await.is_err());
}

#[rstest]
#[tokio::test]
async fn a24_another_address_or_one_that_is_not_verified_does_not_accept_and_the_link_stays_good(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend).await;
    let (_, token) = ground.invited("bob").await;
    let other = ground.id_token("user-2", "eve@example.com", true);
    assert_eq!(fields(ground.accept(&token, &other).await), ["firebase_token"]);
    let unverified = ground.id_token("user-1", "bob@example.com", false);
    let refused = ground.accept(&token, &unverified).await;
    assert!(matches!(refused, Err(AppError::Denied(_))));
    let good = ground.id_token("user-1", "bob@example.com", true);
    assert!(ground.accept(&token, &good).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn an_account_at_the_issuer_is_one_users_only(#[values(Sqlite, Postgres)] backend: Backend) {
    let ground = Ground::new(backend).await;
    let (_, first) = ground.invited("bob").await;
    let (_, second) = ground.invited("eve").await;
    let bob = ground.id_token("user-1", "bob@example.com", true);
    assert!(ground.accept(&first, &bob).await.is_ok());
    // Somebody changed the address of the same account.
    let eve = ground.id_token("user-1", "eve@example.com", true);
    assert_eq!(fields(ground.accept(&second, &eve).await), ["firebase_token"]);
}

#[rstest]
#[tokio::test]
async fn o61_an_invited_user_who_signs_in_by_the_issuer_has_accepted_and_the_audit_log_says_it_once(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend).await;
    let (_, link) = ground.invited("bob").await;
    let id_token = ground.id_token("user-1", "bob@example.com", true);
    let sign_in = async || {
        sign_in::with_id_token(&ground.world.app, origin(), &id_token)
            .await
            .unwrap()
    };
    sign_in().await;
    let entries = "select actor_kind || ' ' || action from audit_entries where actor_name = 'bob@example.com' \
        order by number";
    assert_eq!(ground.world.texts(entries).await, ["user user.accept_invitation"]);
    let changed = "select before || after from audit_entries where action = 'user.accept_invitation'";
    let changed = ground.world.texts(changed).await;
    let places = ["invited", "active"].map(|status| changed[0].find(&format!("\"status\":\"{status}\"")));
    assert!(places[0].unwrap() < places[1].unwrap(), "{changed:?}");
    assert_eq!(fields(ground.accept(&link, &id_token).await), ["token"]);
    // From then on it is a sign-in like any other.
    sign_in().await;
    assert_eq!(
        ground.world.texts(entries).await,
        ["user user.accept_invitation", "user session.begin"]
    );
}
