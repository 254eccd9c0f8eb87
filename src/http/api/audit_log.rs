//! `/api/v1/audit-log` and `/api/v1/platform/audit-log`.

use axum::extract::State;
use axum::response::IntoResponse;

use crate::app::App;
use crate::app::audit_log;
use crate::app::views::AuditEntryView;
use crate::auth::caller::Caller;
use crate::domain::audit_query::{AuditFilter, AuditQuery};
use crate::domain::ids::TenantId;
use crate::http::envelope::behind;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// `GET /audit-log`: one page, newest first.
pub async fn of_tenant(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
) -> Result<impl IntoResponse, Problem> {
    let wanted = wanted(&mut query);
    query.finish()?;
    let page = audit_log::list(&app, &caller, &wanted).await?;
    Ok(behind(
        page.entries.into_iter().map(AuditEntryView::of_tenant),
        page.next,
    ))
}

/// `GET /platform/audit-log`: the same of all tenants and of the platform, or with `tenant` of one.
pub async fn of_platform(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
) -> Result<impl IntoResponse, Problem> {
    let tenant: Option<TenantId> = query.optional("tenant");
    let wanted = wanted(&mut query);
    query.finish()?;
    let page = audit_log::list_all(&app, &caller, tenant, &wanted).await?;
    Ok(behind(
        page.entries.into_iter().map(AuditEntryView::of_platform),
        page.next,
    ))
}

fn wanted(query: &mut Query) -> AuditQuery {
    let filter = AuditFilter {
        actor: query.text("actor"),
        action: query.optional("action"),
        resource: query.optional("resource"),
        ..AuditFilter::default()
    };
    let (from, to) = (query.optional("from"), query.optional("to"));
    AuditQuery {
        filter: query.checked(filter.within(from, to)),
        after: query.optional("cursor"),
        per_page: query.per_page(),
    }
}
