//! The service with two tenants on a PBX that does not answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use switchyard::app::instances::NewInstance;
use switchyard::app::tenants::TenantInput;
use switchyard::app::{App, instances, tenants};
use switchyard::auth::caller::{Caller, Identity, Origin, Place};
use switchyard::config::{Config, Environment};
use switchyard::crypto::SealingKey;
use switchyard::daemon::lifecycle::Lifecycle;
use switchyard::daemon::service::Service;
use switchyard::daemon::settings::token_key;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::TenantId;
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::monitor::board::Board;
use switchyard::store::{Store, leases};
use tokio::task::JoinSet;

use super::client::Ask;
use super::issuer::{self, CERTIFICATES, LocalIssuer, PROJECT, firebase_claims};
use super::issuer_keys::{RsaKey, certificates};
use super::support;
use super::support::database::{Backend, Bench};
use super::support::suspension::pause;

/// An emergency number of the instance's own.
pub const OWN_EMERGENCY: &str = "115";
const NODE: &str = "node1";

/// A service, gone with the value.
pub struct Server {
    /// Of a platform manager.
    pub token: String,
    /// What the database's secrets are sealed with.
    pub key: SecretString,
    pub acme: String,
    pub globex: String,
    pub database: Bench,
    pub(super) address: SocketAddr,
    pub(super) client: reqwest::Client,
    /// Secrets that were shown once, and must be seen nowhere else.
    pub(super) shown: Mutex<Vec<String>>,
    pub(super) store: Store,
    pub(super) app: App,
    pub(super) board: Board,
    /// The same use cases, with passwords that are hashed in no time.
    pub(super) hurried: App,
    running: JoinSet<()>,
    issuer: Option<(LocalIssuer, RsaKey)>,
}

impl Server {
    pub async fn start(backend: Backend) -> Self {
        Self::with(backend, &[]).await
    }

    /// The same with a mail server, which is not there: what is posted waits.
    pub async fn with_mail(backend: Backend) -> Self {
        let mail = [
            ("SWITCHYARD_HTTP_PUBLIC_URL", "https://pbx.example.com"),
            ("SWITCHYARD_MAIL_HOST", "127.0.0.1"),
            ("SWITCHYARD_MAIL_PORT", "1"),
            ("SWITCHYARD_MAIL_TLS", "none"),
            ("SWITCHYARD_MAIL_FROM", "pbx@example.com"),
        ];
        Self::with(backend, &mail).await
    }

    /// One whose API pages of these origins may call.
    pub async fn with_origins(backend: Backend, origins: &str) -> Self {
        Self::with(backend, &[("SWITCHYARD_HTTP_CORS_ORIGINS", origins)]).await
    }

    /// One that believes an issuer of identities.
    pub async fn believing(backend: Backend) -> Self {
        let (issuer, key) = (LocalIssuer::start(), RsaKey::new("k1"));
        issuer.publish(CERTIFICATES, issuer::Answer::keys(certificates(&[&key])));
        let believed = format!(
            r#"[{{ name = "firebase", kind = "firebase", project = "{PROJECT}", certificates_url = "{}" }}]"#,
            issuer.url(CERTIFICATES)
        );
        let mut server = Self::with(backend, &[("SWITCHYARD_AUTH_ISSUERS", &believed)]).await;
        server.issuer = Some((issuer, key));
        server
    }

    /// What that issuer gives to whoever has this address.
    pub fn id_token(&self, email: &str) -> String {
        let (_, key) = self.issuer.as_ref().unwrap();
        let mut claims = firebase_claims(SystemClock.now().as_second());
        claims["email"] = json!(email);
        claims["sub"] = json!(email);
        key.token(&claims)
    }

    /// One that is configured further.
    pub async fn with(backend: Backend, more: &[(&str, &str)]) -> Self {
        let database = Bench::of_current_schema(backend).await;
        let key = SealingKey::generate().unwrap();
        let service = Service::prepare(&config(&database, Some(&key), more))
            .await
            .unwrap();
        let (app, store) = (service.parts().app.clone(), service.parts().store.clone());
        let board = service.parts().board.clone();
        let operator = Caller::new(Identity::SystemCli, Place::Platform, None, Origin::default());
        let instance = instance(&database);
        instances::create(&app, &operator, instance).await.unwrap();
        let acme = tenant(&app, &operator, "Acme").await;
        let globex = tenant(&app, &operator, "Globex").await;
        let tokens = token_key(&SealingKey::parse(&key).unwrap());
        let hurried = app
            .clone()
            .with_sign_in(Some(support::sign_in::cheap(Arc::new(tokens))));
        let token = support::operator::token(&hurried).await;
        let (address, running) = run(service);
        Self {
            token,
            key,
            acme,
            globex,
            database,
            address,
            client: reqwest::Client::new(),
            shown: Mutex::default(),
            store,
            app,
            board,
            hurried,
            running,
            issuer: None,
        }
    }

    /// Ends the service, and starts one with another key on the same database.
    pub async fn restart(&mut self, key: Option<&SecretString>) {
        self.running.shutdown().await;
        let service = Service::prepare(&config(&self.database, key, &[])).await.unwrap();
        (self.address, self.running) = run(service);
    }

