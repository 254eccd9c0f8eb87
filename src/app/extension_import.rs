//! Importing extensions from rows: all or none, with a report row by row, and a dry run first.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::extensions::emergency_numbers;
use super::idempotency::{Done, Once};
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::extension::Extension;
use crate::domain::extension_input::{ExtensionInput, ParsedExtension};
use crate::domain::invalid::FieldErrors;
use crate::domain::permission::Permission;
use crate::domain::secret::ExtensionSecrets;
use crate::store;

/// More rows in one import are refused: split the file.
pub const MOST_ROWS: usize = 10_000;

/// One row as it was read.
pub struct Row {
    /// The line in the file, or the place in the list, from 1 on.
    pub line: u64,
    /// The number in it, where it could be read: so that a person finds the row again.
    pub number: Option<String>,
    /// The extension, or what is wrong with it.
    pub input: Result<ExtensionInput, FieldErrors>,
}

/// What becomes of one row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowReport {
    /// As in [`Row`].
    pub line: u64,
    /// As in [`Row`].
    pub number: Option<String>,
    /// What is wrong; empty for a good row.
    pub errors: FieldErrors,
}

/// What becomes of the file. It holds no secret of any row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ImportReport {
    /// Whether the extensions were made. Never in a dry run, and never when a row is wrong.
    pub imported: bool,
    /// How many rows are good.
    pub good: usize,
    /// How many are wrong.
    pub bad: usize,
    /// Every row.
    pub rows: Vec<RowReport>,
}

/// Makes all the extensions, or none and says which rows are wrong.
///
/// Rows are taken one by one as they are looked at, so that an iterator can tell how far the import is.
pub async fn import(
    app: &App,
    caller: &Caller,
    rows: impl IntoIterator<Item = Row, IntoIter: ExactSizeIterator>,
    dry_run: bool,
    once: Option<&Once>,
) -> Result<Done<ImportReport>, AppError> {
    let rows = rows.into_iter();
    caller.tenant(Permission::ConfigWrite, Act::Change)?;
    caller.reason_to_change()?;
    if !(1..=MOST_ROWS).contains(&rows.len()) {
        let reason = format!("must be 1 to {MOST_ROWS}; split the file where there are more");
        return Err(FieldErrors::one("rows", reason).into());
    }
    let begun = app.begin_inside(caller, Permission::ConfigWrite, "import_extensions");
    let (mut tx, caller, tenant) = begun.await?;
    if let Some(before) = app.answered_before(&mut tx, tenant, &caller, once).await? {
        return Ok(Done::Before(before));
    }
    let emergency = emergency_numbers(&mut tx, tenant).await?;
    let there = store::extensions::all(&mut tx, tenant).await?;
    let mut taken: BTreeSet<String> = there
        .into_iter()
        .map(|extension| extension.number.to_string())
        .collect();
    let mut reports = Vec::new();
    let mut fresh: Vec<(Extension, ExtensionSecrets)> = Vec::new();
    for Row { line, number, input } in rows {
        let parsed = input
            .and_then(ExtensionInput::parse)
            .and_then(|parsed| emergency.refuse(&parsed.number).map(|()| parsed))
            .and_then(|parsed| untaken(parsed, &mut taken));
        let errors = match parsed {
            Err(errors) => errors,
            Ok(parsed) => {
                fresh.push(app.fresh_extension(tenant, parsed)?);
                FieldErrors::default()
            }
        };
        reports.push(RowReport { line, number, errors });
    }
    let bad = reports.len() - fresh.len();
    if bad == 0 {
        app.check_room(&mut tx, tenant, fresh.len()).await?;
    }
    let report = ImportReport {
        imported: bad == 0 && !dry_run,
        good: fresh.len(),
        bad,
        rows: reports,
    };
    if report.imported {
        let borrowed: Vec<(&Extension, &ExtensionSecrets)> = fresh.iter().map(|(e, s)| (e, s)).collect();
        store::extensions::insert_many(&mut tx, &borrowed).await?;
        let numbers: Vec<&str> = fresh
            .iter()
            .map(|(extension, _)| extension.number.as_str())
            .collect();
        let changed = Changed {
            action: "extension.import",
            resource: "tenant",
            target: tenant.to_string(),
            tenant_id: Some(tenant),
            before: None,
            after: Some(serde_json::json!({ "numbers": numbers })),
        };
        app.audit(&mut tx, &caller, changed)?;
        app.keep_answer(&mut tx, tenant, &caller, once, &report).await?;
        tx.commit().await?;
    }
    Ok(Done::Now(report))
}

pub(super) fn untaken(
    parsed: ParsedExtension,
    taken: &mut BTreeSet<String>,
) -> Result<ParsedExtension, FieldErrors> {
    if taken.insert(parsed.number.to_string()) {
        Ok(parsed)
    } else {
        Err(FieldErrors::one(
            "number",
            "is taken, by an extension that is there or by an earlier row",
        ))
    }
}
