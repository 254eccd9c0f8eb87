//! `/api/v1/extensions`.

use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::extension_import::{self, ImportReport, Row};
use crate::app::precondition::{self, IfMatch};
use crate::app::views::{CreatedView, ExtensionView, SecretsView, VisibleExtension};
use crate::app::{extension_csv, extensions};
use crate::auth::caller::Caller;
use crate::domain::error_chain::error_chain;
use crate::domain::extension::Extension;
use crate::domain::extension_input::ExtensionInput;
use crate::domain::ids::ExtensionId;
use crate::domain::invalid::FieldErrors;
use crate::domain::query::ExtensionQuery;
use crate::http::body::{Body, from_value, json_list};
use crate::http::envelope::{list, single};
use crate::http::id::Id;
use crate::http::idempotency::{self, Repeatable, replayed};
use crate::http::if_match::if_match;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// `GET /extensions`: one page, by number unless `sort` says otherwise.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
) -> Result<impl IntoResponse, Problem> {
    let usual = ExtensionQuery::default();
    let (sort, descending) = query.sort().unwrap_or((usual.sort, usual.descending));
    let wanted = ExtensionQuery {
        search: query.text("search"),
        status: query.optional("status"),
        sort,
        descending,
        page: query.page(),
    };
    query.finish()?;
    let page = extensions::list(&app, &caller, &wanted).await?;
    Ok(list(
        page.map(|extension| VisibleExtension::to(&caller, extension)),
    ))
}

/// `GET /extensions/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
) -> Result<impl IntoResponse, Problem> {
    let extension = extensions::find(&app, &caller, id).await?;
    query.finish()?;
    Ok((tag(&extension), single(VisibleExtension::to(&caller, extension))))
}

/// `POST /extensions`: answers the secrets, this once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let input: ExtensionInput = body.json().await?;
    query.finish()?;
    refuse_idempotency(&headers)?;
    let (extension, secrets) = extensions::create(&app, &caller, input).await?;
    let tag = tag(&extension);
    Ok((
        StatusCode::CREATED,
        tag,
        single(CreatedView::new(extension, &secrets)),
    ))
}

/// `PATCH /extensions/{id}`: a JSON merge patch; with `If-Match` only of the version that it names.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    extensions::find(&app, &caller, id).await?;
    caller.reason_to_change()?;
    let if_match = if_match(&headers)?;
    let patch = body.merge_patch::<ExtensionInput>().await?;
    query.finish()?;
    let extension = extensions::patch(&app, &caller, id, patch, &if_match).await?;
    Ok(tagged(extension))
}

/// `DELETE /extensions/{id}`; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let if_match = may_change(&app, &caller, id, query, &headers, body).await?;
    extensions::delete(&app, &caller, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /extensions/{id}/reveal-secret`; with `If-Match` only of the version that it names.
pub async fn reveal_secret(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let if_match = may_change(&app, &caller, id, query, &headers, body).await?;
    let secrets = extensions::reveal_secret(&app, &caller, id, &if_match).await?;
    Ok(single(SecretsView::new(&secrets)))
}

/// `POST /extensions/{id}/rotate-secret`; with `If-Match` only of the version that it names.
pub async fn rotate_secret(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let if_match = may_change(&app, &caller, id, query, &headers, body).await?;
    refuse_idempotency(&headers)?;
    let secret = extensions::rotate_secret(&app, &caller, id, &if_match).await?;
    Ok(single(json!({ "secret": secret.expose() })))
}

/// `POST /extensions/import?dry_run`: `[{…}, …]`, each an extension as `POST /extensions` takes it, or the same as
/// `text/csv`.
///
/// 201 once they are made, 200 for a dry run, and 422 with the same report when rows are wrong and none was made. With an
/// `Idempotency-Key` they are made once.
pub async fn import(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
    repeatable: Repeatable,
    body: Body,
) -> Result<Response, Problem> {
    caller.reason_to_change()?;
    let key = repeatable.key()?;
    let (bytes, rows) = read_rows(body).await?;
    let dry_run = query.flag("dry_run");
    query.finish()?;
    // A dry run has no effect that could come twice.
    let once = key.filter(|_| !dry_run).map(|key| key.with_body(&bytes));
    let done = extension_import::import(&app, &caller, rows, dry_run, once.as_ref()).await?;
    let replayed = replayed(&done);
    let report = done.into_inner();
    match (dry_run, report.bad) {
        (true, _) => Ok(single(report).into_response()),
        (false, 0) => Ok((StatusCode::CREATED, replayed, single(report)).into_response()),
        (false, _) => Err(wrong_rows(&report)),
    }
}

async fn read_rows(body: Body) -> Result<(Bytes, Vec<Row>), Problem> {
    if body.is_csv() {
        let table = body.csv().await?;
        let rows = extension_csv::read(table.as_ref())
            .map_err(|error| FieldErrors::one("body", error_chain(&error)))?;
        return Ok((table, rows));
    }
    let bytes = body.bytes().await?;
    let rows: Vec<Value> = json_list(&bytes)?;
    let rows = (1..).zip(&rows).map(|(line, row)| read_row(line, row)).collect();
    Ok((bytes, rows))
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
    headers: &HeaderMap,
    body: Body,
) -> Result<IfMatch, Problem> {
    extensions::find(app, caller, id).await?;
    caller.reason_to_change()?;
    let if_match = if_match(headers)?;
    body.none().await?;
    query.finish()?;
    Ok(if_match)
}

fn tagged(extension: Extension) -> impl IntoResponse {
    (tag(&extension), single(ExtensionView::from(extension)))
}

/// A strong one: another version of the extension never has the same.
fn tag(extension: &Extension) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{}\"", precondition::tag(extension)))]
}

/// A repeated answer would have to hold the secret that is shown once.
fn refuse_idempotency(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(idempotency::KEY) {
        let reason =
            "is not honoured here, since the answer shows a secret once; look for the number instead";
        return Err(Problem::invalid(FieldErrors::one("Idempotency-Key", reason)));
    }
    Ok(())
}
