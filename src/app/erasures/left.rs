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
const DATABASE: Left = stays(
    "what the database's files keep of rows that are gone: in PostgreSQL until it vacuums, in SQLite what went by a former version, \
     and in the log of what was written until it is written over",
    "it goes by itself; a copy of the files that somebody has made keeps it",
);
const FREE_TEXT: Left = stays(
    "what others have written of the person: in tickets, reasons, and names of things",
    "nobody can tell whom a text is about: look for it",
);
const CALLS_UP: Left = stays(
    "calls that go on, and messages that are left, while it runs; a call that was removed, where an Asterisk tells of it once more after an \
     outage",
    "they are found by the next erasure",
);
const PBX_RECORDS: Left = stays(
    "what the PBX itself keeps: its log, its own records of calls, what owners of mail boxes have said for whoever calls, what it has left \
     there unfinished, and messages that it has sent by e-mail or is to send",
    "this version does not reach it: it goes on the PBX",
);
const OTHER_MAIL: Left = stays(
    "messages in mail boxes that are nobody's, since they were left before it is known whose the domain was, and in boxes whose names can be \
     no extension's number",
    "nobody looks after them: remove them on the PBX. Of the first the server's log tells",
);
const LEFT_PBX: Left = stays(
    "messages in mail boxes on a PBX that the tenant has left",
    "nobody looks at them any more: they go on that PBX",
);
const NOT_SERVED: Left = stays(
    "messages in mail boxes of a FreeSWITCH or a FusionPBX whose instance names no `voicemail_dir`",
    "they are neither listed nor removed from here, so that an erasure of an extension or a number ends as `partial` there, however \
     often it is run: they go once it names the directory, or on that PBX",
);
const DIRECT: Left = stays(
    "numbers by which the extension is called from outside, and those that it shows there, with their names, where it leads on what \
     others have called: in records of calls and in settings",
    "they may lead to others too: erase each of them that is the person's",
);
const DEPLOYED: Left = stays(
    "what was deployed: in what the PBX serves until the next deploy, in generations that can be gone back to, in the database and \
     on the host of the PBX, and in what the record of a later deploy says that it has found of it",
    "deploy the tenant; a generation goes once as many newer ones are kept (`deploy.keep_generations`), and going back to one brings \
     back what it says",
);
const EXTENSION_LOGIN: Left = stays(
    "the SIP password and the PIN, and the login of whoever has the extension",
    "a phone that is signed in stays signed in: rotate the secret, and erase the user",
);
const NO_CALL: Left = stays(
    "recordings whose call is on record no more; recordings of a PBX that records no calls of the tenant any more and names no \
     `recordings_dir`",
    "nothing else tells who took part: recordings go once they are not kept any longer. Of a PBX they go once it names the directory",
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
const ADDRESS: Left = stays(
    "the address of a user who is deleted already, where another user of the tenant has it by now",
    "what that user does is known by it too; it goes with them",
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
            DIRECT,
            OTHERS_BOXES,
            NO_CALL,
            PBX_RECORDS,
            OTHER_MAIL,
            LEFT_PBX,
            NOT_SERVED,
            CALLS_UP,
            FREE_TEXT,
            DATABASE,
            BACKUPS,
        ],
        ErasureSubject::Number { .. } => vec![
            FORWARDS,
            SETTINGS,
            NO_CALL,
            PBX_RECORDS,
            OTHER_MAIL,
            LEFT_PBX,
            NOT_SERVED,
            CALLS_UP,
            FREE_TEXT,
            DATABASE,
            BACKUPS,
        ],
        ErasureSubject::User { .. } => vec![PHONE, MOVES, ADDRESS, FREE_TEXT, DATABASE, BACKUPS],
    }
}
