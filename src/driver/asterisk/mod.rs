//! Asterisk: three files behind one link, the manager interface to reload and to ask, a shadow to rehearse with.

mod calls;
mod checks;
mod click;
mod complaints;
pub mod ended;
mod feed;
pub mod found;
mod hears;
mod included;
pub mod install;
mod log;
mod mail;
mod marked;
mod program;
mod rights;
mod session;
mod shadow;
mod sounds;
mod transport;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use secrecy::SecretString;

pub use self::feed::ManagerFeed;
use self::log::LogWindow;
use self::mail::AsteriskMail;
pub use self::program::{Program, ProgramError, RunAs};
use self::rights::ActionName;
pub use self::rights::account_lines;
use self::session::Session;
pub use self::shadow::Shadow;
pub use self::transport::Transport;
use super::files::{self, FileTree};
use super::mail::{Mail, MailError};
use super::{
    Check, Closeness, Drifted, DriverError, EndedCalls, Expected, Foreign, Inclusion, PbxDriver, Rehearsal,
    Sounds, Staged, StagedFile, Warrant,
};
use crate::domain::artifact::Artifact;
use crate::domain::dial::DialNumber;
use crate::domain::finding::{Finding, Severity};
use crate::domain::instance::{AsteriskSettings, PbxKind};
use crate::domain::leg::{Endpoint, LegId};
use crate::domain::random::SystemRandom;
use crate::domain::recording_notice::SoundName;
use crate::domain::sip_domain::SipDomain;

/// What is said of an instance that has no Asterisk.
const NO_PBX: &str = "this instance has no Asterisk, as in a demo that was started without one: files may be written, but \
    nobody reads them, so nothing is proven and nothing goes live; `scripts/get-asterisk DIR` and then `switchyard demo \
    --asterisk DIR/bin/asterisk` have one";

const NO_MAIL: &str = "this instance has no Asterisk, and so no mail boxes";

/// Drives one Asterisk on this host.
pub struct AsteriskDriver {
    settings: AsteriskSettings,
    secret: SecretString,
    transport: Transport,
    files: FileTree,
    shadow: Option<Shadow>,
    /// Where the log ended when the last `apply` began; else why that is not known.
    window: Mutex<Result<LogWindow, String>>,
}

impl AsteriskDriver {
    /// `shadow`: the program to rehearse with, if there is one on this host.
    #[must_use]
    pub fn new(settings: AsteriskSettings, secret: SecretString, shadow: Option<Shadow>) -> Self {
        let files = FileTree::new(settings.config_dir.as_path(), PbxKind::Asterisk);
        Self {
            settings,
            secret,
            transport: Transport::default(),
            files,
            shadow,
            window: Mutex::new(Err("nothing was applied".to_owned())),
        }
    }

    /// With another way to the manager interface than TCP with a challenge.
    #[must_use]
    pub fn with_transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    async fn session(&self) -> Result<Session, DriverError> {
        if !self.settings.has_pbx() {
            return Err(DriverError::Unreachable {
                what: "a deploy".to_owned(),
                source: NO_PBX.into(),
            });
        }
        Session::open(&self.settings, &self.secret, &self.transport).await
    }

    /// From here on what is logged is of the reload that comes.
    async fn open_window(&self, session: &Session) {
        let path = self.settings.log_file.as_ref();
        if let Some(before) = path.and_then(|path| LogWindow::open(path.as_path()).ok()) {
            complaints::settle(session, &before, &SystemRandom).await;
        }
        let window = match &self.settings.log_file {
            Some(path) => LogWindow::open(path.as_path()).map_err(|error| format!("{path}: {error}")),
            None => Err("the instance's settings name no log_file".to_owned()),
        };
        *self
            .window
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = window;
    }
}

#[async_trait]
impl PbxDriver for AsteriskDriver {
    fn obey(&mut self, warrant: Warrant) {
        self.files.obey(warrant);
    }

    async fn stage(
        &self,
        generation: i64,
        files: BTreeMap<Artifact, StagedFile>,
    ) -> Result<Staged, DriverError> {
        self.files.stage_generation(generation, files).await
    }

    async fn drifted(
        &self,
        files: BTreeMap<Artifact, StagedFile>,
        closeness: Closeness,
    ) -> Result<BTreeMap<Artifact, Drifted>, DriverError> {
        self.files.compare_live(files, closeness).await
    }

