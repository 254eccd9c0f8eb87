//! `/api/v1/extensions`.

use axum::extract::State;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::extension_import::{self, ImportReport, Row};
use crate::app::precondition::{self, IfMatch};
use crate::app::views::{CreatedView, ExtensionView, RevealedSecretsView, SecretView, VisibleExtension};
use crate::app::{extension_csv, extensions};
use crate::auth::caller::Caller;
use crate::domain::error_chain::error_chain;
use crate::domain::extension::Extension;
use crate::domain::extension_input::ExtensionInput;
use crate::domain::ids::ExtensionId;
use crate::domain::invalid::FieldErrors;
use crate::domain::query::ExtensionQuery;
use crate::http::answer::{Created, Either, NoContent, Replayed, Tagged};
use crate::http::body::{Body, MergePatch, NoBody, Patched, Rows, Table, from_value};
use crate::http::envelope::{List, Single, list, single};
use crate::http::id::Id;
use crate::http::idempotency::{Repeatable, ShownOnce};
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

impl Patched for ExtensionInput {
    const FIXED: &'static [&'static str] = &["secret"];
}

/// What to do instead of sending a creation again.
const LOOK_FOR_IT: &str = "look for the number instead";

impl Parameters for ExtensionQuery {
    fn read(given: &mut Given) -> Self {
        let usual = Self::default();
        let (sort, descending) = given.sort().unwrap_or((usual.sort, usual.descending));
        Self {
            search: given.text("search", "A part of the number or the name, in any case."),
            status: given.optional("status"),
            sort,
            descending,
            page: given.page(),
        }
    }
}

/// `GET /extensions`: one page, by number unless `sort` says otherwise.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<ExtensionQuery>,
) -> Result<List<VisibleExtension>, Problem> {
    let wanted = query.read()?;
    let page = extensions::list(&app, &caller, &wanted).await?;
    let mut presences = extensions::presences(&app, &page.items).await?.into_iter();
    Ok(list(page.map(|extension| {
        let presence = presences.next().flatten();
        VisibleExtension::to(&caller, extension, presence)
    })))
}

/// `GET /extensions/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
) -> Result<Tagged<Single<VisibleExtension>>, Problem> {
    let extension = extensions::find(&app, &caller, id).await?;
    query.read()?;
    let tag = precondition::tag(&extension);
    let presence = extensions::presences(&app, std::slice::from_ref(&extension)).await?;
    let shown = VisibleExtension::to(&caller, extension, presence.into_iter().next().flatten());
    Ok(Tagged::new(tag, single(shown)))
}

/// `POST /extensions`: answers the secrets, this once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    once: ShownOnce,
    body: Body<ExtensionInput>,
) -> Result<Created<Tagged<Single<CreatedView>>>, Problem> {
    let input = body.read().await?;
    query.read()?;
    once.refuse_key(LOOK_FOR_IT)?;
    let (extension, secrets) = extensions::create(&app, &caller, input).await?;
    let tag = precondition::tag(&extension);
    let created = single(CreatedView::new(extension, &secrets));
    Ok(Created(Tagged::new(tag, created)))
}

/// `PATCH /extensions/{id}`: a JSON merge patch; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    precondition: Precondition,
    body: MergePatch<ExtensionInput>,
) -> Result<Tagged<Single<ExtensionView>>, Problem> {
    extensions::find(&app, &caller, id).await?;
    let if_match = precondition.if_match()?;
    let patch = body.read().await?;
    query.read()?;
    let extension = extensions::patch(&app, &caller, id, patch, &if_match).await?;
    Ok(tagged(extension))
}

/// `DELETE /extensions/{id}`; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    let if_match = may_change(&app, &caller, id, query, precondition, body).await?;
    extensions::delete(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}

