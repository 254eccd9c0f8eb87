//! The own sessions: look at them, end them.

use super::App;
use super::audit::Changed;
use super::error::AppError;
use crate::auth::caller::Caller;
use crate::domain::ids::SessionId;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::store::sessions;

/// The caller's sessions, newest first.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Session>, AppError> {
    let user = caller.own()?;
    let mut tx = app.store.read("list_sessions").await?;
    Ok(sessions::of_user(&mut tx, user.user_id, app.now()).await?)
}

/// Ends one of the caller's sessions.
pub async fn end(app: &App, caller: &Caller, id: SessionId) -> Result<(), AppError> {
    let (mut tx, caller, user) = app.begin_own(caller, "end_session").await?;
    if !sessions::end(&mut tx, user.id, id).await? {
        return Err(AppError::NotFound);
    }
    app.audit(&mut tx, &caller, ended(&user, id.to_string()))?;
    Ok(tx.commit().await?)
}

/// Ends all of the caller's sessions but the one that asks.
pub async fn end_others(app: &App, caller: &Caller) -> Result<(), AppError> {
    let (mut tx, caller, user) = app.begin_own(caller, "end_other_sessions").await?;
    let asking = caller.own()?.session_id;
    sessions::end_all(&mut tx, user.id, Some(asking)).await?;
    app.audit(&mut tx, &caller, ended(&user, user.id.to_string()))?;
    Ok(tx.commit().await?)
}

/// Removes some of the sessions that reached their end, whosever they are; gives how many.
pub async fn forget_ended(app: &App) -> Result<u64, AppError> {
    let mut tx = app.store.begin("forget_ended_sessions").await?;
    let forgotten = sessions::purge_all(&mut tx, app.now()).await?;
    tx.commit().await?;
    Ok(forgotten)
}

fn ended(user: &User, target: String) -> Changed {
    Changed {
        action: "session.end",
        resource: "session",
        target,
        tenant_id: user.tenant_id(),
        before: None,
        after: None,
    }
}
