//! `/api/v1/extensions`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::app::App;
use crate::app::extension_import::{self, Row};
use crate::app::extensions;
use crate::app::views::{CreatedView, ExtensionView, SecretsView};
use crate::auth::caller::Caller;
use crate::domain::extension_input::ExtensionInput;
use crate::domain::ids::ExtensionId;
use crate::domain::invalid::FieldErrors;
use crate::domain::query::ExtensionQuery;
use crate::http::body::{Body, from_value};
use crate::http::envelope::{list, single};
use crate::http::id::Id;
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
    Ok(list(page.map(ExtensionView::from)))
}

/// `GET /extensions/{id}`.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<impl IntoResponse, Problem> {
    let extension = extensions::find(&app, &caller, id).await?;
    Ok(single(ExtensionView::from(extension)))
}

/// `POST /extensions`: answers the secrets, this once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    caller.reason_to_change()?;
    let input: ExtensionInput = body.json().await?;
    refuse_idempotency(&headers)?;
    let (extension, secrets) = extensions::create(&app, &caller, input).await?;
    Ok((StatusCode::CREATED, single(CreatedView::new(extension, &secrets))))
}

/// `PATCH /extensions/{id}`: a JSON merge patch.
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    extensions::find(&app, &caller, id).await?;
    caller.reason_to_change()?;
    let patch: Value = body.json().await?;
    // Wrong types and unknown fields are named by the reader, before anything is merged.
    let fields: ExtensionInput = from_value(&without_nulls(&patch))?;
    drop(fields);
    let extension = extensions::patch(&app, &caller, id, patch).await?;
    Ok(single(ExtensionView::from(extension)))
}

/// `DELETE /extensions/{id}`.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<impl IntoResponse, Problem> {
    extensions::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /extensions/{id}/reveal-secret`.
pub async fn reveal_secret(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<impl IntoResponse, Problem> {
    let secrets = extensions::reveal_secret(&app, &caller, id).await?;
    Ok(single(SecretsView::new(&secrets)))
}

/// `POST /extensions/{id}/rotate-secret`.
pub async fn rotate_secret(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<ExtensionId>,
) -> Result<impl IntoResponse, Problem> {
    let secret = extensions::rotate_secret(&app, &caller, id).await?;
    Ok(single(json!({ "secret": secret.expose() })))
}

/// `POST /extensions/import?dry_run`: `[{…}, …]`, each an extension as `POST /extensions` takes it.
pub async fn import(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    caller.reason_to_change()?;
    let rows: Vec<Value> = body.json_list().await?;
    let dry_run = query.flag("dry_run");
    query.finish()?;
    let rows: Vec<Row> = (1..).zip(rows.iter().map(from_value)).collect();
    let report = extension_import::import(&app, &caller, rows, dry_run).await?;
    let status = if report.imported {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, single(report)))
}

/// A repeated answer would have to hold the secret that is shown once.
fn refuse_idempotency(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key("idempotency-key") {
        let reason =
            "is not honoured here, since the answer shows a secret once; look for the number instead";
        return Err(Problem::invalid(FieldErrors::one("Idempotency-Key", reason)));
    }
    Ok(())
}

/// A `null` in a patch removes a field; it has no type to check.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| (key.clone(), without_nulls(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}
