//! One private Asterisk, one database, and the use cases over both.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use switchyard::app::precondition::IfMatch;
use switchyard::app::setbacks::Setbacks;
use switchyard::app::{App, deployments, extensions, instances, tenant_upkeep, tenants};
use switchyard::auth::caller::{Caller, Identity, Origin, Place};
use switchyard::deploy::{Engine, EngineOptions, ShadowPolicy, TemplateSource};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::clock::SystemClock;
use switchyard::domain::deployment::Deployment;
use switchyard::domain::extension::Extension;
use switchyard::domain::ids::{InstanceId, SystemIds, TenantId};
use switchyard::domain::instance::PbxKind;
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::secret::ShownSecrets;
use switchyard::domain::sip_domain::SipDomain;
use switchyard::domain::tenant::TenantStatus;
use switchyard::render::template_set::TemplateSet;
use switchyard::store::Store;
use tokio::sync::Notify;

use super::drivers::Drivers;
pub use super::ended::{Ended, ended, record};
use super::support::clock::Shifted;
use super::support::database::{Backend, Bench, key};
use super::support::pbx::Pbx;
use super::support::phone;

/// The host that drives the instance.
const NODE: &str = "here";

/// A file behind the live link: inode, time of its last change in nanoseconds, and text.
pub type LiveFile = (u64, i64, String);

/// An extension with what its phone signs in with.
#[derive(Clone)]
pub struct Phone {
    pub extension: Extension,
    pub secrets: ShownSecrets,
}

/// A tenant with the caller that acts in it.
#[derive(Clone)]
pub struct TestTenant {
    pub id: TenantId,
    pub domain: SipDomain,
    pub caller: Caller,
}

/// Everything that a deploy needs.
pub struct World {
    pub app: App,
    pub engine: Arc<Engine>,
    pub store: Store,
    pub instance_id: InstanceId,
    pub database: Bench,
    pub pbx: Arc<Pbx>,
}

impl World {
    /// An instance without tenants; no shadow reads, so that a deploy is fast.
    pub async fn new(backend: Backend) -> Self {
        let pbx = Arc::new(Pbx::start().await);
        let (database, store) = Bench::migrated(backend).await;
        std::fs::create_dir_all(pbx.directory.path().join("templates/asterisk")).unwrap();
        let drivers = Drivers::plain(&pbx);
        let options = options(&pbx, ShadowPolicy::Never);
        let engine = engine(&pbx, &store, options, drivers);
        let app = app(&store, &engine);
        let new = instances::NewInstance {
            name: "main".parse().unwrap(),
            node: NODE.parse().unwrap(),
            settings: InstanceSettings::Asterisk(pbx.private.settings().clone()),
            secrets: InstanceSecrets::of_control(pbx.private.secret().clone()),
        };
        let instance_id = instances::create(&app, &operator(), new).await.unwrap().id;
        Self {
            app,
            engine,
            store,
            instance_id,
            database,
            pbx,
        }
    }

    /// Another process's use cases over the same database and PBX.
    pub fn with(&self, shadow: ShadowPolicy, drivers: Drivers) -> (App, Arc<Engine>) {
        self.with_options(drivers, |options| options.shadow = shadow)
    }

    /// The same, giving up at once on a PBX that does not answer.
    pub fn impatient(&self, drivers: Drivers) -> (App, Arc<Engine>) {
        self.with_options(drivers, |options| options.patience = Duration::from_millis(500))
    }

    pub fn with_options(
        &self,
        drivers: Drivers,
        change: impl FnOnce(&mut EngineOptions),
    ) -> (App, Arc<Engine>) {
        let mut options = options(&self.pbx, ShadowPolicy::Never);
        change(&mut options);
        let engine = engine(&self.pbx, &self.store, options, drivers);
        (app(&self.store, &engine), engine)
    }

    /// The use cases with another rule for the shadow.
    pub fn shadowed(&self, shadow: ShadowPolicy) -> App {
        self.with(shadow, Drivers::plain(&self.pbx)).0
    }

