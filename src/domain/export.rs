//! What an export is about: a whole tenant, or a person by what they are known by.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dial::DialNumber;
use super::given::given;
use super::ids::{ExtensionId, UserId};
use super::invalid::FieldErrors;
use super::moment::Moment;
use super::parsed::word_enum;

/// Whose data is exported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExportSubject {
    /// All that the tenant has.
    Tenant,
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
        /// Which.
        id: DialNumber,
        /// While it was theirs.
        #[serde(flatten)]
        within: Span,
    },
}

/// In which calls have to have begun, and messages to have been left.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    /// At this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Whose data is to be exported: exactly one of these is named.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExportInput {
    /// `true` for all that the tenant has.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub tenant: Option<bool>,
    /// The id of an extension of the tenant.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ExtensionId")]
    pub extension: Option<String>,
    /// The id of a user of the tenant.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UserId")]
    pub user: Option<String>,
    /// A number as it stands in the records of calls.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DialNumber")]
    pub number: Option<String>,
    /// Only calls that began and messages that were left then or later: since when the extension or the number is the person's.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Moment")]
    pub from: Option<String>,
    /// Only calls that began and messages that were left before: until when it was.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Moment")]
    pub to: Option<String>,
}

impl ExportInput {
    /// What it names; refused with every field that is wrong.
    pub fn parse(self) -> Result<ExportSubject, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut named = Vec::new();
        match self.tenant {
            Some(true) => named.push(ExportSubject::Tenant),
            Some(false) => errors.add("tenant", "must be true, or left out"),
            None => {}
        }
        let mut moment = |field: &'static str, text: Option<String>| {
            let moment = text.and_then(|text| errors.take(field, text.parse::<Moment>()));
            moment.map(Moment::timestamp)
        };
        let (from, to) = (moment("from", self.from), moment("to", self.to));
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            errors.add("to", "must be later than `from`");
        }
        let within = Span { from, to };
        let extension = self.extension.map(|id| errors.take("extension", id.parse()));
        let extension = extension.flatten();
        named.extend(extension.map(|id| ExportSubject::Extension { id, within }));
        let user = self.user.map(|id| errors.take("user", id.parse()));
        named.extend(user.flatten().map(|id| ExportSubject::User { id }));
        let number = self.number.map(|number| errors.take("number", number.parse()));
        named.extend(number.flatten().map(|id| ExportSubject::Number { id, within }));
        errors.check()?;
        let mut named = named.into_iter();
        let (Some(subject), None) = (named.next(), named.next()) else {
            let message = "must name exactly one of `tenant`, `extension`, `user` and `number`";
            return Err(FieldErrors::one("body", message));
        };
        let mut errors = FieldErrors::default();
        if let ExportSubject::Tenant | ExportSubject::User { .. } = subject {
            for (field, given) in [("from", from), ("to", to)] {
                if given.is_some() {
                    errors.add(field, "must be left out but with `extension` or `number`");
                }
            }
        }
        errors.check()?;
        Ok(subject)
    }
}

word_enum! {
    /// What an archive holds, each in files of its own.
    ExportKind {
        /// The tenant itself.
        Settings = "settings",
        /// For how long what is kept.
        Retention = "retention",
        /// Former domains that still lead to it.
        DomainAliases = "domain_aliases",
        /// Extensions without their secrets.
        Extensions = "extensions",
        /// Users without their passwords.
        Users = "users",
        /// Roles with their permissions.
        Roles = "roles",
        /// API keys without what they are recognised by.
        ApiKeys = "api_keys",
        /// Sign-ins that have not ended.
        Sessions = "sessions",
        /// Calls that are over.
        CallRecords = "call_records",
        /// Times in which calls may have been missed.
        CallGaps = "call_gaps",
        /// Recordings of calls; the sound is in files beside.
        Recordings = "recordings",
        /// Messages in mail boxes; the sound is in files beside.
        Voicemail = "voicemail",
        /// Tickets, of a whole tenant with what was said about them.
        Tickets = "tickets",
        /// What a person said about tickets.
        TicketComments = "ticket_comments",
        /// Entries of the audit log.
        AuditEntries = "audit_entries",
        /// Deployments with their stages.
        Deployments = "deployments",
        /// What was deployed.
        Revisions = "revisions",
        /// Webhooks without their secrets.
        Webhooks = "webhooks",
        /// Purges with their parts.
        Purges = "purges",
        /// Erasures with their parts.
        Erasures = "erasures",
    }
}

