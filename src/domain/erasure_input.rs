//! What is asked for where somebody is to be erased: whose data, and what becomes of the records of calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dial::DialNumber;
use super::erasure::{CallErasure, ErasureSubject};
use super::export::{ExportInput, ExportSubject};
use super::given::given;
use super::ids::{ExtensionId, UserId};
use super::invalid::FieldErrors;
use super::moment::Moment;

/// Whose data is to be erased, and how: exactly one of `extension`, `user` and `number` is named.
#[derive(Clone, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ErasureInput {
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
    /// What becomes of the records of calls; without it they are pseudonymised.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CallErasure")]
    pub call_records: Option<String>,
}

impl ErasureInput {
    /// What it names, and what becomes of records of calls; refused with every field that is wrong.
    pub fn parse(self) -> Result<(ErasureSubject, CallErasure), FieldErrors> {
        let mut errors = FieldErrors::default();
        let calls = self.call_records.map(|calls| calls.parse::<CallErasure>());
        let calls = calls.map(|calls| errors.take("call_records", calls));
        let named = [&self.extension, &self.user, &self.number];
        if named.into_iter().flatten().count() != 1 {
            errors.add(
                "body",
                "must name exactly one of `extension`, `user` and `number`",
            );
        }
        if calls.flatten().is_some() && self.user.is_some() {
            let message = "must be left out with `user`: calls are known by the extension, so erase that too";
            errors.add("call_records", message);
        }
        errors.check()?;
        let person = ExportInput {
            tenant: None,
            extension: self.extension,
            user: self.user,
            number: self.number,
            from: self.from,
            to: self.to,
        };
        let subject = match person.parse()? {
            ExportSubject::Extension { id, within } => ErasureSubject::Extension { id, within },
            ExportSubject::User { id } => ErasureSubject::User { id },
            ExportSubject::Number { id, within } => ErasureSubject::Number { id: Some(id), within },
            // No field names it here.
            ExportSubject::Tenant => return Err(FieldErrors::one("body", "must name a person")),
        };
        let calls = calls.flatten().unwrap_or(CallErasure::Pseudonymise);
        Ok((subject, calls))
    }
}
