//! What no erasure reaches, and what there is to do about it: told before and in the certificate.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::erasure::ErasureSubject;

/// Something that stays.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErasureLeft")]
pub struct Left {
    /// What.
    pub what: &'static str,
    /// Why, and what makes it go.
    pub why: &'static str,
}

const fn stays(what: &'static str, why: &'static str) -> Left {
    Left { what, why }
}

const BACKUPS: Left = stays(
    "the server's log, copies of the database, what was exported, and what webhooks and mails have told others",
    "it lies outside of this service: whoever keeps it removes it",
);
const FREE_TEXT: Left = stays(
    "what others have written of the person: in tickets, reasons, and names of things",
    "nobody can tell whom a text is about: look for it",
);
const CALLS_UP: Left = stays(
    "calls that go on, and messages that are left, while it runs; a call that was removed, where its PBX tells of it once more after an \
     outage",
    "they are found by the next erasure",
);
const PBX_RECORDS: Left = stays(
    "what the PBX itself keeps: its log, its own records of calls, and what owners of mail boxes have said for whoever calls",
    "this version does not reach it: it goes on the PBX",
);
const OTHER_MAIL: Left = stays(
    "messages in mail boxes that are nobody's, since they were left before it is known whose the domain was",
    "nobody's are removed by nobody: the server's log tells of them",
);
const DEPLOYED: Left = stays(
    "what was deployed: in what the PBX serves until the next deploy, and in generations that can be gone back to, in the database \
     and on the host of the PBX",
    "deploy the tenant; a generation goes once as many newer ones are kept (`deploy.keep_generations`), and going back to one brings \
     back what it says",
);
const EXTENSION_LOGIN: Left = stays(
    "the SIP password and the PIN, and the login of whoever has the extension",
    "a phone that is signed in stays signed in: rotate the secret, and erase the user",
);
const NO_CALL: Left = stays(
    "recordings whose call is on record no more",
    "nothing else tells who took part: recordings go once they are not kept any longer",
);
const SETTINGS: Left = stays(
    "the number in settings: caller IDs, contacts of users, other erasures; and in what was deployed, with its records",
    "settings are of whoever made them: change them and deploy the tenant; a generation goes once as many newer ones are kept \
     (`deploy.keep_generations`), an erasure that keeps something once it is older than thirty days",
);
const OTHERS_BOXES: Left = stays(
    "messages that the person has left in mail boxes of others",
    "they tell the number that was shown, which anybody may show: erase that number",
);
const FORWARDS: Left = stays(
    "forwards of extensions to the number, and other ways in which it is written",
    "settings are of whoever made them: change them; ask for each way that there is",
);
const MOVES: Left = stays(
    "the platform's part of the audit log: moves between tenants, and what the operator's people did to the login outside of the tenant",
    "it is the platform's; a move goes with one of the two tenants",
);
const PHONE: Left = stays(
    "calls, recordings, messages in mail boxes, and what the extension is called",
    "they are known by the extension: erase that of the user too",
);

/// What stays of such a subject whatever is erased.
#[must_use]
pub fn left(subject: &ErasureSubject) -> Vec<Left> {
    match subject {
        ErasureSubject::Extension { .. } => vec![
            DEPLOYED,
            EXTENSION_LOGIN,
            OTHERS_BOXES,
            NO_CALL,
            PBX_RECORDS,
            OTHER_MAIL,
            CALLS_UP,
            FREE_TEXT,
            BACKUPS,
        ],
        ErasureSubject::Number { .. } => vec![
            FORWARDS,
            SETTINGS,
            NO_CALL,
            PBX_RECORDS,
            OTHER_MAIL,
            CALLS_UP,
            FREE_TEXT,
            BACKUPS,
        ],
        ErasureSubject::User { .. } => vec![PHONE, MOVES, FREE_TEXT, BACKUPS],
    }
}
