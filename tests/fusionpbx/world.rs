//! A FusionPBX with what an operator has in it, a database of ours, and the use cases over both.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{App, deployments, extensions, instances, tenants};
use switchyard::auth::caller::{Caller, Identity, Origin, Place};
use switchyard::deploy::{DriverFactory, Engine, EngineOptions, ShadowPolicy, TemplateSource};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, StageRecord};
use switchyard::domain::extension::Extension;
use switchyard::domain::ids::{InstanceId, SystemIds, TenantId};
use switchyard::domain::instance::{FusionPbxSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::secret::ShownSecrets;
use switchyard::domain::tenant::TenantStatus;
use switchyard::driver::PbxDriver;
use switchyard::driver::fusionpbx::{self, FusionPbxDriver};
use switchyard::store::Store;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::freeswitch::{Admitted, FreeSwitch, Keys, PASSWORD, Refused};
use super::fusionpbx::{Booleans, FusionPbx, Snapshot, settings as fusionpbx_settings};
use super::support::clock::Shifted;
use super::support::database::{Backend, Bench};

/// The host that drives the instance.
const NODE: &str = "here";

/// A tenant with the caller that acts in it.
pub struct TestTenant {
    pub id: TenantId,
    pub domain: String,
    pub caller: Caller,
}

/// An extension with what its phone signs in with.
pub struct Phone {
    pub extension: Extension,
    pub secrets: ShownSecrets,
}

impl Phone {
    pub fn number(&self) -> &str {
        self.extension.number.as_str()
    }
}

/// A deploy that has ended.
#[derive(Debug)]
pub struct Ended {
    pub deployment: Deployment,
    pub stages: Vec<StageRecord>,
}

impl Ended {
    #[track_caller]
    pub fn expect(self, status: DeploymentStatus) -> Self {
        assert_eq!(self.deployment.status, status, "{self:#?}");
        self
    }

    pub fn codes(&self) -> Vec<&str> {
        let findings = self.deployment.findings.iter();
        findings.map(|finding| finding.code.as_str()).collect()
    }

    /// All that it says.
    pub fn words(&self) -> String {
        format!("{:?} {:?}", self.deployment.findings, self.stages)
    }
}

/// Everything that a deploy needs.
pub struct World {
    // Before the database, which its lookups use.
    pub freeswitch: FreeSwitch,
    pub fusionpbx: FusionPbx,
    pub app: App,
    pub engine: Arc<Engine>,
    pub store: Store,
    pub database: Bench,
    pub instance_id: InstanceId,
    pub settings: FusionPbxSettings,
    pub secrets: InstanceSecrets,
    pub clock: Shifted,
    /// What was there before us.
    pub others: Snapshot,
    state: TempDir,
    limit: Limit,
}

/// How long an answer of the database is waited for, where it is not as long as the daemon does.
type Limit = Arc<Mutex<Option<Duration>>>;

impl World {
    pub async fn new(booleans: Booleans) -> Self {
        Self::with(Backend::Sqlite, booleans, Keys::Plain).await
    }

    pub async fn on(backend: Backend) -> Self {
        Self::with(backend, Booleans::Native, Keys::Plain).await
    }

    pub async fn with(backend: Backend, booleans: Booleans, keys: Keys) -> Self {
        let fusionpbx = FusionPbx::furnished(booleans).await;
        let role = fusionpbx.own_role().await;
        let freeswitch = FreeSwitch::with_fusionpbx(fusionpbx.pool.clone(), keys).await;
        let (settings, secrets) = reached(&role, freeswitch.port);
        let (database, store) = Bench::migrated(backend).await;
        let (clock, state) = (Shifted::default(), tempfile::tempdir().unwrap());
        let limit = Limit::default();
        let (app, engine) = process(&store, drivers(&state, &limit), &clock, "first");
        let new = instances::NewInstance {
            name: "main".parse().unwrap(),
            node: NODE.parse().unwrap(),
            settings: InstanceSettings::FusionPbx(settings.clone()),
            secrets: secrets.clone(),
        };
        let instance_id = instances::create(&app, &operator(), new).await.unwrap().id;
        let others = fusionpbx.snapshot().await;
        Self {
            freeswitch,
            fusionpbx,
            app,
            engine,
            store,
            database,
            instance_id,
            settings,
            secrets,
            clock,
            others,
            state,
            limit,
        }
    }

    /// From now on no answer of the database is waited for longer than that.
    pub fn limit_answers(&self, limit: Duration) {
        *self.limit.lock().unwrap() = Some(limit);
    }

    /// Another process over the same databases and the same directory, after the lease of any that died has run out.
    pub fn after_a_death(&self) -> App {
        self.clock.forward(Duration::from_mins(5));
        let drivers = drivers(&self.state, &self.limit);
        process(&self.store, drivers, &self.clock, "second").0
    }

    /// From now on the PBX is reached otherwise.
    pub async fn reach(&self, change: impl FnOnce(&mut FusionPbxSettings, &mut InstanceSecrets)) {
        let (mut settings, mut secrets) = (self.settings.clone(), self.secrets.clone());
        change(&mut settings, &mut secrets);
        let settings = InstanceSettings::FusionPbx(settings);
        instances::change_settings(&self.app, &operator(), self.instance_id, settings, &secrets)
            .await
            .unwrap();
    }

    /// The driver of the instance, as the daemon makes it.
    pub async fn driver(&self) -> Box<dyn PbxDriver> {
        let found = instances::find(&self.app, &operator(), self.instance_id).await;
        let instance = found.unwrap();
        let mut tx = self.store.read("secrets").await.unwrap();
        let secrets = switchyard::store::instances::secrets(&mut tx, instance.id).await;
        drivers(&self.state, &self.limit).driver(&instance, secrets.unwrap().unwrap())
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
            domain: tenant.domain.to_string(),
            caller: Caller::new(Identity::SystemCli, place, None, Origin::default()),
        }
    }

    pub async fn extension(&self, tenant: &TestTenant, number: &str, name: &str) -> Phone {
        let input = json!({"number": number, "name": name, "voicemail": {"enabled": true, "pin": "246813"}});
        let input = serde_json::from_value(input).unwrap();
        let made = extensions::create(&self.app, &tenant.caller, input).await;
        let (extension, secrets) = made.unwrap();
        Phone { extension, secrets }
    }

    pub async fn patch(&self, tenant: &TestTenant, phone: &Phone, patch: Value) {
        extensions::patch(
            &self.app,
            &tenant.caller,
            phone.extension.id,
            patch,
            &IfMatch::Any,
        )
        .await
        .unwrap();
    }

    pub async fn delete(&self, tenant: &TestTenant, phone: &Phone) {
        extensions::delete(&self.app, &tenant.caller, phone.extension.id, &IfMatch::Any)
            .await
            .unwrap();
    }

    /// Two tenants, both live: the first with 1001 and 1002, the second with 1001.
    pub async fn acme_and_globex(&self) -> (TestTenant, [Phone; 2], TestTenant, Phone) {
        let acme = self.tenant("acme").await;
        let ann = self.extension(&acme, "1001", "Ann").await;
        let bob = self.extension(&acme, "1002", "Bob").await;
        let globex = self.tenant("globex").await;
        let gina = self.extension(&globex, "1001", "Gina").await;
        (acme, [ann, bob], globex, gina)
    }

    pub async fn request(&self, tenant: &TestTenant) -> Deployment {
        let asked = deployments::deploy(&self.app, &tenant.caller, None).await;
        asked.unwrap().into_inner()
    }

    pub async fn deploy(&self, tenant: &TestTenant) -> Ended {
        let request = self.request(tenant).await;
        ended(&self.app, &request).await
    }

    pub async fn deploy_platform(&self) -> Ended {
        self.deploy_platform_with(&self.app).await
    }

    pub async fn deploy_platform_with(&self, app: &App) -> Ended {
        let asked = deployments::deploy_instance(app, &operator(), self.instance_id).await;
        ended(app, &asked.unwrap()).await
    }

    /// Where what is to be written is staged.
    pub fn staged(&self) -> PathBuf {
        self.state.path().join("staged")
    }

    /// The number of the generation that our database calls live.
    pub async fn live(&self) -> Option<i64> {
        let live = instances::live_generation(&self.app, &operator(), self.instance_id).await;
        live.unwrap()
    }

    /// The number of the generation that the rows say they are of.
    pub async fn standing(&self) -> Option<i64> {
        self.driver().await.standing().await.unwrap()
    }

    /// The daemon's own question to the running PBX.
    pub async fn is_verified(&self) -> bool {
        let verified = deployments::verify_instance(&self.app, &operator(), self.instance_id).await;
        verified.unwrap().ok
    }

    /// A phone signs in.
    pub async fn register(&self, tenant: &TestTenant, phone: &Phone) -> Result<Admitted, Refused> {
        let secret = phone.secrets.sip.expose();
        self.freeswitch
            .register("internal", phone.number(), &tenant.domain, secret)
            .await
    }

    /// What a lookup of a user shows as its name, or that there is none.
    pub async fn name_of(&self, tenant: &TestTenant, number: &str) -> Option<String> {
        let user = self.freeswitch.user(number, &tenant.domain).await?;
        user.shown("var", "effective_caller_id_name").map(str::to_owned)
    }

    /// Our rows of a table: each column of each, as text.
    pub async fn ours(&self, table: &str) -> Vec<String> {
        let now = self.fusionpbx.snapshot().await;
        let rows = now.rows(table).iter();
        rows.filter(|row| !self.others.rows(table).contains(row))
            .cloned()
            .collect()
    }

    /// Asserts that what others have is as it was before we came.
    #[track_caller]
    pub fn assert_untouched(&self, now: &Snapshot) {
        assert_eq!(self.others.missing_in(now), Vec::<String>::new());
    }

    /// Asserts that nothing of ours was written, and nothing of theirs touched. The note of a state in which nothing is
    /// served may stand there.
    pub async fn assert_nothing_written(&self) {
        let now = self.fusionpbx.snapshot().await;
        self.assert_untouched(&now);
        let new = now.missing_in(&self.others);
        let rows = new.iter().filter(|row| !row.contains("switchyard-note"));
        assert_eq!(rows.count(), 0, "{new:?}");
    }
}

