//! The archive: entries of a tar file, none larger in memory than a part of a table, handed over piece by piece to whoever
//! reads it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::pin::pin;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde::Serialize;
use tar::{EntryType, Header};
use tokio::sync::mpsc::{PermitIterator, Sender};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::manifest::{KindTotal, PartFile};
use crate::app::error::AppError;
use crate::domain::export::{ExportCut, ExportKind};
use crate::store::StoreError;

/// What is handed over at once.
pub(super) const PIECE: usize = 64 * 1024;
/// Rows of a part of a table.
const MOST_ROWS: u64 = 1_000;
/// A part with more bytes ends, whatever it has of rows.
const MOST_BYTES: usize = 1024 * 1024;
/// How often it is seen whether somebody reads still while something else is waited for.
const LOOK: Duration = Duration::from_secs(1);
/// Entries of a tar file fill blocks.
const BLOCK: u64 = 512;
/// Pieces that wait for a reader.
pub(super) const WAITING: usize = 4;
/// Of the last one and of the end after it.
const LAST: usize = 2;
/// Proxies wait a minute or so for the next byte.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a reader is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For the next piece.
    pub(super) piece: Duration,
    /// In all, before their pace is looked at.
    pub(super) grace: Duration,
    /// What they have to take then, in bytes for each second in which they were waited for.
    pub(super) pace: u64,
}

/// What a reader is given.
pub(super) enum Piece {
    /// Some of the archive.
    Bytes(Bytes),
    /// That it is complete: without this it was cut.
    End,
}

/// Why an archive ends early.
#[derive(Debug)]
pub(super) enum Cut {
    /// For a reason that is no failure.
    For(ExportCut),
    /// Something failed.
    Failed(Box<dyn Error + Send + Sync>),
}

impl Cut {
    /// As the audit log tells it.
    pub(super) const fn why(&self) -> ExportCut {
        match self {
            Self::For(why) => *why,
            Self::Failed(_) => ExportCut::Failed,
        }
    }
}

impl From<AppError> for Cut {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Denied(_) | AppError::NotFound => Self::For(ExportCut::Revoked),
            error => Self::Failed(error.into()),
        }
    }
}

impl From<StoreError> for Cut {
    fn from(error: StoreError) -> Self {
        AppError::from(error).into()
    }
}

/// What was not written to the archive yet of a kind.
#[derive(Default)]
struct Part {
    lines: Vec<u8>,
    rows: u64,
}

/// An archive that is being written.
pub(super) struct Archive {
    out: Sender<Piece>,
    stop: CancellationToken,
    patience: Patience,
    /// How long the reader was waited for.
    waited: Duration,
    /// When something was handed over last.
    handed: Instant,
    /// Seconds, as all entries are stamped.
    stamp: u64,
    buffer: BytesMut,
    parts: BTreeMap<ExportKind, Part>,
    pub(super) files: Vec<PartFile>,
    pub(super) kinds: BTreeMap<ExportKind, KindTotal>,
    /// Bytes that were put into it.
    pub(super) bytes: u64,
    /// Whether all of it is there, of which nobody has the end before it is in the log.
    is_whole: bool,
}

impl Archive {
    pub(super) fn new(
        out: Sender<Piece>,
        stop: CancellationToken,
        patience: Patience,
        began: Timestamp,
    ) -> Self {
        Self {
            out,
            stop,
            patience,
            waited: Duration::ZERO,
            handed: Instant::now(),
            stamp: u64::try_from(began.as_second()).unwrap_or_default(),
            buffer: BytesMut::with_capacity(PIECE),
            parts: BTreeMap::new(),
            files: Vec::new(),
            kinds: BTreeMap::new(),
            bytes: 0,
            is_whole: false,
        }
    }

    /// Names a kind that it holds, however little there is of it.
    pub(super) fn name_kind(&mut self, kind: ExportKind) {
        self.kinds.entry(kind).or_default();
    }

    /// Counts what went while it was gone through.
    pub(super) fn gone(&mut self, kind: ExportKind) {
        self.kinds.entry(kind).or_default().gone_meanwhile += 1;
    }

    /// Adds a row to a kind.
    pub(super) async fn row(&mut self, kind: ExportKind, row: &impl Serialize) -> Result<(), Cut> {
        let part = self.parts.entry(kind).or_default();
        serde_json::to_writer(&mut part.lines, row).map_err(failed)?;
        part.lines.push(b'\n');
        part.rows += 1;
        if part.rows >= MOST_ROWS || part.lines.len() >= MOST_BYTES {
            self.end_part(kind).await?;
        }
        Ok(())
    }

    /// Writes what there is of a kind.
    async fn end_part(&mut self, kind: ExportKind) -> Result<(), Cut> {
        let Some(Part { lines, rows }) = self.parts.remove(&kind) else {
            return Ok(());
        };
        let total = self.kinds.entry(kind).or_default();
        total.rows += rows;
        total.files += 1;
        let name = format!("{kind}/{:06}.jsonl", total.files);
        let sha256 = self.file(&name, &lines).await?;
        self.files.push(PartFile {
            name,
            rows,
            bytes: lines.len(),
            sha256,
        });
        Ok(())
    }

    /// Adds a file that is in memory; gives its digest.
    async fn file(&mut self, name: &str, content: &[u8]) -> Result<String, Cut> {
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.begin_file(name, size).await?;
        self.write(content).await?;
        self.end_file(size).await?;
        Ok(hex(digest(&SHA256, content).as_ref()))
    }

