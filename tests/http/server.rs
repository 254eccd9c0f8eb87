//! The API's service with two tenants on a fresh database, asked without a socket.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::request::Builder;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use serde_json::Value;
use switchyard::app::instances::NewInstance;
use switchyard::app::tenants::TenantInput;
use switchyard::app::{App, instances, tenants};
use switchyard::auth::authenticator::Authenticator;
use switchyard::auth::caller::{Caller, Identity, Origin, Place};
use switchyard::auth::token::TokenKey;
use switchyard::deploy::{DriverFactory, Engine, EngineOptions, ShadowPolicy, TemplateSource};
use switchyard::domain::clock::SystemClock;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::random::SystemRandom;
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::http::health::{Check, Readiness};
use switchyard::http::metrics::Collector;
use switchyard::http::routes::{Shared, router, table};
use switchyard::http::streams::Streams;
use switchyard::monitor::board::Board;
use switchyard::store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::people::People;
use crate::support::contract::{self, Answered, Asked};
use crate::support::database::{Backend, Bench, key};
use crate::support::{operator, sign_in};

pub struct Server {
    router: Router,
    token: String,
    app: App,
    tokens: Arc<TokenKey>,
    people_made: Cell<u32>,
    pub store: Store,
    pub board: Board,
    pub bench: Bench,
}

