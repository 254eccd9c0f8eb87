//! Recordings of calls: files of a PBX, found and named by what no path can be made of.

use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::call_record::CallCursor;
use super::call_text::PbxCallId;
use super::ids::{CallRecordId, ExtensionId, InstanceId, RecordingId, TenantId};
use super::instance::PbxKind;
use super::invalid::Invalid;
use super::page::PageRequest;
use super::parsed::{parsed_text, word_enum};

/// FusionPBX puts them below `archive/<year>/<month>/<day>`, in the tenant's directory.
const DEEPEST: usize = 6;

parsed_text! {
    /// Where a recording lies below the directory of an instance's recordings: the tenant's directory first.
    ///
    /// One to six names of letters, digits, `.`, `_` and `-`, none of which begins with a dot: nothing else can be named by it.
    RecordingPath, recording_path
}

word_enum! {
    /// What a recording's file holds.
    SoundFormat {
        /// RIFF WAVE.
        Wav = "wav",
        /// MPEG layer 3.
        Mp3 = "mp3",
    }
}

impl SoundFormat {
    /// As HTTP names it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
        }
    }
}

impl RecordingPath {
    /// Relative to the directory of the instance's recordings.
    #[must_use]
    pub fn relative(&self) -> PathBuf {
        PathBuf::from(self.as_str())
    }

    /// The name of the directory that the tenant's recordings are in: its domain.
    #[must_use]
    pub fn directory(&self) -> &str {
        self.as_str().split('/').next().unwrap_or_default()
    }

    /// The channel that was recorded, after which the file is named.
    #[must_use]
    pub fn channel(&self) -> Option<PbxCallId> {
        let (stem, _) = self.file_name().rsplit_once('.')?;
        stem.parse().ok()
    }

    /// Whether it is what a PBX of this kind makes of a call: named after the call's channel, and where such a PBX puts it.
    ///
    /// Other sounds lie there too: FusionPBX has greetings and announcements in the tenant's directory itself.
    #[must_use]
    pub fn is_of_call(&self, kind: PbxKind) -> bool {
        let Some((stem, _)) = self.file_name().rsplit_once('.') else {
            return false;
        };
        match kind {
            PbxKind::Asterisk => is_unique_id(stem),
            PbxKind::FreeSwitch => is_uuid(stem),
            PbxKind::FusionPbx => is_uuid(stem) && self.as_str().split('/').nth(1) == Some("archive"),
        }
    }

    /// The file's own name.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }

    /// What its ending says that it holds; none for a file that is no recording.
    #[must_use]
    pub fn format(&self) -> Option<SoundFormat> {
        let (_, ending) = self.file_name().rsplit_once('.')?;
        ending.parse().ok()
    }
}

/// Asterisk's `[systemname-]seconds.number`.
fn is_unique_id(stem: &str) -> bool {
    let (_, id) = stem.rsplit_once('-').unwrap_or(("", stem));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    id.split_once('.')
        .is_some_and(|(seconds, number)| is_number(seconds) && is_number(number))
}

/// As FreeSWITCH writes one, with its hyphens.
fn is_uuid(stem: &str) -> bool {
    stem.len() == 36 && Uuid::try_parse(stem).is_ok()
}

fn recording_path(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name =
        |name: &str| (1..=200).contains(&name.len()) && !name.starts_with('.') && name.chars().all(allowed);
    let names: Vec<&str> = text.split('/').collect();
    if !(2..=DEEPEST).contains(&names.len()) || !names.into_iter().all(is_name) {
        return Err(Invalid::new(
            "must be the tenant's directory and names below it, of letters, digits, `.`, `_` and `-`",
        ));
    }
    Ok(text.to_owned())
}

/// A recording as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundRecording {
    /// Where.
    pub path: RecordingPath,
    /// How long the file is.
    pub bytes: i64,
    /// When it was last written to.
    pub written_at: Timestamp,
}

