//! Of an export, the sound of recordings, and how one is written: read from the disk of the host that makes the archive, as far as that answers.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::archive::{Cut, Sha256};
use super::making::Making;
use super::patience::{Disk, Next};
use crate::app::App;
use crate::app::error::AppError;
use crate::app::views::RecordingView;
use crate::domain::export::{ExportKind, MissingSound};
use crate::domain::ids::InstanceId;
use crate::domain::recording::{Recording, SoundFormat};
use crate::driver::spool::{Sound, Spool};
use crate::store::Tx;

/// How long a disk may take to open a file, or to read a piece of it.
const LONGEST: Duration = Duration::from_secs(2);
/// What is read of a file at once.
const PIECE: usize = 256 * 1024;
/// How long it is left alone where it did not.
const PAUSE: Duration = Duration::from_secs(2);
/// What is filled up at once of a file that breaks off.
const ZEROS: u64 = 256 * 1024;

/// Where in the archive a sound is.
#[derive(Default, Serialize)]
pub(super) struct SoundFile {
    /// The file's name; null where it is not in the archive.
    file: Option<String>,
    pub(super) file_bytes: Option<u64>,
    /// Of what is in the archive.
    sha256: Option<String>,
    /// Why the sound is not there, or not whole.
    pub(super) missing: Option<MissingSound>,
}

impl SoundFile {
    /// It is not there.
    pub(super) fn missing(why: MissingSound) -> Self {
        Self {
            missing: Some(why),
            ..Self::default()
        }
    }
}

/// A recording, and where its sound is.
#[derive(Serialize)]
struct SoundRow {
    #[serde(flatten)]
    recording: RecordingView,
    #[serde(flatten)]
    file: SoundFile,
}

/// Where recordings lie.
#[derive(Default)]
pub(super) struct Sounds {
    places: BTreeMap<InstanceId, Result<Spool, MissingSound>>,
    disks: BTreeMap<InstanceId, Disk>,
}

impl Sounds {
    /// Finds out where these lie.
    pub(super) async fn look_for(
        &mut self,
        app: &App,
        tx: &mut Tx,
        recordings: &[Recording],
    ) -> Result<(), Cut> {
        self.places.clear();
        for recording in recordings {
            let id = recording.instance_id;
            if self.places.contains_key(&id) {
                continue;
            }
            let place = match app.spool(tx, id).await {
                Ok(spool) => Ok(spool),
                Err(error) if error.is_of_another_host() => Err(MissingSound::OtherHost),
                Err(AppError::NotFound) => Err(MissingSound::NoDirectory),
                Err(error) => return Err(error.into()),
            };
            self.places.insert(id, place);
        }
        Ok(())
    }

    /// Adds a recording, with its sound if that can be had.
    pub(super) async fn add(&mut self, making: &mut Making<'_>, recording: Recording) -> Result<(), Cut> {
        making.still().await?;
        let file = match self.open(making, &recording).await? {
            Ok(sound) => {
                let name = file_name(ExportKind::Recordings, &recording.id, recording.path.format());
                let disk = self.disks.entry(recording.instance_id).or_default();
                write(making, disk, name, sound).await?
            }
            Err(missing) => SoundFile::missing(missing),
        };
        making.recordings.count(&file);
        let recording = recording.into();
        let row = SoundRow { recording, file };
        making.archive.row(ExportKind::Recordings, &row).await
    }

    async fn open(
        &mut self,
        making: &mut Making<'_>,
        recording: &Recording,
    ) -> Result<Result<Sound, MissingSound>, Cut> {
        let id = recording.instance_id;
        let spool = match self.places.get(&id) {
            Some(Ok(spool)) => spool.clone(),
            Some(Err(missing)) => return Ok(Err(*missing)),
            None => return Ok(Err(MissingSound::NoDirectory)),
        };
        let disk = self.disks.entry(id).or_default();
        if !disk.is_asked() {
            return Ok(Err(MissingSound::NoAnswer));
        }
        loop {
            let error = match spool.open_within(&recording.path, LONGEST).await {
                Ok(sound) => {
                    disk.answered();
                    return Ok(Ok(sound));
                }
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::TimedOut => match disk.gave_none() {
                    Next::Again => {
                        // What there is can be handed over meanwhile.
                        making.archive.end_parts().await?;
                        wait(making).await?;
                    }
                    Next::Leave => return Ok(Err(MissingSound::NoAnswer)),
                },
                io::ErrorKind::NotFound => return Ok(Err(MissingSound::NoFile)),
                _ => {
                    tracing::warn!(%error, "a recording cannot be read for an export");
                    return Ok(Err(MissingSound::Unreadable));
                }
            }
        }
    }
}

/// The name of a sound in the archive: of what it holds the ending tells.
pub(super) fn file_name(kind: ExportKind, id: &impl Display, format: Option<SoundFormat>) -> String {
    let ending = format.map_or("bin", SoundFormat::as_str);
    format!("{kind}/{id}.{ending}")
}

/// Writes a sound. Its size is in the archive before its content: what cannot be read to its end is filled up with zeros, and
/// its row says so.
pub(super) async fn write(
    making: &mut Making<'_>,
    disk: &mut Disk,
    name: String,
    mut sound: Sound,
) -> Result<SoundFile, Cut> {
    let length = sound.length;
    making.archive.begin_file(&name, length).await?;
    let (mut digest, mut left, mut missing) = (Sha256::new(), length, None);
    while left > 0 {
        making.still().await?;
        if missing.is_some() {
            let some = left.min(ZEROS);
            making.archive.zeros(some).await?;
            left -= some;
            continue;
        }
        match sound.next(PIECE, LONGEST).await {
            Ok(piece) => {
                disk.answered();
                digest.add(&piece);
                making.archive.write(&piece).await?;
                left -= u64::try_from(piece.len()).unwrap_or(left).min(left);
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::TimedOut && disk.gave_none() == Next::Again {
                    wait(making).await?;
                    continue;
                }
                tracing::warn!(%error, name, "a sound breaks off in an export");
                missing = Some(MissingSound::Broken);
            }
        }
    }
    making.archive.end_file(length).await?;
    Ok(SoundFile {
        file: Some(name),
        file_bytes: Some(length),
        sha256: missing.is_none().then(|| digest.finish()),
        missing,
    })
}

/// Gives a disk a moment.
async fn wait(making: &mut Making<'_>) -> Result<(), Cut> {
    making.archive.pause(PAUSE).await;
    making.still().await
}