    /// Begins a file of that size, whose content is written next.
    pub(super) async fn begin_file(&mut self, name: &str, size: u64) -> Result<(), Cut> {
        let header = header(name, size, self.stamp).map_err(failed)?;
        self.write(header.as_bytes()).await
    }

    /// Fills the file's last block up.
    pub(super) async fn end_file(&mut self, size: u64) -> Result<(), Cut> {
        self.zeros(size.next_multiple_of(BLOCK) - size).await
    }

    /// Writes so many zeros.
    pub(super) async fn zeros(&mut self, mut count: u64) -> Result<(), Cut> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while count > 0 {
            let some = usize::try_from(count).map_or(ZEROS.len(), |count| count.min(ZEROS.len()));
            self.write(ZEROS.get(..some).unwrap_or(&ZEROS)).await?;
            count -= u64::try_from(some).unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// Writes bytes, and hands over each piece once there is more: the end of what was written is never handed over here.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Cut> {
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        while !bytes.is_empty() {
            if self.buffer.len() >= PIECE {
                let piece = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(PIECE));
                if let Some(permit) = self.permits(1).await?.next() {
                    permit.send(Piece::Bytes(piece.freeze()));
                }
            }
            let room = PIECE - self.buffer.len();
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Room for pieces, once the reader has taken enough of those before.
    async fn permits(&mut self, count: usize) -> Result<PermitIterator<'_, Piece>, Cut> {
        let asked = Instant::now();
        let permits = tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Cut::For(ExportCut::Stopped)),
            permits = timeout(self.patience.piece, self.out.reserve_many(count)) => match permits {
                Ok(Ok(permits)) => Ok(permits),
                Ok(Err(_)) => Err(Cut::For(ExportCut::ReaderGone)),
                Err(_) => Err(Cut::For(ExportCut::ReaderSlow)),
            },
        };
        let permits = permits?;
        self.handed = Instant::now();
        self.waited += self.handed - asked;
        let least = u128::from(self.patience.pace) * self.waited.as_millis() / 1000;
        if self.waited > self.patience.grace && u128::from(self.bytes) < least {
            return Err(Cut::For(ExportCut::ReaderSlow));
        }
        Ok(permits)
    }

    /// Whether somebody reads, and nobody stops it; asked where nothing is written for a while. Whoever reads is given a byte
    /// now and then, so that no proxy takes the export for dead.
    pub(super) fn check(&mut self) -> Result<(), Cut> {
        if self.stop.is_cancelled() {
            return Err(Cut::For(ExportCut::Stopped));
        }
        if self.out.is_closed() {
            return Err(Cut::For(ExportCut::ReaderGone));
        }
        if self.handed.elapsed() >= SILENCE && !self.buffer.is_empty() && !self.is_whole {
            // Where there is no room, something waits to be taken.
            if let Ok(permit) = self.out.try_reserve() {
                permit.send(Piece::Bytes(self.buffer.split_to(1).freeze()));
                self.handed = Instant::now();
            }
        }
        Ok(())
    }

    /// Waits for something else than the reader, as long as somebody reads and nobody stops it.
    pub(super) async fn unless_it_ends<T>(&mut self, waiting: impl Future<Output = T>) -> Result<T, Cut> {
        let mut waiting = pin!(waiting);
        loop {
            self.check()?;
            if let Ok(came) = timeout(LOOK, waiting.as_mut()).await {
                return Ok(came);
            }
        }
    }

    /// Waits so long, unless it is stopped.
    pub(super) async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Writes the rest of all kinds.
    pub(super) async fn end_parts(&mut self) -> Result<(), Cut> {
        while let Some((kind, _)) = self.parts.first_key_value() {
            let kind = *kind;
            self.end_part(kind).await?;
        }
        Ok(())
    }

    /// Writes the last file; gives its digest. The end of it is not handed over before [`Self::end`], wherever a piece ends.
    pub(super) async fn last(&mut self, name: &str, content: &impl Serialize) -> Result<String, Cut> {
        let content = serde_json::to_vec_pretty(content).map_err(failed)?;
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.begin_file(name, size).await?;
        self.write(&content).await?;
        let zeros = size.next_multiple_of(BLOCK) - size + 2 * BLOCK;
        // However many there are already: for the last piece.
        self.bytes += zeros;
        self.buffer
            .resize(self.buffer.len() + usize::try_from(zeros).unwrap_or_default(), 0);
        self.is_whole = true;
        Ok(hex(digest(&SHA256, &content).as_ref()))
    }

    /// Room for the end, which nothing but a reader who goes away keeps from them then.
    pub(super) async fn end(&mut self) -> Result<Ending<'_>, Cut> {
        let rest = std::mem::take(&mut self.buffer).freeze();
        let permits = self.permits(LAST).await?;
        Ok(Ending { rest, permits })
    }
}

/// The end of an archive, which is held back until it is said to be complete.
pub(super) struct Ending<'a> {
    rest: Bytes,
    permits: PermitIterator<'a, Piece>,
}

impl Ending<'_> {
    /// Hands it over.
    pub(super) fn hand_over(self) {
        let pieces = [Piece::Bytes(self.rest), Piece::End];
        for (permit, piece) in self.permits.zip(pieces) {
            permit.send(piece);
        }
    }
}

/// The header of a file that everybody who unpacks it may read as their own.
fn header(name: &str, size: u64, stamp: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(stamp);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Cut {
    Cut::Failed(error.into())
}

/// The digest of what comes piece by piece.
pub(super) struct Sha256(Context);

impl Sha256 {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
