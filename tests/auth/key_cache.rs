//! How often an issuer is asked for its keys, and what is believed while it cannot be asked.

use std::sync::Arc;

use axum::http::StatusCode;
use futures_util::future::join_all;
use rcgen::generate_simple_self_signed;
use rstest::rstest;
use serde_json::json;
use switchyard::auth::oidc::{IdTokenError, Issuers, Refusal};
use switchyard::domain::issuer::{Issuer, KeySource};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::issuer::{
    Answer, CERTIFICATES, DISCOVERY, Hand, JWKS, LocalIssuer, believing, firebase_claims, impatient, verify,
};
use crate::issuer_keys::{RsaKey, certificates, jwks};
use crate::support::wait::until;

const UNKNOWN: Result<(), IdTokenError> = Err(IdTokenError::Refused(Refusal::UnknownKey));

/// A publisher of Firebase's certificates that says they are good for an hour, and who believes it.
struct Ground {
    issuer: LocalIssuer,
    key: RsaKey,
    clock: Hand,
    issuers: Issuers,
}

impl Ground {
    fn new() -> Self {
        let (issuer, key, clock) = (LocalIssuer::start(), RsaKey::new("k1"), Hand::new());
        issuer.publish(CERTIFICATES, Answer::keys(certificates(&[&key])));
        let issuers = believing(vec![issuer.firebase()], &clock);
        Self {
            issuer,
            key,
            clock,
            issuers,
        }
    }

    /// Presents a token of that key that is good now.
    async fn present(&self, key: &RsaKey) -> Result<(), IdTokenError> {
        self.present_token(&key.token(&firebase_claims(self.clock.second())))
            .await
    }

    async fn present_token(&self, token: &str) -> Result<(), IdTokenError> {
        verify(&self.issuers, token).await.map(drop)
    }

    fn asked(&self) -> usize {
        self.issuer.asked(CERTIFICATES)
    }
}

fn unavailable(name: &str) -> Result<(), IdTokenError> {
    Err(IdTokenError::IssuerUnavailable(name.parse().unwrap()))
}

#[tokio::test]
async fn all_who_come_before_the_keys_wait_for_one_answer() {
    let ground = Ground::new();
    let tokens = (0..50).map(|_| ground.present(&ground.key));
    assert!(join_all(tokens).await.iter().all(Result::is_ok));
    assert!(ground.present(&ground.key).await.is_ok());
    assert_eq!(ground.asked(), 1);
}

#[tokio::test]
async fn two_hundred_made_up_key_ids_cost_the_issuer_one_question() {
    let ground = Ground::new();
    assert!(ground.present(&ground.key).await.is_ok());
    ground.clock.forward(60);
    let stranger = RsaKey::new("stranger");
    let claims = firebase_claims(ground.clock.second());
    let tokens: Vec<String> = (0..200)
        .map(|n| stranger.token_with(&json!({"alg": "RS256", "kid": format!("made-up-{n}")}), &claims))
        .collect();
    let (one_by_one, at_once) = tokens.split_at(100);
    for token in one_by_one {
        assert_eq!(ground.present_token(token).await, UNKNOWN);
    }
    let answers = join_all(at_once.iter().map(|token| ground.present_token(token))).await;
    assert!(answers.iter().all(|answer| *answer == UNKNOWN));
    // One for the first token of all, one for all two hundred.
    assert_eq!(ground.asked(), 2);
    ground.clock.forward(29);
    assert_eq!(ground.present_token(&tokens[0]).await, UNKNOWN);
    assert_eq!(ground.asked(), 2);
    ground.clock.forward(1);
    assert_eq!(ground.present_token(&tokens[0]).await, UNKNOWN);
    assert_eq!(ground.asked(), 3);
    assert!(ground.present(&ground.key).await.is_ok());
}

#[tokio::test]
async fn a23_a_rotated_key_is_found_and_the_former_one_is_refused() {
    let ground = Ground::new();
    assert!(ground.present(&ground.key).await.is_ok());
    let next = RsaKey::new("k2");
    ground
        .issuer
        .publish(CERTIFICATES, Answer::keys(certificates(&[&next])));
    ground.clock.forward(31);
    assert!(ground.present(&ground.key).await.is_ok());
    assert!(ground.present(&next).await.is_ok());
    assert_eq!(ground.present(&ground.key).await, UNKNOWN);
    assert!(ground.present(&next).await.is_ok());
    assert_eq!(ground.asked(), 2);
}

