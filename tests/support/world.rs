//! A database of ours, the use cases and the engine, over a PBX of whichever kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::app::precondition::IfMatch;
use switchyard::app::setbacks::Setbacks;
use switchyard::app::tenant_status::{self, SuspensionInput};
use switchyard::app::{App, deployments, extensions, instances, tenant_deletion, tenant_upkeep, tenants};
use switchyard::auth::caller::{Caller, Identity, Origin, Place};
use switchyard::deploy::{
    DriverFactory, Engine, EngineOptions, Preview, ShadowPolicy, TemplateSource, Verification,
};
use switchyard::domain::deployment::{Deployment, DeploymentStatus, StageRecord};
use switchyard::domain::extension::Extension;
use switchyard::domain::ids::{DeploymentId, InstanceId, SystemIds, TenantId};
use switchyard::domain::instance::{InstanceSettings, PbxInstance, PbxKind};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::secret::ShownSecrets;
use switchyard::domain::tenant::{SuspensionPolicy, TenantStatus};
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::driver::freeswitch::FreeSwitchDriver;
use switchyard::driver::fusionpbx::{self, FusionPbxDriver};
use switchyard::render::template_set::TemplateSet;
use switchyard::store::{Store, tenant_lifecycle};
use tokio::sync::Notify;

use super::clock::Shifted;
use super::database::{Backend, Bench};

/// The host that drives the instance.
pub const NODE: &str = "here";

/// A tenant with the caller that acts in it.
pub struct Tenant {
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

