//! The API's service with two tenants on a fresh SQLite, asked without a socket.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::request::Builder;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use serde_json::{Value, json};
use switchyard::app::instances::NewInstance;
use switchyard::app::tenants::TenantInput;
use switchyard::app::{App, instances, tenants};
use switchyard::auth::authenticator::Authenticator;
use switchyard::auth::caller::{Caller, Identity, Origin, Place};
use switchyard::auth::token::TokenKey;
use switchyard::crypto::SealingKey;
use switchyard::deploy::{DriverFactory, Engine, EngineOptions, ShadowPolicy, TemplateSource};
use switchyard::domain::clock::SystemClock;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::random::SystemRandom;
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::http::health::{Check, Readiness};
use switchyard::http::routes::{Shared, router, table};
use switchyard::http::streams::Streams;
use switchyard::store::{Database, DatabaseUrl, Store};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::people::{People, Who};
use crate::support::contract::{self, Answered, Asked};
use crate::support::{operator, sign_in};

/// A tenant with one extension and one deployment.
pub struct TestTenant {
    pub id: String,
    pub extension: String,
    pub user: String,
    pub role: String,
    pub session: String,
    pub deployment: String,
    pub api_key: String,
    pub instance: String,
}

pub struct Server {
    router: Router,
    token: String,
    app: App,
    tokens: Arc<TokenKey>,
    people_made: Cell<u32>,
    pub store: Store,
    _directory: TempDir,
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
}

impl Server {
    pub async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let database = Database::create(&DatabaseUrl::sqlite(directory.path().join("x.db")))
            .await
            .unwrap();
        database.migrate().await.unwrap();
        let key = SealingKey::parse(&SealingKey::generate().unwrap()).unwrap();
        let tokens = Arc::new(TokenKey::new(key.signing_key().expose()));
        let store = Store::from_database(database, Some(key)).await.unwrap();
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
                state_dir: directory.path().to_owned(),
                shadow: ShadowPolicy::Never,
                keep_generations: 10,
                patience: Duration::ZERO,
            },
        );
        let app = App::new(
            store.clone(),
            Arc::new(engine),
            Arc::new(SystemClock),
            Arc::new(SystemIds),
            Arc::new(SystemRandom),
            Arc::new(Notify::new()),
        )
        .with_sign_in(Some(sign_in::cheap(Arc::clone(&tokens))));
        let caller = Caller::new(Identity::SystemCli, Place::Platform, None, Origin::default());
        instances::create(&app, &caller, instance()).await.unwrap();
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
                },
                &authenticator,
                Arc::new(SystemIds),
            ),
            store,
            _directory: directory,
        }
    }

    /// The id of one of the two tenants.
    pub async fn tenant(&self, domain: &str) -> TenantId {
        let mut tx = self.store.read("find_tenant").await.unwrap();
        let found = switchyard::store::tenants::find_by_domain(&mut tx, &domain.parse().unwrap()).await;
        found.unwrap().unwrap().id
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
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("if-match", "\"another\"");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(tenant) = entering {
            request = request
                .header("x-operate-as-tenant", tenant.to_string())
                .header("x-reason", "test");
        }
        self.send(request, None).await
    }

    /// A request of somebody at home, without a body, that says why.
    pub async fn ask_because(&self, reason: &str, token: &str, method: &Method, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        self.send(request.header("x-reason", reason), None).await
    }

    /// Gives a tenant an extension, a deployment, a user with a session and a role of its own.
    pub async fn fill(&self, domain: &str) -> TestTenant {
        let tenant = self.tenant(domain).await;
        let id = tenant.to_string();
        let person = self.people().one(Who::Agent, tenant, tenant).await.unwrap();
        let role = json!({"name": "porter", "permissions": ["users.list"]});
        let role = self
            .ask(As::Inside(&id), &Method::POST, "/api/v1/roles", Some(role))
            .await;
        let session = self.session_of(&person.token).await;
        let extension = json!({"number": "1001", "name": "Ann"});
        let extension = self
            .ask(
                As::Inside(&id),
                &Method::POST,
                "/api/v1/extensions",
                Some(extension),
            )
            .await;
        let deployment = self
            .ask(As::Inside(&id), &Method::POST, "/api/v1/config/deploy", None)
            .await;
        assert_eq!(
            (extension.status, deployment.status),
            (201, 202),
            "{extension:?} {deployment:?}"
        );
        let owner = self.people().one(Who::Owner, tenant, tenant).await.unwrap();
        let key = Request::post("/api/v1/api-keys")
            .header("authorization", format!("Bearer {}", owner.token))
            .header("content-type", "application/json");
        let key = self
            .send(key, Some(json!({"name": "crm", "permissions": ["config.read"]})))
            .await;
        assert_eq!(key.status, 201, "{key:?}");
        let text = |answer: &Answer| answer.body["data"]["id"].as_str().unwrap().to_owned();
        TestTenant {
            extension: text(&extension),
            instance: self.instance().await,
            deployment: text(&deployment),
            role: text(&role),
            api_key: text(&key),
            user: person.user.to_string(),
            session,
            id,
        }
    }

    /// The id of the session that a token was given in, the only one of whoever has it.
    pub async fn session_of(&self, token: &str) -> String {
        let sessions = self
            .ask_as(Some(token), None, "GET", "/api/v1/auth/sessions")
            .await;
        let sessions = sessions.body["data"].as_array().unwrap();
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions[0]["id"].as_str().unwrap().to_owned()
    }

    /// The id of the only PBX instance.
    async fn instance(&self) -> String {
        let path = "/api/v1/platform/pbx-instances";
        let all = self.ask(As::Operator, &Method::GET, path, None).await;
        all.body["data"][0]["id"].as_str().unwrap().to_owned()
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
        let request = Request::builder().method(method).uri(path);
        let mut request = signed(who, &self.token, request);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.send(request, body).await
    }

    async fn send(&self, request: Builder, json: Option<Value>) -> Answer {
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

fn signed(who: As<'_>, token: &str, request: Builder) -> Builder {
    let tenant = match who {
        As::Nobody => return request,
        As::Operator => None,
        As::Inside(id) | As::InsideWithoutReason(id) => Some(id),
    };
    let mut request = request.header("authorization", format!("Bearer {token}"));
    if let Some(id) = tenant {
        request = request.header("x-operate-as-tenant", id);
    }
    if matches!(who, As::Inside(_)) {
        request = request.header("x-reason", "test");
    }
    request
}

fn instance() -> NewInstance {
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
    Streams::new(stop)
}

struct NoNeeds;

#[async_trait]
impl Readiness for NoNeeds {
    async fn checks(&self) -> Vec<Check> {
        Vec::new()
    }
}