    /// Another process with its own connections and its own clock; what it calls itself does not matter.
    pub async fn another_process(&self, drivers: Drivers, lease: Duration, clock: &Shifted) -> Arc<Engine> {
        self.process_in(state_dir(&self.pbx), drivers, lease, clock).await
    }

    /// The same with a state directory of its own, as in another container.
    pub async fn process_elsewhere(&self, drivers: Drivers, lease: Duration, clock: &Shifted) -> Arc<Engine> {
        let elsewhere = self.pbx.directory.path().join("elsewhere");
        self.process_in(elsewhere, drivers, lease, clock).await
    }

    async fn process_in(
        &self,
        state_dir: PathBuf,
        drivers: Drivers,
        lease: Duration,
        clock: &Shifted,
    ) -> Arc<Engine> {
        let store = self.database.another_store(Some(key('a'))).await;
        let options = EngineOptions {
            lease,
            state_dir,
            ..options(&self.pbx, ShadowPolicy::Never)
        };
        Arc::new(Engine::new(
            store,
            TemplateSource::new(Some(self.pbx.directory.path().join("templates"))),
            Box::new(drivers),
            Arc::new(clock.clone()),
            Arc::new(SystemIds),
            options,
        ))
    }

    pub async fn tenant(&self, word: &str) -> TestTenant {
        let input = tenants::TenantInput {
            name: Some(format!("Tenant {word}")),
            domain: Some(format!("{word}.example.com")),
            pbx_instance_id: Some(self.instance_id.to_string()),
            ..tenants::TenantInput::default()
        };
        let tenant = tenants::create(&self.app, &operator(), input).await.unwrap();
        let place = Place::Entered {
            id: tenant.id,
            status: TenantStatus::Active,
        };
        TestTenant {
            id: tenant.id,
            domain: tenant.domain,
            caller: Caller::new(Identity::SystemCli, place, None, Origin::default()),
        }
    }

    /// Two tenants that both have a 1001 with a mailbox.
    pub async fn acme_and_globex(&self) -> [(TestTenant, Phone); 2] {
        let mut both = Vec::new();
        for word in ["acme", "globex"] {
            let tenant = self.tenant(word).await;
            let phone = self.extension(&tenant, with_mailbox("1001", word)).await;
            both.push((tenant, phone));
        }
        both.try_into().ok().unwrap()
    }

    pub async fn extension(&self, tenant: &TestTenant, input: Value) -> Phone {
        let input = serde_json::from_value(input).unwrap();
        let (extension, secrets) = extensions::create(&self.app, &tenant.caller, input)
            .await
            .unwrap();
        Phone { extension, secrets }
    }

    pub async fn patch(&self, tenant: &TestTenant, phone: &Phone, patch: Value) {
        let id = phone.extension.id;
        extensions::patch(&self.app, &tenant.caller, id, patch, &IfMatch::Any)
            .await
            .unwrap();
    }

    pub async fn request(&self, tenant: &TestTenant) -> Deployment {
        let done = deployments::deploy(&self.app, &tenant.caller, None).await;
        done.unwrap().into_inner()
    }

    pub async fn deploy(&self, tenant: &TestTenant) -> Ended {
        self.deploy_with(&self.app, tenant).await
    }

    pub async fn deploy_with(&self, app: &App, tenant: &TestTenant) -> Ended {
        let done = deployments::deploy(app, &tenant.caller, None).await;
        ended(app, &done.unwrap().into_inner()).await
    }

    pub async fn deploy_platform(&self) -> Ended {
        self.deploy_platform_with(&self.app).await
    }

    pub async fn deploy_platform_with(&self, app: &App) -> Ended {
        let deployment = deployments::deploy_instance(app, &operator(), self.instance_id)
            .await
            .unwrap();
        ended(app, &deployment).await
    }

    pub async fn change_settings(&self, change: impl FnOnce(&mut AsteriskSettings)) {
        let mut settings = self.pbx.private.settings().clone();
        change(&mut settings);
        let settings = InstanceSettings::Asterisk(settings);
        let secrets = InstanceSecrets::of_control(self.pbx.private.secret().clone());
        instances::change_settings(&self.app, &operator(), self.instance_id, settings, &secrets)
            .await
            .unwrap();
    }

