//! The service: the API and the deploys of one host, until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::auto_deploy;
use super::call_records;
use super::deploy_worker::{self, Rhythm};
use super::exports;
use super::forgetting;
use super::instance_checks;
use super::lifecycle::{Lifecycle, LifecycleError};
use super::listener::{self, Limits, ListenError};
use super::mail_boxes;
use super::open_files;
use super::parts::{self, Parts, PartsError};
use super::password_resets;
use super::purging;
use super::settings;
use super::tasks::Tasks;
use super::template_watch::{self, Fingerprint};
use super::tenant_upkeep;
use super::trusted_time;
use crate::app::App;
use crate::app::call_events;
use crate::app::deployment_news;
use crate::config::{Config, DeployMode};
use crate::domain::clock::SystemClock;
use crate::domain::ids::SystemIds;
use crate::domain::instance::NodeName;
use crate::domain::mail::PublicUrl;
use crate::domain::proxies::TrustedProxies;
use crate::domain::web_origin::WebOrigin;
use crate::driver::asterisk::Shadow;
use crate::http::cors;
use crate::http::forwarded;
use crate::http::health::{Check, Readiness};
use crate::http::metrics::Collector;
use crate::http::routes::{Shared, router, table};
use crate::http::streams::Streams;
use crate::monitor::{self, Tools};
use crate::outbox::webhooks::Sender;
use crate::store::{Store, StoreError, sealing_keys};
use crate::telemetry::TelemetryError;

/// Why the service does not start, or ended other than well.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// Nothing can be logged.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The parts cannot be put together.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Signals cannot be received.
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
    /// A task is gone, or was cut off.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
}

/// A service that has its address and has not begun to answer.
pub struct Service {
    parts: Parts,
    /// How long an edit waits for quiet before it goes live by itself; `None`: it waits for somebody.
    debounce: Option<Duration>,
    cors_origins: Vec<WebOrigin>,
    trusted_proxies: TrustedProxies,
    /// How often a PBX is asked for all its calls.
    poll: Duration,
    collector: Collector,
    /// What the templates were read from.
    templates: Option<Fingerprint>,
    listener: tokio::net::TcpListener,
    address: SocketAddr,
}

impl Service {
    /// Starts logging; `warnings` are what the configuration was read with.
    pub fn start_logging(config: &Config, warnings: &[String]) -> Result<(), ServiceError> {
        settings::start_telemetry(config)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(())
    }

    /// Puts the parts together and takes the address.
    pub async fn prepare(config: &Config) -> Result<Self, ServiceError> {
        for lacking in settings::lacking(config) {
            tracing::warn!("{lacking}");
        }
        settings::templates(config).map_err(PartsError::from)?;
        // A task that panicked swept nothing; the next deploy does it again.
        let swept = spawn_blocking(Shadow::sweep).await.unwrap_or_default();
        if swept > 0 {
            tracing::info!(
                swept,
                "removed what private Asterisks left whose process was killed"
            );
        }
        let mut parts = parts::assemble(config).await?;
        let templates = parts.check_templates().await;
        let listener = listener::listen(config.http.listen).await?;
        let debounce = (config.deploy.mode == DeployMode::Auto)
            .then(|| Duration::from_secs(config.deploy.debounce_seconds.into()));
        let address = listener.local_addr().unwrap_or(config.http.listen);
        if config.http.public_url.is_none() {
            // The port is known only now where any was asked for.
            parts.app = parts.app.with_public_url(PublicUrl::of_listener(address));
        }
        Ok(Self {
            parts,
            debounce,
            cors_origins: config.http.cors_origins.clone(),
            trusted_proxies: config.http.trusted_proxies.clone(),
            poll: Duration::from_secs(config.monitor.poll_seconds.into()),
            collector: Collector::new(config.metrics.token.clone()),
            templates,
            listener,
            address,
        })
    }

    /// The address it answers on; tells the port where any was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it is made of.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Serves until it is told to stop, or a task is gone.
    pub async fn run(self) -> Result<(), ServiceError> {
        let lifecycle = Lifecycle::of_process().map_err(ServiceError::Signals)?;
        self.run_in(lifecycle).await
    }

