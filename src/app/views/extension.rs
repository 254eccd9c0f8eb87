//! An extension as every surface shows it: never with a secret, but where one is shown on purpose.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::caller::Caller;
use crate::domain::call::Presence;
use crate::domain::caller_id::CallerId;
use crate::domain::codec::Codecs;
use crate::domain::dial::ExtensionNumber;
use crate::domain::extension::{
    Extension, ExtensionStatus, Forward, MaxContacts, OutboundClass, Recording, RingTime, Transport,
    Voicemail,
};
use crate::domain::ids::ExtensionId;
use crate::domain::name::DisplayName;
use crate::domain::secret::{RevealedSecrets, ShownSecrets, SipSecret, VoicemailPin};

/// An extension.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Extension")]
pub struct ExtensionView {
    id: ExtensionId,
    #[schemars(with = "ExtensionNumber")]
    number: String,
    #[schemars(with = "DisplayName")]
    name: String,
    status: ExtensionStatus,
    caller_id: CallerId,
    voicemail: Voicemail,
    forward: Forward,
    ring_time: RingTime,
    recording: Recording,
    max_contacts: MaxContacts,
    codecs: Codecs,
    transport: Transport,
    outbound_class: OutboundClass,
    /// Whether the SIP password can be shown; where not, only a digest of it was found on the PBX that it came from.
    secret_known: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Extension> for ExtensionView {
    fn from(extension: Extension) -> Self {
        let settings = extension.settings;
        Self {
            id: extension.id,
            number: extension.number.into(),
            name: settings.name.into(),
            status: settings.status,
            caller_id: settings.caller_id,
            voicemail: settings.voicemail,
            forward: settings.forward,
            ring_time: settings.ring_time,
            recording: settings.recording,
            max_contacts: settings.max_contacts,
            codecs: settings.codecs,
            transport: settings.transport,
            outbound_class: settings.outbound_class,
            secret_known: extension.secret_known,
            created_at: extension.created_at,
            updated_at: extension.updated_at,
        }
    }
}

/// An extension, and who is there.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PresentExtension")]
pub struct PresentView {
    #[serde(flatten)]
    extension: ExtensionView,
    /// Whether somebody can be called there; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<Presence>,
}

/// An extension as far as its reader may see it.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum VisibleExtension {
    /// All but the secrets.
    Whole(Box<PresentView>),
    /// For an agent: whom to call.
    Directory {
        /// Its id.
        id: ExtensionId,
        /// What to dial.
        #[schemars(with = "ExtensionNumber")]
        number: String,
        /// Whose it is.
        #[schemars(with = "DisplayName")]
        name: String,
        /// Whether somebody can be called there; absent where that is not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        presence: Option<Presence>,
    },
}

impl VisibleExtension {
    /// As `caller` sees it.
    #[must_use]
    pub fn to(caller: &Caller, extension: Extension, presence: Option<Presence>) -> Self {
        if caller.sees_the_directory_only() {
            Self::Directory {
                id: extension.id,
                number: extension.number.into(),
                name: extension.settings.name.into(),
                presence,
            }
        } else {
            let extension = extension.into();
            Self::Whole(Box::new(PresentView { extension, presence }))
        }
    }
}

/// An extension with its secrets: shown once to whoever made it, and where they are asked for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedExtension")]
pub struct CreatedView {
    #[serde(flatten)]
    extension: ExtensionView,
    #[serde(flatten)]
    secrets: SecretsView,
}

impl CreatedView {
    #[must_use]
    pub fn new(extension: Extension, secrets: &ShownSecrets) -> Self {
        Self {
            extension: extension.into(),
            secrets: SecretsView::new(secrets),
        }
    }
}

/// An extension with its secrets as far as they are known.
#[derive(Serialize)]
pub struct RevealedView {
    #[serde(flatten)]
    extension: ExtensionView,
    #[serde(flatten)]
    secrets: RevealedSecretsView,
}

impl RevealedView {
    #[must_use]
    pub fn new(extension: Extension, secrets: &RevealedSecrets) -> Self {
        Self {
            extension: extension.into(),
            secrets: RevealedSecretsView::new(secrets),
        }
    }
}

/// The secrets of an extension, shown on purpose.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RevealedSecrets")]
pub struct RevealedSecretsView {
    /// None while only a digest of it is known.
    #[schemars(with = "Option<SipSecret>")]
    secret: Option<String>,
    #[schemars(with = "VoicemailPin")]
    voicemail_pin: String,
}

impl RevealedSecretsView {
    #[must_use]
    pub fn new(secrets: &RevealedSecrets) -> Self {
        Self {
            secret: secrets.sip.as_ref().map(|secret| secret.expose().to_owned()),
            voicemail_pin: secrets.pin.expose().to_owned(),
        }
    }
}

/// The secrets of a new extension.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExtensionSecrets")]
struct SecretsView {
    #[schemars(with = "SipSecret")]
    secret: String,
    #[schemars(with = "VoicemailPin")]
    voicemail_pin: String,
}

impl SecretsView {
    fn new(secrets: &ShownSecrets) -> Self {
        Self {
            secret: secrets.sip.expose().to_owned(),
            voicemail_pin: secrets.pin.expose().to_owned(),
        }
    }
}

/// The SIP secret of an extension alone, shown once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SipSecret")]
pub struct SecretView {
    #[schemars(with = "SipSecret")]
    secret: String,
}

impl SecretView {
    #[must_use]
    pub fn new(secret: &SipSecret) -> Self {
        let secret = secret.expose().to_owned();
        Self { secret }
    }
}