/// An answer, read whole.
#[derive(PartialEq, Debug)]
pub struct Answer {
    pub status: u16,
    /// All but the request's own id, in their order.
    headers: Vec<(HeaderName, HeaderValue)>,
    bytes: Bytes,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// Who asks.
#[derive(Clone, Copy)]
pub enum As<'a> {
    Nobody,
    /// One of the operator's people, in no tenant.
    Operator,
    /// The same in a tenant, with a reason.
    Inside(&'a str),
    /// Without one.
    InsideWithoutReason(&'a str),
    /// Whoever has this token or key, at home.
    Bearer(&'a str),
}

impl Server {
    /// On SQLite.
    pub async fn start() -> Self {
        Self::on(Backend::Sqlite).await
    }

    pub async fn on(backend: Backend) -> Self {
        let (bench, store) = Bench::migrated(backend).await;
        let tokens = Arc::new(TokenKey::new(key('a').signing_key().expose()));
        let engine = Engine::new(
            store.clone(),
            TemplateSource::new(None),
            Box::new(Asterisk),
            Arc::new(SystemClock),
            Arc::new(SystemIds),
            EngineOptions {
                node: "node1".parse().unwrap(),
                holder: "test".to_owned(),
                lease: Duration::from_secs(30),
                state_dir: bench.folder.path().to_owned(),
                shadow: ShadowPolicy::Never,
                keep_generations: 10,
                patience: Duration::ZERO,
            },
        );
        let board = Board::default();
        let app = App::new(
            store.clone(),
            Arc::new(engine),
            Arc::new(SystemClock),
            Arc::new(SystemIds),
            Arc::new(SystemRandom),
            Arc::new(Notify::new()),
        )
        .with_sign_in(Some(sign_in::cheap(Arc::clone(&tokens))))
        .with_board(board.clone());
        let caller = Caller::new(Identity::SystemCli, Place::Platform, None, Origin::default());
        instances::create(&app, &caller, instance(&bench)).await.unwrap();
        for name in ["acme", "beta"] {
            let input = TenantInput {
                name: Some(name.to_owned()),
                domain: Some(format!("{name}.example.com")),
                ..TenantInput::default()
            };
            tenants::create(&app, &caller, input).await.unwrap();
        }
        let authenticator = Arc::new(Authenticator::new(
            Some(Arc::clone(&tokens)),
            Arc::new(store.clone()),
            Arc::new(SystemClock),
        ));
        let readiness = Arc::new(NoNeeds);
        let token = operator::token(&app).await;
        Self {
            token,
            app: app.clone(),
            tokens,
            people_made: Cell::new(0),
            router: router(
                table(),
                Shared {
                    readiness,
                    app,
                    streams: stopped(),
                    collector: Collector::default(),
                },
                &authenticator,
                Arc::new(SystemIds),
            ),
            store,
            board,
            bench,
        }
    }

    /// The id of one of the two tenants.
    pub async fn tenant(&self, domain: &str) -> TenantId {
        let mut tx = self.store.read("find_tenant").await.unwrap();
        let found = switchyard::store::tenants::find_by_domain(&mut tx, &domain.parse().unwrap()).await;
        found.unwrap().unwrap().id
    }

    /// How many entries the audit log has.
    pub async fn entries(&self) -> usize {
        self.bench
            .ask("select action from audit_entries".to_owned())
            .await
            .len()
    }

    /// Makes whoever asks.
    pub fn people(&self) -> People<'_> {
        People {
            app: &self.app,
            store: &self.store,
            tokens: &self.tokens,
            made: &self.people_made,
        }
    }

    /// A request without a body, and for a version that nothing has; a reason comes with a tenant.
    pub async fn ask_as(
        &self,
        token: Option<&str>,
        entering: Option<TenantId>,
        method: &str,
        path: &str,
    ) -> Answer {
        let tenant = entering.map(|tenant| tenant.to_string());
        let mut request = by(token, tenant.as_deref(), method, path).header("if-match", "\"another\"");
        if tenant.is_some() {
            request = request.header("x-reason", "test");
        }
        self.send(request, None).await
    }

    /// A request without a body that says why.
    pub async fn ask_because(
        &self,
        reason: &str,
        token: &str,
        entering: Option<&str>,
        method: &Method,
        path: &str,
    ) -> Answer {
        let request = by(Some(token), entering, method.as_str(), path);
        self.send(request.header("x-reason", reason), None).await
    }

    /// The bytes that everybody gets at a path, and the policy that a browser gets with them.
    pub async fn text(&self, path: &str) -> (String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        let bytes = axum::body::to_bytes(response.into_body(), 4 * 1024 * 1024)
            .await
            .unwrap();
        (String::from_utf8_lossy(&bytes).into_owned(), policy)
    }

    pub async fn ask(&self, who: As<'_>, method: &Method, path: &str, body: Option<Value>) -> Answer {
        let (token, entering) = match who {
            As::Nobody => (None, None),
            As::Bearer(token) => (Some(token), None),
            As::Operator => (Some(self.token.as_str()), None),
            As::Inside(id) | As::InsideWithoutReason(id) => (Some(self.token.as_str()), Some(id)),
        };
        let mut request = by(token, entering, method.as_str(), path);
        if matches!(who, As::Inside(_)) {
            request = request.header("x-reason", "test");
        }
        self.send(request, body).await
    }

    async fn send(&self, mut request: Builder, json: Option<Value>) -> Answer {
        if json.is_some() {
            request = request.header("content-type", "application/json");
        }
        let sent = json
            .as_ref()
            .map_or_else(Body::empty, |json| Body::from(json.to_string()));
        let request = request.body(sent).unwrap();
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let media_type = response.headers().get("content-type").cloned();
        let headers = response.headers().iter();
        let headers = headers.filter(|(name, _)| *name != "x-request-id");
        let headers = headers
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let bytes = axum::body::to_bytes(response.into_body(), 1024 * 1024)
            .await
            .unwrap();
        let answer = Answer {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
        };
        let asked = Asked {
            method: method.as_str(),
            path: &path,
            json: json.as_ref(),
        };
        let answered = Answered {
            status,
            media_type: media_type.as_ref().map_or("", |value| value.to_str().unwrap()),
            body: &answer.body,
        };
        contract::check(&asked, &answered);
        answer
    }
}

/// A request of whoever has this token, in a tenant where one is named.
fn by(token: Option<&str>, entering: Option<&str>, method: &str, path: &str) -> Builder {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    match entering {
        Some(id) => request.header("x-operate-as-tenant", id),
        None => request,
    }
}

fn instance(bench: &Bench) -> NewInstance {
    let recordings_dir = bench.folder.path().join("recordings");
    NewInstance {
        name: "pbx1".parse().unwrap(),
        node: "node1".parse().unwrap(),
        settings: InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            // Nothing listens there: the PBX does not answer.
            ami_port: 1,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: "/nonexistent/switchyard".parse().unwrap(),
            ami_tls: None,
            log_file: None,
            recordings_dir: recordings_dir.to_str().unwrap().parse().ok(),
            emergency_numbers: vec![],
        }),
        secrets: InstanceSecrets::of_control("secret".into()),
    }
}

struct Asterisk;

impl DriverFactory for Asterisk {
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Box<dyn PbxDriver> {
        let settings = instance.settings.asterisk().unwrap();
        Box::new(AsteriskDriver::new(settings.clone(), secrets.control, None))
    }
}

/// Streams that end with their first event, since nobody works the deploys off.
fn stopped() -> Streams {
    let stop = CancellationToken::new();
    stop.cancel();
    Streams::new(stop, 1024)
}

struct NoNeeds;

#[async_trait]
impl Readiness for NoNeeds {
    async fn checks(&self) -> Vec<Check> {
        Vec::new()
    }
}
