//! How people and programs write an extension: raw fields that become an extension, or an error per field.

use std::str::FromStr;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::caller_id::CallerId;
use super::codec::{Codec, Codecs};
use super::dial::{DialNumber, ExtensionNumber};
use super::email::EmailAddress;
use super::extension::{
    Extension, ExtensionSettings, ExtensionStatus, Forward, MaxContacts, OutboundClass, Recording, RingTime,
    Transport, Voicemail,
};
use super::invalid::{FieldErrors, Invalid};
use super::json_object;
use super::name::DisplayName;
use super::secret::{SipSecret, VoicemailPin};
use super::sip_credential::SipCredential;

/// An extension as it is written in a request or a row of CSV; what is absent takes its default.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["number", "name"]))]
pub struct ExtensionInput {
    /// 2 to 8 digits; cannot be changed later.
    #[schemars(with = "ExtensionNumber")]
    pub number: Option<String>,
    /// As phones show it.
    #[schemars(with = "DisplayName")]
    pub name: Option<String>,
    /// `active` or `disabled`.
    #[schemars(with = "Option<ExtensionStatus>")]
    pub status: Option<String>,
    /// Chosen by the caller instead of generated; never written out.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<SipSecret>")]
    pub secret: Option<SecretString>,
    /// Shown instead of name and number.
    #[serde(deserialize_with = "json_object::optional")]
    pub caller_id: Option<CallerIdInput>,
    /// The mailbox.
    #[serde(deserialize_with = "json_object::optional")]
    pub voicemail: Option<VoicemailInput>,
    /// Where calls go otherwise.
    #[serde(deserialize_with = "json_object::optional")]
    pub forward: Option<ForwardInput>,
    /// Seconds.
    #[schemars(with = "Option<RingTime>")]
    pub ring_time: Option<i64>,
    /// `never`, `inbound`, `outbound` or `always`.
    #[schemars(with = "Option<Recording>")]
    pub recording: Option<String>,
    /// How many phones.
    #[schemars(with = "Option<MaxContacts>")]
    pub max_contacts: Option<i64>,
    /// First choice first.
    #[schemars(with = "Option<Codecs>")]
    pub codecs: Option<Vec<String>>,
    /// `udp`, `tcp`, `tls` or `websocket`.
    #[schemars(with = "Option<Transport>")]
    pub transport: Option<String>,
    /// `internal`, `national` or `international`.
    #[schemars(with = "Option<OutboundClass>")]
    pub outbound_class: Option<String>,
}

/// See [`CallerId`].
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallerIdInput {
    /// Instead of the name.
    #[schemars(with = "Option<DisplayName>")]
    pub name: Option<String>,
    /// Instead of the number.
    #[schemars(with = "Option<DialNumber>")]
    pub number: Option<String>,
}

/// See [`Voicemail`].
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VoicemailInput {
    /// Whether there is a mailbox.
    pub enabled: Option<bool>,
    /// Chosen by the caller instead of generated; never written out.
    #[serde(skip_serializing)]
    #[schemars(with = "Option<VoicemailPin>")]
    pub pin: Option<SecretString>,
    /// Where notices go.
    #[schemars(with = "Option<EmailAddress>")]
    pub email: Option<String>,
}

/// See [`Forward`].
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardInput {
    /// At once.
    #[schemars(with = "Option<DialNumber>")]
    pub always: Option<String>,
    /// When busy.
    #[schemars(with = "Option<DialNumber>")]
    pub busy: Option<String>,
    /// When nobody answers.
    #[schemars(with = "Option<DialNumber>")]
    pub no_answer: Option<String>,
}

/// An input that was found good.
pub struct ParsedExtension {
    /// Its number.
    pub number: ExtensionNumber,
    /// All that is no secret.
    pub settings: ExtensionSettings,
    /// What its phones sign in with, where that was chosen.
    pub secret: Option<SipCredential>,
    /// The PIN, where the caller chose one.
    pub pin: Option<VoicemailPin>,
}

impl ExtensionInput {
    /// The extension that was written, or every field that is wrong.
    pub fn parse(self) -> Result<ParsedExtension, FieldErrors> {
        let mut errors = FieldErrors::default();
        let caller_id = self.caller_id.unwrap_or_default();
        let voicemail = self.voicemail.unwrap_or_default();
        let forward = self.forward.unwrap_or_default();

        let number = required(&mut errors, "number", self.number);
        let name = required(&mut errors, "name", self.name);
        let status = parsed(&mut errors, "status", self.status);
        let caller_id = CallerId {
            name: parsed(&mut errors, "caller_id.name", caller_id.name),
            number: parsed(&mut errors, "caller_id.number", caller_id.number),
        };
        let email = parsed(&mut errors, "voicemail.email", voicemail.email);
        let forward = Forward {
            always: parsed(&mut errors, "forward.always", forward.always),
            busy: parsed(&mut errors, "forward.busy", forward.busy),
            no_answer: parsed(&mut errors, "forward.no_answer", forward.no_answer),
        };
        let ring_time = self
            .ring_time
            .and_then(|seconds| errors.take("ring_time", RingTime::try_from(seconds)));
        let recording = parsed(&mut errors, "recording", self.recording);
        let max_contacts = self
            .max_contacts
            .and_then(|count| errors.take("max_contacts", MaxContacts::try_from(count)));
        let codecs = self
            .codecs
            .and_then(|words| errors.take("codecs", codecs(&words)));
        let transport = parsed(&mut errors, "transport", self.transport);
        let outbound_class = parsed(&mut errors, "outbound_class", self.outbound_class);
        let secret = self
            .secret
            .and_then(|text| errors.take("secret", SipSecret::parse(text).map(SipCredential::Password)));
        let pin = voicemail
            .pin
            .and_then(|text| errors.take("voicemail.pin", VoicemailPin::parse(text)));

        let (Some(number), Some(name)) = (number, name) else {
            return Err(errors);
        };
        errors.check()?;
        let default = ExtensionSettings::named(name);
        let settings = ExtensionSettings {
            name: default.name,
            status: status.unwrap_or(default.status),
            caller_id,
            voicemail: Voicemail {
                enabled: voicemail.enabled.unwrap_or(false),
                email,
            },
            forward,
            ring_time: ring_time.unwrap_or(default.ring_time),
            recording: recording.unwrap_or(default.recording),
            max_contacts: max_contacts.unwrap_or(default.max_contacts),
            codecs: codecs.unwrap_or(default.codecs),
            transport: transport.unwrap_or(default.transport),
            outbound_class: outbound_class.unwrap_or(default.outbound_class),
        };
        Ok(ParsedExtension {
            number,
            settings,
            secret,
            pin,
        })
    }
}