    pub fn secret(&self) -> &str {
        self.secrets.sip.expose()
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

/// Everything that a deploy needs but the PBX.
pub struct World {
    pub app: App,
    pub engine: Arc<Engine>,
    pub store: Store,
    pub database: Bench,
    pub instance_id: InstanceId,
    pub clock: Shifted,
    patience: Duration,
    /// The daemon's directory, and that of an operator's templates.
    home: PathBuf,
}

impl World {
    /// `home`: a directory that outlives it.
    pub async fn new(
        backend: Backend,
        settings: InstanceSettings,
        secrets: InstanceSecrets,
        home: &Path,
    ) -> Self {
        let (database, store) = Bench::migrated(backend).await;
        for folder in ["asterisk", "freeswitch", "fusionpbx"] {
            std::fs::create_dir_all(home.join("templates").join(folder)).unwrap();
        }
        let clock = Shifted::default();
        // A real one takes its time on a busy machine.
        let patience = match settings.kind() {
            PbxKind::Asterisk => Duration::from_secs(20),
            PbxKind::FusionPbx | PbxKind::FreeSwitch => Duration::from_secs(2),
        };
        let (app, engine) = process(&store, home, &clock, patience, "first");
        let new = instances::NewInstance {
            name: "main".parse().unwrap(),
            node: NODE.parse().unwrap(),
            settings,
            secrets,
        };
        let instance_id = instances::create(&app, &operator(), new).await.unwrap().id;
        Self {
            app,
            engine,
            store,
            database,
            instance_id,
            clock,
            patience,
            home: home.to_owned(),
        }
    }

    /// Another process over the same database and the same directories, after the lease of any that died has run out.
    pub fn after_a_death(&self) -> App {
        self.clock.forward(Duration::from_mins(5));
        process(&self.store, &self.home, &self.clock, self.patience, "second").0
    }

    /// From now on the PBX is reached otherwise.
    pub async fn reach(&self, settings: InstanceSettings, secrets: &InstanceSecrets) {
        instances::change_settings(&self.app, &operator(), self.instance_id, settings, secrets)
            .await
            .unwrap();
    }

    /// The driver of the instance, as the daemon makes it.
    pub async fn driver(&self) -> Box<dyn PbxDriver> {
        self.engine.driver(self.instance_id).await.unwrap().1
    }

    pub async fn tenant(&self, word: &str) -> Tenant {
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
        Tenant {
            id: tenant.id,
            domain: tenant.domain.to_string(),
            caller: Caller::new(Identity::SystemCli, place, None, Origin::default()),
        }
    }

    pub async fn extension(&self, tenant: &Tenant, number: &str, name: &str) -> Phone {
        let input = json!({"number": number, "name": name, "voicemail": {"enabled": true, "pin": "246813"}});
        let input = serde_json::from_value(input).unwrap();
        let made = extensions::create(&self.app, &tenant.caller, input).await;
        let (extension, secrets) = made.unwrap();
        Phone { extension, secrets }
    }

    pub async fn patch(&self, tenant: &Tenant, phone: &Phone, patch: Value) {
        let id = phone.extension.id;
        extensions::patch(&self.app, &tenant.caller, id, patch, &IfMatch::Any)
            .await
            .unwrap();
    }

    pub async fn delete(&self, tenant: &Tenant, phone: &Phone) {
        let id = phone.extension.id;
        extensions::delete(&self.app, &tenant.caller, id, &IfMatch::Any)
            .await
            .unwrap();
    }

    /// Two tenants, none of them live: the first with 1001 and 1002, the second with 1001.
    pub async fn acme_and_globex(&self) -> (Tenant, [Phone; 2], Tenant, Phone) {
        let acme = self.tenant("acme").await;
        let ann = self.extension(&acme, "1001", "Ann").await;
        let bob = self.extension(&acme, "1002", "Bob").await;
        let globex = self.tenant("globex").await;
        let gina = self.extension(&globex, "1001", "Gina").await;
        (acme, [ann, bob], globex, gina)
    }

    pub async fn request(&self, tenant: &Tenant) -> Deployment {
        let asked = deployments::deploy(&self.app, &tenant.caller, None).await;
        asked.unwrap().into_inner()
    }

    pub async fn deploy(&self, tenant: &Tenant) -> Ended {
        let request = self.request(tenant).await;
        ended(&self.app, &request).await
    }

    pub async fn deploy_platform(&self) -> Ended {
        self.deploy_to(self.instance_id).await
    }

    /// A platform deploy of whichever instance.
    pub async fn deploy_to(&self, instance: InstanceId) -> Ended {
        let asked = deployments::deploy_instance(&self.app, &operator(), instance).await;
        ended(&self.app, &asked.unwrap()).await
    }

    /// Back to what a deploy of the tenant has put live.
    pub async fn roll_back(&self, tenant: &Tenant, to: &Ended) -> Ended {
        let asked = deployments::roll_back(&self.app, &tenant.caller, to.deployment.id, None).await;
        ended(&self.app, &asked.unwrap().into_inner()).await
    }

    /// The tenant is suspended with all that it has.
    pub async fn suspend(&self, tenant: &Tenant) -> Ended {
        let mut tx = self.store.begin("set_policy").await.unwrap();
        let set = tenant_lifecycle::set_policy(&mut tx, tenant.id, SuspensionPolicy::BlockAll).await;
        assert!(set.unwrap());
        tx.commit().await.unwrap();
        let input = SuspensionInput {
            category: Some("non_payment".to_owned()),
            reason: None,
        };
        let asked = tenant_status::suspend(&self.app, &operator(), tenant.id, input, &IfMatch::Any).await;
        self.followed(&asked.unwrap().deployments).await
    }

    pub async fn reactivate(&self, tenant: &Tenant) -> Ended {
        let asked = tenant_status::reactivate(&self.app, &operator(), tenant.id, &IfMatch::Any).await;
        self.followed(&asked.unwrap().deployments).await
    }

    /// A suspended tenant is deleted, and gone.
    pub async fn remove(&self, tenant: &Tenant, name: &str) -> Ended {
        let asked = tenant_deletion::delete(&self.app, &operator(), tenant.id, name, &IfMatch::Any).await;
        let ended = self.followed(&asked.unwrap().deployments).await;
        let gone = tenant_upkeep::turn(&self.app, &mut Setbacks::default()).await;
        assert_eq!(gone.unwrap(), 1);
        ended
    }

    async fn followed(&self, deployments: &[DeploymentId]) -> Ended {
        assert_eq!(deployments.len(), 1);
        let id = deployments[0];
        let asked = deployments::find_of_instance(&self.app, &operator(), self.instance_id, id).await;
        ended(&self.app, &asked.unwrap().0).await
    }

    /// The number of the generation that our database calls live.
    pub async fn live(&self) -> Option<i64> {
        let live = instances::live_generation(&self.app, &operator(), self.instance_id).await;
        live.unwrap()
    }

    /// The number of the generation that stands where the PBX reads it.
    pub async fn standing(&self) -> Option<i64> {
        self.driver().await.standing().await.unwrap()
    }

    /// The daemon's own question to the running PBX, and its look at what is written.
    pub async fn look(&self) -> Verification {
        let looked = deployments::verify_instance(&self.app, &operator(), self.instance_id).await;
        looked.unwrap()
    }

    pub async fn plan(&self) -> Preview {
        let planned = deployments::plan_instance(&self.app, &operator(), self.instance_id).await;
        planned.unwrap()
    }

    /// Puts a template before the built-in one; `edit` gets the text of that.
    pub fn override_template(&self, name: &str, edit: impl FnOnce(&str) -> String) {
        let built_in = TemplateSet::built_in().unwrap();
        let text = edit(built_in.files().get(name).unwrap());
        std::fs::write(self.home.join("templates").join(name), text).unwrap();
    }

    pub fn remove_override(&self, name: &str) {
        std::fs::remove_file(self.home.join("templates").join(name)).unwrap();
    }

    /// The daemon's own directory.
    pub fn state_dir(&self) -> PathBuf {
        self.home.join("state")
    }
}

pub fn operator() -> Caller {
    Caller::new(Identity::SystemCli, Place::Platform, None, Origin::default())
}

/// Works a request off and reads its record.
pub async fn ended(app: &App, deployment: &Deployment) -> Ended {
    Box::pin(deployments::work_until_ended(app, deployment))
        .await
        .unwrap();
    let found = deployments::find_of_instance(app, &operator(), deployment.instance_id, deployment.id).await;
    let (deployment, stages) = found.unwrap();
    Ended { deployment, stages }
}

/// The real drivers. `state`: the daemon's own directory.
struct Drivers {
    state: PathBuf,
}

impl DriverFactory for Drivers {
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Box<dyn PbxDriver> {
        match instance.settings.clone() {
            InstanceSettings::Asterisk(settings) => {
                Box::new(AsteriskDriver::new(settings, secrets.control, None))
            }
            InstanceSettings::FusionPbx(settings) => {
                let staged = fusionpbx::staging(&self.state, instance.id);
                Box::new(FusionPbxDriver::new(instance.id, settings, secrets, &staged))
            }
            InstanceSettings::FreeSwitch(settings) => Box::new(FreeSwitchDriver::new(settings, secrets)),
        }
    }
}

fn process(
    store: &Store,
    home: &Path,
    clock: &Shifted,
    patience: Duration,
    holder: &str,
) -> (App, Arc<Engine>) {
    let state = home.join("state");
    let options = EngineOptions {
        node: NODE.parse().unwrap(),
        holder: holder.to_owned(),
        lease: Duration::from_secs(30),
        state_dir: state.clone(),
        shadow: ShadowPolicy::Never,
        keep_generations: 10,
        patience,
    };
    let engine = Arc::new(Engine::new(
        store.clone(),
        TemplateSource::new(Some(home.join("templates"))),
        Box::new(Drivers { state }),
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