#[rstest]
#[case::as_it_says("public, max-age=3600", 3600)]
#[case::never_less_than_a_minute("max-age=1", 60)]
#[case::never_more_than_a_day("max-age=9999999", 86_400)]
#[case::a_minute_where_it_forbids_keeping("no-store", 60)]
#[tokio::test]
async fn a23_keys_are_kept_for_as_long_as_the_issuer_says(
    #[case] cache_control: &'static str,
    #[case] seconds: i64,
) {
    let ground = Ground::new();
    let published = Answer::Json(certificates(&[&ground.key]), cache_control);
    ground.issuer.publish(CERTIFICATES, published);
    assert!(ground.present(&ground.key).await.is_ok());
    ground.clock.forward(seconds - 1);
    assert!(ground.present(&ground.key).await.is_ok());
    assert_eq!(ground.asked(), 1);
    ground.clock.forward(1);
    assert!(ground.present(&ground.key).await.is_ok());
    assert_eq!(ground.asked(), 2);
}

#[tokio::test]
async fn a_key_that_is_withdrawn_is_refused_once_its_time_is_over() {
    let ground = Ground::new();
    assert!(ground.present(&ground.key).await.is_ok());
    let next = RsaKey::new("k2");
    ground
        .issuer
        .publish(CERTIFICATES, Answer::keys(certificates(&[&next])));
    ground.clock.forward(3600);
    assert_eq!(ground.present(&ground.key).await, UNKNOWN);
}

#[tokio::test]
async fn an_issuer_that_is_down_from_the_start_is_said_to_be_and_is_asked_again_when_it_is_back() {
    let mut ground = Ground::new();
    ground.issuer.go_down().await;
    assert_eq!(ground.present(&ground.key).await, unavailable("firebase"));
    ground.issuer.come_up();
    ground.clock.forward(4);
    assert_eq!(ground.present(&ground.key).await, unavailable("firebase"));
    assert_eq!(ground.asked(), 0);
    ground.clock.forward(1);
    assert!(ground.present(&ground.key).await.is_ok());
    assert_eq!(ground.asked(), 1);
}

