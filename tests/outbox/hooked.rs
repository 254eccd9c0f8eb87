//! Two tenants, the use cases, and senders of webhooks whose clock the test owns.

use std::sync::Arc;
use std::time::Duration;

use switchyard::app::instances::NewInstance;
use switchyard::app::platform_users::{self, UserInput};
use switchyard::app::precondition::IfMatch;
use switchyard::app::tenants::TenantInput;
use switchyard::app::webhooks::{self, WebhookInput};
use switchyard::app::{App, deployments, instances, operator, tenants};
use switchyard::auth::caller::Caller;
use switchyard::config::{Config, Environment};
use switchyard::daemon::parts::{self, Parts};
use switchyard::daemon::webhooks::Disabled;
use switchyard::domain::clock::Clock as _;
use switchyard::domain::deployment::DeploymentStatus;
use switchyard::domain::event::{About, Event};
use switchyard::domain::ids::{DeploymentId, EventId, InstanceId, SystemIds, UserId, WebhookId};
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::tenant::Tenant;
use switchyard::domain::webhook::{EventKind, Webhook};
use switchyard::domain::webhook_reach::WebhookReach;
use switchyard::monitor::board::Board;
use switchyard::outbox::webhooks::{Limits, Options, Sender};
use switchyard::store::{self, Store};
use tokio_util::sync::CancellationToken;

use super::support::clock::Shifted;
use super::support::database::{Backend, Bench, key};
use super::support::receiver::Receiver;

/// Loopback, where the receivers are.
pub const ALLOWED: &str = "127.0.0.0/8";

pub struct Hooked {
    pub bench: Bench,
    pub store: Store,
    pub app: App,
    pub acme: Tenant,
    pub globex: Tenant,
    pub board: Board,
    pub instance: InstanceId,
    pub clock: Shifted,
    pub stop: CancellationToken,
}

/// A webhook with its secret.
pub struct Made {
    pub id: WebhookId,
    pub secret: String,
}

