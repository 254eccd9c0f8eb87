//! Typed identifiers: a tenant's id can never stand where an extension's is asked for.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::invalid::Invalid;

macro_rules! id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id that the database or a caller named.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// A fresh id.
            pub fn fresh(ids: &dyn IdSource) -> Self {
                Self(ids.next())
            }

            /// The bare UUID, for binding.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self).map_err(|_| Invalid::new("must be a UUID"))
            }
        }
    )+};
}

id! {
    /// One customer.
    TenantId,
    /// One SIP account of a tenant.
    ExtensionId,
    /// One PBX that tenants are assigned to.
    InstanceId,
    /// An immutable copy of one tenant's configuration.
    RevisionId,
    /// What one instance serves: a map from tenant to revision.
    GenerationId,
    /// One press of the deploy button.
    DeploymentId,
    /// One entry of the audit log.
    AuditId,
    /// One login.
    UserId,
    /// A set of rights that users are given by its name.
    RoleId,
    /// One sign-in of a user, until it ends.
    SessionId,
    /// One invitation, or one reset of a password.
    OneTimeTokenId,
    /// One key that programs of a tenant call with.
    ApiKeyId,
    /// One message of the outbox.
    MessageId,
    /// One call that is over.
    CallRecordId,
    /// One recording of a call.
    RecordingId,
    /// One message in a mail box.
    VoicemailId,
    /// One call that is up.
    CallId,
    /// One ticket.
    TicketId,
    /// One comment on a ticket.
    CommentId,
    /// One target that a tenant's events are sent to.
    WebhookId,
    /// One event that webhooks are told of.
    EventId,
    /// One run that removes what is older than a tenant keeps it.
    PurgeId,
    /// One export of a tenant's or a person's data.
    ExportId,
    /// One erasure of what a tenant has of a person.
    ErasureId,
}

/// Where fresh ids come from; passed in, so that a test owns them.
pub trait IdSource: Send + Sync {
    /// A new UUIDv7: ids sort by the time they were made.
    fn next(&self) -> Uuid;
}

/// The ids of a running program.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}
