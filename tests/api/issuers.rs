//! Signing in by an issuer's token, whole: the service configured for an issuer on this host, asked over HTTP.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::clock::{Clock as _, SystemClock};
use tokio::time::sleep;

use super::client::{Answer, Ask};
use super::issuer::{Answer as Published, CERTIFICATES, JWKS, LocalIssuer, PROJECT, firebase_claims};
use super::issuer_keys::{RsaKey, certificates, hmac_token, joined, jwks};
use super::people::PASSWORD;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Firebase,
    Oidc,
}

use Kind::{Firebase, Oidc};

/// A service that believes one issuer, which is there.
struct Ground {
    server: Server,
    issuer: LocalIssuer,
    key: RsaKey,
    kind: Kind,
}

impl Ground {
    async fn new(backend: Backend, kind: Kind) -> Self {
        let (issuer, key) = (LocalIssuer::start(), RsaKey::new("k1"));
        let table = match kind {
            Firebase => format!(
                "[{{ name = 'firebase', kind = 'firebase', project = '{PROJECT}', certificates_url = '{}' }}]",
                issuer.url(CERTIFICATES)
            ),
            Oidc => format!(
                "[{{ name = 'main', kind = 'oidc', issuer = '{}', audience = 'phones', jwks_url = '{}' }}]",
                issuer.url(""),
                issuer.url(JWKS)
            ),
        };
        let ground = Self {
            server: Server::with(backend, &[("SWITCHYARD_AUTH_ISSUERS", &table)]).await,
            issuer,
            key,
            kind,
        };
        ground.publish(&[&ground.key]);
        ground
    }

    fn publish(&self, keys: &[&RsaKey]) {
        self.issuer
            .publish(CERTIFICATES, Published::keys(certificates(keys)));
        self.issuer.publish(JWKS, Published::keys(jwks(keys)));
    }

    /// Good claims of somebody, whose address begins with their name.
    fn claims(&self, name: &str) -> Value {
        let now = SystemClock.now().as_second();
        let mut claims = match self.kind {
            Firebase => firebase_claims(now),
            Oidc => self.issuer.claims(now),
        };
        claims["sub"] = json!(format!("subject of {name}"));
        claims["email"] = json!(format!("{name}@example.com"));
        claims
    }

    async fn present(&self, token: &str) -> Answer {
        let body = json!({"firebase_token": token});
        let ask = Ask::new(&self.server, Method::POST, "/auth/user-login");
        ask.json(&body).send().await
    }

    async fn sign_in(&self, name: &str) -> Answer {
        self.present(&self.key.token(&self.claims(name))).await
    }

    /// Presents it until it is answered so, which takes as long as the service leaves the issuer alone; and not so often
    /// that the failures would be throttled.
    async fn present_until(&self, token: impl Fn() -> String, status: u16) -> Answer {
        for _ in 0..40 {
            let answer = self.present(&token()).await;
            if answer.status == status {
                return answer;
            }
            sleep(Duration::from_secs(2)).await;
        }
        panic!("it is never answered {status}");
    }
}

#[rstest]
#[tokio::test]
async fn a23_each_token_that_is_not_good_is_refused_alike_and_a_good_one_comes_in(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Firebase, Oidc)] kind: Kind,
) {
    let ground = Ground::new(backend, kind).await;
    let server = &ground.server;
    let ann = server.person("ann", &server.acme, "agent").await;
    let unknown = ground.sign_in("nobody").await;
    assert_eq!(unknown.code(), (401, "credentials_invalid"));

    let now = SystemClock.now().as_second();
    let good = ground.claims("ann");
    let changed = |member: &str, value: Value| {
        let mut claims = good.clone();
        claims[member] = value;
        ground.key.token(&claims)
    };
    let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT", "kid": "k1"});
    let mut bad = vec![
        ("another's audience", changed("aud", json!("other"))),
        ("another issuer", changed("iss", json!("https://id.example.com"))),
        ("expired", changed("exp", json!(now - 1))),
        ("issued in the future", changed("iat", json!(now + 3600))),
        ("unverified address", changed("email_verified", json!(false))),
        ("verified by a word", changed("email_verified", json!("true"))),
        ("no subject", changed("sub", json!(""))),
        ("no algorithm", joined(&header("none"), &good, |_| Vec::new())),
        ("an unknown key", RsaKey::new("k2").token(&good)),
        ("another key under its id", RsaKey::new("k1").token(&good)),
        ("no token at all", "a.b.c".to_owned()),
    ];
    for secret in ground.key.public_forms() {
        bad.push((
            "HS256 with the public key",
            hmac_token(&secret, &header("HS256"), &good),
        ));
    }
    for (what, token) in bad {
        let refused = ground.present(&token).await;
        assert_eq!((refused.status, &refused.text), (401, &unknown.text), "{what}");
    }

    let login = ground.present(&ground.key.token(&good)).await;
    assert_eq!(login.status, 200, "{}", login.text);
    assert_eq!(login.body["user"]["id"], ann.id.as_str());
    let token = login.body["token"].as_str().unwrap();
    assert_eq!(server.standing(token).await.0, 200);
}

