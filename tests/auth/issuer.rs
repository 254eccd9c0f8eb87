//! An issuer of identities on this host, reached over HTTP, that counts what it is asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, LOCATION};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use switchyard::auth::oidc::{ExternalIdentity, IdTokenError, Issuers, Limits};
use switchyard::domain::clock::Clock;
use switchyard::domain::issuer::{Issuer, IssuerKind, KeySource};
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub const CERTIFICATES: &str = "/certificates";
pub const JWKS: &str = "/jwks";
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
pub const PROJECT: &str = "acme-phones";
pub const AUDIENCE: &str = "phones";

/// A clock that only a test moves.
#[derive(Clone)]
pub struct Hand(Arc<Mutex<Timestamp>>);

impl Hand {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(
            Timestamp::from_second(1_800_000_000).unwrap(),
        )))
    }

    pub fn forward(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    pub fn second(&self) -> i64 {
        self.now().as_second()
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// What is answered to whoever asks for a path.
#[derive(Clone)]
pub enum Answer {
    /// This, with that `Cache-Control`.
    Json(Value, &'static str),
    /// This text.
    Text(String),
    Status(StatusCode),
    Redirect(String),
    /// Nothing, on and on.
    Silence,
    /// The beginning of an answer.
    Beginning,
    /// An answer without an end.
    Endless,
    /// The inner one, once there is a permit for it.
    Held(Arc<Semaphore>, Box<Answer>),
}

impl Answer {
    pub fn keys(body: Value) -> Self {
        Self::Json(body, "public, max-age=3600, must-revalidate")
    }

    async fn into_response(self) -> Response {
        match self {
            Self::Json(body, cache_control) => (
                [(CACHE_CONTROL, HeaderValue::from_static(cache_control))],
                body.to_string(),
            )
                .into_response(),
            Self::Text(text) => text.into_response(),
            Self::Status(status) => status.into_response(),
            Self::Redirect(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
            Self::Silence => std::future::pending().await,
            Self::Beginning => {
                let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"{\"keys\":"))]);
                Body::from_stream(begun.chain(stream::pending())).into_response()
            }
            Self::Endless => {
                let blanks = Bytes::from_static(&[b' '; 1024]);
                Body::from_stream(stream::repeat(Ok::<_, Infallible>(blanks))).into_response()
            }
            Self::Held(permits, inner) => {
                permits.acquire().await.unwrap().forget();
                Box::pin(inner.into_response()).await
            }
        }
    }
}

#[derive(Default)]
struct Published {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<HashMap<String, usize>>,
}

/// The issuer; gone when it is dropped.
pub struct LocalIssuer {
    address: SocketAddr,
    published: Arc<Published>,
    serving: JoinSet<()>,
    /// Keeps the address for us while nobody listens there.
    kept: Option<TcpSocket>,
}

impl LocalIssuer {
    pub fn start() -> Self {
        let kept = bound("127.0.0.1:0".parse().unwrap());
        let mut issuer = Self {
            address: kept.local_addr().unwrap(),
            published: Arc::default(),
            serving: JoinSet::new(),
            kept: Some(kept),
        };
        issuer.come_up();
        issuer
    }

    /// Answers, always at the same address.
    pub fn come_up(&mut self) {
        let listener = self.kept.take().unwrap().listen(1024).unwrap();
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&self.published));
        self.serving
            .spawn(async move { axum::serve(listener, router).await.unwrap() });
    }

    /// Refuses connections from now on.
    pub async fn go_down(&mut self) {
        self.serving.shutdown().await;
        self.kept = Some(bound(self.address));
    }

    pub fn publish(&self, path: &str, answer: Answer) {
        self.published
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.published
            .asked
            .lock()
            .unwrap()
            .get(path)
            .copied()
            .unwrap_or(0)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Publishes where its keys are.
    pub fn publish_discovery(&self) {
        let found = json!({ "issuer": self.url(""), "jwks_uri": self.url(JWKS) });
        self.publish(DISCOVERY, Answer::keys(found));
    }

    /// As it is configured as an issuer of OpenID Connect.
    pub fn oidc(&self) -> Issuer {
        Issuer {
            name: "local".parse().unwrap(),
            url: self.url("").parse().unwrap(),
            audience: AUDIENCE.parse().unwrap(),
            kind: IssuerKind::Oidc,
            keys: KeySource::Jwks(self.url(JWKS).parse().unwrap()),
        }
    }

    /// As it is configured to find its keys by itself.
    pub fn oidc_by_discovery(&self) -> Issuer {
        Issuer {
            keys: KeySource::Discovery,
            ..self.oidc()
        }
    }

    /// As the publisher of Firebase's certificates.
    pub fn firebase(&self) -> Issuer {
        let certificates = self.url(CERTIFICATES).parse().unwrap();
        Issuer::firebase(
            "firebase".parse().unwrap(),
            &PROJECT.parse().unwrap(),
            Some(certificates),
        )
        .unwrap()
    }

    /// Good claims of this issuer.
    pub fn claims(&self, now: i64) -> Value {
        claims(&self.url(""), AUDIENCE, now)
    }
}

/// Who connects to it is refused until it listens.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn answer(State(published): State<Arc<Published>>, uri: Uri) -> Response {
    *published
        .asked
        .lock()
        .unwrap()
        .entry(uri.path().to_owned())
        .or_default() += 1;
    let answer = published.answers.lock().unwrap().get(uri.path()).cloned();
    let mut response = answer
        .unwrap_or(Answer::Status(StatusCode::NOT_FOUND))
        .into_response()
        .await;
    // No connection outlives the answer, and so none outlives the issuer.
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Good claims of Firebase.
pub fn firebase_claims(now: i64) -> Value {
    claims(&format!("https://securetoken.google.com/{PROJECT}"), PROJECT, now)
}

fn claims(issuer: &str, audience: &str, now: i64) -> Value {
    json!({
        "iss": issuer, "aud": audience, "sub": "user-1", "iat": now - 5, "exp": now + 3600, "auth_time": now - 10,
        "email": "Ann@Example.com", "email_verified": true, "name": "Ann Archer",
    })
}

/// Believes these, with patience for a busy machine.
pub fn believing(issuers: Vec<Issuer>, clock: &Hand) -> Issuers {
    waiting(Duration::from_mins(1), issuers, clock)
}

/// Believes these, and does not wait for long: but for longer than a busy machine takes to reach the issuer.
pub fn impatient(issuers: Vec<Issuer>, clock: &Hand) -> Issuers {
    waiting(Duration::from_secs(2), issuers, clock)
}

fn waiting(patience: Duration, issuers: Vec<Issuer>, clock: &Hand) -> Issuers {
    let limits = Limits {
        patience,
        ..Limits::default()
    };
    Issuers::new(issuers, limits, Arc::new(clock.clone())).unwrap()
}

pub async fn verify(issuers: &Issuers, token: &str) -> Result<ExternalIdentity, IdTokenError> {
    issuers.verify(&token.into()).await
}
