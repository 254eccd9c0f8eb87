//! An erasure request: what a tenant has of one person, found, shown, taken away, and certified.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::call_text::CallText;
use super::dial::{DialNumber, ExtensionNumber};
use super::digest::Digest;
use super::email::EmailAddress;
use super::export::Span;
use super::ids::{ErasureId, ExtensionId, InstanceId, TenantId, UserId};
use super::parsed::word_enum;

/// What stands where something of a person stood that cannot be empty.
pub const PLACEHOLDER: &str = "erased";

/// Whose data is erased.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ErasureSubject {
    /// A person by the extension that is theirs.
    Extension {
        /// Which.
        id: ExtensionId,
        /// While it was theirs.
        #[serde(flatten)]
        within: Span,
    },
    /// A person by their login.
    User {
        /// Which.
        id: UserId,
    },
    /// A person by a number that they call from or are called at.
    Number {
        /// Which; none once nothing is left that needs it.
        id: Option<DialNumber>,
        /// While it was theirs.
        #[serde(flatten)]
        within: Span,
    },
}

impl ErasureSubject {
    /// While what is found was theirs.
    #[must_use]
    pub fn within(&self) -> Span {
        match self {
            Self::Extension { within, .. } | Self::Number { within, .. } => *within,
            Self::User { .. } => Span::default(),
        }
    }

    /// What may stay on record of it: an id tells nothing by itself, a number does.
    #[must_use]
    pub fn for_good(&self) -> Self {
        match self {
            Self::Number { within, .. } => Self::Number {
                id: None,
                within: *within,
            },
            other => other.clone(),
        }
    }
}

/// By what else a person is found, as it was when it was looked for; kept no longer than it is needed.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Marks {
    /// The number of their extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<ExtensionNumber>,
    /// The address that they sign in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// What they act as besides: their API keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Uuid>,
}

impl Marks {
    /// Whether they are known by the same: keys come and go.
    #[must_use]
    pub fn are_of_the_same(&self, other: &Self) -> bool {
        self.number == other.number && self.email == other.email
    }
}

word_enum! {
    /// What becomes of the records of calls.
    CallErasure {
        /// They stay, and a made-up name stands where the person stood: what was called when, for how long, can still be counted.
        Pseudonymise = "pseudonymise",
        /// They go.
        Remove = "remove",
    }
}

word_enum! {
    /// Where something of a person is.
    ErasurePlace {
        /// Recordings of their calls, on the disk of a PBX.
        Recordings = "recordings",
        /// Messages in mail boxes, on a PBX.
        Voicemail = "voicemail",
        /// Records of calls that are over.
        CallRecords = "call_records",
        /// What their extension is called and where its calls go.
        Extension = "extension",
        /// Their login, with sessions, API keys, links and mails.
        Account = "account",
        /// Tickets that they opened, or that are assigned to them.
        Tickets = "tickets",
        /// What they said about tickets.
        TicketComments = "ticket_comments",
        /// What entries of the audit log say.
        AuditPayloads = "audit_payloads",
        /// What records of deploys say of their extension.
        Deployments = "deployments",
        /// That they asked for deploys, purges and erasures.
        Requests = "requests",
        /// Events that wait to be sent to webhooks.
        WebhookEvents = "webhook_events",
        /// Answers that are kept for requests which are sent again.
        KeptAnswers = "kept_answers",
    }
}

word_enum! {
    /// Where an erasure stands.
    ErasureStatus {
        /// It was looked for and is to be run.
        Open = "open",
        /// It is being erased.
        Running = "running",
        /// All that was found is erased.
        Done = "done",
        /// Something stays; its part says what and why. It can be run again.
        Partial = "partial",
    }
}

/// What was found somewhere before anything was erased.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ErasurePreviewPart")]
pub struct Foreseen {
    /// Where.
    pub place: ErasurePlace,
    /// The PBX on which recordings or messages lie; `null` of all else.
    pub instance_id: Option<InstanceId>,
    /// How many; of messages, as far as the mail boxes were looked at.
    pub found: i64,
}

/// Of one place what was erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErasurePart {
    /// Its place in the erasure, from 0 on.
    pub position: i64,
    /// Where.
    pub place: ErasurePlace,
    /// The PBX on which recordings or messages lie; none of all else.
    pub instance_id: Option<InstanceId>,
    /// What there was; none until its host has looked.
    pub found: Option<i64>,
    /// How many are erased: removed, blanked, or with something else in the person's place.
    pub erased: i64,
    /// How many bytes of files went.
    pub bytes: i64,
    /// How many stay; at least 1 where nobody knows how many.
    pub kept: i64,
    /// Why.
    pub detail: Option<String>,
    /// Whether something could not be looked at; that counts as one more that stays.
    pub unseen: bool,
    /// When it ended; none while it goes on.
    pub ended_at: Option<Timestamp>,
}