impl From<&Extension> for ExtensionInput {
    /// The input that would make this extension again, less its secrets: a patch is merged into it.
    fn from(extension: &Extension) -> Self {
        let settings = &extension.settings;
        let text = |value: &dyn ToString| Some(value.to_string());
        Self {
            number: text(&extension.number),
            name: text(&settings.name),
            status: text(&settings.status),
            secret: None,
            caller_id: Some(CallerIdInput {
                name: settings.caller_id.name.as_ref().map(ToString::to_string),
                number: settings.caller_id.number.as_ref().map(ToString::to_string),
            }),
            voicemail: Some(VoicemailInput {
                enabled: Some(settings.voicemail.enabled),
                pin: None,
                email: settings.voicemail.email.as_ref().map(ToString::to_string),
            }),
            forward: Some(ForwardInput {
                always: settings.forward.always.as_ref().map(ToString::to_string),
                busy: settings.forward.busy.as_ref().map(ToString::to_string),
                no_answer: settings.forward.no_answer.as_ref().map(ToString::to_string),
            }),
            ring_time: Some(settings.ring_time.into()),
            recording: text(&settings.recording),
            max_contacts: Some(settings.max_contacts.into()),
            codecs: Some(
                settings
                    .codecs
                    .as_slice()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
            transport: text(&settings.transport),
            outbound_class: text(&settings.outbound_class),
        }
    }
}

fn required<T: FromStr<Err = Invalid>>(
    errors: &mut FieldErrors,
    field: &str,
    text: Option<String>,
) -> Option<T> {
    if text.is_none() {
        errors.add(field, "is required");
    }
    parsed(errors, field, text)
}

fn parsed<T: FromStr<Err = Invalid>>(
    errors: &mut FieldErrors,
    field: &str,
    text: Option<String>,
) -> Option<T> {
    text.and_then(|text| errors.take(field, text.parse()))
}

fn codecs(words: &[String]) -> Result<Codecs, Invalid> {
    let codecs: Result<Vec<Codec>, Invalid> = words.iter().map(|word| word.parse()).collect();
    Codecs::try_from(codecs?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(json: &str) -> ExtensionInput {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn number_and_name_are_enough() {
        let parsed = input(r#"{"number":"1001","name":"Ann"}"#).parse().ok().unwrap();
        assert_eq!(parsed.number.as_str(), "1001");
        assert_eq!(parsed.settings.ring_time.seconds(), 30);
        assert!(parsed.secret.is_none());
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let errors = input(
            r#"{"number":"1","ring_time":1,"codecs":["mp3"],"forward":{"busy":"x"},"secret":"short",
                "voicemail":{"pin":"1","email":"nobody"},"transport":"pigeon","max_contacts":99}"#,
        )
        .parse()
        .err()
        .unwrap();
        let fields: Vec<&str> = errors.iter().map(|(field, _)| field).collect();
        assert_eq!(
            fields,
            [
                "codecs",
                "forward.busy",
                "max_contacts",
                "name",
                "number",
                "ring_time",
                "secret",
                "transport",
                "voicemail.email",
                "voicemail.pin"
            ]
        );
    }

    #[test]
    fn an_extension_written_as_input_parses_back_to_itself() {
        let parsed = input(
            r#"{"number":"1001","name":"Ann","caller_id":{"name":"Acme","number":"+4930"},"codecs":["opus"],
                "voicemail":{"enabled":true,"email":"a@b.example"},"forward":{"always":"1002"},"recording":"always"}"#,
        )
        .parse()
        .ok()
        .unwrap();
        let extension = Extension {
            id: crate::domain::ids::ExtensionId::from_uuid(uuid::Uuid::nil()),
            tenant_id: crate::domain::ids::TenantId::from_uuid(uuid::Uuid::nil()),
            number: parsed.number.clone(),
            settings: parsed.settings.clone(),
            secret_known: true,
            version: 1,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            updated_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let again = ExtensionInput::from(&extension).parse().ok().unwrap();
        assert_eq!(again.settings, parsed.settings);
    }
}
