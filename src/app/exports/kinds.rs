//! Which tables an export of a tenant holds, and what it leaves out and why: everything that is a tenant's is in one of the two.

use serde::Serialize;

use crate::domain::export::{ExportKind, ExportSubject};

/// Something that no archive holds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LeftOut {
    /// What.
    pub what: &'static str,
    /// Why not.
    pub why: &'static str,
    /// The tables that it is.
    #[serde(skip)]
    pub tables: &'static [&'static str],
}

const fn left(what: &'static str, why: &'static str, tables: &'static [&'static str]) -> LeftOut {
    LeftOut { what, why, tables }
}

/// The tables that a kind is made of.
#[must_use]
pub const fn tables(kind: ExportKind) -> &'static [&'static str] {
    match kind {
        ExportKind::Settings => &["tenants"],
        ExportKind::Retention => &["retention"],
        ExportKind::DomainAliases => &["tenant_domain_aliases"],
        ExportKind::Extensions => &["extensions"],
        ExportKind::Users => &["users"],
        ExportKind::Roles => &["roles", "role_permissions"],
        ExportKind::ApiKeys => &["api_keys", "api_key_permissions"],
        ExportKind::Sessions => &["sessions"],
        ExportKind::CallRecords => &["call_records", "call_record_extensions", "call_record_parts"],
        ExportKind::CallGaps => &["call_gaps"],
        ExportKind::Recordings => &["recordings"],
        ExportKind::Voicemail => &["voicemail_messages"],
        ExportKind::Tickets | ExportKind::TicketComments => &["tickets", "ticket_comments"],
        ExportKind::AuditEntries => &["audit_entries"],
        ExportKind::Deployments => &["deployments", "deployment_stages"],
        ExportKind::Revisions => &["revisions", "revision_domains"],
        ExportKind::Webhooks => &["webhooks"],
        ExportKind::Purges => &["purges", "purge_parts"],
        ExportKind::Erasures => &["erasures", "erasure_parts"],
    }
}

const SECRETS: &str = "secrets leave the service in no export";
const OTHER_VOICE_MAIL: LeftOut = left(
    "messages in mail boxes of a FreeSWITCH or a FusionPBX; of an Asterisk such as were left since it was looked at last, or lie in mail \
     boxes that could not be looked at, or are nobody's since they were left before it is known whose the domain was",
    "they lie on the PBX; an Asterisk is looked at every 10 minutes, the others are not; where mail boxes of it could not be looked at, or \
     hold messages that are nobody's, the server's log tells it",
    &[],
);
const GREETINGS: LeftOut = left(
    "what owners of mail boxes have said for whoever calls",
    "it lies on the PBX, and this version does not read it",
    &[],
);

/// What an export of a whole tenant leaves out.
pub const OF_TENANT: &[LeftOut] = &[
    left(
        "SIP passwords and PINs of voice mail",
        SECRETS,
        &["extension_secrets"],
    ),
    left(
        "passwords of users, and by which subject an issuer of identities knows them (the audit log has a digest of it)",
        SECRETS,
        &[],
    ),
    left(
        "secrets of API keys and webhooks, and digests of them",
        SECRETS,
        &[],
    ),
    left(
        "paths and queries of webhooks' addresses",
        "they may hold a secret",
        &[],
    ),
    left(
        "links of invitations and for new passwords",
        SECRETS,
        &["one_time_tokens"],
    ),
    left(
        "mails that wait to be sent",
        "they hold such links; what was sent is not kept",
        &["outbox"],
    ),
    OTHER_VOICE_MAIL,
    GREETINGS,
    left(
        "answers that are kept for a day, for requests that are sent again",
        "what they show stands in the files of its kind, unless it was deleted since",
        &["idempotency_keys"],
    ),
    left(
        "events that wait to be sent to webhooks",
        "what they tell of stands in the files of its kind, unless it was deleted since or is a call that is not over",
        &["webhook_events"],
    ),
    left(
        "since when PBXs may have served each of the tenant's domains",
        "it tells the service whose a recording or a message is; the audit log tells each change of the domain",
        &["domain_tenures"],
    ),
    left(
        "which revision each PBX serves",
        "it is the operator's; the deployments tell what went live",
        &["generation_tenants", "generation_tombstones", "served"],
    ),
    left(
        "what a purge or an erasure is about to remove",
        "it is there while one runs, or has kept something; the files of its kind tell what is there",
        &["purge_files", "purge_messages", "erasure_targets"],
    ),
    left(
        "the audit log's entries of moves between tenants",
        "they are the platform's",
        &[],
    ),
];