impl Hooked {
    pub async fn new(backend: Backend) -> Self {
        let (bench, store) = Bench::migrated(backend).await;
        let parts = parts_of(&bench).await;
        let (app, board) = (parts.app, parts.board);
        let settings = InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            // Nothing listens there.
            ami_port: 1,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: bench.folder.path().to_str().unwrap().parse().unwrap(),
            ami_tls: None,
            log_file: None,
            recordings_dir: None,
            emergency_numbers: vec![],
        });
        let new = NewInstance {
            name: "pbx1".parse().unwrap(),
            node: "node1".parse().unwrap(),
            settings,
            secrets: InstanceSecrets::of_control("ami-secret".into()),
        };
        instances::create(&app, &operator::platform(None), new)
            .await
            .unwrap();
        let (acme, globex) = (tenant(&app, "Acme").await, tenant(&app, "Globex").await);
        Self {
            bench,
            store,
            app,
            instance: acme.instance_id,
            acme,
            board,
            globex,
            clock: Shifted::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Has these events of a tenant sent somewhere.
    pub async fn hook_at(&self, tenant: &Tenant, url: &str, events: &[&str]) -> Made {
        let input = WebhookInput {
            url: Some(url.to_owned()),
            events: Some(events.iter().map(|&event| event.to_owned()).collect()),
            active: None,
        };
        let (webhook, secret) = webhooks::create(&self.app, &inside(tenant), input).await.unwrap();
        Made {
            id: webhook.id,
            secret: secret.expose().to_owned(),
        }
    }

    pub async fn hook(&self, receiver: &Receiver, events: &[&str]) -> Made {
        self.hook_at(&self.acme, &receiver.url(), events).await
    }

    /// One more tenant.
    pub async fn tenant(&self, name: &str) -> Tenant {
        tenant(&self.app, name).await
    }

    /// Tells of these tenants that they have changed, one after the other.
    pub async fn tell_of(&self, tenants: &[&Tenant]) {
        let mut tx = self.store.begin("told").await.unwrap();
        tx.tell(tenants.iter().map(|tenant| Event {
            id: EventId::fresh(&SystemIds),
            kind: EventKind::TenantChanged,
            tenant: tenant.id,
            at: self.clock.now(),
            about: About::Tenant,
        }));
        tx.commit().await.unwrap();
    }

    /// How a webhook of Acme stands.
    pub async fn standing(&self, made: &Made) -> Webhook {
        webhooks::find(&self.app, &inside(&self.acme), made.id)
            .await
            .unwrap()
    }

    pub async fn active(&self, made: &Made, active: bool) -> Webhook {
        let input = WebhookInput {
            active: Some(active),
            ..WebhookInput::default()
        };
        let caller = inside(&self.acme);
        let changed = webhooks::change(&self.app, &caller, made.id, input, &IfMatch::default()).await;
        changed.unwrap()
    }

    /// Makes a user in a tenant, which is an event.
    pub async fn user(&self, name: &str, tenant: &Tenant) -> UserId {
        let input = UserInput {
            tenant_id: Some(tenant.id.to_string()),
            role: Some("agent".to_owned()),
            name: Some(name.to_owned()),
            email: Some(format!("{name}@example.com")),
            password: Some("quince medlar sloe".into()),
            ..UserInput::default()
        };
        let made = platform_users::create(&self.app, &operator::platform(None), input).await;
        made.unwrap().0.id
    }

    /// That somebody was made in Acme.
    pub fn created(&self, user: UserId) -> Event {
        Event {
            id: EventId::fresh(&SystemIds),
            kind: EventKind::UserCreated,
            tenant: self.acme.id,
            at: self.clock.now(),
            about: About::User(user),
        }
    }

    /// Asks for a deploy of Acme, which then fails; gives its id.
    pub async fn deployed(&self) -> DeploymentId {
        let asked = deployments::deploy(&self.app, &inside(&self.acme), None)
            .await
            .unwrap();
        let id = asked.into_inner().id;
        let mut tx = self.store.begin("end").await.unwrap();
        let failed = DeploymentStatus::Failed;
        store::deployments::end(&mut tx, id, failed, &[], self.clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A sender as another process would have it.
    pub fn sender_on(&self, store: Store, allowed: &str, limits: Limits) -> Sender {
        let options = Options {
            holder: "test".to_owned(),
            give_up_after: Duration::from_hours(24),
            // Far longer than a test: whatever comes sooner was nudged.
            period: Duration::from_hours(1),
            limits,
        };
        Sender::new(
            store,
            WebhookReach::new(allowed.parse().unwrap()),
            Arc::new(Disabled(self.app.clone())),
            Arc::new(self.clock.clone()),
            Arc::new(SystemRandom),
            options,
        )
    }

    pub fn sender(&self) -> Sender {
        self.sender_on(self.store.clone(), ALLOWED, Limits::default())
    }

    /// One that does not wait for long.
    pub fn impatient(&self) -> Sender {
        let moment = Duration::from_secs(3);
        let limits = Limits {
            connect: moment,
            total: moment,
            rest: moment,
        };
        self.sender_on(self.store.clone(), ALLOWED, limits)
    }

    /// Another process on the same database.
    pub async fn another_sender(&self) -> Sender {
        let store = self.bench.another_store(Some(key('a'))).await;
        self.sender_on(store, ALLOWED, Limits::default())
    }

    /// Everything that is due now is sent; gives how many attempts that took.
    pub async fn work_off(&self) -> usize {
        self.sender().work_off(&self.stop).await.unwrap()
    }
}

/// The host in a tenant.
pub fn inside(tenant: &Tenant) -> Caller {
    operator::in_tenant(tenant, Some("asked by phone".parse().unwrap()))
}

/// The use cases as a daemon has them that may lead webhooks to loopback.
async fn parts_of(bench: &Bench) -> Parts {
    let state = bench.folder.path().join("state");
    let key = "a".repeat(64);
    let environment: Environment = [
        ("SWITCHYARD_DATABASE_URL", bench.text.as_str()),
        ("SWITCHYARD_SEALING_KEY", &key),
        ("SWITCHYARD_STATE_DIR", state.to_str().unwrap()),
        ("SWITCHYARD_NODE_NAME", "node1"),
        ("SWITCHYARD_WEBHOOKS_ALLOW", ALLOWED),
    ]
    .into_iter()
    .collect();
    let loaded = Config::load(None, &environment).unwrap_or_else(|error| panic!("{error}"));
    parts::assemble(&loaded.config).await.unwrap()
}

async fn tenant(app: &App, name: &str) -> Tenant {
    let input = TenantInput {
        name: Some(name.to_owned()),
        domain: Some(format!("{}.example.com", name.to_lowercase())),
        ..TenantInput::default()
    };
    tenants::create(app, &operator::platform(None), input)
        .await
        .unwrap()
}
