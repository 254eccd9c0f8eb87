//! A box with many tenants in a database, and the use cases over it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use switchyard::app::extension_import::{self, Row};
use switchyard::app::{App, instances, operator, tenants};
use switchyard::auth::caller::Caller;
use switchyard::crypto::SealingKey;
use switchyard::deploy::{DriverFactory, Engine, EngineOptions, ShadowPolicy, TemplateSource};
use switchyard::domain::clock::SystemClock;
use switchyard::domain::ids::SystemIds;
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings, PbxInstance};
use switchyard::domain::page::PageRequest;
use switchyard::domain::query::TenantQuery;
use switchyard::domain::random::SystemRandom;
use switchyard::domain::tenant::Tenant;
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::{AsteriskDriver, Program, RunAs, Shadow};
use switchyard::store::{Database, DatabaseUrl, Store};
use tokio::sync::Notify;

use super::Outcome;

/// Of each tenant.
pub const EXTENSIONS: usize = 100;

/// The use cases over a box.
pub struct Box {
    pub app: App,
    pub engine: Arc<Engine>,
}

/// Real drivers.
struct Drivers {
    shadow: bool,
}

impl DriverFactory for Drivers {
    fn driver(&self, instance: &PbxInstance, secret: SecretString) -> std::boxed::Box<dyn PbxDriver> {
        let InstanceSettings::Asterisk(settings) = &instance.settings;
        let program = Program::new(asterisk(), Some(RunAs::NOBODY));
        let shadow = self.shadow.then(|| Shadow::new(program));
        std::boxed::Box::new(AsteriskDriver::new(settings.clone(), secret, shadow))
    }
}

/// The `asterisk` program.
pub fn asterisk() -> PathBuf {
    std::env::var_os("SWITCHYARD_TEST_ASTERISK").map_or_else(|| "asterisk".into(), PathBuf::from)
}

fn url(directory: &Path) -> Outcome<DatabaseUrl> {
    Ok(format!("sqlite:{}", directory.join("scale.db").display()).parse()?)
}

/// Opens the box in a directory.
pub async fn open(directory: &Path, shadow: bool) -> Outcome<Box> {
    let key = SealingKey::parse(&"a".repeat(64).into())?;
    let store = Store::open(&url(directory)?, Some(key)).await?;
    let shadow_policy = if shadow {
        ShadowPolicy::Auto
    } else {
        ShadowPolicy::Never
    };
    let options = EngineOptions {
        node: "here".parse()?,
        holder: "bench".to_owned(),
        lease: Duration::from_secs(30),
        state_dir: directory.join("state"),
        shadow: shadow_policy,
        keep_generations: 20,
        patience: Duration::from_secs(30),
    };
    let engine = Arc::new(Engine::new(
        store.clone(),
        TemplateSource::new(None),
        std::boxed::Box::new(Drivers { shadow }),
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        options,
    ));
    let app = App::new(
        store,
        Arc::clone(&engine),
        Arc::new(SystemClock),
        Arc::new(SystemIds),
        Arc::new(SystemRandom),
        Arc::new(Notify::new()),
    );
    Ok(Box { app, engine })
}

/// The operator, on the platform.
pub fn platform() -> Caller {
    operator::platform(None)
}

/// Any one tenant.
pub async fn some_tenant(app: &App) -> Outcome<Tenant> {
    let query = TenantQuery {
        page: PageRequest::default(),
        ..TenantQuery::default()
    };
    let page = tenants::list(app, &platform(), &query).await?;
    Ok(page.items.into_iter().next().ok_or("the box has no tenant")?)
}

/// Makes the box: an instance that leads nowhere yet, and tenants with extensions.
pub async fn make(directory: &Path, count: usize) -> Outcome<()> {
    Database::create(&url(directory)?).await?.migrate().await?;
    let Box { app, .. } = open(directory, false).await?;
    let settings = AsteriskSettings {
        ami_host: "127.0.0.1".parse()?,
        ami_port: 5038,
        ami_username: "switchyard".parse()?,
        config_dir: directory.join("config").display().to_string().parse()?,
        ami_tls: None,
        log_file: None,
        emergency_numbers: Vec::new(),
    };
    let new = instances::NewInstance {
        name: "large".parse()?,
        node: "here".parse()?,
        settings: InstanceSettings::Asterisk(settings),
        ami_secret: "none yet".to_owned().into(),
    };
    instances::create(&app, &platform(), new).await?;
    for tenant in 0..count {
        let input = tenants::TenantInput {
            name: Some(format!("Tenant {tenant}")),
            domain: Some(format!("tenant{tenant}.example.com")),
            ..tenants::TenantInput::default()
        };
        let tenant = tenants::create(&app, &platform(), input).await?;
        let rows = (0..EXTENSIONS).map(row).collect::<Outcome<Vec<_>>>()?;
        let caller = operator::in_tenant(&tenant, None);
        let report = extension_import::import(&app, &caller, rows, false, None)
            .await?
            .into_inner();
        if !report.imported {
            return Err(format!("not imported: {report:?}").into());
        }
    }
    Ok(())
}

/// A bit of everything, the same in every tenant.
fn row(place: usize) -> Outcome<Row> {
    let number = (1000 + place).to_string();
    let voicemail = json!({"enabled": place % 5 == 1});
    let input = json!({"number": number, "name": format!("Phone {place}"), "voicemail": voicemail});
    Ok(Row {
        line: u64::try_from(place)?,
        number: Some(number),
        input: Ok(serde_json::from_value(input)?),
    })
}
