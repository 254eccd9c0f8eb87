//! An extension: one SIP account of a tenant, with what happens to its calls.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller_id::CallerId;
use super::codec::Codecs;
use super::dial::{DialNumber, ExtensionNumber};
use super::email::EmailAddress;
use super::ids::{ExtensionId, TenantId};
use super::invalid::Invalid;
use super::name::DisplayName;
use super::parsed::word_enum;

word_enum! {
    /// Whether phones may sign in and be called.
    ExtensionStatus {
        /// Served.
        Active = "active",
        /// Kept here, absent from the PBX.
        Disabled = "disabled",
    }
}

word_enum! {
    /// Which calls of an extension are recorded.
    Recording {
        /// None.
        Never = "never",
        /// Calls to it.
        Inbound = "inbound",
        /// Calls from it.
        Outbound = "outbound",
        /// Both.
        Always = "always",
    }
}

word_enum! {
    /// How the extension's phone reaches the PBX, which decides the media's encryption.
    Transport {
        /// SIP over UDP, plain RTP.
        Udp = "udp",
        /// SIP over TCP, plain RTP.
        Tcp = "tcp",
        /// SIP over TLS, SRTP with keys in the SDP.
        Tls = "tls",
        /// SIP over WebSocket: WebRTC with DTLS-SRTP.
        Websocket = "websocket",
    }
}

word_enum! {
    /// How far an extension may call; outbound rules read it.
    OutboundClass {
        /// Inside the tenant only.
        Internal = "internal",
        /// The same country.
        National = "national",
        /// Anywhere.
        International = "international",
    }
}

/// Where calls go instead of, or after, the phone.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Forward {
    /// At once; the phone does not ring.
    pub always: Option<DialNumber>,
    /// When the phone is in a call.
    pub busy: Option<DialNumber>,
    /// When nobody answers within the ring time, or no phone is signed in.
    pub no_answer: Option<DialNumber>,
}

/// A mailbox; its PIN is a secret and stands apart.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Voicemail {
    /// Whether unanswered calls are offered to leave a message.
    pub enabled: bool,
    /// Where a notice of each message goes.
    pub email: Option<EmailAddress>,
}

/// Seconds that a phone rings: 5 to 300.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(inline, extend("minimum" = 5, "maximum" = 300))]
pub struct RingTime(u16);

impl RingTime {
    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u16 {
        self.0
    }
}

impl Default for RingTime {
    fn default() -> Self {
        Self(30)
    }
}

impl TryFrom<i64> for RingTime {
    type Error = Invalid;

    fn try_from(seconds: i64) -> Result<Self, Self::Error> {
        u16::try_from(seconds)
            .ok()
            .filter(|s| (5..=300).contains(s))
            .map(Self)
            .ok_or_else(|| Invalid::new("must be 5 to 300 seconds"))
    }
}

impl From<RingTime> for i64 {
    fn from(time: RingTime) -> Self {
        time.0.into()
    }
}

/// How many phones may be signed in at once: 1 to 10.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(inline, extend("minimum" = 1, "maximum" = 10))]
pub struct MaxContacts(u8);

impl MaxContacts {
    /// The count.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for MaxContacts {
    /// A desk phone and a softphone.
    fn default() -> Self {
        Self(2)
    }
}

impl TryFrom<i64> for MaxContacts {
    type Error = Invalid;

    fn try_from(count: i64) -> Result<Self, Self::Error> {
        u8::try_from(count)
            .ok()
            .filter(|c| (1..=10).contains(c))
            .map(Self)
            .ok_or_else(|| Invalid::new("must be 1 to 10"))
    }
}

impl From<MaxContacts> for i64 {
    fn from(count: MaxContacts) -> Self {
        count.0.into()
    }
}

/// All of an extension that may change and is no secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExtensionSettings {
    /// As phones show it.
    pub name: DisplayName,
    /// Whether it is served.
    pub status: ExtensionStatus,
    /// What called parties see.
    pub caller_id: CallerId,
    /// Its mailbox.
    pub voicemail: Voicemail,
    /// Where its calls go otherwise.
    pub forward: Forward,
    /// How long its phones ring.
    pub ring_time: RingTime,
    /// Which of its calls are recorded.
    pub recording: Recording,
    /// How many phones it may have.
    pub max_contacts: MaxContacts,
    /// What its phones may speak.
    pub codecs: Codecs,
    /// How its phones reach the PBX.
    pub transport: Transport,
    /// How far it may call.
    pub outbound_class: OutboundClass,
}

impl ExtensionSettings {
    /// The settings of an extension of which only the name is known.
    #[must_use]
    pub fn named(name: DisplayName) -> Self {
        Self {
            name,
            status: ExtensionStatus::Active,
            caller_id: CallerId::default(),
            voicemail: Voicemail::default(),
            forward: Forward::default(),
            ring_time: RingTime::default(),
            recording: Recording::Never,
            max_contacts: MaxContacts::default(),
            codecs: Codecs::default(),
            transport: Transport::Udp,
            outbound_class: OutboundClass::National,
        }
    }
}

/// An extension as an admin edits it: a part of its tenant's head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extension {
    /// Its id.
    pub id: ExtensionId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Unique in its tenant, and never changed.
    pub number: ExtensionNumber,
    /// Everything else.
    pub settings: ExtensionSettings,
    /// Whether its SIP password is known. Of one that was brought in from a PBX perhaps only a digest is, until it is rotated.
    pub secret_known: bool,
    /// Counts its changes, from 1 on.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