const OTHERS: &str = "it is about somebody else, or says what others wrote";

const OF_USER: &[LeftOut] = &[
    left(
        "the password, and by which subject an issuer of identities knows the user (the audit log has a digest of it)",
        SECRETS,
        &[],
    ),
    left("secrets of API keys, and digests of them", SECRETS, &[]),
    left(
        "what was done by API keys of theirs that are there no more",
        "nothing else tells whose they were",
        &[],
    ),
    left(
        "entries of the audit log that name a former address of theirs, and not their id",
        "nothing else tells that it was theirs",
        &[],
    ),
    left(
        "that they asked for deployments and purges",
        "these are the tenant's; the audit log says it of them too",
        &[],
    ),
    left(
        "mails that wait to be sent",
        "they hold links; what was sent is not kept",
        &[],
    ),
    left("links of invitations and for new passwords", SECRETS, &[]),
    left(
        "what others said about tickets, and what tickets that others opened say and are about",
        OTHERS,
        &[],
    ),
    left(
        "what entries of the audit log say that the user caused and that are about something else",
        OTHERS,
        &[],
    ),
    left(
        "who caused the entries of the audit log that are about the user, and from where",
        OTHERS,
        &[],
    ),
    left(
        "calls, recordings and messages in mail boxes",
        "they are known by the extension: export that of the user, which their profile names",
        &[],
    ),
];

const STATIONS: LeftOut = left(
    "calls that were only forwarded or transferred to a number that is no extension, and what became of each call on its way",
    "a record tells who called and what was dialled first; an export of the tenant has the parts",
    &[],
);
const OTHER_TIMES: &str = "calls and messages are found by it, whoever had it then: name the time in which it was the person's by `from` and `to`";

const OF_PHONE: &[LeftOut] = &[
    left("the SIP password and the PIN of the voice mail", SECRETS, &[]),
    OTHER_VOICE_MAIL,
    GREETINGS,
    left(
        "messages that were left in mail boxes of others",
        "they tell the number that was shown, which anybody may show: export that number",
        &[],
    ),
    left(
        "whose calls and messages these were, where several people have had the extension",
        OTHER_TIMES,
        &[],
    ),
    left(
        "recordings whose call is on record no more",
        "nothing else tells who took part",
        &[],
    ),
    STATIONS,
    left(
        "entries of the audit log and tickets",
        "they are known by the user: export that",
        &[],
    ),
];

const SETTINGS: LeftOut = left(
    "the settings of the extension",
    "they are of whoever has it now: name no `to` for an export with them",
    &[],
);

const OF_NUMBER: &[LeftOut] = &[
    OTHER_VOICE_MAIL,
    left(
        "whose calls and messages these were, where several people have had the number",
        OTHER_TIMES,
        &[],
    ),
    left(
        "calls and messages of which the number is written in another way",
        "a PBX writes numbers as it was told them: export each way that there is",
        &[],
    ),
    left(
        "recordings whose call is on record no more",
        "nothing else tells who took part",
        &[],
    ),
    STATIONS,
];

/// What an export of this subject leaves out.
pub(super) fn left_out(subject: &ExportSubject) -> Vec<LeftOut> {
    match subject {
        ExportSubject::Tenant => OF_TENANT.to_vec(),
        ExportSubject::User { .. } => OF_USER.to_vec(),
        ExportSubject::Extension { within, .. } => {
            let settings = within.to.map(|_| SETTINGS);
            settings.into_iter().chain(OF_PHONE.iter().copied()).collect()
        }
        ExportSubject::Number { .. } => OF_NUMBER.to_vec(),
    }
}
