//! Of an export, messages in mail boxes as they were found last, with their sound as far as the PBX that holds them is reached.

use std::collections::{BTreeMap, btree_map::Entry};

use jiff::Timestamp;
use serde::Serialize;

use super::archive::Cut;
use super::making::Making;
use super::patience::Disk;
use super::sounds::{SoundFile, file_name, write};
use crate::app::App;
use crate::deploy::DeployError;
use crate::domain::call_text::CallText;
use crate::domain::dial::ExtensionNumber;
use crate::domain::error_chain::error_chain;
use crate::domain::export::{ExportKind, MissingSound};
use crate::domain::ids::{InstanceId, VoicemailId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{MailFolder, Voicemail};
use crate::driver::PbxDriver;
use crate::driver::mail::{Mail, MailError, MessageSound};
use crate::store::voicemail;

/// Messages that are read at once, whose sound comes with them.
const MESSAGES: usize = 100;

/// A message, and where in the archive its sound is.
#[derive(Serialize)]
struct MessageRow {
    id: VoicemailId,
    /// The tenant's domain when it was left.
    domain: SipDomain,
    mailbox: ExtensionNumber,
    folder: MailFolder,
    left_at: Timestamp,
    /// The number that the caller showed.
    caller: Option<CallText>,
    seconds: Option<i64>,
    /// Of all its files.
    bytes: i64,
    #[serde(flatten)]
    sound: SoundFile,
}

impl MessageRow {
    fn new(message: Voicemail, sound: SoundFile) -> Self {
        let found = message.found;
        Self {
            id: message.id,
            domain: message.domain,
            mailbox: found.mailbox,
            folder: found.folder,
            left_at: found.left_at,
            caller: found.caller,
            seconds: found.seconds,
            bytes: found.bytes,
            sound,
        }
    }
}

/// All messages in mail boxes of the tenant.
pub(super) async fn all(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Voicemail);
    let tenant = making.job.tenant;
    let (mut disks, mut after) = (Disks::default(), None);
    loop {
        let mut tx = making.read("export_voicemail").await?;
        let page = voicemail::behind(&mut tx, tenant, after, MESSAGES).await?;
        drop(tx);
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        add(making, &mut disks, page).await?;
    }
}

/// These messages.
pub(super) async fn of_person(making: &mut Making<'_>, ids: Vec<VoicemailId>) -> Result<(), Cut> {
    making.archive.name_kind(ExportKind::Voicemail);
    let mut disks = Disks::default();
    for ids in ids.chunks(MESSAGES) {
        let mut tx = making.read("export_voicemail").await?;
        let mut page = Vec::with_capacity(ids.len());
        for id in ids {
            match voicemail::find(&mut tx, making.job.tenant, *id).await? {
                Some(message) => page.push(message),
                None => making.archive.gone(ExportKind::Voicemail),
            }
        }
        drop(tx);
        add(making, &mut disks, page).await?;
    }
    Ok(())
}

/// What an export puts up with of each PBX and its disk.
type Disks = BTreeMap<InstanceId, Disk>;

/// Adds messages, each with its sound if that can be had.
async fn add(making: &mut Making<'_>, disks: &mut Disks, page: Vec<Voicemail>) -> Result<(), Cut> {
    let mut drivers = BTreeMap::new();
    for message in &page {
        if let Entry::Vacant(entry) = drivers.entry(message.instance_id) {
            let driver = driver(making.app, *entry.key()).await;
            entry.insert(driver);
        }
    }
    // Each signs in once a page.
    let mut mails: BTreeMap<InstanceId, Result<Box<dyn Mail + '_>, MissingSound>> = BTreeMap::new();
    for (id, driver) in &drivers {
        let mail = match driver {
            Ok(driver) => driver.mail().map_err(|_| MissingSound::NoDirectory),
            Err(missing) => Err(*missing),
        };
        mails.insert(*id, mail);
    }
    for message in page {
        making.still().await?;
        let id = message.instance_id;
        let disk = disks.entry(id).or_default();
        let opened = match mails.get(&id) {
            Some(Ok(mail)) => {
                let opening = open(mail.as_ref(), disk, &message);
                making.archive.unless_it_ends(opening).await?
            }
            Some(Err(missing)) => Err(*missing),
            None => Err(MissingSound::NoDirectory),
        };
        let sound = match opened {
            Ok(opened) => {
                let name = file_name(ExportKind::Voicemail, &message.id, opened.format);
                write(making, disk, name, opened.sound).await?
            }
            Err(missing) => SoundFile::missing(missing),
        };
        making.voicemail.count(&sound);
        let row = MessageRow::new(message, sound);
        making.archive.row(ExportKind::Voicemail, &row).await?;
    }
    Ok(())
}

async fn driver(app: &App, id: InstanceId) -> Result<Box<dyn PbxDriver>, MissingSound> {
    match app.engine.driver(id).await {
        Ok((_, driver)) => Ok(driver),
        Err(DeployError::DrivenElsewhere { .. }) => Err(MissingSound::OtherHost),
        Err(error) => {
            let error = error_chain(&error);
            tracing::warn!(instance = %id, error, "mail boxes cannot be reached for an export");
            Err(MissingSound::NoPbx)
        }
    }
}

async fn open(mail: &dyn Mail, disk: &mut Disk, message: &Voicemail) -> Result<MessageSound, MissingSound> {
    if !disk.is_asked() {
        return Err(MissingSound::NoPbx);
    }
    let found = &message.found;
    let opened = mail.sound(&message.domain, &found.mailbox, &found.id).await;
    match opened {
        Ok(opened) => {
            disk.answered();
            opened.ok_or(MissingSound::NoFile)
        }
        Err(error) => {
            let full = error.full();
            tracing::warn!(error = full, message = %message.id, "a message of a mail box cannot be read for an export");
            Err(match error {
                MailError::Unavailable { .. } => {
                    disk.is_away();
                    MissingSound::NoPbx
                }
                MailError::Absent { .. } => MissingSound::NoFile,
                MailError::NotServed(_) => MissingSound::NoDirectory,
                MailError::InUse { .. } | MailError::Refused { .. } => MissingSound::Unreadable,
            })
        }
    }
}
