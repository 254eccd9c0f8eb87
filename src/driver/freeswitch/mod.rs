//! FreeSWITCH without FusionPBX: two XML files behind one link, and the event socket to have them read and to ask what it
//! serves.

mod checks;
mod document;
mod included;
mod mail;
mod own_files;
mod profiles;
mod sounds;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::document::Served;
use super::event_socket::{Socket, Switch, User, asked, told, user, users};
use super::files::FileTree;
use super::mail::{Mail, MailError};
use super::{
    Check, Closeness, Drifted, DriverError, EmptiedDomain, EndedCalls, Expected, Foreign, Inclusion, Parting,
    PbxDriver, Rehearsal, Sounds, Staged, StagedFile, Warrant,
};
use crate::domain::artifact::Artifact;
use crate::domain::dial::DialNumber;
use crate::domain::error_chain::error_chain;
use crate::domain::finding::{Finding, Severity};
use crate::domain::instance::{FreeSwitchSettings, PbxKind};
use crate::domain::instance_secrets::InstanceSecrets;
use crate::domain::leg::{Endpoint, LegId};
use crate::domain::recording_notice::SoundName;
use crate::domain::sip_domain::SipDomain;
use crate::wire::esl::Error;

/// Reading 10,000 users takes 0.4 s (measured); what the operator's own files lead to comes on top.
const RELOAD: Duration = Duration::from_mins(2);
/// No lookup fills a cache here: each user is asked for.
const EACH: usize = 1;
const READING: &str = "the reload of FreeSWITCH's XML";

/// Drives one FreeSWITCH on this host.
pub struct FreeSwitchDriver {
    settings: FreeSwitchSettings,
    socket: Socket,
    files: FileTree,
    /// What was met in the last `apply`.
    remarks: Mutex<Vec<Finding>>,
}

impl FreeSwitchDriver {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(settings: FreeSwitchSettings, secrets: InstanceSecrets) -> Self {
        Self {
            socket: Socket::new(
                settings.event_socket_host.clone(),
                settings.event_socket_port,
                secrets.control,
            ),
            files: FileTree::new(settings.config_dir.as_path(), PbxKind::FreeSwitch),
            settings,
            remarks: Mutex::default(),
        }
    }

    async fn switch(&self) -> Result<Switch, DriverError> {
        self.socket.switch().await
    }

    fn remarks(&self) -> MutexGuard<'_, Vec<Finding>> {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One `reloadxml`. It answers with a yes whatever it found: what it says beside that counts. Where it refuses, it goes on
    /// with what it had.
    async fn reload(&self, switch: &Switch) -> Result<(), DriverError> {
        let read = switch.client().reload_xml(RELOAD).await;
        if let Err(error @ Error::Answer { .. }) = read {
            let message = format!(
                "FreeSWITCH refused to read its XML and goes on with what it had read before: {}. Ours was read by a parser \
                 before; see FreeSWITCH's own files, and `fs_cli -x reloadxml`",
                error_chain(&error)
            );
            self.remarks().push(Finding::warning("xml_refused", message));
            return Err(DriverError::Refused {
                what: READING.to_owned(),
                source: error.into(),
            });
        }
        // The link has moved: whatever failed, it is not known what FreeSWITCH has read.
        read.map_err(|error| DriverError::unknown(READING, told(READING, error)))
    }

    /// Whom any generation serves that lies here and this one does not. FreeSWITCH may have read each of them: a process that
    /// died after it moved the link left nothing else that tells. Where the directory is another one now, nothing lies here, and
    /// the engine knows who goes.
    async fn gone_with(&self, generation: i64) -> Result<(BTreeSet<User>, BTreeSet<String>), DriverError> {
        let parting = self.socket.parting();
        let read = move |tree: FileTree| {
            let target = tree.generation(generation);
            let (mut users, mut domains, mut unread) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
            for directory in tree.generations()?.into_iter().filter(|found| *found != target) {
                match served(&directory) {
                    Ok(served) => {
                        users.extend(served.users);
                        domains.extend(served.domains);
                    }
                    Err(error) => unread.push(error.to_string()),
                }
            }
            users.extend(parting.extensions.iter().map(user));
            domains.extend(parting.domains.iter().map(ToString::to_string));
            let stay = served(&target)?;
            users.retain(|user| !stay.users.contains(user));
            domains.retain(|domain| !stay.domains.contains(domain));
            Ok((users, domains, unread))
        };
        let (users, domains, unread) = self.files.on_disk("reading who was served", read).await?;
        let unread = unread.into_iter().map(|why| {
            let message = format!(
                "who was served by a former generation could not be read ({why}): phones of theirs that are served no more may \
                 stay signed in, and their calls go on"
            );
            Finding::warning("former_unread", message)
        });
        self.remarks().extend(unread);
        Ok((users, domains))
    }
}

/// Whom a generation serves; nobody where its file is not there.
fn served(generation: &std::path::Path) -> io::Result<Served> {
    match document::read(&generation.join(Artifact::DirectoryXml.as_str())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Served::default()),
        read => read.map(|document| document.served),
    }
}