impl ErasurePart {
    /// One that nobody has looked at so far.
    #[must_use]
    pub const fn new(position: i64, place: ErasurePlace, instance_id: Option<InstanceId>) -> Self {
        Self {
            position,
            place,
            instance_id,
            found: None,
            erased: 0,
            bytes: 0,
            kept: 0,
            detail: None,
            unseen: false,
            ended_at: None,
        }
    }

    /// Whether nobody knows all that there is of it.
    #[must_use]
    pub const fn is_unseen(&self) -> bool {
        self.unseen || self.found.is_none()
    }

    /// How many of those that were found are neither erased nor said to stay.
    #[must_use]
    pub fn left(&self) -> i64 {
        let found = self.found.unwrap_or(0);
        // One that nobody knows is none of those that were found.
        let kept = self.kept.saturating_sub(i64::from(self.unseen)).max(0);
        found.saturating_sub(self.erased).saturating_sub(kept).max(0)
    }
}

/// What was done of a part.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Erased {
    /// How many are erased.
    pub erased: i64,
    /// How many bytes of files went.
    pub bytes: i64,
    /// How many stay.
    pub kept: i64,
    /// Why, where something is to be said.
    pub detail: Option<String>,
    /// Whether something could not be looked at.
    pub unseen: bool,
    /// Whether nothing is left to do.
    pub is_last: bool,
}

impl Erased {
    /// So many were erased, and nothing is left.
    #[must_use]
    pub fn all(erased: i64) -> Self {
        Self {
            erased,
            is_last: true,
            ..Self::default()
        }
    }
}

/// An erasure of a tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Whose data it is.
    pub tenant_id: TenantId,
    /// Who asked for it, as audit entries name them.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// Of whom.
    pub subject: ErasureSubject,
    /// By what else they are found; none once nothing is left that needs it.
    pub marks: Option<Marks>,
    /// What becomes of records of calls.
    pub call_records: CallErasure,
    /// What was found before.
    pub preview: Vec<Foreseen>,
    /// Where it stands.
    pub status: ErasureStatus,
    /// Who had it run last.
    pub run_by: Option<String>,
    /// When.
    pub run_at: Option<Timestamp>,
    /// When what there is was noted to be erased; none before, each time that it is run.
    pub noted_at: Option<Timestamp>,
    /// How often carrying it out has failed since it was run.
    pub failures: i64,
    /// Since when; none where it has not.
    pub failing_since: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What is erased, place by place; none until it was looked for again.
    pub parts: Vec<ErasurePart>,
}

impl Erasure {
    /// How it ends, once each of its parts has.
    #[must_use]
    pub fn outcome(&self) -> ErasureStatus {
        let is_open = self.parts.iter().any(|part| part.ended_at.is_none());
        match (is_open, self.parts.iter().any(|part| part.kept > 0)) {
            (true, _) => ErasureStatus::Running,
            (false, true) => ErasureStatus::Partial,
            (false, false) => ErasureStatus::Done,
        }
    }

    /// Where a place stands among the parts, or would stand as the next of them.
    #[must_use]
    pub fn position_of(&self, place: ErasurePlace, instance: Option<InstanceId>) -> i64 {
        let mut parts = self.parts.iter();
        let known = parts.find(|part| part.place == place && part.instance_id == instance);
        let next = || {
            self.parts
                .iter()
                .map(|part| part.position.saturating_add(1))
                .max()
        };
        known.map_or_else(|| next().unwrap_or(0), |part| part.position)
    }

    /// What stands in the place of the person in records of calls: the same in all of them, so that they can be counted.
    #[must_use]
    pub fn pseudonym(&self) -> Option<CallText> {
        // The end of an id is random, and says nothing of when it was made.
        let id = self.id.to_string();
        let (_, random) = id.rsplit_once('-')?;
        CallText::of(&format!("{PLACEHOLDER}-{random}"))
    }

    /// Names what is shown of it: whatever becomes of it gives it another one.
    #[must_use]
    pub fn tag(&self) -> String {
        let found = self.preview.iter();
        let found = found.map(|found| format!("{} {}", found.place, found.found));
        let parts = self.parts.iter().map(|part| {
            let ended = part.ended_at.is_some();
            format!(
                "{} {:?} {} {} {ended}",
                part.position, part.found, part.erased, part.kept
            )
        });
        let texts: Vec<String> = found
            .chain(parts)
            .chain([self.id.to_string(), self.status.to_string()])
            .collect();
        Digest::of_parts(texts.iter().map(String::as_bytes)).short()
    }
}