word_enum! {
    /// Why the sound of a recording or a message is not in an archive, or not as it was.
    MissingSound {
        /// Another host drives the PBX that has it.
        OtherHost = "other_host",
        /// The settings of the PBX name no directory of recordings; or its mail boxes are not looked after.
        NoDirectory = "no_directory",
        /// The disk did not answer in time.
        NoAnswer = "disk_does_not_answer",
        /// The PBX that holds the message, or the disk of its mail boxes, did not answer.
        NoPbx = "pbx_does_not_answer",
        /// The file is not there.
        NoFile = "file_is_not_there",
        /// The file cannot be read.
        Unreadable = "file_cannot_be_read",
        /// It could not be read to its end: what is in the archive of it is filled up with zeros.
        Broken = "file_broke_off",
    }
}

word_enum! {
    /// Why an archive ends before its manifest.
    ExportCut {
        /// Whoever asked for it went away.
        ReaderGone = "reader_gone",
        /// Whoever asked for it took nothing more, or too little for long.
        ReaderSlow = "reader_slow",
        /// The daemon stopped.
        Stopped = "stopped",
        /// Whoever asked for it may not have it any more, or the tenant is suspended or gone.
        Revoked = "revoked",
        /// Something failed; the server's log tells what.
        Failed = "failed",
    }
}

impl fmt::Display for ExportSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Extension { id, .. } => write!(f, "extension {id}"),
            Self::User { id } => write!(f, "user {id}"),
            Self::Number { id, .. } => write!(f, "number {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    const ID: &str = "0197c0de-0000-7000-8000-000000000001";

    fn parsed(body: Value) -> Result<ExportSubject, Vec<String>> {
        let input: ExportInput = serde_json::from_value(body).unwrap();
        let names = |errors: FieldErrors| errors.iter().map(|(field, _)| field.to_owned()).collect();
        input.parse().map_err(names)
    }

    #[rstest]
    #[case(json!({"tenant": true}), json!({"kind": "tenant"}))]
    #[case(json!({"extension": ID}), json!({"kind": "extension", "id": ID}))]
    #[case(json!({"user": ID}), json!({"kind": "user", "id": ID}))]
    #[case(json!({"number": "+4930123456"}), json!({"kind": "number", "id": "+4930123456"}))]
    #[case(json!({"extension": ID, "from": "2026-11-20T11:00:00+01:00"}),
        json!({"kind": "extension", "id": ID, "from": "2026-11-20T10:00:00Z"}))]
    #[case(json!({"number": "1001", "from": "2026-11-20T10:00:00Z", "to": "2026-11-21T10:00:00Z"}),
        json!({"kind": "number", "id": "1001", "from": "2026-11-20T10:00:00Z", "to": "2026-11-21T10:00:00Z"}))]
    fn a46_a_subject_is_named_in_one_way(#[case] body: Value, #[case] subject: Value) {
        assert_eq!(json!(parsed(body).unwrap()), subject);
    }

    #[rstest]
    #[case(json!({}), &["body"])]
    #[case(json!({"tenant": true, "number": "1001"}), &["body"])]
    #[case(json!({"user": ID, "extension": ID}), &["body"])]
    #[case(json!({"tenant": false}), &["tenant"])]
    #[case(json!({"extension": "x", "number": "../1001"}), &["extension", "number"])]
    #[case(json!({"user": "1001"}), &["user"])]
    #[case(json!({"tenant": true, "from": "2026-11-20T10:00:00Z"}), &["from"])]
    #[case(json!({"user": ID, "to": "2026-11-20T10:00:00Z"}), &["to"])]
    #[case(json!({"number": "1001", "from": "yesterday"}), &["from"])]
    #[case(json!({"number": "1001", "from": "2026-11-20T10:00:00Z", "to": "2026-11-20T10:00:00Z"}), &["to"])]
    #[case(json!({"number": "sip:1001@example.com"}), &["number"])]
    fn a46_what_names_nobody_or_several_is_refused(#[case] body: Value, #[case] fields: &[&str]) {
        assert_eq!(parsed(body).unwrap_err(), fields);
    }

    #[test]
    fn a46_what_is_null_or_unknown_is_refused() {
        for body in [
            json!({"tenant": null}),
            json!({"user": null}),
            json!({"name": "Ann"}),
        ] {
            assert!(
                serde_json::from_value::<ExportInput>(body.clone()).is_err(),
                "{body}"
            );
        }
    }
}