    /// Serves in a life that has begun already.
    pub async fn run_in(self, lifecycle: Lifecycle) -> Result<(), ServiceError> {
        let tasks = lifecycle.tasks();
        let Parts {
            app,
            store,
            engine,
            deploys,
            mails,
            sender,
            authenticator,
            node,
            board,
            feeds,
        } = self.parts;
        if let Some((worker, nudge)) = mails {
            tasks.spawn("mails", worker.run(nudge, tasks.soft_stop()));
        }
        news(&app, sender, &store, &tasks);
        if let Some(debounce) = self.debounce {
            let edits = auto_deploy::run(
                app.clone(),
                store.clone(),
                node.clone(),
                debounce,
                tasks.soft_stop(),
            );
            tasks.spawn("edits", edits);
        }
        upkeep(&app, &tasks);
        tasks.spawn(
            "checks",
            instance_checks::run(
                app.clone(),
                store.clone(),
                node.clone(),
                instance_checks::PERIOD,
                tasks.soft_stop(),
            ),
        );
        finders(&app, &store, &node, &tasks);
        tasks.spawn("clicks", call_records::make_calls(app.clone(), tasks.soft_stop()));
        tasks.spawn(
            "tenants",
            tenant_upkeep::run(app.clone(), tenant_upkeep::PERIOD, tasks.soft_stop()),
        );
        let tools = Tools {
            store: store.clone(),
            board,
            clock: Arc::new(SystemClock),
            period: self.poll,
            anew: monitor::ANEW,
        };
        tasks.spawn(
            "calls",
            monitor::run(node.clone(), feeds, tools, tasks.soft_stop()),
        );
        let connections = open_files::connections();
        let shared = Shared {
            readiness: Arc::new(Needs { store: store.clone() }),
            app,
            streams: Streams::new(tasks.soft_stop(), connections / 2),
            collector: self.collector,
        };
        let router = router(table(), shared, &authenticator, Arc::new(SystemIds));
        let router = cors::allow(router, &self.cors_origins);
        let router = forwarded::believe(router, &self.trusted_proxies);
        tasks.spawn(
            "http",
            listener::serve(
                self.listener,
                router,
                Limits {
                    connections,
                    ..Limits::default()
                },
                self.trusted_proxies,
                tasks.soft_stop(),
            ),
        );
        tasks.spawn(
            "templates",
            template_watch::run(Arc::clone(&engine), self.templates, tasks.soft_stop()),
        );
        tasks.spawn(
            "deploys",
            deploy_worker::run(store, engine, node, deploys, Rhythm::default(), tasks.soft_stop()),
        );
        tracing::info!(address = %self.address, "serving");
        Ok(lifecycle.run().await?)
    }
}

/// What lies on PBXs is found.
fn finders(app: &App, store: &Store, node: &NodeName, tasks: &Tasks) {
    tasks.spawn(
        "recordings",
        call_records::find_recordings(
            store.clone(),
            node.clone(),
            call_records::PERIOD,
            tasks.soft_stop(),
        ),
    );
    tasks.spawn(
        "mail boxes",
        mail_boxes::find(
            app.clone(),
            store.clone(),
            node.clone(),
            mail_boxes::PERIOD,
            tasks.soft_stop(),
        ),
    );
}

/// What is forgotten in time or because nobody keeps it any more, by which time that is, and what is sent to those who asked for
/// it.
fn upkeep(app: &App, tasks: &Tasks) {
    tasks.spawn(
        "forgetting",
        forgetting::run(app.clone(), forgetting::PERIOD, tasks.soft_stop()),
    );
    tasks.spawn(
        "password resets",
        password_resets::run(app.clone(), tasks.soft_stop()),
    );
    tasks.spawn(
        "purges",
        purging::run(app.clone(), purging::PERIOD, tasks.soft_stop()),
    );
    tasks.spawn("exports", exports::run(app.clone(), tasks.soft_stop()));
    tasks.spawn(
        "clock",
        trusted_time::run(app.clone(), trusted_time::PERIOD, tasks.soft_stop()),
    );
}

/// What is told to those who follow a tenant and to its webhooks, and who takes it there.
fn news(app: &App, sender: Sender, store: &Store, tasks: &Tasks) {
    tasks.spawn(
        "deployment news",
        deployment_news::run(app.clone(), tasks.soft_stop()),
    );
    tasks.spawn("call events", call_events::run(app.clone(), tasks.soft_stop()));
    tasks.spawn("webhooks", sender.run(store.events(), tasks.soft_stop()));
}

/// How long `/readyz` waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the service cannot work without.
struct Needs {
    store: Store,
}

#[async_trait]
impl Readiness for Needs {
    async fn checks(&self) -> Vec<Check> {
        let looked = timeout(PATIENCE, async {
            let mut tx = self.store.read("readiness").await?;
            Ok::<_, StoreError>(sealing_keys::check(&mut tx).await)
        });
        let looked = looked.await;
        vec![
            Check {
                name: "database",
                ok: matches!(looked, Ok(Ok(_))),
            },
            Check {
                name: "sealing_key",
                ok: matches!(looked, Ok(Ok(Ok(())))),
            },
        ]
    }
}
