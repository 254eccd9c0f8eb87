//! The parts of a daemon, made from its configuration and put together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use thiserror::Error;
use tokio::sync::Notify;

use super::drivers::Drivers;
use super::mail;
use super::settings::{self, SettingError};
use super::template_watch::{self, Fingerprint};
use super::webhooks;
use crate::app::App;
use crate::app::sign_in::SignIn;
use crate::auth::authenticator::Authenticator;
use crate::auth::oidc::{self, Issuers, NoClient};
use crate::auth::password::{BadCost, Cost, PasswordHasher};
use crate::auth::password_check::PasswordCheck;
use crate::auth::throttle::Throttle;
use crate::auth::token::TokenKey;
use crate::config::{Config, ShadowMode};
use crate::deploy::{Engine, EngineOptions, ShadowPolicy, TemplateSource};
use crate::domain::clock::SystemClock;
use crate::domain::ids::SystemIds;
use crate::domain::instance::NodeName;
use crate::domain::random::{Randomness as _, SystemRandom};
use crate::driver::feed::FeedFactory;
use crate::monitor::board::Board;
use crate::monitor::stream::Streams;
use crate::outbox::Worker;
use crate::outbox::webhooks::Sender;
use crate::store::{Store, StoreError};

/// How long a PBX that does not answer after an apply is asked again: a restart of Asterisk takes some seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long an answer to the question for all calls is waited for, and some more.
const PATIENCE_WITH_A_POLL: SignedDuration = SignedDuration::from_secs(7);

/// Why the parts cannot be put together.
#[derive(Debug, Error)]
pub enum PartsError {
    /// A value of the configuration does not suit its part.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Issuers of identities cannot be asked.
    #[error(transparent)]
    Issuers(#[from] NoClient),
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Cost(#[from] BadCost),
}

/// What a daemon, or a command beside it, works with.
pub struct Parts {
    /// The use cases.
    pub app: App,
    /// The database.
    pub store: Store,
    /// The deploys.
    pub engine: Arc<Engine>,
    /// Wakes whoever works deploys off.
    pub deploys: Arc<Notify>,
    /// Sends mails, and what wakes it; none where no mail server is configured.
    pub mails: Option<(Worker, Arc<Notify>)>,
    /// Sends events to webhooks.
    pub sender: Sender,
    /// Finds out who is calling.
    pub authenticator: Arc<Authenticator>,
    /// The host that this is.
    pub node: NodeName,
    /// What is known of calls.
    pub board: Board,
    /// Makes what listens to PBXs.
    pub feeds: Arc<dyn FeedFactory>,
}

impl Parts {
    /// Checks the operator's templates, before anything may be deployed, whoever asks for it: where they cannot be used,
    /// the last good set is, and a record that it concerns says so. Gives what they were read from.
    pub async fn check_templates(&self) -> Option<Fingerprint> {
        template_watch::begin(&self.store, &self.engine, &self.node).await
    }
}

/// Opens the database and puts the parts together.
pub async fn assemble(config: &Config) -> Result<Parts, PartsError> {
    let url = settings::database_url(config)?;
    let key = settings::sealing_key(config)?;
    let tokens = key.as_ref().map(|key| Arc::new(settings::token_key(key)));
    let sign_in = tokens.clone().map(|tokens| sign_in(config, tokens)).transpose()?;
    let store = Store::open(&url, key).await?;
    let engine = Arc::new(engine(config, store.clone()));
    let deploys = Arc::new(Notify::new());
    let mailing = mail::mailing(config);
    let mails = mail::worker(config, store.clone()).zip(mailing.nudge.clone());
    let board = board(config);
    let app = App::new(
        store.clone(),
        Arc::clone(&engine),
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        Arc::new(SystemRandom),
        Arc::clone(&deploys),
    )
    .with_mailing(mailing)
    .with_domain_suffix(config.tenants.domain_suffix.clone())
    .with_board(board.clone())
    .with_webhook_reach(webhooks::reach(config))
    .with_sign_in(sign_in);
    let sender = webhooks::sender(config, store.clone(), app.clone());
    let authenticator = Arc::new(Authenticator::new(
        tokens,
        Arc::new(store.clone()),
        Arc::new(SystemClock),
    ));
    Ok(Parts {
        app,
        store,
        engine,
        deploys,
        mails,
        sender,
        authenticator,
        node: config.node.name.clone(),
        board,
        feeds: Arc::new(drivers(config)),
    })
}

/// Nothing is known yet. What is older than two polls and the patience with one may be otherwise.
fn board(config: &Config) -> Board {
    let mut process = [0; 4];
    // Without randomness a reader that comes again may miss what happened while the daemon was started.
    let _ = SystemRandom.fill(&mut process);
    let streams = Streams::new(u32::from_ne_bytes(process));
    let period = SignedDuration::from_secs(config.monitor.poll_seconds.into());
    Board::new(
        streams,
        period.saturating_add(period).saturating_add(PATIENCE_WITH_A_POLL),
    )
}

fn drivers(config: &Config) -> Drivers {
    Drivers::new(
        config.state.dir.clone(),
        config.deploy.asterisk.clone(),
        settings::transport(config),
    )
}

fn sign_in(config: &Config, tokens: Arc<TokenKey>) -> Result<SignIn, PartsError> {
    let hasher = PasswordHasher::new(Cost::default(), Arc::new(SystemRandom))?;
    let throttle = || Throttle::new(settings::throttle(config), Arc::new(SystemClock));
    let issuers = config.auth.issuers.clone();
    Ok(SignIn {
        check: PasswordCheck::new(hasher, throttle()),
        asking: throttle(),
        issuers: Issuers::new(issuers, oidc::Limits::default(), Arc::new(SystemClock))?,
        tokens,
    })
}

fn engine(config: &Config, store: Store) -> Engine {
    let shadow = match config.deploy.shadow {
        ShadowMode::Auto => ShadowPolicy::Auto,
        ShadowMode::Always => ShadowPolicy::Always,
        ShadowMode::Never => ShadowPolicy::Never,
    };
    let options = EngineOptions {
        node: config.node.name.clone(),
        holder: format!("{}/{}", config.node.name, std::process::id()),
        lease: Duration::from_secs(config.deploy.lease_seconds.into()),
        state_dir: config.state.dir.clone(),
        shadow,
        keep_generations: config.deploy.keep_generations,
        patience: PATIENCE,
    };
    Engine::new(
        store,
        templates(config.templates.dir.clone()),
        Box::new(drivers(config)),
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        options,
    )
}

/// The built-in templates, with the operator's own in front.
#[must_use]
pub fn templates(overrides: Option<PathBuf>) -> TemplateSource {
    TemplateSource::new(overrides)
}