/// `POST /extensions/{id}/reveal-secret`; with `If-Match` only of the version that it names.
pub async fn reveal_secret(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<Single<RevealedSecretsView>, Problem> {
    let if_match = may_change(&app, &caller, id, query, precondition, body).await?;
    let secrets = extensions::reveal_secret(&app, &caller, id, &if_match).await?;
    Ok(single(RevealedSecretsView::new(&secrets)))
}

/// `POST /extensions/{id}/rotate-secret`; with `If-Match` only of the version that it names.
pub async fn rotate_secret(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    precondition: Precondition,
    once: ShownOnce,
    body: NoBody,
) -> Result<Single<SecretView>, Problem> {
    let if_match = may_change(&app, &caller, id, query, precondition, body).await?;
    once.refuse_key("rotate it again instead")?;
    let secret = extensions::rotate_secret(&app, &caller, id, &if_match).await?;
    Ok(single(SecretView::new(&secret)))
}

/// `POST /extensions/import?dry_run`: `[{…}, …]`, each an extension as `POST /extensions` takes it, or the same as
/// `text/csv`.
///
/// 201 once they are made, 200 for a dry run, and 422 with the same report when rows are wrong and none was made. With an
/// `Idempotency-Key` they are made once.
pub async fn import(
    State(app): State<App>,
    caller: Caller,
    query: Query<DryRun>,
    repeatable: Repeatable,
    body: Rows<ExtensionInput>,
) -> Result<Either<Single<ImportReport>, Replayed<Created<Single<ImportReport>>>>, Problem> {
    caller.reason_to_change()?;
    let key = repeatable.key()?;
    let (bytes, rows) = read_rows(body).await?;
    let DryRun(dry_run) = query.read()?;
    // A dry run has no effect that could come twice.
    let once = key.filter(|_| !dry_run).map(|key| key.with_body(&bytes));
    let done = extension_import::import(&app, &caller, rows, dry_run, once.as_ref()).await?;
    let replayed = done.is_repeated();
    let report = done.into_inner();
    match (dry_run, report.bad) {
        (true, _) => Ok(Either::This(single(report))),
        (false, 0) => Ok(Either::That(Replayed::new(replayed, Created(single(report))))),
        (false, _) => Err(wrong_rows(&report)),
    }
}

/// Whether rows are only looked at.
pub struct DryRun(bool);

impl Parameters for DryRun {
    fn read(given: &mut Given) -> Self {
        Self(given.flag("dry_run", "Whether the rows are only looked at."))
    }
}

async fn read_rows(body: Rows<ExtensionInput>) -> Result<(Bytes, Vec<Row>), Problem> {
    match body.read().await? {
        Table::Csv(table) => {
            let rows = extension_csv::read(table.as_ref())
                .map_err(|error| FieldErrors::one("body", error_chain(&error)))?;
            Ok((table, rows))
        }
        Table::List(bytes, rows) => {
            let rows = (1..).zip(&rows).map(|(line, row)| read_row(line, row)).collect();
            Ok((bytes, rows))
        }
    }
}

fn read_row(line: u64, row: &Value) -> Row {
    Row {
        line,
        number: row.get("number").and_then(Value::as_str).map(str::to_owned),
        input: from_value(row),
    }
}

fn wrong_rows(report: &ImportReport) -> Problem {
    let mut errors = FieldErrors::default();
    for row in &report.rows {
        for (field, reasons) in row.errors.iter() {
            for reason in reasons {
                errors.add(&format!("row {}: {field}", row.line), reason.as_str());
            }
        }
    }
    Problem::invalid(errors).with("report", json!(report))
}

/// Looks in the order of every route at what may be wrong with a change that takes no body: id, reason, `If-Match`, body,
/// parameters.
async fn may_change(
    app: &App,
    caller: &Caller,
    id: ExtensionId,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<IfMatch, Problem> {
    extensions::find(app, caller, id).await?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    Ok(if_match)
}

fn tagged(extension: Extension) -> Tagged<Single<ExtensionView>> {
    Tagged::new(precondition::tag(&extension), single(extension.into()))
}
