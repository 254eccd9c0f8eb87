//! What tells people that their call is recorded: to whom it is played, and which sound of the PBX it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::given::given;
use super::invalid::{FieldErrors, Invalid};
use super::parsed::{parsed_text, word_enum};

/// As many characters a sound's name may have.
const LONGEST: usize = 100;

word_enum! {
    /// Who hears that a call is recorded, before it is.
    NoticeFor {
        /// Nobody.
        Nobody = "none",
        /// Callers that are no phones of the tenant.
        Inbound = "inbound",
        /// Every caller, and who is called.
        All = "all",
    }
}

impl NoticeFor {
    /// What holds for a tenant that said nothing.
    #[must_use]
    pub const fn unsaid() -> Self {
        Self::Nobody
    }

    /// Whether nobody hears anything.
    #[must_use]
    pub const fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }
}

parsed_text! {
    /// The name of a sound as a PBX knows it, without its ending: such as `custom/recorded`.
    ///
    /// Names of letters, digits, `_` and `-`, parted by single `/`: a PBX takes nothing else for more than a name. Without a dot
    /// it leads nowhere else, and into no directory of a domain's recordings or messages.
    SoundName, sound_name, schema {
        "minLength": 1, "maxLength": 100, "pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*$"
    }
}

fn sound_name(text: &str) -> Result<String, Invalid> {
    let is_name = |name: &str| {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        !name.is_empty() && plain && !name.starts_with('-')
    };
    if text.len() > LONGEST || !text.split('/').all(is_name) {
        return Err(Invalid::new(
            "must be a sound of the PBX without its ending, such as `custom/recorded`: 1 to 100 letters, digits, `_`, `-` and \
             `/`, no name in it beginning with `-`",
        ));
    }
    Ok(text.to_owned())
}

/// What a tenant has its recorded calls begin with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordingNotice {
    /// To whom it is played; a revision from before there was one is as if nobody heard it.
    #[serde(
        rename = "recording_notice",
        default = "NoticeFor::unsaid",
        skip_serializing_if = "NoticeFor::is_nobody"
    )]
    pub hearers: NoticeFor,
    /// What is played.
    #[serde(
        rename = "recording_notice_sound",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<SoundName>,
}

impl RecordingNotice {
    /// Of a tenant that said nothing.
    #[must_use]
    pub const fn unsaid() -> Self {
        Self {
            hearers: NoticeFor::unsaid(),
            sound: None,
        }
    }

    /// Whether somebody is to hear what is not there: then nothing may be recorded.
    #[must_use]
    pub const fn lacks_its_sound(&self) -> bool {
        !self.hearers.is_nobody() && self.sound.is_none()
    }

    /// Notes what is missing, where somebody is to hear what is not there.
    pub fn note_what_it_lacks(&self, errors: &mut FieldErrors) {
        if self.lacks_its_sound() {
            errors.add(
                "recording_notice_sound",
                "must name a sound of the PBX as long as `recording_notice` is not `none`",
            );
        }
    }

    /// Names what it says: equal ones have equal tags.
    #[must_use]
    pub fn tag(&self) -> String {
        let sound = self.sound.as_ref().map_or("", SoundName::as_str);
        Digest::of_parts([self.hearers.as_str(), sound].map(str::as_bytes)).short()
    }

    /// Who hears which sound, where somebody does.
    #[must_use]
    pub fn played(&self) -> Option<(NoticeFor, &SoundName)> {
        let sound = self.sound.as_ref()?;
        (!self.hearers.is_nobody()).then_some((self.hearers, sound))
    }
}

/// What all recorded calls are to begin with: a sound that is not named is none.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["recording_notice"]))]
pub struct ConsentInput {
    /// `none`, `inbound` (callers that are no phones of the tenant) or `all`.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "NoticeFor")]
    pub recording_notice: Option<String>,
    /// A sound of the PBX without its ending, such as `custom/recorded`: required as long as somebody hears it.
    #[schemars(with = "Option<SoundName>")]
    pub recording_notice_sound: Option<String>,
}

impl ConsentInput {
    /// What it says; refused with every field that is wrong.
    pub fn parse(self) -> Result<RecordingNotice, FieldErrors> {
        let mut errors = FieldErrors::default();
        let hearers = self
            .recording_notice
            .ok_or_else(|| Invalid::new("is required"))
            .and_then(|text| text.parse());
        let hearers = errors.take("recording_notice", hearers);
        let sound = self.recording_notice_sound.map(|text| text.parse()).transpose();
        let sound = errors.take("recording_notice_sound", sound);
        let notice = hearers.zip(sound);
        let notice = notice.map(|(hearers, sound)| RecordingNotice { hearers, sound });
        if let Some(notice) = &notice {
            notice.note_what_it_lacks(&mut errors);
        }
        errors
            .check()
            .map(|()| notice.unwrap_or_else(RecordingNotice::unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("beep")]
    #[case("custom/recorded")]
    #[case("de/2_recorded-now")]
    fn a12_a_sound_is_named_as_a_pbx_knows_it(#[case] name: &str) {
        assert_eq!(name.parse::<SoundName>().unwrap().as_str(), name);
    }

    #[rstest]
    #[case::nothing("")]
    #[case::from_the_root("/etc/passwd")]
    #[case::a_directory("custom/")]
    #[case::the_directory_above("../secret")]
    #[case::in_the_middle("custom/../secret")]
    #[case::with_its_ending("recorded.wav")]
    #[case::a_recording_of_somebody("recordings/acme.example.com/1")]
    #[case::two_sounds("beep&recorded")]
    #[case::an_argument("beep,noanswer")]
    #[case::an_option_of_dial("beep)")]
    #[case::a_second_file_of_dial("beep:recorded")]
    #[case::a_variable("${EXTEN}")]
    #[case::a_line("beep\nexten")]
    #[case::an_option("-beep")]
    #[case::a_blank("a beep")]
    #[case::not_ascii("größe")]
    fn a12_nothing_else_is_a_sound(#[case] name: &str) {
        assert!(name.parse::<SoundName>().is_err());
    }

    #[test]
    fn a12_a_sounds_name_has_at_most_100_characters() {
        assert!("a".repeat(100).parse::<SoundName>().is_ok());
        assert!("a".repeat(101).parse::<SoundName>().is_err());
    }
}
