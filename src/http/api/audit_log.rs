//! `/api/v1/audit-log` and `/api/v1/platform/audit-log`.

use axum::extract::State;

use crate::app::App;
use crate::app::audit_log;
use crate::app::views::AuditEntryView;
use crate::auth::caller::Caller;
use crate::domain::audit_query::{AuditFilter, AuditQuery};
use crate::domain::ids::TenantId;
use crate::http::envelope::{Behind, behind};
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};

impl Parameters for AuditQuery {
    fn read(given: &mut Given) -> Self {
        let filter = AuditFilter {
            actor: given.text("actor", "An actor's id, or the name as it was then."),
            action: given.optional("action"),
            resource: given.optional("resource"),
            ..AuditFilter::default()
        };
        let (from, to) = (given.optional("from"), given.optional("to"));
        Self {
            filter: given.checked(filter.within(from, to)),
            after: given.optional("cursor"),
            per_page: given.per_page(),
        }
    }
}

/// What the platform asks for: entries of one tenant, or all.
pub struct Anywhere {
    tenant: Option<TenantId>,
    wanted: AuditQuery,
}

impl Parameters for Anywhere {
    fn read(given: &mut Given) -> Self {
        Self {
            tenant: given.optional("tenant"),
            wanted: AuditQuery::read(given),
        }
    }
}

/// `GET /audit-log`: one page, newest first.
pub async fn of_tenant(
    State(app): State<App>,
    caller: Caller,
    query: Query<AuditQuery>,
) -> Result<Behind<AuditEntryView>, Problem> {
    let page = audit_log::list(&app, &caller, &query.read()?).await?;
    Ok(behind(
        page.entries.into_iter().map(AuditEntryView::of_tenant),
        page.next,
    ))
}

/// `GET /platform/audit-log`: the same of all tenants and of the platform, or with `tenant` of one.
pub async fn of_platform(
    State(app): State<App>,
    caller: Caller,
    query: Query<Anywhere>,
) -> Result<Behind<AuditEntryView>, Problem> {
    let Anywhere { tenant, wanted } = query.read()?;
    let page = audit_log::list_all(&app, &caller, tenant, &wanted).await?;
    Ok(behind(
        page.entries.into_iter().map(AuditEntryView::of_platform),
        page.next,
    ))
}
