//! Calls that are over: page by page, one by one, and as a file; all of the tenant, or those of the caller's own extension.

use super::App;
use super::error::AppError;
use crate::auth::access::Act;
use crate::auth::caller::{Caller, Identity};
use crate::domain::call_record::{CallFilter, CallGap, CallPage, CallQuery, CallRecord};
use crate::domain::ids::CallRecordId;
use crate::domain::invalid::FieldErrors;
use crate::domain::page::PageRequest;
use crate::domain::permission::Permission;
use crate::store::call_records::Seen;
use crate::store::{call_gaps, call_records};

/// The longest file: more calls are asked for span by span.
pub const MOST_ROWS: usize = 50_000;
/// Gaps that are told at once, beside one of each PBX for all the older ones.
const MOST_GAPS: usize = 100;

/// One page of the calls that the caller may see, and the times within it of which nothing is known.
pub async fn list(
    app: &App,
    caller: &Caller,
    query: &CallQuery,
) -> Result<(CallPage, Vec<CallGap>), AppError> {
    let tenant = caller.tenant(Permission::CallsViewOwn, Act::Read)?;
    let mut tx = app.store.read("list_calls").await?;
    let page = call_records::list(&mut tx, tenant, seen(caller), query).await?;
    let gaps = call_gaps::of_tenant(&mut tx, tenant, &query.filter, MOST_GAPS).await?;
    Ok((page, gaps))
}

/// One call; one that the caller may not see is not there.
pub async fn find(app: &App, caller: &Caller, id: CallRecordId) -> Result<CallRecord, AppError> {
    let tenant = caller.tenant(Permission::CallsViewOwn, Act::Read)?;
    let mut tx = app.store.read("find_call").await?;
    let call = call_records::find(&mut tx, tenant, seen(caller), id).await?;
    call.ok_or(AppError::NotFound)
}

/// Every call that matches and that the caller may see, newest first; too many for a file are refused.
pub async fn export(app: &App, caller: &Caller, filter: CallFilter) -> Result<Vec<CallRecord>, AppError> {
    let tenant = caller.tenant(Permission::CallsViewOwn, Act::Read)?;
    let mut query = CallQuery {
        filter,
        after: None,
        per_page: PageRequest::LARGEST,
    };
    let mut calls = Vec::new();
    // One moment of the database for all of them.
    let mut tx = app.store.read("export_calls").await?;
    loop {
        let page = call_records::list(&mut tx, tenant, seen(caller), &query).await?;
        calls.extend(page.calls);
        if calls.len() > MOST_ROWS {
            let reason =
                format!("more than {MOST_ROWS} calls match: ask for a shorter time with `from` and `to`");
            return Err(FieldErrors::one("from", reason).into());
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(calls);
        }
    }
}

/// Whose calls a caller may see. A program has no extension.
pub(super) fn seen(caller: &Caller) -> Seen {
    if caller.may(Permission::CallsViewAll) {
        return Seen::All;
    }
    Seen::Own(match caller.identity() {
        Identity::User(user) => Some(user.user_id),
        Identity::ApiKey(_) | Identity::SystemCli | Identity::SystemAuto => None,
    })
}