    /// Tells the service to stop as systemd does, and waits until it has: each test has a process of its own.
    pub async fn stop(&mut self) {
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::TERM).unwrap();
        let ended = tokio::time::timeout(Duration::from_mins(1), self.running.join_next());
        ended.await.expect("it does not stop").unwrap().unwrap();
    }

    /// Ends the service and gives its connections back at once: whoever starts many in one test would use up the database's.
    pub async fn end(mut self) {
        self.running.shutdown().await;
        self.store.close().await;
    }

    /// The use cases of another process on the same database, such as the host's command line.
    pub async fn another_app(&self) -> App {
        let config = config(&self.database, Some(&self.key), &[]);
        let parts = switchyard::daemon::parts::assemble(&config).await.unwrap();
        parts.app
    }

    /// A request with all that it needs, in the tenant Acme.
    pub fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        Ask::new(self, method, path)
            .with("authorization", &format!("Bearer {}", self.token))
            .with("x-operate-as-tenant", &self.acme)
            .with("x-reason", "asked by phone")
    }

    pub fn get(&self, path: &str) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Ask<'_> {
        self.ask(Method::POST, path).json(body)
    }

    pub fn patch(&self, path: &str, body: &Value) -> Ask<'_> {
        self.ask(Method::PATCH, path).json(body)
    }

    pub fn delete(&self, path: &str) -> Ask<'_> {
        self.ask(Method::DELETE, path)
    }

    /// Makes an extension in Acme; gives its id.
    pub async fn extension(&self, number: &str) -> String {
        self.extension_in(&self.acme, number).await
    }

    pub async fn extension_in(&self, tenant: &str, number: &str) -> String {
        let body = json!({"number": number, "name": format!("Phone {number}")});
        let made = self.post("/extensions", &body).in_tenant(tenant).send().await;
        made.data(201)["id"].as_str().unwrap().to_owned()
    }

    /// Asks for a deploy in a tenant; gives its id.
    pub async fn deployment_in(&self, tenant: &str) -> String {
        let asked = self.ask(Method::POST, "/config/deploy").in_tenant(tenant);
        asked.send().await.data(202)["id"].as_str().unwrap().to_owned()
    }

    /// What the audit log holds of the API's changes, oldest first.
    pub async fn audit_actions(&self) -> Vec<String> {
        let sql = "select action from audit_entries where actor_kind <> 'system' and resource <> 'session' order by number";
        self.database.ask(sql.to_owned()).await
    }

    pub async fn suspend(&self, tenant: &str) {
        let id: TenantId = tenant.parse().unwrap();
        let mut tx = self.store.begin("suspend").await.unwrap();
        let now = SystemClock.now();
        switchyard::store::tenant_lifecycle::suspend(&mut tx, id, &pause(now))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Keeps the service from working deploys off: another process seems to do that.
    pub async fn hold_deploys(&self) {
        // The service itself looks through its queue for a moment, at its start and now and then.
        for _ in 0..200 {
            let mut tx = self.store.begin("hold").await.unwrap();
            let now = SystemClock.now();
            let all = switchyard::store::instances::list(&mut tx).await.unwrap();
            let lease = leases::acquire(&mut tx, all[0].id, "test", None, now, Duration::from_hours(1));
            if lease.await.unwrap().is_some() {
                return tx.commit().await.unwrap();
            }
            drop(tx);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the service holds the lease");
    }

    /// Nothing else may show this from now on.
    pub(super) fn remember(&self, secret: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.push(secret.to_owned());
    }
}

fn run(service: Service) -> (SocketAddr, JoinSet<()>) {
    let address = service.address();
    let lifecycle = Lifecycle::of_process().unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { service.run_in(lifecycle).await.unwrap() });
    (address, running)
}

fn config(database: &Bench, key: Option<&SecretString>, more: &[(&str, &str)]) -> Config {
    let state = database.folder.path().join("state");
    let mut variables = vec![
        ("SWITCHYARD_DATABASE_URL", database.text.as_str()),
        ("SWITCHYARD_DEPLOY_SHADOW", "never"),
        ("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:0"),
        ("SWITCHYARD_NODE_NAME", NODE),
        ("SWITCHYARD_STATE_DIR", state.to_str().unwrap()),
    ];
    variables.extend(key.map(|key| ("SWITCHYARD_SEALING_KEY", key.expose_secret())));
    variables.extend(more);
    let environment: Environment = variables.into_iter().collect();
    let loaded = Config::load(None, &environment).unwrap_or_else(|error| panic!("{error}"));
    loaded.config
}

fn instance(database: &Bench) -> NewInstance {
    let config_dir = database.folder.path().join("asterisk");
    std::fs::create_dir(&config_dir).unwrap();
    NewInstance {
        name: "pbx1".parse().unwrap(),
        node: NODE.parse().unwrap(),
        settings: InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            // Nothing listens there.
            ami_port: 1,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: config_dir.to_str().unwrap().parse().unwrap(),
            ami_tls: None,
            log_file: None,
            recordings_dir: database
                .folder
                .path()
                .join("recordings")
                .to_str()
                .unwrap()
                .parse()
                .ok(),
            emergency_numbers: vec![OWN_EMERGENCY.parse().unwrap()],
        }),
        secrets: InstanceSecrets::of_control("ami-secret".into()),
    }
}

async fn tenant(app: &App, operator: &Caller, name: &str) -> String {
    let input = TenantInput {
        name: Some(name.to_owned()),
        domain: Some(format!("{}.example.com", name.to_lowercase())),
        ..TenantInput::default()
    };
    tenants::create(app, operator, input)
        .await
        .unwrap()
        .id
        .to_string()
}
