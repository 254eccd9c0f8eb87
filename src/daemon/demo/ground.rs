//! The demo's directory: configuration, key, database, the private PBX, and the record of it all.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;

use super::record::Record;
use super::{DemoError, DemoOptions};
use crate::config::{Config, Environment};
use crate::daemon::private_pbx::PrivatePbx;
use crate::daemon::{key_file, settings};
use crate::domain::instance::{AbsolutePath, AsteriskSettings, InstanceSettings};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::invalid::Invalid;
use crate::store::Database;

/// The directory of a demo, which no other demo uses for as long as this is held.
pub(super) struct Ground {
    directory: PathBuf,
    _lock: File,
}

impl Ground {
    /// Makes it, or takes it over as an earlier demo left it.
    pub fn prepare(options: &DemoOptions) -> Result<Self, DemoError> {
        let directory =
            std::path::absolute(&options.directory).map_err(|source| file(&options.directory, source))?;
        // The private PBX, which never runs as root, must get through to its own directory below.
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&directory)
            .map_err(|source| file(&directory, source))?;
        refuse_others(&directory)?;
        let ground = Self {
            _lock: lock(&directory)?,
            directory,
        };
        if !ground.key().exists() {
            key_file::create(&ground.key())?;
        }
        let state = ground.directory.join("state");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&state)
            .map_err(|source| file(&state, source))?;
        Ok(ground)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn record(&self) -> PathBuf {
        self.directory.join("demo.json")
    }

    pub fn pbx_directory(&self) -> PathBuf {
        self.directory.join("pbx")
    }

    /// What the driver fills; the private PBX includes it.
    pub fn config_dir(&self) -> Result<AbsolutePath, Invalid> {
        self.pbx_directory().join("config").display().to_string().parse()
    }

    /// A configuration file like any other: `switchyard --config DIR/switchyard.toml …` works on the demo.
    pub fn config(&self, options: &DemoOptions, pbx: Option<&PrivatePbx>) -> Result<Config, DemoError> {
        let path = |path: &Path| toml::Value::String(path.display().to_string());
        let text = |text: &str| toml::Value::String(text.to_owned());
        let mut deploy = toml::Table::from_iter([("shadow".to_owned(), text("auto"))]);
        if let Some(pbx) = pbx {
            deploy.insert("asterisk".to_owned(), path(pbx.program().path()));
        }
        let mut sections = toml::Table::new();
        let mut section =
            |name: &str, keys: toml::Table| sections.insert(name.to_owned(), toml::Value::Table(keys));
        let one = |key: &str, value: toml::Value| toml::Table::from_iter([(key.to_owned(), value)]);
        let database = format!("sqlite:{}", self.directory.join("switchyard.db").display());
        section("database", one("url", text(&database)));
        section("sealing", one("key_file", path(&self.key())));
        section("node", one("name", text("demo")));
        section("http", one("listen", text(&options.listen.to_string())));
        if let Some(templates) = &options.templates {
            let templates = std::path::absolute(templates).map_err(|source| file(templates, source))?;
            section("templates", one("dir", path(&templates)));
        }
        section("state", one("dir", path(&self.directory.join("state"))));
        section("deploy", deploy);
        let written = self.directory.join("switchyard.toml");
        write_private(&written, sections.to_string().as_bytes())?;
        let mut config = Config::load(Some(&written), &Environment::default())?.config;
        if options.templates.is_none() {
            // What the host's own daemon uses is none of the demo's.
            config.templates.dir = None;
        }
        Ok(config)
    }

    /// Makes the database, or brings it up to date.
    pub async fn migrate(&self, config: &Config) -> Result<(), DemoError> {
        let url = settings::database_url(config).map_err(|error| Invalid::new(error.to_string()))?;
        let database = Database::create(&url).await?;
        database.migrate().await?;
        database.close().await;
        Ok(())
    }

    /// How the demo's instance is reached, if it has an Asterisk.
    pub fn instance(
        &self,
        pbx: Option<&PrivatePbx>,
    ) -> Result<(InstanceSettings, InstanceSecrets), DemoError> {
        if let Some(pbx) = pbx {
            return Ok((
                InstanceSettings::Asterisk(pbx.settings().clone()),
                InstanceSecrets::of_control(pbx.secret().clone()),
            ));
        }
        let config_dir = self.config_dir()?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(config_dir.as_path())
            .map_err(|source| file(config_dir.as_path(), source))?;
        let settings = AsteriskSettings {
            ami_host: "127.0.0.1".parse()?,
            ami_port: AsteriskSettings::NO_PBX,
            ami_username: "switchyard".parse()?,
            config_dir,
            ami_tls: None,
            log_file: None,
            recordings_dir: None,
            emergency_numbers: Vec::new(),
        };
        let secrets = InstanceSecrets::of_control(SecretString::default());
        Ok((InstanceSettings::Asterisk(settings), secrets))
    }

    /// Removes what an earlier demo wrote, which names ports that are no longer ours. To be called once the directory is
    /// known to be ours: a demo that runs here needs it.
    pub fn remove_record(&self) -> Result<(), DemoError> {
        match fs::remove_file(self.record()) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(file(&self.record(), source)),
            _ => Ok(()),
        }
    }

    /// Writes what programs read; before anything is called ready.
    pub fn write_record(&self, record: &Record) -> Result<(), DemoError> {
        let text = record
            .text()
            .map_err(|source| file(&self.record(), source.into()))?;
        write_private(&self.record(), text.expose_secret().as_bytes())
    }

    fn key(&self) -> PathBuf {
        self.directory.join("sealing.key")
    }
}

/// Refuses the demo of another user: what this one writes there that one could not use again, and the other way round.
fn refuse_others(directory: &Path) -> Result<(), DemoError> {
    let own = rustix::process::geteuid().as_raw();
    for name in ["sealing.key", "switchyard.db", "state", "pbx/etc", "pbx/config"] {
        let path = directory.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.uid() != own => {
                return Err(DemoError::Foreign {
                    path,
                    owner: found.uid(),
                    own,
                });
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(&path, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Keeps a second demo out while this one runs. The lock ends with the process, however that ends.
fn lock(directory: &Path) -> Result<File, DemoError> {
    let path = directory.join("lock");
    // Opened, never emptied, and never through a link: the directory may belong to somebody else than us.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|error| file(&path, error.into()))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(DemoError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(file(&path, error)),
    }
}

/// Whole or not at all, for its owner alone.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DemoError> {
    let write = || -> io::Result<()> {
        // A fresh file under a name that nobody can foresee: whoever owns the directory cannot lead it elsewhere.
        let mut making = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        making.write_all(bytes)?;
        making.persist(path)?;
        Ok(())
    };
    write().map_err(|source| file(path, source))
}

fn file(path: &Path, source: io::Error) -> DemoError {
    DemoError::File {
        path: path.to_owned(),
        source,
    }
}
