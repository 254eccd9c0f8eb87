//! A box with many tenants in a database, and the program's parts over it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use switchyard::app::extension_import::{self, Row};
use switchyard::app::{instances, operator, tenants};
use switchyard::auth::caller::Caller;
use switchyard::config::{Config, Environment};
use switchyard::daemon::database;
use switchyard::daemon::parts::{self, Parts};
use switchyard::deploy::{DriverFactory, Engine, EngineOptions, ShadowPolicy, TemplateSource};
use switchyard::domain::clock::SystemClock;
use switchyard::domain::ids::{InstanceId, SystemIds};
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings, PbxInstance};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::query::TenantQuery;
use switchyard::domain::tenant::Tenant;
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::AsteriskDriver;
use switchyard::driver::freeswitch::FreeSwitchDriver;
use switchyard::driver::fusionpbx::FusionPbxDriver;

use super::pbx::{Pbx, asterisk};
use super::unasked::Unasked;
use super::{Outcome, databases};

/// Of each tenant.
pub const EXTENSIONS: usize = 100;

const SEALING_KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// The host that drives the box.
const NODE: &str = "here";

/// Whether a second Asterisk reads first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shadow {
    Always,
    Never,
}

/// A box, as the program works with it.
pub struct Box {
    pub parts: Parts,
    state: PathBuf,
}

/// The configuration of the box in a directory, as environment.
pub fn variables(directory: &Path, shadow: Shadow) -> Outcome<Vec<(&'static str, String)>> {
    let shadow = match shadow {
        Shadow::Always => "always",
        Shadow::Never => "never",
    };
    Ok(vec![
        ("SWITCHYARD_DATABASE_URL", databases::url(directory)),
        ("SWITCHYARD_STATE_DIR", state(directory).display().to_string()),
        ("SWITCHYARD_SEALING_KEY", SEALING_KEY.to_owned()),
        ("SWITCHYARD_NODE_NAME", NODE.to_owned()),
        ("SWITCHYARD_DEPLOY_SHADOW", shadow.to_owned()),
        ("SWITCHYARD_DEPLOY_ASTERISK", asterisk()?.display().to_string()),
        ("SWITCHYARD_LOG_LEVEL", "warn".to_owned()),
    ])
}

fn config(directory: &Path, shadow: Shadow) -> Outcome<Config> {
    let variables = variables(directory, shadow)?;
    let environment: Environment = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Ok(Config::load(None, &environment)?.config)
}

fn state(directory: &Path) -> PathBuf {
    directory.join("state")
}

/// Opens the box in a directory.
pub async fn open(directory: &Path, shadow: Shadow) -> Outcome<Box> {
    Ok(Box {
        parts: parts::assemble(&config(directory, shadow)?).await?,
        state: state(directory),
    })
}

/// The operator, on the platform.
pub fn platform() -> Caller {
    operator::platform(None)
}

/// Drivers that ask no Asterisk.
struct Drivers;

impl DriverFactory for Drivers {
    fn driver(&self, instance: &PbxInstance, secrets: InstanceSecrets) -> std::boxed::Box<dyn PbxDriver> {
        match &instance.settings {
            InstanceSettings::Asterisk(settings) => {
                let driver = AsteriskDriver::new(settings.clone(), secrets.control, None);
                std::boxed::Box::new(Unasked(driver))
            }
            // The box has none of these.
            InstanceSettings::FusionPbx(settings) => {
                let staging = std::env::temp_dir();
                std::boxed::Box::new(FusionPbxDriver::new(
                    instance.id,
                    settings.clone(),
                    secrets,
                    &staging,
                ))
            }
            InstanceSettings::FreeSwitch(settings) => {
                std::boxed::Box::new(FreeSwitchDriver::new(settings.clone(), secrets))
            }
        }
    }
}

impl Box {
    /// An engine like the program's, whose drivers ask no Asterisk.
    pub fn unasked(&self) -> Engine {
        let options = EngineOptions {
            node: self.parts.node.clone(),
            holder: "bench".to_owned(),
            lease: Duration::from_secs(30),
            state_dir: self.state.clone(),
            shadow: ShadowPolicy::Never,
            keep_generations: 10,
            patience: Duration::from_secs(20),
        };
        Engine::new(
            self.parts.store.clone(),
            TemplateSource::new(None),
            std::boxed::Box::new(Drivers),
            Arc::new(SystemClock),
            Arc::new(SystemIds),
            options,
        )
    }

    /// The only instance.
    pub async fn instance(&self) -> Outcome<InstanceId> {
        let all = instances::list(&self.parts.app, &platform()).await?;
        Ok(all.first().ok_or("no instance")?.id)
    }

    /// Any one tenant.
    pub async fn some_tenant(&self) -> Outcome<Tenant> {
        let page = tenants::list(&self.parts.app, &platform(), &TenantQuery::default()).await?;
        let first = page.items.into_iter().next().ok_or("the box has no tenant")?;
        Ok(first.tenant)
    }

    /// Has the instance lead to an Asterisk that runs.
    pub async fn lead_to(&self, pbx: &Pbx) -> Outcome<()> {
        let id = self.instance().await?;
        let settings = InstanceSettings::Asterisk(pbx.private.settings().clone());
        let secrets = InstanceSecrets::of_control(pbx.private.secret().clone());
        instances::change_settings(&self.parts.app, &platform(), id, settings, &secrets).await?;
        Ok(())
    }
}

/// Makes the box: an instance that leads nowhere yet, and tenants with extensions.
pub async fn make(directory: &Path, count: usize) -> Outcome<()> {
    database::migrate(&config(directory, Shadow::Never)?).await?;
    let app = open(directory, Shadow::Never).await?.parts.app;
    let config = directory.join("config");
    std::fs::create_dir(&config)?;
    let settings = AsteriskSettings {
        ami_host: "127.0.0.1".parse()?,
        ami_port: 5038,
        ami_username: "switchyard".parse()?,
        config_dir: config.display().to_string().parse()?,
        ami_tls: None,
        log_file: None,
        recordings_dir: None,
        emergency_numbers: Vec::new(),
    };
    let new = instances::NewInstance {
        name: "large".parse()?,
        node: NODE.parse()?,
        settings: InstanceSettings::Asterisk(settings),
        secrets: InstanceSecrets::of_control("none yet".to_owned().into()),
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

/// Four of five have a mailbox.
fn row(place: usize) -> Outcome<Row> {
    let number = (1000 + place).to_string();
    let voicemail = json!({"enabled": !place.is_multiple_of(5)});
    let input = json!({"number": number, "name": format!("Phone {place}"), "voicemail": voicemail});
    Ok(Row {
        line: u64::try_from(place)?,
        number: Some(number),
        input: Ok(serde_json::from_value(input)?),
    })
}