pub fn operator() -> Caller {
    Caller::new(Identity::SystemCli, Place::Platform, None, Origin::default())
}

/// Works a request off and reads its record.
pub async fn ended(app: &App, deployment: &Deployment) -> Ended {
    let worked = Box::pin(deployments::work_until_ended(app, deployment)).await;
    worked.unwrap();
    let found = deployments::find_of_instance(app, &operator(), deployment.instance_id, deployment.id).await;
    let (deployment, stages) = found.unwrap();
    Ended { deployment, stages }
}

/// How a database and an event socket are reached.
pub fn reached(database: &str, event_socket: u16) -> (FusionPbxSettings, InstanceSecrets) {
    let (settings, password) = fusionpbx_settings(database, event_socket);
    let secrets = InstanceSecrets {
        control: PASSWORD.into(),
        database: Some(password),
    };
    (settings, secrets)
}

/// The real driver, with what is staged below the state directory, as the daemon has it.
struct Drivers(PathBuf, Limit);

impl DriverFactory for Drivers {
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Box<dyn PbxDriver> {
        let InstanceSettings::FusionPbx(settings) = &instance.settings else {
            panic!("{:?}", instance.settings);
        };
        let staging = fusionpbx::staging(&self.0, instance.id);
        let driver = FusionPbxDriver::new(instance.id, settings.clone(), secrets, &staging);
        match *self.1.lock().unwrap() {
            Some(limit) => Box::new(driver.with_limits(limit, limit)),
            None => Box::new(driver),
        }
    }
}

fn drivers(state: &TempDir, limit: &Limit) -> Drivers {
    Drivers(state.path().to_owned(), Arc::clone(limit))
}

fn process(store: &Store, drivers: Drivers, clock: &Shifted, holder: &str) -> (App, Arc<Engine>) {
    let options = EngineOptions {
        node: NODE.parse().unwrap(),
        holder: holder.to_owned(),
        lease: Duration::from_secs(30),
        state_dir: drivers.0.clone(),
        shadow: ShadowPolicy::Never,
        keep_generations: 10,
        patience: Duration::from_secs(2),
    };
    let engine = Arc::new(Engine::new(
        store.clone(),
        TemplateSource::new(None),
        Box::new(drivers),
        Arc::new(clock.clone()),
        Arc::new(SystemIds),
        options,
    ));
    let app = App::new(
        store.clone(),
        Arc::clone(&engine),
        Arc::new(clock.clone()),
        Arc::new(SystemIds),
        Arc::new(SystemRandom),
        Arc::new(Notify::new()),
    );
    (app, engine)
}
