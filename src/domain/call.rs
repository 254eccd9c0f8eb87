//! A call that is up: one for all the legs that a PBX has of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::digest::Digest;
use super::ids::{CallId, ExtensionId, InstanceId, TenantId};
use super::leg::{LegId, WireText};
use super::parsed::word_enum;

word_enum! {
    /// Where a call goes, seen from its tenant.
    CallDirection {
        /// Between extensions of the tenant, or to one of its services.
        Internal = "internal",
        /// From somebody outside.
        Inbound = "inbound",
        /// To somebody outside.
        Outbound = "outbound",
    }
}

word_enum! {
    /// How far a call is.
    CallState {
        /// Nobody who was called has answered.
        Ringing = "ringing",
        /// Two talk, or one with a service of the PBX.
        Answered = "answered",
    }
}

word_enum! {
    /// Whether somebody can be called on an extension.
    Presence {
        /// No phone can be reached.
        Offline = "offline",
        /// A phone can be reached, and is in no call.
        Available = "available",
        /// It calls or is called, and nobody has answered.
        Ringing = "ringing",
        /// It is in a call.
        OnCall = "on_call",
    }
}

/// A call that is up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Its id, the same for as long as it is up, whichever process tells of it.
    pub id: CallId,
    /// The PBX that it is on.
    pub instance_id: InstanceId,
    /// What that PBX calls it.
    pub link: LegId,
    /// Whose it is; none where no tenant is named by it, or not yet.
    pub tenant_id: Option<TenantId>,
    /// Who calls: an extension's number, or what was sent from outside.
    pub from: WireText,
    /// Who is called: what was dialled, else who is at the other end.
    pub to: WireText,
    /// Where it goes.
    pub direction: CallDirection,
    /// How far it is.
    pub state: CallState,
    /// When it began, to the second.
    pub started_at: Option<Timestamp>,
    /// When it was answered; none before, and where that was not heard.
    pub answered_at: Option<Timestamp>,
    /// The tenant's extensions that take part at the moment.
    pub extension_ids: Vec<ExtensionId>,
    /// The legs that it has at the moment.
    pub legs: Vec<LegId>,
}

impl CallId {
    /// Of a call, by its PBX and by what that calls it.
    #[must_use]
    pub fn of(instance: InstanceId, link: &LegId) -> Self {
        let digest = Digest::of_parts([instance.uuid().as_bytes().as_slice(), link.as_str().as_bytes()]);
        let mut bytes = [0; 16];
        for (byte, of_digest) in bytes.iter_mut().zip(digest.as_bytes()) {
            *byte = *of_digest;
        }
        Self::from_uuid(Uuid::new_v8(bytes))
    }
}

impl Call {
    /// Whether an extension takes part in it.
    #[must_use]
    pub fn involves(&self, extension: ExtensionId) -> bool {
        self.extension_ids.contains(&extension)
    }
}

/// How well something is known that a PBX tells of.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Freshness {
    /// When it was known to be so; null where nothing was ever heard.
    pub as_of: Option<Timestamp>,
    /// Whether it may be otherwise by now.
    pub stale: bool,
}

impl Freshness {
    /// What nothing was heard of.
    pub const UNKNOWN: Self = Self {
        as_of: None,
        stale: true,
    };

    /// Of two things together: as old as the older one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            as_of: self.as_of.zip(other.as_of).map(|(one, other)| one.min(other)),
            stale: self.stale || other.stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_call_is_its_own_and_the_same_each_time() {
        let [one, other] = [1, 2].map(|number| InstanceId::from_uuid(Uuid::from_u128(number)));
        let link = |text| LegId::new(text).unwrap();
        let id = CallId::of(one, &link("1795184873.12"));
        assert_eq!(id, CallId::of(one, &link("1795184873.12")));
        assert_ne!(id, CallId::of(one, &link("1795184873.13")));
        assert_ne!(id, CallId::of(other, &link("1795184873.12")));
        assert_eq!(id.uuid().get_version_num(), 8);
    }

    #[test]
    fn what_is_known_together_is_as_old_as_the_oldest_of_it() {
        let at = |second| Freshness {
            as_of: Timestamp::from_second(second).ok(),
            stale: false,
        };
        assert_eq!(at(7).and(at(5)), at(5));
        assert_eq!(at(7).and(Freshness::UNKNOWN), Freshness::UNKNOWN);
    }
}
