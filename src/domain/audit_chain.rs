//! The chain of the audit log: what of an entry its digests cover, in a form that no two entries share.
//!
//! The payload's digest covers the salt and what the payload says. The entry's digest covers the digest of the entry
//! before it, what of the entry stays for good, and the payload's digest. So a payload can go without breaking the chain.

use uuid::Uuid;

use super::digest::Digest;

/// What the first entry follows on.
pub const BEGINNING: [u8; 32] = [0; 32];

/// Names the form of what is digested, so that another form never gives the same bytes.
const ENTRY: &str = "switchyard audit entry 1";
const PAYLOAD: &str = "switchyard audit payload 1";

/// An entry as it is stored: every column as it was read, whatever somebody made of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its place in the log.
    pub number: i64,
    /// Its id.
    pub id: Uuid,
    /// When it happened, in microseconds.
    pub at: i64,
    /// What kind of somebody the actor is.
    pub actor_kind: String,
    /// The actor's id.
    pub actor_id: Option<Uuid>,
    /// Whether the actor is one of the operator's people inside the tenant.
    pub operating_as: bool,
    /// What was done.
    pub action: String,
    /// The kind of the target.
    pub resource: String,
    /// The target's id.
    pub target_id: String,
    /// Whose it is.
    pub tenant_id: Option<Uuid>,
    /// The payload; none once it is blanked.
    pub payload: Option<Payload>,
    /// The digest of the payload.
    pub payload_digest: Vec<u8>,
    /// The digest of the entry.
    pub digest: Vec<u8>,
}

/// What an entry says that may have to go one day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload {
    /// Random bytes.
    pub salt: Vec<u8>,
    /// What the actor was called.
    pub actor_name: String,
    /// The target as it was, as JSON.
    pub before: Option<String>,
    /// The target as it became, as JSON.
    pub after: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// The program that sent it.
    pub agent: Option<String>,
}

impl Link {
    /// Takes its place in the log, behind the entry of digest `previous`.
    pub fn take_place(&mut self, number: i64, previous: &[u8]) {
        self.number = number;
        if let Some(payload) = &self.payload {
            self.payload_digest = payload.digest().as_bytes().to_vec();
        }
        self.digest = self.digest_after(previous).as_bytes().to_vec();
    }

    /// The digest it must have behind the entry of digest `previous`.
    #[must_use]
    pub fn digest_after(&self, previous: &[u8]) -> Digest {
        Digest::of(self.form(previous))
    }

    /// Whether its payload is there, and is the one that it was written with.
    #[must_use]
    pub fn says_what_was_written(&self) -> bool {
        let payload = self.payload.as_ref();
        payload.is_some_and(|payload| payload.digest().as_bytes().as_slice() == self.payload_digest)
    }

    fn form(&self, previous: &[u8]) -> Vec<u8> {
        let mut form = Form::default();
        form.part(ENTRY.as_bytes());
        form.part(previous);
        form.part(&self.number.to_le_bytes());
        form.part(self.id.as_bytes());
        form.part(&self.at.to_le_bytes());
        form.part(self.actor_kind.as_bytes());
        form.optional(self.actor_id.as_ref().map(Uuid::as_bytes));
        form.part(&[u8::from(self.operating_as)]);
        form.part(self.action.as_bytes());
        form.part(self.resource.as_bytes());
        form.part(self.target_id.as_bytes());
        form.optional(self.tenant_id.as_ref().map(Uuid::as_bytes));
        form.part(&self.payload_digest);
        form.0
    }
}

impl Payload {
    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.form())
    }

    fn form(&self) -> Vec<u8> {
        let mut form = Form::default();
        form.part(PAYLOAD.as_bytes());
        form.part(&self.salt);
        form.part(self.actor_name.as_bytes());
        for text in [
            &self.before,
            &self.after,
            &self.reason,
            &self.request_id,
            &self.address,
            &self.agent,
        ] {
            form.optional(text.as_ref());
        }
        form.0
    }
}

/// Parts one behind the other, each with its length in front, so that they can be told apart again.
#[derive(Default)]
struct Form(Vec<u8>);

impl Form {
    fn part(&mut self, bytes: &[u8]) {
        self.optional(Some(bytes));
    }

    /// An absent part is another one than an empty part.
    fn optional(&mut self, bytes: Option<impl AsRef<[u8]>>) {
        let Some(bytes) = bytes else {
            self.0.push(0);
            return;
        };
        let bytes = bytes.as_ref();
        self.0.push(1);
        self.0
            .extend(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.extend(bytes);
    }
}

#[cfg(test)]
mod tests;