    async fn live_text(&self, file: Artifact, limit: u64) -> Result<Option<String>, DriverError> {
        self.files.read_live(file, limit).await
    }

    async fn foreign(&self, limit: u64) -> Result<Vec<Foreign>, DriverError> {
        self.files.look_around(limit).await
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

    async fn look_for_sounds(&self, sounds: BTreeSet<SoundName>) -> Result<Sounds, DriverError> {
        Ok(sounds::look(&self.session().await?, sounds).await)
    }

    async fn ready(&self) -> Result<(), DriverError> {
        self.session().await?.ask(ActionName::Ping, &[]).await.map(drop)
    }

    async fn unread(
        &self,
        markers: &BTreeMap<Artifact, Option<String>>,
    ) -> Result<Vec<Artifact>, DriverError> {
        verify::unread(&self.session().await?, markers).await
    }

    async fn inclusion(&self) -> Result<Inclusion, DriverError> {
        included::missing(&self.session().await?, &self.files, &self.settings.config_dir).await
    }

    async fn place(&self, generation: i64) -> Result<(), DriverError> {
        self.files.move_link(generation).await
    }

    async fn take_back_empty(&self) -> Result<(), DriverError> {
        self.files.take_back().await
    }

    async fn apply(&self, generation: i64, reload: &[Artifact]) -> Result<(), DriverError> {
        let session = self.session().await?;
        self.open_window(&session).await;
        self.place(generation).await?;
        let size = files::size(&self.files.generation(generation), PbxKind::Asterisk).unwrap_or_default();
        for file in reload {
            session
                .reload(*file, size)
                .await
                .map_err(|source| DriverError::unknown(format!("the reload of {}", file.module()), source))?;
        }
        Ok(())
    }

    async fn verify(&self, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
        verify::verify(&self.session().await?, &self.settings.config_dir, expected).await
    }

    async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
        calls::end(&self.session().await?, domains).await
    }

    async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        click::call(&self.session().await?, from, to).await
    }

    async fn hang_up(&self, legs: &[LegId]) -> Result<(), DriverError> {
        click::hang_up(&self.session().await?, legs).await
    }

    fn mail(&self) -> Result<Box<dyn Mail + '_>, MailError> {
        if self.settings.has_pbx() {
            Ok(Box::new(AsteriskMail::new(self)))
        } else {
            Err(MailError::NotServed(NO_MAIL))
        }
    }

    async fn log_since_apply(&self) -> Vec<Finding> {
        let unread = |detail: &str| {
            let message = format!(
                "Asterisk's log was not read: {detail}; its complaints may be missing in this record"
            );
            vec![Finding::warning("log_unread", message)]
        };
        let window = self
            .window
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let window = match window {
            Ok(window) => window,
            Err(detail) => return unread(&detail),
        };
        let (lines, whole) = match self.session().await {
            Ok(session) => complaints::read(&session, &window, &SystemRandom).await,
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
            findings.extend(unread(&format!("{}: {detail}", window.path().display())));
        }
        findings
    }

    async fn standing(&self) -> Result<Option<i64>, DriverError> {
        self.files.read_link().await
    }

    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError> {
        self.files.clean_up(generations).await
    }

    fn asks_before_leaving(&self) -> bool {
        true
    }

    /// Once Asterisk reads its files elsewhere: they hold digests and PINs all the same. What a line of Asterisk's own files
    /// still leads to stays, since one with `#include` would take the whole of that file away with it.
    async fn leave(&self) -> Result<(), DriverError> {
        let session = self.session().await?;
        let what = "removing our files";
        let before = included::leads(&session).await?;
        if let Some(why) = included::may_lead_there(&before) {
            return Err(DriverError::not_applied(what, why));
        }
        // A link or a mount may lead there too: what Asterisk finds without ours tells.
        self.files.set_link_aside().await?;
        let after = included::leads(&session).await;
        if !matches!(&after, Ok(after) if *after == before) {
            self.files.put_link_back().await?;
            after?;
            let why = "Asterisk still finds its files by way of `live` there; have its own files lead elsewhere first";
            return Err(DriverError::not_applied(what, why));
        }
        self.files.leave_it().await
    }

    async fn test(&self) -> Vec<Check> {
        self.checks().await
    }
}
