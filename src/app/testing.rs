//! The use cases over a fresh database without a sealing key, for the tests of what calls them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::App;
use crate::deploy::{DriverFactory, Engine, EngineOptions, ShadowPolicy, TemplateSource};
use crate::domain::clock::SystemClock;
use crate::domain::ids::SystemIds;
use crate::domain::instance::{InstanceSettings, PbxInstance};
use crate::domain::random::SystemRandom;
use crate::driver::PbxDriver;
use crate::driver::asterisk::AsteriskDriver;
use crate::store::{Database, DatabaseUrl, Store};

/// Drivers of PBXs that do not run: the settings decide.
struct Bare;

impl DriverFactory for Bare {
    fn driver(&self, instance: &PbxInstance, secret: SecretString) -> Box<dyn PbxDriver> {
        let InstanceSettings::Asterisk(settings) = &instance.settings;
        Box::new(AsteriskDriver::new(settings.clone(), secret, None))
    }
}

/// A directory that goes with the value, and the use cases over an empty database in it.
///
/// # Panics
///
/// When there is no place for a database.
pub async fn app() -> (TempDir, App) {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::sqlite(directory.path().join("switchyard.db"));
    let database = Database::create(&url).await.unwrap();
    database.migrate().await.unwrap();
    let store = Store::from_database(database, None).await.unwrap();
    let options = EngineOptions {
        holder: "test".to_owned(),
        lease: Duration::from_secs(30),
        state_dir: PathBuf::from(directory.path()),
        shadow: ShadowPolicy::Never,
        patience: Duration::ZERO,
    };
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let engine = Engine::new(
        store.clone(),
        TemplateSource::new(None),
        Box::new(Bare),
        clock.clone(),
        ids.clone(),
        options,
    );
    let random = Arc::new(SystemRandom);
    let app = App::new(
        store,
        Arc::new(engine),
        clock,
        ids,
        random,
        Arc::new(Notify::new()),
    );
    (directory, app)
}