/// What is wrong in the files of a generation.
fn faults(generation: &std::path::Path) -> io::Result<(Vec<Finding>, Served)> {
    let mut findings = Vec::new();
    let mut all = Served::default();
    for file in Artifact::of(PbxKind::FreeSwitch) {
        let document::Document { served, faults } = document::read(&generation.join(file.as_str()))?;
        findings.extend(faults.into_iter().map(|fault| {
            let message = format!(
                "line {} of {file}: {}; correct the template that renders it and deploy again",
                fault.line, fault.what
            );
            Finding::error("xml_broken", message).about(file.as_str())
        }));
        all.users.extend(served.users);
        all.domains.extend(served.domains);
        all.contexts.extend(served.contexts);
    }
    Ok((findings, all))
}

#[async_trait]
impl PbxDriver for FreeSwitchDriver {
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

    fn rehearses_on_a_shadow(&self) -> bool {
        false
    }

    /// Reads what is staged with a parser that forgives less than FreeSWITCH's own, and looks for what FreeSWITCH would drop.
    async fn rehearse(&self, generation: i64) -> Result<Rehearsal, DriverError> {
        let begun = Instant::now();
        let read = move |tree: FileTree| faults(&tree.generation(generation));
        let read = self.files.on_disk("reading what is staged", read).await;
        let (findings, served) = read.unwrap_or_else(|error| {
            let message = format!("{}; see to it and deploy again", error.full());
            (vec![Finding::error("xml_unread", message)], Served::default())
        });
        let detail = format!(
            "the XML was read in {} ms: {} users in {} domains, {} contexts",
            begun.elapsed().as_millis(),
            served.users.len(),
            served.domains.len(),
            served.contexts.len()
        );
        Ok(Rehearsal { findings, detail })
    }

    async fn look_for_sounds(&self, sounds: BTreeSet<SoundName>) -> Result<Sounds, DriverError> {
        sounds::look(&self.switch().await?, sounds).await
    }

    async fn ready(&self) -> Result<(), DriverError> {
        self.switch().await?.ready().await
    }

    async fn unread(
        &self,
        markers: &BTreeMap<Artifact, Option<String>>,
    ) -> Result<Vec<Artifact>, DriverError> {
        verify::unread(&self.switch().await?, markers).await
    }

    async fn inclusion(&self) -> Result<Inclusion, DriverError> {
        let mut inclusion = included::look(self).await?;
        match profiles::forced(&self.switch().await?).await {
            Ok(forced) => inclusion.remarks.extend(forced.iter().map(profiles::finding)),
            // It is a warning's question: what is known without it is worth more.
            Err(error) => {
                let message = format!(
                    "it was not looked at whether a SIP profile forces a domain on all of its phones: {}",
                    error.full()
                );
                inclusion
                    .remarks
                    .push(Finding::new(Severity::Info, "sip_domain_not_checked", message));
            }
        }
        Ok(inclusion)
    }

    async fn place(&self, generation: i64) -> Result<(), DriverError> {
        self.files.move_link(generation).await
    }

    fn signs_phones_out(&self) -> bool {
        true
    }

    fn part_from(&self, parting: Parting) {
        self.socket.part_from(parting);
    }

    /// A domain without users is not rendered.
    fn emptied_domain(&self) -> EmptiedDomain {
        EmptiedDomain::Goes
    }

    async fn apply(&self, generation: i64, reload: &[Artifact]) -> Result<(), DriverError> {
        let switch = self.switch().await?;
        self.remarks().clear();
        let (users, domains) = self.gone_with(generation).await?;
        self.place(generation).await?;
        if !reload.is_empty() {
            self.reload(&switch).await?;
        }
        let dismissed = self
            .socket
            .dismiss(&switch, &users, &domains, &BTreeSet::new())
            .await;
        dismissed.map_err(|error| DriverError::unknown("signing out who is served no more", error))
    }

    async fn verify(&self, expected: &Expected) -> Result<Vec<Finding>, DriverError> {
        let switch = self.switch().await?;
        let mut findings = verify::markers(&switch, &self.settings.config_dir, &expected.markers).await?;
        findings.extend(verify::contexts(&switch, expected).await?);
        findings.extend(users::objects(&switch, expected, EACH, None).await?);
        Ok(findings)
    }

    async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError> {
        self.socket.end_calls(domains).await
    }

    async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError> {
        self.socket.call(from, to).await
    }

    async fn hang_up(&self, legs: &[LegId]) -> Result<(), DriverError> {
        self.socket.hang_up(legs).await
    }

    fn mail(&self) -> Result<Box<dyn Mail + '_>, MailError> {
        Ok(Box::new(self.mail_boxes()?))
    }

    /// What FreeSWITCH said to the reload, what could not be read beside it, and of calls.
    async fn log_since_apply(&self) -> Vec<Finding> {
        let remarks = self.remarks().clone();
        remarks.into_iter().chain(self.socket.calls_left()).collect()
    }

    async fn standing(&self) -> Result<Option<i64>, DriverError> {
        self.files.read_link().await
    }

    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError> {
        self.files.clean_up(generations).await
    }

    /// What it serves no more holds digests and PINs all the same.
    async fn leave(&self) -> Result<(), DriverError> {
        self.files.leave_it().await
    }

    async fn test(&self) -> Vec<Check> {
        checks::all(self).await
    }
}