    /// The number of the generation that the database calls live.
    pub async fn live(&self) -> Option<i64> {
        instances::live_generation(&self.app, &operator(), self.instance_id)
            .await
            .unwrap()
    }

    /// The number of the generation behind the live link.
    pub fn standing(&self) -> Option<i64> {
        let target = std::fs::read_link(self.config_dir().join("live")).ok()?;
        Some(target.file_name().unwrap().to_str().unwrap().parse().unwrap())
    }

    /// The files behind the live link; none before the first deploy.
    pub fn files(&self) -> BTreeMap<Artifact, LiveFile> {
        let mut files = BTreeMap::new();
        for file in Artifact::of(PbxKind::Asterisk) {
            let path = self.live_file(*file);
            if let Ok(metadata) = std::fs::metadata(&path) {
                let changed = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
                let text = std::fs::read_to_string(&path).unwrap();
                files.insert(*file, (metadata.ino(), changed, text));
            }
        }
        files
    }

    pub fn live_file(&self, file: Artifact) -> PathBuf {
        self.config_dir().join("live").join(file.as_str())
    }

    pub fn config_dir(&self) -> PathBuf {
        self.pbx.private.settings().config_dir.as_path().to_owned()
    }

    pub fn state_dir(&self) -> PathBuf {
        state_dir(&self.pbx)
    }

    /// Puts a template before the built-in one; `edit` gets the text of that.
    pub fn override_template(&self, name: &str, edit: impl FnOnce(&str) -> String) {
        let built_in = TemplateSet::built_in().unwrap();
        let path = self.pbx.directory.path().join("templates").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, edit(built_in.files().get(name).unwrap())).unwrap();
    }

    pub fn remove_override(&self, name: &str) {
        std::fs::remove_file(self.pbx.directory.path().join("templates").join(name)).unwrap();
    }

    /// Whether a phone gets its 200.
    pub fn registers(&self, tenant: &TestTenant, phone: &Phone) -> bool {
        let number = phone.extension.number.as_str();
        let secret = phone.secrets.sip.expose();
        phone::registers(self.pbx.private.sip(), number, tenant.domain.as_str(), secret)
    }

    /// The daemon's own question to the running PBX.
    pub async fn is_verified(&self, tenant: &TestTenant) -> bool {
        deployments::verify(&self.app, &tenant.caller).await.unwrap().ok
    }
}

/// One turn of the reconciler of tenants, in a process that remembers no setback; gives how many went.
pub async fn upkeep(app: &App) -> usize {
    tenant_upkeep::turn(app, &mut Setbacks::default()).await.unwrap()
}

pub fn operator() -> Caller {
    Caller::new(Identity::SystemCli, Place::Platform, None, Origin::default())
}

/// The input of an extension with a mailbox.
pub fn with_mailbox(number: &str, name: &str) -> Value {
    serde_json::json!({"number": number, "name": name, "voicemail": {"enabled": true, "pin": "246813"}})
}

fn state_dir(pbx: &Pbx) -> PathBuf {
    pbx.directory.path().join("state")
}

pub fn options(pbx: &Pbx, shadow: ShadowPolicy) -> EngineOptions {
    EngineOptions {
        node: NODE.parse().unwrap(),
        holder: "test".to_owned(),
        lease: Duration::from_secs(30),
        state_dir: state_dir(pbx),
        shadow,
        keep_generations: 10,
        patience: Duration::from_secs(20),
    }
}

pub fn engine(pbx: &Pbx, store: &Store, options: EngineOptions, drivers: Drivers) -> Arc<Engine> {
    Arc::new(Engine::new(
        store.clone(),
        TemplateSource::new(Some(pbx.directory.path().join("templates"))),
        Box::new(drivers),
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        options,
    ))
}

fn app(store: &Store, engine: &Arc<Engine>) -> App {
    App::new(
        store.clone(),
        Arc::clone(engine),
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        Arc::new(SystemRandom),
        Arc::new(Notify::new()),
    )
}