#[rstest]
#[tokio::test]
async fn a23_who_is_invited_becomes_active_and_who_is_suspended_is_refused(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Firebase, Oidc)] kind: Kind,
) {
    let ground = Ground::new(backend, kind).await;
    let server = &ground.server;
    let invite = json!({"tenant_id": server.acme, "name": "Bob", "email": "bob@example.com", "invite": true});
    let invited = server.platform(Method::POST, "/platform/users").json(&invite);
    let invited = invited.send().await;
    assert_eq!(invited.data(201)["status"], "invited");
    assert_eq!(ground.sign_in("bob").await.status, 200);
    let path = format!("/platform/users/{}", invited.data(201)["id"].as_str().unwrap());
    let bob = server.platform(Method::GET, &path).send().await;
    assert_eq!(bob.data(200)["status"], "active");
    assert!(bob.data(200)["last_login_at"].is_string());

    // Another account at the issuer that got hold of the address is somebody else.
    let mut claims = ground.claims("bob");
    claims["sub"] = json!("another subject");
    let other = ground.present(&ground.key.token(&claims)).await;
    assert_eq!(other.code(), (401, "credentials_invalid"));

    let suspend = server.platform(Method::PATCH, &path);
    suspend
        .json(&json!({"status": "suspended"}))
        .send()
        .await
        .data(200);
    let unknown = ground.sign_in("nobody").await;
    let suspended = ground.sign_in("bob").await;
    assert_eq!((suspended.status, &suspended.text), (401, &unknown.text));

    let eve = server.person("eve", &server.globex, "owner").await;
    assert_eq!(ground.sign_in("eve").await.status, 200);
    let deleted = server.platform(Method::DELETE, &format!("/platform/users/{}", eve.id));
    // The last owner stays; so somebody else is made one first.
    server.person("zoe", &server.globex, "owner").await;
    assert_eq!(deleted.send().await.status, 204);
    assert_eq!(ground.sign_in("eve").await.status, 401);
    server.person("gus", &server.globex, "agent").await;
    server.suspend(&server.globex).await;
    assert_eq!(ground.sign_in("gus").await.code(), (403, "tenant_suspended"));
}

#[rstest]
#[tokio::test]
async fn a23_while_the_issuer_is_down_that_is_said_and_passwords_go_on(#[values(Firebase, Oidc)] kind: Kind) {
    let mut ground = Ground::new(Sqlite, kind).await;
    let acme = ground.server.acme.clone();
    ground.server.person("ann", &acme, "agent").await;
    ground.issuer.go_down().await;
    let token = ground.key.token(&ground.claims("ann"));
    let answer = Ask::new(&ground.server, Method::POST, "/auth/user-login");
    let answer = answer
        .json(&json!({"firebase_token": token}))
        .send_to_broken()
        .await;
    assert_eq!(answer.code(), (503, "issuer_unavailable"));
    assert_eq!(
        ground.server.sign_in("ann@example.com", PASSWORD).await.status,
        200
    );
    ground.issuer.come_up();
    for _ in 0..200 {
        let body = json!({"firebase_token": ground.key.token(&ground.claims("ann"))});
        let ask = Ask::new(&ground.server, Method::POST, "/auth/user-login").json(&body);
        if ask.send_to_broken().await.status == 200 {
            return;
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("the issuer is not asked again");
}

#[rstest]
#[tokio::test]
async fn a23_a_new_key_is_fetched_and_one_that_was_rotated_away_is_refused(
    #[values(Firebase, Oidc)] kind: Kind,
) {
    let ground = Ground::new(Sqlite, kind).await;
    ground.server.person("ann", &ground.server.acme, "agent").await;
    assert_eq!(ground.sign_in("ann").await.status, 200);
    let path = if kind == Firebase { CERTIFICATES } else { JWKS };
    assert_eq!(ground.issuer.asked(path), 1);
    let next = RsaKey::new("k2");
    ground.publish(&[&next]);
    // The issuer is left alone for half a minute; what is kept of it is good meanwhile.
    assert_eq!(ground.sign_in("ann").await.status, 200);
    ground
        .present_until(|| next.token(&ground.claims("ann")), 200)
        .await;
    assert_eq!(ground.sign_in("ann").await.code(), (401, "credentials_invalid"));
    assert_eq!(ground.issuer.asked(path), 2);
}

/// An issuer may let anybody register: what it vouches for opens nothing here, and goes on for only so long.
#[rstest]
#[tokio::test]
async fn c12_strangers_whom_an_issuer_knows_are_counted(#[values(Firebase, Oidc)] kind: Kind) {
    let ground = Ground::new(Sqlite, kind).await;
    for number in 0..50 {
        let refused = ground.sign_in(&format!("stranger{number}")).await;
        assert_eq!(refused.code(), (401, "credentials_invalid"));
    }
    let refused = ground.sign_in("stranger").await;
    assert_eq!(refused.code(), (429, "too_many_failures"));
}

#[rstest]
#[tokio::test]
async fn o61_that_an_issuer_vouches_for_somebody_from_now_on_is_an_entry(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let ground = Ground::new(backend, Oidc).await;
    let ann = ground.server.person("ann", &ground.server.acme, "agent").await;
    let before = ground.server.audit_actions().await.len();
    for _ in 0..2 {
        assert_eq!(ground.sign_in("ann").await.status, 200);
    }
    assert_eq!(
        ground.server.audit_actions().await[before..],
        ["user.link_identity"]
    );
    let sql = "select target_id || ' ' || cast(after as text) from audit_entries where action = 'user.link_identity'";
    let told = ground.server.database.ask(sql.to_owned()).await;
    assert!(told[0].starts_with(&ann.id), "{told:?}");
    assert!(told[0].contains(&ground.issuer.url("")), "{told:?}");
}