/// A recording that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// Its id.
    pub id: RecordingId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Whose file it is.
    pub instance_id: InstanceId,
    /// Where it lies.
    pub path: RecordingPath,
    /// How long the file is.
    pub bytes: i64,
    /// When the call was over, or else when the file was last written to.
    pub written_at: Timestamp,
    /// The call, if that is known.
    pub call_id: Option<CallRecordId>,
}

/// One page of recordings, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordingQuery {
    /// Only those of this call.
    pub call: Option<CallRecordId>,
    /// Only those of calls in which this extension took part.
    pub extension: Option<ExtensionId>,
    /// Written at this time or later.
    pub from: Option<Timestamp>,
    /// Written before this time.
    pub to: Option<Timestamp>,
    /// Behind which one; absent for the first page.
    pub after: Option<CallCursor>,
    /// How many at most.
    pub per_page: i64,
}

impl Default for RecordingQuery {
    fn default() -> Self {
        Self {
            call: None,
            extension: None,
            from: None,
            to: None,
            after: None,
            per_page: PageRequest::default().per_page(),
        }
    }
}

/// Recordings, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordingPage {
    /// The recordings.
    pub recordings: Vec<Recording>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<CallCursor>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("acme.example.com/1795911390.0.wav")]
    #[case("acme.example.com/archive/2026/Nov/29/20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b.mp3")]
    fn a_recording_is_a_file_below_its_tenants_directory(#[case] text: &str) {
        let path: RecordingPath = text.parse().unwrap();
        assert_eq!(path.directory(), "acme.example.com");
        assert!(path.format().is_some() && path.channel().is_some());
        assert_eq!(path.relative().to_str(), Some(text));
    }

    #[rstest]
    #[case("")]
    #[case("a.wav")]
    #[case("/etc/passwd")]
    #[case("acme/../globex/a.wav")]
    #[case("acme/..")]
    #[case("acme/./a.wav")]
    #[case("acme//a.wav")]
    #[case("acme/.hidden.wav")]
    #[case("../acme/a.wav")]
    #[case("acme/a\0.wav")]
    #[case("acme/a b.wav")]
    #[case("acme\\a.wav/b.wav")]
    #[case("acme/%2e%2e/a.wav")]
    #[case("acme/a/b/c/d/e/f.wav")]
    fn a12_nothing_else_can_be_named(#[case] text: &str) {
        assert!(text.parse::<RecordingPath>().is_err());
    }

    #[rstest]
    #[case(PbxKind::Asterisk, "a/1795911390.0.wav", true)]
    #[case(PbxKind::Asterisk, "a/pbx-1-1795911390.12.wav", true)]
    #[case(PbxKind::Asterisk, "a/welcome.wav", false)]
    #[case(PbxKind::Asterisk, "a/menu-1.wav", false)]
    #[case(PbxKind::Asterisk, "a/1.2.3.wav", false)]
    #[case(PbxKind::Asterisk, "a/1..wav", false)]
    #[case(PbxKind::FreeSwitch, "a/20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b.wav", true)]
    #[case(PbxKind::FreeSwitch, "a/20b13f5e8da54b94ba0ff7d7946ddb6b.wav", false)]
    #[case(PbxKind::FreeSwitch, "a/greeting.wav", false)]
    #[case(
        PbxKind::FusionPbx,
        "a/archive/2026/Nov/29/20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b.mp3",
        true
    )]
    #[case(PbxKind::FusionPbx, "a/20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b.wav", false)]
    #[case(PbxKind::FusionPbx, "a/archive/welcome.wav", false)]
    fn a12_a_greeting_is_no_recording_of_a_call(
        #[case] kind: PbxKind,
        #[case] text: &str,
        #[case] expected: bool,
    ) {
        let path: RecordingPath = text.parse().unwrap();
        assert_eq!(path.is_of_call(kind), expected);
    }

    #[test]
    fn what_is_no_sound_has_no_format() {
        let path: RecordingPath = "acme.example.com/a.txt".parse().unwrap();
        assert_eq!(path.format(), None);
    }
}
