//! Asterisk: three files behind one link, the manager interface to reload and to ask, a shadow to rehearse with.

mod complaints;
mod files;
mod log;
mod program;
mod session;
mod shadow;
mod verify;

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use secrecy::SecretString;

use self::files::FileTree;
use self::log::LogWindow;
pub use self::program::{Program, ProgramError, RunAs};
use self::session::Session;
pub use self::shadow::Shadow;
use super::{Check, DriverError, Expected, PbxDriver, Rehearsal, Staged, StagedFile};
use crate::domain::artifact::ConfFile;
use crate::domain::finding::{Finding, Severity};
use crate::domain::instance::AsteriskSettings;

/// Drives one Asterisk on this host.
pub struct AsteriskDriver {
    settings: AsteriskSettings,
    secret: SecretString,
    files: FileTree,
    shadow: Option<Shadow>,
    window: Mutex<Option<LogWindow>>,
}

impl AsteriskDriver {
    /// `shadow`: the program to rehearse with, if there is one on this host.
    #[must_use]
    pub fn new(settings: AsteriskSettings, secret: SecretString, shadow: Option<Shadow>) -> Self {
        let files = FileTree::new(settings.config_dir.as_path());
        Self {
            settings,
            secret,
            files,
            shadow,
            window: Mutex::new(None),
        }
    }

    async fn session(&self) -> Result<Session, DriverError> {
        Session::open(&self.settings, &self.secret).await
    }

    /// Runs blocking file work off the async threads.
    async fn on_disk<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce(FileTree) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, DriverError> {
        let files = self.files.clone();
        match tokio::task::spawn_blocking(move || work(files)).await {
            Ok(result) => result.map_err(|source| DriverError::not_applied(what, source)),
            Err(source) => Err(DriverError::unknown(what, source)),
        }
    }

    fn open_window(&self) {
        let window = self
            .settings
            .log_file
            .as_ref()
            .and_then(|path| LogWindow::open(path.as_path()).ok());
        *self
            .window
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = window;
    }
}

#[async_trait]
impl PbxDriver for AsteriskDriver {
    async fn stage(
        &self,
        generation: i64,
        files: BTreeMap<ConfFile, StagedFile>,
    ) -> Result<Staged, DriverError> {
        let what = format!("writing a generation into {}", self.settings.config_dir);
        self.on_disk(&what, move |tree| tree.stage(generation, files))
            .await
    }

    async fn drifted(&self, files: BTreeMap<ConfFile, StagedFile>) -> Result<Vec<ConfFile>, DriverError> {
        self.on_disk("comparing the live files", move |tree| tree.drifted(&files))
            .await
    }

    async fn rehearse(&self, generation: i64) -> Result<Rehearsal, DriverError> {
        let what = "the rehearsal on a shadow Asterisk";
        let Some(shadow) = &self.shadow else {
            return Err(DriverError::not_applied(
                what,
                "there is no `asterisk` program on this host to rehearse with",
            ));
        };
        let staged = self.files.generation(generation);
        shadow
            .rehearse(&staged)
            .await
            .map_err(|source| DriverError::not_applied(what, source))
    }

    async fn ready(&self) -> Result<(), DriverError> {
        self.session().await?.ask("Ping", &[]).await.map(drop)
    }

    async fn place(&self, generation: i64) -> Result<(), DriverError> {
        self.on_disk("moving the live link", move |tree| tree.swap(generation))
            .await
    }

    async fn apply(&self, generation: i64, reload: &[ConfFile]) -> Result<(), DriverError> {
        let session = self.session().await?;
        self.open_window();
        self.place(generation).await?;
        for file in reload {
            let live = self.files.live(*file);
            let size = std::fs::metadata(live).map_or(0, |metadata| metadata.len());
            session
                .reload(*file, size)
                .await
                .map_err(|source| DriverError::unknown(format!("the reload of {}", file.module()), source))?;
        }
        Ok(())
    }

    async fn verify(&self, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
        verify::verify(&self.session().await?, expected).await
    }

    async fn log_since_apply(&self) -> Vec<Finding> {
        let unread = |detail: &str| {
            let message = format!(
                "Asterisk's log was not read: {detail}; its complaints may be missing in this record"
            );
            vec![Finding::warning("log_unread", message)]
        };
        let Some(path) = &self.settings.log_file else {
            return unread("the instance's settings name no log_file");
        };
        let window = self
            .window
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let Some(window) = window else {
            return unread(&format!("{path} could not be opened"));
        };
        let (lines, whole) = match self.session().await {
            Ok(session) => complaints::read(&session, &window).await,
            Err(error) => (Vec::new(), Err(error.full())),
        };
        let (ours, others) = lines
            .into_iter()
            .partition(|line| self.files.is_named_in(&line.message));
        let code = "asterisk_complained";
        // Asterisk may keep an object as it was because of an error in our file. It then shows all that it should, until
        // it is started again and leaves the object out.
        let message = "Asterisk does not take what stands in this file";
        let mut findings = log::findings(ours, code, message, Severity::Error);
        let message = "Asterisk complained during the reload";
        findings.extend(log::findings(others, code, message, Severity::Warning));
        if let Err(detail) = whole {
            findings.extend(unread(&format!("{path}: {detail}")));
        }
        findings
    }

    async fn standing(&self) -> Result<Option<i64>, DriverError> {
        self.on_disk("reading the live link", |tree| tree.standing())
            .await
    }

    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError> {
        let generations = generations.to_vec();
        self.on_disk("removing old generations", move |tree| {
            tree.keep_only(&generations)
        })
        .await
    }

    async fn test(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let session = self.session().await;
        checks.push(check(
            "ami",
            session.as_ref().map(|_| {
                format!(
                    "signed in at {}:{}",
                    self.settings.ami_host, self.settings.ami_port
                )
            }),
            "check host, port, account and secret against manager.conf, and that Asterisk runs",
        ));
        if let Ok(session) = &session {
            for (name, file) in [
                ("module_pjsip", ConfFile::Pjsip),
                ("module_dialplan", ConfFile::Extensions),
                ("module_voicemail", ConfFile::Voicemail),
            ] {
                let found = session.ask("ModuleCheck", &[("Module", file.module())]).await;
                let mend =
                    "load this module in modules.conf; for voicemail, `noload` its odbc and imap twins";
                checks.push(check(
                    name,
                    found.as_ref().map(|_| format!("{} is loaded", file.module())),
                    mend,
                ));
            }
        }
        let directory = self.settings.config_dir.clone();
        let what = format!("writing into {directory}");
        let standing = self
            .on_disk(&what, move |tree| {
                tempfile::tempfile_in(directory.as_path())?;
                tree.standing()
            })
            .await;
        let detail = standing.as_ref().map(|generation| match generation {
            Some(number) => format!("generation {number} stands in {}", self.settings.config_dir),
            None => format!("{} holds no generation yet", self.settings.config_dir),
        });
        let mend = "make the directory, and let the daemon's user write there";
        checks.push(check("config_dir", detail, mend));
        checks
    }
}

fn check(name: &'static str, result: Result<String, &DriverError>, mend: &str) -> Check {
    match result {
        Ok(detail) => Check {
            name,
            ok: true,
            detail,
            mend: None,
        },
        Err(error) => Check {
            name,
            ok: false,
            detail: error.full(),
            mend: Some(mend.to_owned()),
        },
    }
}