#[tokio::test]
async fn an_issuer_that_fails_is_asked_every_five_seconds_whoever_comes() {
    let ground = Ground::new();
    ground
        .issuer
        .publish(CERTIFICATES, Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    for _ in 0..2 {
        let answers = join_all((0..50).map(|_| ground.present(&ground.key))).await;
        assert!(answers.iter().all(|answer| *answer == unavailable("firebase")));
        ground.clock.forward(5);
    }
    assert_eq!(ground.asked(), 2);
}

#[tokio::test]
async fn keys_outlive_an_issuer_that_is_down_until_their_time_is_over_and_no_longer() {
    let mut ground = Ground::new();
    assert!(ground.present(&ground.key).await.is_ok());
    ground.issuer.go_down().await;
    ground.clock.forward(3599);
    assert!(ground.present(&ground.key).await.is_ok());
    // Whether the issuer has that key by now cannot be known.
    assert_eq!(ground.present(&RsaKey::new("k2")).await, unavailable("firebase"));
    assert!(ground.present(&ground.key).await.is_ok());
    ground.clock.forward(1);
    assert_eq!(ground.present(&ground.key).await, unavailable("firebase"));
    ground.issuer.come_up();
    ground.clock.forward(5);
    assert!(ground.present(&ground.key).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_is_put_back_does_not_make_keys_last() {
    let ground = Ground::new();
    assert!(ground.present(&ground.key).await.is_ok());
    ground.clock.forward(-86_400);
    assert!(ground.present(&ground.key).await.is_ok());
    assert_eq!(ground.asked(), 2);
}

#[tokio::test]
async fn who_hangs_up_early_does_not_make_us_ask_anew() {
    let ground = Ground::new();
    let permits = Arc::new(Semaphore::new(0));
    let keys = Answer::keys(certificates(&[&ground.key]));
    ground
        .issuer
        .publish(CERTIFICATES, Answer::Held(Arc::clone(&permits), Box::new(keys)));
    for _ in 0..20 {
        tokio::select! {
            biased;
            answer = ground.present(&ground.key) => panic!("{answer:?} before the issuer answered"),
            () = until("the issuer is asked", || ground.asked() > 0) => {}
        }
    }
    permits.add_permits(1);
    assert!(ground.present(&ground.key).await.is_ok());
    assert_eq!(ground.asked(), 1);
}

#[rstest]
#[case::gone(Answer::Status(StatusCode::NOT_FOUND))]
#[case::broken(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR))]
#[case::no_content(Answer::Status(StatusCode::NO_CONTENT))]
#[case::a_page(Answer::Text("<html>Sign in to the hotel's network</html>".to_owned()))]
#[case::no_keys(Answer::keys(json!({ "keys": [] })))]
#[case::endless(Answer::Endless)]
#[tokio::test]
async fn an_answer_without_keys_is_no_answer(#[case] answer: Answer) {
    let (issuer, key, clock) = (LocalIssuer::start(), RsaKey::new("k1"), Hand::new());
    issuer.publish(JWKS, answer);
    let issuers = believing(vec![issuer.oidc()], &clock);
    let token = key.token(&issuer.claims(clock.second()));
    assert_eq!(verify(&issuers, &token).await.map(drop), unavailable("local"));
    assert_eq!(issuer.asked(JWKS), 1);
    // It is believed as soon as it answers.
    issuer.publish(JWKS, Answer::keys(jwks(&[&key])));
    clock.forward(5);
    assert!(verify(&issuers, &token).await.is_ok());
}

#[rstest]
#[case::silent(Answer::Silence)]
#[case::begins_only(Answer::Beginning)]
#[tokio::test]
async fn an_issuer_that_takes_its_time_is_not_waited_for(#[case] answer: Answer) {
    let (issuer, key, clock) = (LocalIssuer::start(), RsaKey::new("k1"), Hand::new());
    issuer.publish(JWKS, answer);
    let issuers = impatient(vec![issuer.oidc()], &clock);
    let token = key.token(&issuer.claims(clock.second()));
    assert_eq!(verify(&issuers, &token).await.map(drop), unavailable("local"));
    assert_eq!(issuer.asked(JWKS), 1);
}

#[tokio::test]
async fn an_answer_may_have_256_kib_and_no_more() {
    let ground = Ground::new();
    let body = certificates(&[&ground.key]).to_string();
    let padded = |length: usize| Answer::Text(format!("{body}{}", " ".repeat(length - body.len())));
    ground.issuer.publish(CERTIFICATES, padded(256 * 1024 + 1));
    assert_eq!(ground.present(&ground.key).await, unavailable("firebase"));
    ground.issuer.publish(CERTIFICATES, padded(256 * 1024));
    ground.clock.forward(5);
    assert!(ground.present(&ground.key).await.is_ok());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let ground = Ground::new();
    ground
        .issuer
        .publish("/elsewhere", Answer::keys(certificates(&[&ground.key])));
    let there = ground.issuer.url("/elsewhere");
    ground.issuer.publish(CERTIFICATES, Answer::Redirect(there));
    assert_eq!(ground.present(&ground.key).await, unavailable("firebase"));
    assert_eq!((ground.asked(), ground.issuer.asked("/elsewhere")), (1, 0));
}

#[rstest]
#[case::of_another_issuer("http://127.0.0.1:1", None)]
#[case::with_a_slash_more("/", None)]
#[case::keys_in_clear_text_elsewhere("", Some("http://id.example.com/keys"))]
#[case::keys_in_a_file("", Some("file:///etc/passwd"))]
#[tokio::test]
async fn a_configuration_that_leads_elsewhere_is_not_followed(
    #[case] suffix: &str,
    #[case] keys: Option<&str>,
) {
    let (issuer, key, clock) = (LocalIssuer::start(), RsaKey::new("k1"), Hand::new());
    issuer.publish(JWKS, Answer::keys(jwks(&[&key])));
    let own = issuer.url(suffix);
    let named = if suffix.starts_with("http") { suffix } else { &own };
    let keys = keys.map_or_else(|| issuer.url(JWKS), str::to_owned);
    issuer.publish(
        DISCOVERY,
        Answer::keys(json!({ "issuer": named, "jwks_uri": keys })),
    );
    let issuers = believing(vec![issuer.oidc_by_discovery()], &clock);
    let token = key.token(&issuer.claims(clock.second()));
    assert_eq!(verify(&issuers, &token).await.map(drop), unavailable("local"));
    assert_eq!((issuer.asked(DISCOVERY), issuer.asked(JWKS)), (1, 0));
}

#[tokio::test]
async fn an_issuer_whose_certificate_nobody_vouches_for_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/keys", listener.local_addr().unwrap().port());
    let own = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let secret = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], secret)
        .unwrap();
    let (acceptor, mut serving) = (TlsAcceptor::from(Arc::new(config)), JoinSet::new());
    serving.spawn(async move { acceptor.accept(listener.accept().await.unwrap().0).await.is_ok() });

    let (issuer, key, clock) = (LocalIssuer::start(), RsaKey::new("k1"), Hand::new());
    let untrusted = Issuer {
        keys: KeySource::Jwks(url.parse().unwrap()),
        ..issuer.oidc()
    };
    let issuers = believing(vec![untrusted], &clock);
    let token = key.token(&issuer.claims(clock.second()));
    assert_eq!(verify(&issuers, &token).await.map(drop), unavailable("local"));
    // Somebody was there to shake hands, and was left.
    let shaken = serving.join_next().await.unwrap().unwrap();
    assert!(!shaken);
}
