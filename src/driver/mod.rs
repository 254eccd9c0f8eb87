//! One PBX kind behind one trait: stage, rehearse, apply, ask the running PBX, and say how sure the answer is.

pub mod asterisk;
mod error;
mod event_socket;
mod expected;
pub mod feed;
mod files;
pub mod freeswitch;
pub mod fusionpbx;
pub mod mail;
mod pattern;
pub mod spool;
mod warrant;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;

pub use error::DriverError;
pub use event_socket::SocketFeed;
pub use expected::{AbsentExtension, ClearedContext, Expected, Parting, PresentTenant};
pub use warrant::Warrant;

use self::mail::{Mail, MailError};
use crate::domain::artifact::Artifact;
use crate::domain::dial::DialNumber;
use crate::domain::digest::Digest;
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::leg::{Endpoint, LegId};
use crate::domain::recording_notice::SoundName;
use crate::domain::sip_domain::SipDomain;

/// A piece of a file, in order; files are streamed together and never held whole in memory.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes at hand.
    Bytes(Vec<u8>),
    /// The contents of a file, which must still have this digest.
    File {
        /// Where it lies.
        path: PathBuf,
        /// What it must hold.
        digest: Digest,
    },
}

/// A whole file of a generation.
///
/// If the live file has the same bytes, it becomes the very same file: it keeps inode and mtime, so that Asterisk does
/// not read it again.
pub struct StagedFile {
    /// Its pieces, in order.
    pub parts: Vec<Part>,
    /// Whether the live file should have these bytes already.
    pub unchanged: bool,
    /// The digest of the live file as it was written, where that is known: one that still has it was edited by nobody, and
    /// one that is unchanged stays, even if the pieces would give other bytes today.
    pub written: Option<Digest>,
}

/// What staging did to each file.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Staged {
    /// Digest and size of each file.
    pub files: BTreeMap<Artifact, (Digest, u64)>,
    /// Files that should have been unchanged and were not.
    pub drifted: BTreeMap<Artifact, Drifted>,
}

/// What somebody did to a live file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drifted {
    /// It holds other bytes than were written.
    Edited,
    /// It is not there.
    Missing,
    /// What was written is not there any more to be compared with.
    Lost,
    /// What was written is there as somebody else's, who took its mark: no deploy touches it.
    Taken,
}

/// How closely the live files are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closeness {
    /// Those that were written to since they went live are read. It costs the same whatever their size, and does not see an
    /// edit that has hidden the time of a file.
    Touched,
    /// All of them are read.
    Whole,
}

/// Something in our place on disk that is not ours. Nothing of ours reads or removes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreign {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is, in words.
    pub what: String,
    /// What it says, where it is a text that is short enough; links are not followed.
    pub text: Option<String>,
}

/// What a rehearsal on a private PBX found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rehearsal {
    /// What the private PBX complained about.
    pub findings: Vec<Finding>,
    /// For the record: which program, how long.
    pub detail: String,
}

/// What becomes of a tenant's domain with its last extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmptiedDomain {
    /// It stays, with what others may have in it: their calls are not ours to end.
    Stays,
    /// It goes from the PBX too. Nobody is left in it whose calls are told apart, so that all of them end.
    Goes,
}

/// What became of the channels of calls that were to end.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct EndedCalls {
    /// Those that ended.
    pub ended: usize,
    /// Those that were seen to go on all the same.
    pub left: usize,
}

/// What an instance's connection test found, check by check.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Check {
    /// Stable, such as `ami`, `config_dir`.
    pub name: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do where it is not, or where it works and should be mended all the same.
    pub mend: Option<String>,
}

impl Check {
    /// As it must be.
    #[must_use]
    pub const fn good(name: &'static str, detail: String) -> Self {
        Self {
            name,
            ok: true,
            detail,
            mend: None,
        }
    }

    /// Not as it must be.
    #[must_use]
    pub fn bad(name: &'static str, detail: String, mend: impl Into<String>) -> Self {
        Self {
            name,
            ok: false,
            detail,
            mend: Some(mend.into()),
        }
    }
}

/// Whether the PBX would find our files if it read its own again.
#[derive(Default)]
pub struct Inclusion {
    /// Those that it would not find, each with what is known and what to do.
    pub missing: BTreeMap<Artifact, Finding>,
    /// Those of them that it may find all the same, and not be able to parse.
    pub perhaps_broken: BTreeSet<Artifact>,
    /// What else was seen on the way, or could not be.
    pub remarks: Vec<Finding>,
}

/// What is known of a sound that a PBX is to play.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SoundFound {
    /// It is there.
    There,
    /// It is not in this place, nor in the directory of a language or of a sampling rate there.
    Missing(String),
    /// Nothing, and why.
    Unknown(String),
}

/// What is known of each of several.
pub type Sounds = BTreeMap<SoundName, SoundFound>;

/// Nothing is known of any, for the same reason.
#[must_use]
pub fn unknown_sounds(sounds: BTreeSet<SoundName>, reason: &str) -> Sounds {
    let unknown = || SoundFound::Unknown(reason.to_owned());
    sounds.into_iter().map(|sound| (sound, unknown())).collect()
}

/// Drives one PBX. Generation 0 is the empty one: nothing of ours is served.
#[async_trait]
pub trait PbxDriver: Send + Sync {
    /// From now on files are moved only as long as this holds.
    fn obey(&mut self, warrant: Warrant);

