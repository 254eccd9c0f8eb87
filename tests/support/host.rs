//! A host with an Asterisk, a database and the program; the test edits and looks through the use cases.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchyard::app::extension_import::{self, Row};
use switchyard::app::precondition::IfMatch;
use switchyard::app::{App, deployments, extensions, instances, operator, tenants};
use switchyard::auth::caller::Caller;
use switchyard::deploy::{DriverFactory, Engine, EngineOptions, ShadowPolicy, TemplateSource};
use switchyard::domain::artifact::Artifact;
use switchyard::domain::clock::SystemClock;
use switchyard::domain::deployment::{Deployment, DeploymentStatus, Stage, StageRecord};
use switchyard::domain::ids::{ExtensionId, InstanceId, SystemIds};
use switchyard::domain::instance::PbxKind;
use switchyard::domain::instance::{InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::query::ExtensionQuery;
use switchyard::domain::random::SystemRandom;
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::store::Store;
use tokio::sync::Notify;

use super::ami::Ami;
use super::database::{Backend, Bench};
use super::pbx::Pbx;
use super::victim::Victim;

/// A deploy under a busy machine takes seconds, a broken one for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// Real drivers, to look with.
struct Drivers;

impl DriverFactory for Drivers {
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> Box<dyn PbxDriver> {
        let settings = instance.settings.asterisk().unwrap();
        Box::new(AsteriskDriver::new(settings.clone(), secrets.control, None))
    }
}

/// A tenant and one of its extensions.
pub struct TestTenant {
    pub domain: String,
    pub caller: Caller,
    pub extension: ExtensionId,
}

/// A host; everything of it is gone when it is dropped.
pub struct Host {
    pub app: App,
    pub instance: InstanceId,
    pub tenants: [TestTenant; 2],
    /// How many deploys and rollbacks somebody asked for.
    pub requests: usize,
    pub pbx: Pbx,
    pub database: Bench,
    state: PathBuf,
    edits: usize,
}

impl Host {
    /// Two tenants of which one has `extensions`, and all of it live.
    pub async fn new(backend: Backend, extensions: usize) -> Self {
        Self::behind(backend, extensions, |port| port).await
    }

    /// The same with something before the manager interface: it is given that port, and gives its own.
    pub async fn behind(backend: Backend, extensions: usize, before: impl FnOnce(u16) -> u16) -> Self {
        let pbx = Pbx::start().await;
        let state = pbx.directory.path().join("state");
        Self::with(
            pbx,
            Bench::of_current_schema(backend).await,
            state,
            extensions,
            before,
        )
        .await
    }

    /// The same, with a database and the state directory on this disk.
    pub async fn on_disk(disk: &Path, extensions: usize) -> Self {
        let database = Bench::file_in(disk);
        let state = disk.join("state");
        Self::with(Pbx::start().await, database, state, extensions, |port| port).await
    }

    async fn with(
        pbx: Pbx,
        database: Bench,
        state: PathBuf,
        extensions: usize,
        before: impl FnOnce(u16) -> u16,
    ) -> Self {
        let store = database.migrate().await;
        let app = app(store, &pbx);
        let key_file = pbx.directory.path().join("sealing.key");
        fs::write(&key_file, "a".repeat(64)).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir_all(pbx.directory.path().join("templates/asterisk")).unwrap();
        fs::create_dir(pbx.directory.path().join("tmp")).unwrap();
        let mut settings = pbx.private.settings().clone();
        settings.ami_port = before(settings.ami_port);
        let new = instances::NewInstance {
            name: "main".parse().unwrap(),
            node: "here".parse().unwrap(),
            settings: InstanceSettings::Asterisk(settings),
            secrets: InstanceSecrets::of_control(pbx.private.secret().clone()),
        };
        let platform = operator::platform(None);
        let instance = instances::create(&app, &platform, new).await.unwrap().id;
        let tenants = [
            tenant(&app, "acme", extensions).await,
            tenant(&app, "globex", 2).await,
        ];
        let mut host = Self {
            app,
            instance,
            tenants,
            requests: 0,
            pbx,
            database,
            state,
            edits: 0,
        };
        let first = host.request_platform().await;
        let (live, _) = host.mended(&first).await;
        assert_eq!(live.status, DeploymentStatus::Live, "{live:#?}");
        host
    }

    /// The program, with this host's configuration and nothing else.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let directory = self.pbx.directory.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .args(arguments)
            .env_clear()
            .env("SWITCHYARD_DATABASE_URL", &self.database.text)
            .env("SWITCHYARD_STATE_DIR", &self.state)
            .env("SWITCHYARD_TEMPLATES_DIR", directory.join("templates"))
            .env("SWITCHYARD_SEALING_KEY_FILE", directory.join("sealing.key"))
            .env("SWITCHYARD_NODE_NAME", "here")
            .env("SWITCHYARD_HTTP_LISTEN", "127.0.0.1:0")
            .env("SWITCHYARD_DEPLOY_SHADOW", "never")
            .env("SWITCHYARD_DEPLOY_LEASE_SECONDS", "5")
            .env("TMPDIR", self.temporary())
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    /// The daemon, which takes up whatever is queued or unfinished.
    pub fn daemon(&self) -> Victim {
        Victim::spawn(&mut self.command(&["serve"]))
    }

    /// Where the program has its temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.pbx.directory.path().join("tmp")
    }

    /// The same, with what it logs in a file.
    pub fn logged_daemon(&self, log: &Path) -> Victim {
        Victim::logged(&mut self.command(&["serve"]), log)
    }

    /// A file of that name for a log, away from database and state.
    pub fn log(&self, name: &str) -> PathBuf {
        self.pbx.directory.path().join(format!("{name}.log"))
    }

    /// Where the database lies, if it is a file.
    pub fn database_dir(&self) -> PathBuf {
        self.database.folder.path().to_owned()
    }

    /// Folds SQLite's journal into its file.
    pub async fn truncate_journal(&self) {
        self.database.sql("pragma wal_checkpoint(truncate)").await;
    }

    /// Another edit of the first tenant, of another file each time.
    pub async fn edit(&mut self) {
        self.edits += 1;
        let patch = match self.edits % 3 {
            0 => json!({"name": format!("Ann {}", self.edits)}),
            1 => json!({"ring_time": 10 + self.edits % 200}),
            _ => json!({"voicemail": {"enabled": true, "pin": format!("{}", 100_000 + self.edits)}}),
        };
        self.patch(&self.tenants[0], patch).await;
    }

    /// Edits the extension of a tenant.
    pub async fn patch(&self, tenant: &TestTenant, patch: Value) {
        extensions::patch(&self.app, &tenant.caller, tenant.extension, patch, &IfMatch::Any)
            .await
            .unwrap();
    }

    /// Another tenant; nothing of it is deployed yet.
    pub async fn tenant(&self, word: &str, extensions: usize) -> TestTenant {
        tenant(&self.app, word, extensions).await
    }

    /// Presses the first tenant's button.
    pub async fn request(&mut self) -> Deployment {
        self.requests += 1;
        let pressed = deployments::deploy(&self.app, &self.tenants[0].caller, None).await;
        pressed.unwrap().into_inner()
    }

    /// Presses the platform's button.
    pub async fn request_platform(&mut self) -> Deployment {
        self.requests += 1;
        deployments::deploy_instance(&self.app, &operator::platform(None), self.instance)
            .await
            .unwrap()
    }

    pub async fn record(&self, deployment: &Deployment) -> (Deployment, Vec<StageRecord>) {
        let platform = operator::platform(None);
        deployments::find_of_instance(&self.app, &platform, self.instance, deployment.id)
            .await
            .unwrap()
    }

    /// The stage that a deployment is in.
    pub async fn open_stage(&self, deployment: &Deployment) -> Option<Stage> {
        let (_, stages) = self.record(deployment).await;
        let open = stages.last().filter(|stage| stage.ended_at.is_none());
        open.map(|stage| stage.stage)
    }

    /// What a daemon that is started now makes of a deployment. It is killed right afterwards.
    pub async fn mended(&self, deployment: &Deployment) -> (Deployment, Vec<StageRecord>) {
        let _daemon = self.daemon();
        self.ended(deployment).await
    }

    /// Waits for a deployment to end.
    pub async fn ended(&self, deployment: &Deployment) -> (Deployment, Vec<StageRecord>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (found, stages) = self.record(deployment).await;
            if found.status.is_end() {
                return (found, stages);
            }
            assert!(Instant::now() < deadline, "{found:#?} {stages:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where an operator's own templates lie.
    pub fn template(&self, name: &str) -> PathBuf {
        self.pbx.directory.path().join("templates").join(name)
    }

    pub fn state_dir(&self) -> PathBuf {
        self.state.clone()
    }

    pub fn config_dir(&self) -> PathBuf {
        self.pbx.private.settings().config_dir.as_path().to_owned()
    }

    /// Before anybody has mended anything: behind the link stands one whole generation.
    pub fn assert_whole_on_disk(&self, what: &str) {
        for file in Artifact::of(PbxKind::Asterisk) {
            let path = self.config_dir().join("live").join(file.as_str());
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{what}: {path:?}: {error}"));
            assert!(text.contains("switchyard-marker"), "{what}: {file} is cut");
        }
    }

    /// After it was mended: what is recorded as live runs and stands, nothing is left open, and every press of a button is
    /// in the audit log once.
    pub async fn assert_well(&self, what: &str) {
        self.assert_whole_on_disk(what);
        let all = instances::list(&self.app, &operator::platform(None))
            .await
            .unwrap();
        assert_eq!(all[0].applying, None, "{what}");
        let link = fs::read_link(self.config_dir().join("live")).unwrap();
        assert_eq!(
            self.live().await,
            link.file_name().unwrap().to_str().unwrap(),
            "{what}"
        );
        for tenant in &self.tenants {
            let seen = deployments::verify(&self.app, &tenant.caller).await.unwrap();
            assert!(seen.ok, "{what}: {:?}", seen.findings);
        }
        let open = self
            .ask("select stage from deployment_stages where ended_at is null")
            .await;
        assert!(open.is_empty(), "{what}: {open:?}");
        let audited = self.ask("select target_id from audit_entries where resource = 'deployment'");
        let audited = audited.await;
        let distinct: BTreeSet<&String> = audited.iter().collect();
        assert_eq!(
            (audited.len(), distinct.len()),
            (self.requests, self.requests),
            "{what}"
        );
    }

    /// The number of the generation that is recorded as live.
    pub async fn live(&self) -> String {
        let number = "select cast(g.number as text) from generations g join instances i on g.id = i.live_generation_id";
        self.ask(number).await.remove(0)
    }

    /// Asks something behind the store's back; each row is one text.
    pub async fn ask(&self, sql: &str) -> Vec<String> {
        self.database.ask(sql.to_owned()).await
    }

    /// How many extensions the running Asterisk serves.
    pub fn endpoints(&self) -> usize {
        self.ami().list("PJSIPShowEndpoints", &[]).len()
    }

    /// Asks the running Asterisk, past whatever is before its manager interface.
    pub fn ami(&self) -> Ami {
        self.pbx.ami()
    }
}

fn app(store: Store, pbx: &Pbx) -> App {
    let options = EngineOptions {
        node: "here".parse().unwrap(),
        holder: "looking".to_owned(),
        lease: PATIENCE,
        state_dir: pbx.directory.path().join("unused"),
        shadow: ShadowPolicy::Never,
        keep_generations: 10,
        patience: PATIENCE,
    };
    let engine = Arc::new(Engine::new(
        store.clone(),
        TemplateSource::new(None),
        Box::new(Drivers),
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        options,
    ));
    App::new(
        store,
        engine,
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        Arc::new(SystemRandom),
        Arc::new(Notify::new()),
    )
}

async fn tenant(app: &App, word: &str, count: usize) -> TestTenant {
    let input = tenants::TenantInput {
        name: Some(format!("{word} inc")),
        domain: Some(format!("{word}.example.com")),
        ..tenants::TenantInput::default()
    };
    let tenant = tenants::create(app, &operator::platform(None), input)
        .await
        .unwrap();
    let caller = operator::in_tenant(&tenant, None);
    let rows: Vec<Row> = (0..count).map(row).collect();
    let report = extension_import::import(app, &caller, rows, false, None)
        .await
        .unwrap();
    assert!(report.into_inner().imported);
    let page = extensions::list(app, &caller, &ExtensionQuery::default())
        .await
        .unwrap();
    TestTenant {
        domain: tenant.domain.to_string(),
        caller,
        extension: page.items[0].id,
    }
}

fn row(place: usize) -> Row {
    let number = (1001 + place).to_string();
    let input: Value = json!({"number": number, "name": "Ann"});
    Row {
        line: place.try_into().unwrap(),
        number: Some(number),
        input: Ok(serde_json::from_value(input).unwrap()),
    }
}
