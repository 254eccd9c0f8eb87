//! The manifest: the last file of an archive, by which it is known to be complete, and what is in it and what is not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::kinds::LeftOut;
use super::sounds::SoundFile;
use crate::domain::export::{ExportKind, ExportSubject, MissingSound};
use crate::domain::ids::{ExportId, TenantId};
use crate::domain::name::TenantName;
use crate::domain::sip_domain::SipDomain;

/// What the archive is.
pub(super) const FORMAT: &str = "switchyard-export";
/// The name of its file.
pub(super) const NAME: &str = "manifest.json";
/// Of its shape: raised with what a program that reads it has to know.
pub(super) const VERSION: u32 = 1;
/// How it was read.
pub(super) const READ: &str = "page by page, each page as it stood when its turn came: what changed while the export was made may be in it \
    as it was or as it became, and what was added or removed may be in it or not";

/// What an archive holds.
#[derive(Serialize)]
pub(super) struct Manifest<'a> {
    pub(super) format: &'static str,
    pub(super) version: u32,
    pub(super) export_id: ExportId,
    pub(super) tenant: NamedTenant<'a>,
    pub(super) subject: &'a ExportSubject,
    /// As the audit log names them.
    pub(super) requested_by: String,
    pub(super) began_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) read: &'static str,
    pub(super) kinds: &'a BTreeMap<ExportKind, KindTotal>,
    pub(super) recordings: &'a SoundTotal,
    pub(super) voicemail: &'a SoundTotal,
    pub(super) files: &'a [PartFile],
    pub(super) left_out: Vec<LeftOut>,
}

/// A tenant by what it is known by.
#[derive(Serialize)]
pub(super) struct NamedTenant<'a> {
    pub(super) id: TenantId,
    pub(super) name: &'a TenantName,
    pub(super) domain: &'a SipDomain,
}

/// How much there is of a kind.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct KindTotal {
    pub(super) rows: u64,
    pub(super) files: u64,
    /// What was there when its page was read, and gone when its turn came.
    pub(super) gone_meanwhile: u64,
}

/// How many recordings or messages have their sound in the archive; digests stand in their rows.
#[derive(Default, Serialize)]
pub(super) struct SoundTotal {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// How many do not, by why.
    pub(super) missing: BTreeMap<MissingSound, u64>,
}

impl SoundTotal {
    /// Counts one.
    pub(super) fn count(&mut self, file: &SoundFile) {
        if let Some(bytes) = file.file_bytes {
            self.files += 1;
            self.bytes += bytes;
        }
        if let Some(missing) = file.missing {
            *self.missing.entry(missing).or_default() += 1;
        }
    }
}

/// A part of a table.
#[derive(Serialize)]
pub(super) struct PartFile {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: usize,
    pub(super) sha256: String,
}