    /// Puts a generation beside the live one, whole and synced, touching nothing that is live.
    async fn stage(
        &self,
        generation: i64,
        files: BTreeMap<Artifact, StagedFile>,
    ) -> Result<Staged, DriverError>;

    /// The live files that do not have these bytes; nothing is written.
    async fn drifted(
        &self,
        files: BTreeMap<Artifact, StagedFile>,
        closeness: Closeness,
    ) -> Result<BTreeMap<Artifact, Drifted>, DriverError>;

    /// A live file's text, to show what somebody made of it; `None` where it is missing, or longer than `limit` bytes.
    async fn live_text(&self, file: Artifact, limit: u64) -> Result<Option<String>, DriverError>;

    /// What lies in our place on disk and is not ours, by path; texts up to `limit` bytes.
    async fn foreign(&self, limit: u64) -> Result<Vec<Foreign>, DriverError>;

    /// Whether a rehearsal takes a second PBX, which may be forbidden or missing; else it costs nothing and is always held.
    fn rehearses_on_a_shadow(&self) -> bool {
        true
    }

    /// Lets a private PBX of the same kind read a staged generation, or the PBX's own database take it for a trial.
    async fn rehearse(&self, generation: i64) -> Result<Rehearsal, DriverError>;

    /// Which of these sounds the PBX would find. Where one cannot be looked for, that says nothing of the others.
    async fn look_for_sounds(&self, sounds: BTreeSet<SoundName>) -> Result<Sounds, DriverError> {
        Ok(unknown_sounds(sounds, "this kind of PBX does not tell"))
    }

    /// Whether the PBX can be reached and would take orders; asked before anything is touched.
    async fn ready(&self) -> Result<(), DriverError>;

    /// The files of which the running PBX shows another marker than this, or one where none is expected.
    async fn unread(
        &self,
        markers: &BTreeMap<Artifact, Option<String>>,
    ) -> Result<Vec<Artifact>, DriverError>;

    /// Whether the PBX's own files lead to ours.
    async fn inclusion(&self) -> Result<Inclusion, DriverError>;

    /// Makes a staged generation the live one on disk, without the PBX's knowing: all that can be done where none runs.
    async fn place(&self, generation: i64) -> Result<(), DriverError>;

    /// Takes away again what `place` of the empty generation has put there, where nothing is read from there.
    async fn take_back_empty(&self) -> Result<(), DriverError> {
        Ok(())
    }

    /// From now on nothing of these tenants is touched, whatever of them is to be served: what others have in the PBX is in
    /// the way of it.
    fn leave_alone(&self, _tenants: &BTreeSet<TenantId>) {}

    /// From now on nothing counts as known of what the PBX has read last: `apply` has it look at everything anew, where it
    /// would otherwise tell of what differs.
    fn distrust(&self) {}

    /// Whether it signs out phones of who is served no more, and has to be told by `part_from` who that is.
    fn signs_phones_out(&self) -> bool {
        false
    }

    /// Who is served no more once something is applied next, as far as its own place does not tell.
    fn part_from(&self, _parting: Parting) {}

    /// What becomes of a tenant's domain on the PBX with the last extension of ours in it.
    fn emptied_domain(&self) -> EmptiedDomain {
        EmptiedDomain::Stays
    }

    /// Makes a staged generation the live one and has the PBX read the given files, each once.
    async fn apply(&self, generation: i64, reload: &[Artifact]) -> Result<(), DriverError>;

    /// Asks the running PBX for what it should serve. Empty: all of it was seen.
    async fn verify(&self, expected: &Expected) -> Result<Vec<Finding>, DriverError>;

    /// How many of the extensions that must be there `verify` asks for one by one; the others are proven otherwise.
    fn asks_for(&self, expected: &Expected) -> usize {
        let extensions = expected.present.iter().map(|tenant| tenant.extensions.len());
        extensions.sum()
    }

    /// Ends every call of these tenants, and says what became of their channels.
    async fn end_calls(&self, domains: &BTreeSet<SipDomain>) -> Result<EndedCalls, DriverError>;

    /// Rings a phone, and once it is answered has it call a number as if that had been dialled on it. What comes of it shows
    /// by the call.
    async fn call(&self, from: &Endpoint, to: &DialNumber) -> Result<(), DriverError>;

    /// Ends these legs of a call. One that is no more has ended.
    async fn hang_up(&self, legs: &[LegId]) -> Result<(), DriverError>;

    /// The mail boxes of the PBX, where they are looked after.
    fn mail(&self) -> Result<Box<dyn Mail + '_>, MailError>;

    /// The warnings and errors that the PBX logged since the last `apply` began. An error is about our own files: what
    /// was applied was not taken whole, whatever the PBX shows.
    async fn log_since_apply(&self) -> Vec<Finding>;

    /// The generation that stands: behind the live link, or noted beside its rows; `None` before the first.
    async fn standing(&self) -> Result<Option<i64>, DriverError>;

    /// Removes staged generations other than these, and nothing that is not ours.
    async fn keep_only(&self, generations: &[i64]) -> Result<(), DriverError>;

    /// Takes away what says at the PBX that it is driven from here, once it serves nothing of ours.
    async fn leave(&self) -> Result<(), DriverError> {
        Ok(())
    }

    /// Whether `leave` itself asks the PBX first, and leaves nothing that it still reads.
    fn asks_before_leaving(&self) -> bool {
        false
    }

    /// Tests connection, rights and paths.
    async fn test(&self) -> Vec<Check>;
}
